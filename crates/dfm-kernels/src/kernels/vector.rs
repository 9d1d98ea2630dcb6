//! 16 values at once, in whatever registers an instruction set has. What is written
//! with it is compiled once for each.

/// 16 values.
///
/// # Safety
///
/// Every method may be called only where the processor has the instructions;
/// pointers must be valid for 16 values.
pub(super) trait Vector: Copy {
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn subtract(self, other: Self) -> Self;
    /// `self · factor + sum`, rounded once or twice.
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self;
    /// The larger; `other` where either is not a number.
    unsafe fn max(self, other: Self) -> Self;
    /// The larger; not a number where either is not.
    unsafe fn max_or_nan(self, other: Self) -> Self;
    /// Asks for a line that will be written. Any address will do.
    unsafe fn prefetch(at: *const f32);
    /// Asks for a line that will be read later, into the second-level cache.
    unsafe fn prefetch_far(at: *const f32);
}
