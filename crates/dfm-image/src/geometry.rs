//! Which rectangle of a picture becomes which rectangle of the network's input.

use crate::placement::{Placement, Span};
use crate::resize::Resize;
use crate::size::PictureSize;

/// Which rectangle of a picture becomes which rectangle of the network's input, in pixels of
/// each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Geometry {
    /// Left, top, width and height in the picture; within it.
    pub(crate) source: [f64; 4],
    /// Left, top, width and height in the input; within it, and not empty.
    pub(crate) target: [usize; 4],
}

impl Geometry {
    /// How a picture of `size`, which must have pixels, comes to an input of `[height, width]`.
    pub(crate) fn new(resize: Resize, size: PictureSize, [height, width]: [usize; 2]) -> Self {
        // A side of a picture has 32 bits and a side of the input 13: products are exact.
        let (across, down) = (u64::from(size.width), u64::from(size.height));
        let (to_across, to_down) = (width as u64, height as u64);
        let wider = across * to_down > down * to_across;
        let whole = Self {
            source: [0.0, 0.0, f64::from(size.width), f64::from(size.height)],
            target: [0, 0, width, height],
        };
        match resize {
            Resize::Stretch => whole,
            Resize::Mirror | Resize::Letterbox => {
                // To the nearest whole pixel.
                let scaled =
                    |side: u64, to: u64, from: u64| ((2 * side * to + from) / (2 * from)).max(1) as usize;
                let (across, down) = match wider {
                    true => (width, scaled(down, to_across, across)),
                    false => (scaled(across, to_down, down), height),
                };
                Self { target: [(width - across) / 2, (height - down) / 2, across, down], ..whole }
            }
            Resize::Crop => {
                let (seen_across, seen_down) = match wider {
                    true => ((down * to_across) as f64 / to_down as f64, down as f64),
                    false => (across as f64, (across * to_down) as f64 / to_across as f64),
                };
                let beside = |side: u64, seen: f64| (side as f64 - seen) / 2.0;
                let source = [beside(across, seen_across), beside(down, seen_down), seen_across, seen_down];
                Self { source, ..whole }
            }
        }
    }

    /// Where a picture of `whole` size lies in an input of `[height, width]`, if this geometry is
    /// that of a rectangle of the picture with its upper left corner at `corner` (column, row).
    /// The picture reaches beyond the input where it is not seen.
    pub(crate) fn placement(
        &self,
        corner: [u32; 2],
        whole: PictureSize,
        [height, width]: [usize; 2],
    ) -> Placement {
        let along = |axis: usize, pixels: u32, input: usize| {
            let (from, seen) = (f64::from(corner[axis]) + self.source[axis], self.source[2 + axis]);
            let (to, shown) = (self.target[axis] as f64, self.target[2 + axis] as f64);
            let input = input as f64;
            Span {
                start: (to - from * shown / seen) / input,
                length: f64::from(pixels) / seen * shown / input,
            }
        };
        let (across, down) = (along(0, whole.width, width), along(1, whole.height, height));
        Placement { across, down, region: None, tile: 0 }
    }
}
