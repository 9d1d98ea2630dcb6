//! 16 values at once, in the registers of an instruction set. Code that is written with
//! [`Vector`] is compiled once for each instruction set.

/// 16 values.
///
/// # Safety
///
/// A method may be called only if the processor has the instructions. Pointers must be valid for
/// 16 values.
pub(super) trait Vector: Copy {
    /// The number of sums that fit the registers, beside what else a kernel holds there.
    const SUMS: usize;

    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn subtract(self, other: Self) -> Self;
    unsafe fn multiply(self, other: Self) -> Self;
    unsafe fn divide(self, other: Self) -> Self;
    /// `self · factor + sum`, rounded once or twice.
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self;
    /// The larger of two; `other` if either is not a number.
    unsafe fn max(self, other: Self) -> Self;
    /// The smaller of two; `other` if either is not a number.
    unsafe fn min(self, other: Self) -> Self;
    /// The larger of two; not a number if either is not.
    unsafe fn max_or_nan(self, other: Self) -> Self;
    /// 2 to the power of whole numbers from −126 to 128. 128 gives infinity. What is not a number
    /// gives any value.
    unsafe fn power_of_two(self) -> Self;
    /// Fetches a line that will be written. Any address will do.
    unsafe fn prefetch(at: *const f32);
    /// Fetches a line that will be read later, into the second-level cache.
    unsafe fn prefetch_far(at: *const f32);
}
