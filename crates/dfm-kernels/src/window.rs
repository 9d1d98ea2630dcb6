//! The windows that a convolution or a pool sees.

use crate::convolution::Convolution;
use crate::layout::Map;

/// The windows that a convolution or a pool sees. Each pair is that of height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// The number of taps.
    pub(crate) kernel: [usize; 2],
    /// Pixels from one window to the next.
    pub(crate) stride: [usize; 2],
    /// Rows added above, and columns added to the left.
    pub(crate) before: [usize; 2],
    /// Rows added below, and columns added to the right.
    pub(crate) after: [usize; 2],
    /// Pixels from one tap to the next.
    pub(crate) dilation: [usize; 2],
}

impl Window {
    /// Square windows of `kernel` taps, with `padding` on all sides.
    pub(crate) fn square(kernel: usize, stride: usize, padding: usize) -> Self {
        Self {
            kernel: [kernel; 2],
            stride: [stride; 2],
            before: [padding; 2],
            after: [padding; 2],
            dilation: [1; 2],
        }
    }

    /// The windows of a network's convolution.
    pub(crate) fn of(convolution: &Convolution) -> Self {
        let Convolution { kernel, stride, padding, .. } = *convolution;
        Self { kernel, ..Self::square(1, stride, padding) }
    }

    /// Single pixels, one apart.
    pub(crate) fn is_pixel(&self) -> bool {
        *self == Self::square(1, 1, 0)
    }

    /// Whether nothing is added around the input.
    pub(crate) fn is_unpadded(&self) -> bool {
        (self.before, self.after) == ([0; 2], [0; 2])
    }

    /// The number of taps of a window.
    pub(crate) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// The pixels that a window covers along an axis, those between its taps included.
    pub(crate) fn reach(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilation[axis] + 1
    }

    /// Height and width of the result on an input of `size`; `None` if nothing is left.
    pub(crate) fn output(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        let side = |axis: usize| {
            let padded = size[axis] + self.before[axis] + self.after[axis];
            Some(padded.checked_sub(self.reach(axis))? / self.stride[axis] + 1)
        };
        Some([side(0)?, side(1)?])
    }

    /// The map of `channels` channels that the windows make of `input`; `None` if nothing is left.
    pub(crate) fn map(&self, input: Map, channels: usize) -> Option<Map> {
        let [height, width] = self.output([input.height, input.width])?;
        Some(Map { channels, height, width })
    }

    /// The first and the last tap, plus one, of window `index` along an axis that lie on the `side`
    /// pixels of the input.
    pub(crate) fn taps_inside(&self, axis: usize, index: usize, side: usize) -> std::ops::Range<usize> {
        let begin = index * self.stride[axis];
        let first = self.before[axis].saturating_sub(begin).div_ceil(self.dilation[axis]);
        let end = (side + self.before[axis]).saturating_sub(begin).div_ceil(self.dilation[axis]);
        let end = end.min(self.kernel[axis]);
        first.min(end)..end
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kernel: [height, width], stride, dilation, .. } = self;
        write!(f, "{height}×{width}/{}", stride[0])?;
        if stride[0] != stride[1] {
            write!(f, "×{}", stride[1])?;
        }
        match dilation {
            [1, 1] => Ok(()),
            [rows, columns] => write!(f, ", taps {rows}×{columns} apart"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_inside_are_those_whose_pixels_exist() {
        for kernel in [1, 2, 3, 7] {
            for (stride, before, dilation) in [(1, 0, 1), (2, 1, 1), (1, 3, 2), (3, 2, 3), (4, 6, 1)] {
                let window = Window {
                    before: [before; 2],
                    dilation: [dilation; 2],
                    ..Window::square(kernel, stride, 0)
                };
                for side in 1..9 {
                    for index in 0..12 {
                        let at = |tap: usize| (index * stride + tap * dilation).wrapping_sub(before);
                        let inside: Vec<usize> = (0..kernel).filter(|tap| at(*tap) < side).collect();
                        let taps: Vec<usize> = window.taps_inside(0, index, side).collect();
                        assert_eq!(taps, inside, "{window}, {index} of {side}");
                    }
                }
            }
        }
    }
}
