//! Windows that slide over a map.

use serde::{Deserialize, Serialize};

/// A window that slides over a map. Each pair is (rows, columns).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Height and width of the window, in elements that are read.
    pub kernel: [usize; 2],
    /// Distance between neighbouring windows.
    #[serde(default = "ones", skip_serializing_if = "are_ones")]
    pub stride: [usize; 2],
    /// What is put around the map.
    #[serde(default, skip_serializing_if = "Padding::is_none")]
    pub padding: Padding,
    /// Distance between neighbouring elements that are read: 1 reads all of them.
    #[serde(default = "ones", skip_serializing_if = "are_ones")]
    pub dilation: [usize; 2],
}

/// What is put around a map before a window slides over it. A convolution reads zeros there. A maximum
/// never takes a value from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Padding {
    /// So many rows above and columns to the left, and so many rows below and columns to the right.
    Explicit {
        /// Rows above, and columns to the left.
        begin: [usize; 2],
        /// Rows below, and columns to the right.
        end: [usize; 2],
    },
    /// As much as leaves `⌈side / stride⌉` windows. An odd row or column goes below or to the right, as in
    /// TensorFlow.
    Same,
}

impl Padding {
    /// No padding.
    pub const NONE: Self = Self::Explicit { begin: [0; 2], end: [0; 2] };

    /// The same number on every side.
    pub const fn even(side: usize) -> Self {
        Self::Explicit { begin: [side; 2], end: [side; 2] }
    }

    fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

impl Default for Padding {
    fn default() -> Self {
        Self::NONE
    }
}

impl Window {
    /// A square window, padded on every side by half of it (`⌊(kernel − 1) / 2⌋`), with stride 1.
    pub const fn new(kernel: usize) -> Self {
        Self {
            kernel: [kernel; 2],
            stride: [1; 2],
            padding: Padding::even(kernel.saturating_sub(1) / 2),
            dilation: [1; 2],
        }
    }

    /// The same with this stride along both axes.
    #[must_use]
    pub const fn stride(mut self, stride: usize) -> Self {
        self.stride = [stride; 2];
        self
    }

    /// The same with another padding.
    #[must_use]
    pub const fn padded(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }

    /// The same with this dilation along both axes. The padding stays as it is.
    #[must_use]
    pub const fn dilated(mut self, dilation: usize) -> Self {
        self.dilation = [dilation; 2];
        self
    }

    /// The number of elements from the first to the last that a window reads along `axis`
    /// (0: rows, 1: columns).
    pub fn extent(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilation[axis] + 1
    }

    /// The padding before and behind a map with these sides (rows, columns): `[begin, end]`, each
    /// (rows, columns).
    pub fn padding_of(&self, sides: [usize; 2]) -> [[usize; 2]; 2] {
        match self.padding {
            Padding::Explicit { begin, end } => [begin, end],
            Padding::Same => {
                let total = [0, 1].map(|axis| {
                    let windows = sides[axis].div_ceil(self.stride[axis]);
                    let covered = windows.saturating_sub(1) * self.stride[axis] + self.extent(axis);
                    covered.saturating_sub(sides[axis])
                });
                [total.map(|total| total / 2), total.map(|total| total.div_ceil(2))]
            }
        }
    }

    /// The number of windows (rows, columns) over a map with these sides; 0 where none fits.
    pub fn output(&self, sides: [usize; 2]) -> [usize; 2] {
        let [begin, end] = self.padding_of(sides);
        [0, 1].map(|axis| {
            if sides[axis] == 0 {
                return 0;
            }
            let padded = sides[axis] + begin[axis] + end[axis];
            padded.checked_sub(self.extent(axis)).map_or(0, |room| room / self.stride[axis] + 1)
        })
    }
}

fn ones() -> [usize; 2] {
    [1; 2]
}

fn are_ones(pair: &[usize; 2]) -> bool {
    *pair == [1; 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_counted_as_in_pytorch_and_tensorflow() {
        // torch.nn.Conv2d(3, 1, kernel, stride, padding, dilation) on 224 and 225 pixels.
        assert_eq!(Window::new(7).stride(2).output([224, 225]), [112, 113]);
        assert_eq!(Window::new(2).stride(2).padded(Padding::NONE).output([225, 1]), [112, 0]);
        assert_eq!(Window::new(3).padded(Padding::even(2)).dilated(2).output([10, 4]), [10, 4]);
        // tf.keras.layers.Conv2D(1, 3, 2, padding="same"): nothing above 224 rows, one row below them.
        let same = Window::new(3).stride(2).padded(Padding::Same);
        assert_eq!(same.output([224, 225]), [112, 113]);
        assert_eq!(same.padding_of([224, 225]), [[0, 1], [1, 1]]);
        // A stride larger than the kernel leaves elements out and pads nothing.
        let sparse = Window::new(1).stride(2).padded(Padding::Same);
        assert_eq!((sparse.output([5, 4]), sparse.padding_of([5, 4])), ([3, 2], [[0; 2]; 2]));
        assert_eq!(Window::new(3).output([0, 5]), [0, 5]);
    }
}
