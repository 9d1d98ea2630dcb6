//! Rows of a picture between zeros.

use crate::layout::Map;

/// Some rows of each channel of a picture, with zeros around the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct PictureRows {
    pub(super) picture: Map,
    /// Rows of zeros above the picture, and columns on its left.
    pub(super) before: [usize; 2],
    /// The number of rows that are copied of each channel.
    pub(super) count: usize,
    /// The columns of a row, those of zeros included.
    pub(super) width: usize,
}

impl PictureRows {
    /// The number of values of a copy.
    pub(super) fn len(&self) -> usize {
        self.picture.channels * self.count * self.width
    }

    /// Copies the rows from `first` on, counted from the first row of zeros.
    pub(super) fn copy(&self, picture: &[f32], first: usize, copy: &mut [f32]) {
        let Map { height, width, .. } = self.picture;
        let [above, left] = self.before;
        for (index, copy) in copy[..self.len()].chunks_exact_mut(self.width).enumerate() {
            let (channel, row) = (index / self.count, index % self.count);
            let from = (first + row).wrapping_sub(above);
            if from >= height {
                copy.fill(0.0);
                continue;
            }
            copy[..left].fill(0.0);
            copy[left..left + width].copy_from_slice(&picture[(channel * height + from) * width..][..width]);
            copy[left + width..].fill(0.0);
        }
    }
}
