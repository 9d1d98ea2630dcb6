//! Where a picture lies in what the network sees of it.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::BackboneError;
use crate::preprocess::PictureSize;
use crate::region::Region;

/// How a picture comes to the size of the network's input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// Each side by itself: the aspect is lost, nothing else.
    #[default]
    Stretch,
    /// The aspect kept, whole, in the middle; what is left on two sides is filled with the
    /// picture's mirror image, the pixels at its border repeated (NumPy's `symmetric`).
    Mirror,
    /// The aspect kept, whole, in the middle; what is left on two sides is filled with the
    /// weights' mean. That is zero once normalised, which is what convolutions take for
    /// granted beyond their input, so that the filling shows no pattern of its own.
    Letterbox,
    /// The aspect kept, the middle of the picture alone, as large as fills the input. What
    /// lies outside is not seen.
    Crop,
}

impl Resize {
    /// Every way, in order.
    pub const ALL: [Self; 4] = [Self::Stretch, Self::Mirror, Self::Letterbox, Self::Crop];

    /// `stretch`, `mirror`, `letterbox` or `crop`.
    pub fn name(self) -> &'static str {
        ["stretch", "mirror", "letterbox", "crop"][self as usize]
    }

    /// What is not written, so that the hashes of weights that were made before stay.
    pub(crate) fn is_usual(&self) -> bool {
        *self == Self::Stretch
    }
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Resize {
    type Err = BackboneError;

    fn from_str(name: &str) -> Result<Self, BackboneError> {
        let found = Self::ALL.into_iter().find(|resize| resize.name() == name);
        found.ok_or_else(|| BackboneError::UnknownResize { got: name.to_owned() })
    }
}

/// Where one side of a picture lies along that side of the network's input, in sides of
/// the input: 0 and 1 are the input's ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Where the picture begins; negative where its beginning is not seen.
    pub start: f64,
    /// How long the picture is.
    pub length: f64,
}

impl Span {
    /// Where the point that is `position` of `pixels` along the picture lies; the centre of
    /// its first pixel is at a half.
    pub fn at(&self, position: f64, pixels: usize) -> f64 {
        self.start + position / pixels as f64 * self.length
    }

    /// Which of `count` cells along the input hold a part of the pixels in `range` of `pixels`.
    fn cells(&self, range: Range<usize>, pixels: usize, count: usize) -> Range<usize> {
        // Less than any part of a pixel: rounding must not reach into the next cell.
        const ROUNDING: f64 = 1e-9;
        let cell = |position: usize| self.at(position as f64, pixels) * count as f64;
        let first = (cell(range.start) + ROUNDING).floor().max(0.0) as usize;
        let last = (cell(range.end) - ROUNDING).ceil().max(0.0) as usize;
        first.min(count)..last.clamp(first.min(count), count)
    }
}

/// Where a picture lies in the network's input, and what of it counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Placement {
    /// From left to right.
    pub across: Span,
    /// From top to bottom.
    pub down: Span,
    /// The pixels that count, if not all do.
    pub region: Option<Arc<Region>>,
    /// Which of the picture's tiles it is, row by row; 0 of a picture in one piece.
    pub tile: usize,
}

impl Placement {
    /// The picture is the input.
    pub const WHOLE: Self = Self {
        across: Span { start: 0.0, length: 1.0 },
        down: Span { start: 0.0, length: 1.0 },
        region: None,
        tile: 0,
    };

    /// The pixels of a picture of `size` that count, as `[row, first column, column behind
    /// the last]`, row by row.
    pub fn pieces(&self, size: PictureSize) -> Vec<[usize; 3]> {
        let PictureSize { width, height } = size;
        match &self.region {
            Some(region) => {
                let within = region.pieces().filter(|[y, from, _]| *y < height && *from < width);
                within.map(|[y, from, to]| [y, from, to.min(width)].map(|place| place as usize)).collect()
            }
            None => (0..height as usize).map(|y| [y, 0, width as usize]).collect(),
        }
    }

    /// Which cells of a grid of `[height, width]` over the input hold a part of a pixel that
    /// counts, row by row; `size` is the picture's.
    pub fn cells(&self, size: PictureSize, [height, width]: [usize; 2]) -> Vec<bool> {
        let mut cells = vec![false; height * width];
        let (across, down) = (size.width as usize, size.height as usize);
        for [y, from, to] in self.pieces(size) {
            let columns = self.across.cells(from..to, across, width);
            for row in self.down.cells(y..y + 1, down, height) {
                cells[row * width..][columns.clone()].fill(true);
            }
        }
        cells
    }
}

/// Which part of a picture becomes which part of the network's input, in pixels of each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Layout {
    /// Left, top, width and height in the picture; within it.
    pub(crate) source: [f64; 4],
    /// Left, top, width and height in the input; within it, and not empty.
    pub(crate) target: [usize; 4],
}

impl Layout {
    /// Of a picture of `size`, which has pixels, in an input of `[height, width]`.
    pub(crate) fn new(resize: Resize, size: PictureSize, [height, width]: [usize; 2]) -> Self {
        // A side of a picture is 32 bits and one of the input 13: products are exact.
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

    /// Where a picture of `whole` size lies, beyond the input where it is not seen, if this is
    /// the layout of a part of it whose upper left corner is `corner`.
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
