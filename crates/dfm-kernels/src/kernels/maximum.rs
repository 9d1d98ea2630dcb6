//! The maximum over 3×3 windows, two pixels apart.

use std::ops::Range;

use super::vector::Vector;
use crate::layout::LANES;

/// One row of windows of one block of channels.
#[derive(Clone, Copy)]
pub(super) struct Windows {
    /// The rows of the input that the windows see; only the first `rows` are used.
    pub(super) inputs: [*const f32; 3],
    pub(super) rows: usize,
    /// Pixels in a row of the input.
    pub(super) input_width: usize,
    /// Columns added on the left.
    pub(super) before: usize,
    pub(super) output: *mut f32,
    /// Pixels in a row of the output.
    pub(super) output_width: usize,
}

/// Computes a row of maxima.
///
/// # Safety
///
/// Rows must be valid for their widths, and the row of the output for writing, by nobody else. The
/// processor must have the instructions.
pub(super) type MaximumRow = unsafe fn(Windows);

/// The pixels that window `index` covers in a row or a column of `side` pixels, with `before` pixels
/// of padding before it; `before` must be less than the side of a window.
pub(super) fn window(index: usize, before: usize, side: usize) -> Range<usize> {
    (2 * index).saturating_sub(before)..(2 * index + 3 - before).min(side)
}

/// See [`MaximumRow`]. Padding counts as zero, which is never larger than what a ReLU has let
/// through.
#[inline(always)]
pub(super) unsafe fn row<V: Vector>(windows: Windows) {
    // SAFETY: the caller vouches for the rows.
    unsafe {
        for x in 0..windows.output_width {
            let mut largest = V::splat(0.0);
            for row in &windows.inputs[..windows.rows] {
                for column in window(x, windows.before, windows.input_width) {
                    largest = largest.max_or_nan(V::load(row.add(LANES * column)));
                }
            }
            largest.store(windows.output.add(LANES * x));
        }
    }
}
