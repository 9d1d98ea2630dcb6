//! The sizes of the pictures of a fit.

use dfm_backbone::PictureSize;
use serde::{Deserialize, Serialize};

/// How many times as long a side may be as any that was learnt, or how much shorter.
const FAR: f64 = 1.5;

/// Between which sizes pictures lie.
///
/// ```
/// use dfm_core::{PictureSize, SizeRange};
///
/// let sizes = SizeRange::of(PictureSize { width: 640, height: 480 });
/// assert!(!sizes.is_far(PictureSize { width: 800, height: 600 }));
/// assert!(sizes.is_far(PictureSize { width: 1280, height: 960 }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SizeRange {
    /// The shortest width and the shortest height, in pixels.
    pub smallest: [u32; 2],
    /// The longest width and the longest height, in pixels.
    pub largest: [u32; 2],
}

impl SizeRange {
    /// The range of one picture.
    pub fn of(size: PictureSize) -> Self {
        let sides = [size.width, size.height];
        Self { smallest: sides, largest: sides }
    }

    /// The range of all pictures in this range or in `other`.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        let both = |choose: fn(u32, u32) -> u32, one: [u32; 2], other: [u32; 2]| {
            [choose(one[0], other[0]), choose(one[1], other[1])]
        };
        Self {
            smallest: both(u32::min, self.smallest, other.smallest),
            largest: both(u32::max, self.largest, other.largest),
        }
    }

    /// Whether a picture is far from this range: a side of it is longer than one and a half times the
    /// longest, or the shortest is longer than one and a half times its side.
    pub fn is_far(&self, size: PictureSize) -> bool {
        let sides = [size.width, size.height].map(f64::from);
        (0..2).any(|at| {
            sides[at] > FAR * f64::from(self.largest[at]) || FAR * sides[at] < f64::from(self.smallest[at])
        })
    }
}
