//! The maximum of 3×3 windows, two pixels apart.

use std::ops::Range;

use super::vector::Vector;
use crate::layout::LANES;

/// One row of windows of one block of channels.
#[derive(Clone, Copy)]
pub(super) struct Windows {
    /// The input rows that the windows see: the first `rows` of these.
    pub(super) inputs: [*const f32; 3],
    pub(super) rows: usize,
    /// Pixels in a row of the input.
    pub(super) input_width: usize,
    /// Columns that are added on the left.
    pub(super) before: usize,
    pub(super) output: *mut f32,
    /// Pixels in a row of the output.
    pub(super) output_width: usize,
}

/// # Safety
///
/// Rows must be valid for their widths, those of the output for writing and by nobody
/// else, and the processor must have the instructions.
pub(super) type MaximumRow = unsafe fn(Windows);

/// The places that window `index` covers in a row or column of `side`.
pub(super) fn window(index: usize, before: usize, side: usize) -> Range<usize> {
    (2 * index).saturating_sub(before)..(2 * index + 3 - before).min(side)
}

/// See [`MaximumRow`]. What is added at the border counts as zero, which never wins
/// over what a ReLU has let through.
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
