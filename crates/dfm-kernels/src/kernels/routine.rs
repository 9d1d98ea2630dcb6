//! Code that is compiled once for each instruction set.

use super::vector::Vector;

/// A piece of work on values in memory. [`Kernels::run`](super::set::Kernels::run) does it with the
/// instructions of a set.
pub(super) trait Routine {
    /// What the work gives.
    type Output;

    /// Does the work. An implementation is `#[inline(always)]`, so that it is compiled with the
    /// instructions of the caller.
    ///
    /// # Safety
    ///
    /// Every address that the routine describes must be valid, and nobody else may access what it
    /// writes, or write what it reads. The processor must have the instructions of `V`.
    unsafe fn run<V: Vector>(self) -> Self::Output;
}
