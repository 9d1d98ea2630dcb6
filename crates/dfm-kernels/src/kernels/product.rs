//! One matrix product over runs of pixels.

use super::{Kernel, Tile};
use crate::layout::LANES;

/// `rows` pixels of several chunks of channels times weights.
pub(crate) struct Product<'a> {
    pub(crate) kernel: Kernel,
    /// Chunk `c` of pixel `r` is at `offsets[c] + 16 · r`.
    pub(crate) input: &'a [f32],
    pub(crate) offsets: &'a [isize],
    /// See [`Tile::weights`].
    pub(crate) weights: &'a [f32],
    /// A multiple of the kernel's pixels.
    pub(crate) rows: usize,
}

impl Product<'_> {
    /// Writes `[blocks][rows][16]`.
    ///
    /// # Panics
    ///
    /// If a slice is shorter than the product needs.
    pub(crate) fn run(&self, output: &mut [f32]) {
        const ZEROS: [f32; 2 * LANES] = [0.0; 2 * LANES];
        let Kernel { pixels, blocks, .. } = self.kernel;
        assert!(self.rows.is_multiple_of(pixels) && blocks * LANES <= ZEROS.len());
        assert_eq!(output.len(), blocks * self.rows * LANES);
        assert_eq!(self.weights.len(), self.offsets.len() * LANES * blocks * LANES);
        let inside = |offset: &isize| {
            usize::try_from(*offset).is_ok_and(|offset| offset + self.rows * LANES <= self.input.len())
        };
        assert!(self.offsets.iter().all(inside));
        for row in (0..self.rows).step_by(pixels) {
            let tile = Tile {
                input: self.input[row * LANES..].as_ptr(),
                offsets: self.offsets,
                depth: LANES,
                weights: self.weights.as_ptr(),
                bias: ZEROS.as_ptr(),
                residual: std::ptr::null(),
                output: output[row * LANES..].as_mut_ptr(),
                output_block: self.rows * LANES,
                relu: false,
            };
            // SAFETY: the assertions above hold every chunk of every pixel, all
            // weights and all results inside their slices; the kernel came from an
            // instruction set that this processor has.
            unsafe { (self.kernel.run)(tile) };
        }
    }
}
