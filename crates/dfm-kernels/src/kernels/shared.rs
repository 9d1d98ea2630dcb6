//! Memory that threads share.

use std::marker::PhantomData;
use std::ops::Range;

use crate::layout::{LANES, Lanes};

/// Values that several threads share: each reads and writes parts of them.
#[derive(Debug)]
pub(crate) struct Shared<'a, T> {
    values: *mut T,
    len: usize,
    borrowed: PhantomData<&'a mut [T]>,
}

// SAFETY: it is a pointer to values that are borrowed for as long as it lives. Whoever makes a
// slice of it vouches that nobody else writes there.
unsafe impl<T: Send + Sync> Send for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    /// Shares all of `values`.
    pub(crate) fn new(values: &'a mut [T]) -> Self {
        Self { values: values.as_mut_ptr(), len: values.len(), borrowed: PhantomData }
    }

    /// A pointer to the beginning of `range`. It is valid for reading and writing the whole range,
    /// as far as other threads leave it alone.
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
    /// Nobody may write them while the slice lives.
    pub(super) unsafe fn slice(&self, range: Range<usize>) -> &'a [T] {
        // SAFETY: the range lies inside the values, which live for 'a. The caller vouches for the
        // rest.
        unsafe { std::slice::from_raw_parts(self.at(range.clone()), range.len()) }
    }

    /// The values of `range`, which can be written.
    ///
    /// # Panics
    ///
    /// If `range` is not inside.
    ///
    /// # Safety
    ///
    /// Nobody else may read or write them while the slice lives.
    pub(super) unsafe fn slice_mut(&self, range: Range<usize>) -> &'a mut [T] {
        // SAFETY: the range lies inside the values, which live for 'a. The caller vouches for the
        // rest.
        unsafe { std::slice::from_raw_parts_mut(self.at(range.clone()), range.len()) }
    }
}

/// The values of `lanes` one after the other.
pub(super) fn flat_mut(lanes: &mut [Lanes]) -> &mut [f32] {
    // SAFETY: `Lanes` are arrays of `f32` (`repr(C)`) whose size is a multiple of their alignment,
    // so nothing lies between them.
    unsafe { std::slice::from_raw_parts_mut(lanes.as_mut_ptr().cast(), lanes.len() * LANES) }
}
