//! Memory that threads share.

use std::marker::PhantomData;
use std::ops::Range;

use crate::layout::{LANES, Lanes};

/// Values of which several threads read and write parts.
#[derive(Debug)]
pub(crate) struct Shared<'a, T> {
    values: *mut T,
    len: usize,
    borrowed: PhantomData<&'a mut [T]>,
}

// SAFETY: a pointer to values that are borrowed for as long as it lives; whoever
// makes a slice of it vouches that nobody else writes there.
unsafe impl<T: Send + Sync> Send for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    /// Shares all of `values`.
    pub(crate) fn new(values: &'a mut [T]) -> Self {
        Self { values: values.as_mut_ptr(), len: values.len(), borrowed: PhantomData }
    }

    /// Where `range` begins: valid for reading and writing all of it, as far as
    /// other threads let it be.
    ///
    /// # Panics
    ///
    /// If `range` is not inside.
    pub(super) fn at(&self, range: Range<usize>) -> *mut T {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {}", self.len);
        self.values.wrapping_add(range.start)
    }

    /// The values of `range`.
    ///
    /// # Panics
    ///
    /// If `range` is not inside.
    ///
    /// # Safety
    ///
    /// Nobody writes them while the slice lives.
    pub(super) unsafe fn slice(&self, range: Range<usize>) -> &'a [T] {
        // SAFETY: inside the values, which live for 'a; the caller vouches for the rest.
        unsafe { std::slice::from_raw_parts(self.at(range.clone()), range.len()) }
    }

    /// The values of `range`, to be written.
    ///
    /// # Panics
    ///
    /// If `range` is not inside.
    ///
    /// # Safety
    ///
    /// Nobody else reads or writes them while the slice lives.
    pub(super) unsafe fn slice_mut(&self, range: Range<usize>) -> &'a mut [T] {
        // SAFETY: inside the values, which live for 'a; the caller vouches for the rest.
        unsafe { std::slice::from_raw_parts_mut(self.at(range.clone()), range.len()) }
    }
}

/// The values of `lanes` one after the other.
pub(super) fn flat_mut(lanes: &mut [Lanes]) -> &mut [f32] {
    // SAFETY: `Lanes` are arrays of `f32` (`repr(C)`) whose length is a multiple of
    // their alignment, so nothing lies between them.
    unsafe { std::slice::from_raw_parts_mut(lanes.as_mut_ptr().cast(), lanes.len() * LANES) }
}
