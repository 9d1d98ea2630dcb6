//! The part of a picture that counts: a rectangle, or the pixels that a mask marks.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::hexadecimal::hexadecimal;
use crate::limits::DecodeLimits;
use crate::size::PictureSize;

/// The most runs that the pixels of a mask may form, read row by row. A mask of that many runs
/// takes half a megabyte in the header of a model.
const MOST_RUNS: usize = 100_000;

/// The part of a picture that counts: a rectangle, or the pixels that a mask marks.
///
/// The network sees the bounding rectangle of the region. Pixels of the rectangle that lie
/// outside a mask are replaced by the mean of the input contract, and cells of a feature map
/// that hold no pixel of the mask have no features.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RegionRecord", into = "RegionRecord")]
pub struct Region {
    left: u32,
    top: u32,
    size: PictureSize,
    /// The size that pictures must have; every region with a mask has it.
    picture: Option<PictureSize>,
    mask: Option<Mask>,
}

/// Which pixels of the bounding rectangle are inside.
#[derive(Clone, PartialEq, Eq)]
struct Mask {
    /// The lengths of the runs of pixels, row by row. The first run lies outside, the second
    /// inside, and so on in turns.
    runs: Vec<u32>,
    sha256: String,
}

/// Why a region was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RegionError {
    /// No pixel lies inside.
    #[error("the region holds no pixel: expected at least one pixel inside; in a mask, zero is outside")]
    Empty,
    /// The rectangle reaches further than any picture can.
    #[error("the region reaches beyond pixel {limit}: give one within the picture")]
    TooFar {
        /// The last pixel that a picture can have.
        limit: u32,
    },
    /// The rectangle does not lie within the pictures that it is for.
    #[error("the rectangle {rectangle} does not lie within pictures of {}×{} pixels: give one that does", picture.width, picture.height)]
    Beside {
        /// The rectangle.
        rectangle: String,
        /// The size of the pictures.
        picture: PictureSize,
    },
    /// The mask has more runs of pixels than a model may hold.
    #[error("the mask's rows change between inside and outside {got} times, the limit is {limit}: smooth it")]
    TooIntricate {
        /// The limit.
        limit: usize,
        /// The runs of the mask.
        got: usize,
    },
    /// The stored form of a mask contradicts itself.
    #[error("the region's mask contradicts itself: expected {expected}, got {got}")]
    Record {
        /// The value that follows from the rest.
        expected: String,
        /// The value that was found.
        got: String,
    },
    /// The network would see no part of the region.
    #[error("no cell of the network's map lies in the region: give another, or another way to resize")]
    Unseen,
}

impl Region {
    /// The rectangle of `size` whose upper left corner is `(left, top)`, in pixels.
    ///
    /// # Errors
    ///
    /// If the rectangle is empty, or reaches further than any picture can.
    ///
    /// ```
    /// use dfm_image::{PictureSize, Region};
    ///
    /// let region = Region::rectangle(10, 20, PictureSize { width: 300, height: 200 })?;
    /// assert_eq!(region.to_string(), "10,20,300,200");
    /// assert!(region.holds(10, 20) && !region.holds(310, 20));
    /// # Ok::<(), dfm_image::RegionError>(())
    /// ```
    pub fn rectangle(left: u32, top: u32, size: PictureSize) -> Result<Self, RegionError> {
        if size.width == 0 || size.height == 0 {
            return Err(RegionError::Empty);
        }
        match (left.checked_add(size.width), top.checked_add(size.height)) {
            (Some(_), Some(_)) => Ok(Self { left, top, size, picture: None, mask: None }),
            _ => Err(RegionError::TooFar { limit: u32::MAX }),
        }
    }

    /// The region of the pixels whose value in `inside` (row by row) is true, for pictures of the
    /// size `picture`.
    ///
    /// # Errors
    ///
    /// If no value is true, the number of values is not the number of pixels, or the pixels form
    /// too many runs.
    pub fn mask(picture: PictureSize, inside: &[bool]) -> Result<Self, RegionError> {
        let width = picture.width as usize;
        if inside.len() != width * picture.height as usize {
            let expected = format!("{}×{} pixels", picture.width, picture.height);
            return Err(RegionError::Record { expected, got: format!("{} pixels", inside.len()) });
        }
        let rows = || inside.chunks_exact(width.max(1));
        let has = |row: &[bool]| row.contains(&true);
        let (Some(top), Some(bottom)) = (rows().position(has), rows().rposition(has)) else {
            return Err(RegionError::Empty);
        };
        let ends = rows().filter_map(|row| {
            Some((row.iter().position(|inside| *inside)?, row.iter().rposition(|inside| *inside)?))
        });
        let (left, right) =
            ends.fold((width, 0), |(left, right), (first, last)| (left.min(first), right.max(last)));
        let box_of = |row: &'_ [bool]| row[left..=right].to_vec();
        let mut runs = vec![0];
        let mut inside_now = false;
        for inside in rows().take(bottom + 1).skip(top).flat_map(box_of) {
            if inside != inside_now {
                runs.push(0);
                inside_now = inside;
            }
            if let Some(run) = runs.last_mut() {
                *run += 1;
            }
        }
        let size = PictureSize { width: (right - left + 1) as u32, height: (bottom - top + 1) as u32 };
        Self::from_runs(left as u32, top as u32, size, picture, runs)
    }

    /// The same region for pictures of this `size` alone, so that a rectangle of one picture is not
    /// taken for that of a larger one.
    ///
    /// # Errors
    ///
    /// If the rectangle does not lie within such a picture, or the region is a mask of pictures of
    /// another size.
    pub fn for_pictures_of(self, size: PictureSize) -> Result<Self, RegionError> {
        let far = |start: u32, length: u32| u64::from(start) + u64::from(length);
        let is_within = far(self.left, self.size.width) <= u64::from(size.width)
            && far(self.top, self.size.height) <= u64::from(size.height);
        let is_other_mask = self.mask.is_some() && self.picture != Some(size);
        if !is_within || is_other_mask {
            let rectangle = Self { picture: None, mask: None, ..self }.to_string();
            return Err(RegionError::Beside { rectangle, picture: size });
        }
        Ok(Self { picture: Some(size), ..self })
    }

    /// What is left of `region`, or of whole pictures, without the pixels that `ignored` marks, row by
    /// row, in pictures of the size `picture`.
    ///
    /// # Errors
    ///
    /// Those of [`mask`](Self::mask); if the region does not lie within such pictures, or is a mask of
    /// pictures of another size.
    ///
    /// ```
    /// use dfm_image::{PictureSize, Region};
    ///
    /// let size = PictureSize { width: 2, height: 1 };
    /// let left = Region::without(None, size, &[false, true])?;
    /// assert!(left.holds(0, 0) && !left.holds(1, 0));
    /// # Ok::<(), dfm_image::RegionError>(())
    /// ```
    pub fn without(
        region: Option<&Self>,
        picture: PictureSize,
        ignored: &[bool],
    ) -> Result<Self, RegionError> {
        let Some(region) = region else {
            let inside: Vec<bool> = ignored.iter().map(|ignored| !ignored).collect();
            return Self::mask(picture, &inside);
        };
        let region = region.clone().for_pictures_of(picture)?;
        let width = picture.width as usize;
        let mut inside = vec![false; ignored.len()];
        for [row, from, to] in region.pieces() {
            for at in row as usize * width + from as usize..row as usize * width + to as usize {
                if let (Some(inside), Some(ignored)) = (inside.get_mut(at), ignored.get(at)) {
                    *inside = !ignored;
                }
            }
        }
        Self::mask(picture, &inside)
    }

    fn from_runs(
        left: u32,
        top: u32,
        size: PictureSize,
        picture: PictureSize,
        runs: Vec<u32>,
    ) -> Result<Self, RegionError> {
        let wrong = |expected: String, got: String| Err(RegionError::Record { expected, got });
        if runs.len() > MOST_RUNS {
            return Err(RegionError::TooIntricate { limit: MOST_RUNS, got: runs.len() });
        }
        let most = DecodeLimits::default().max_pixels;
        if u64::from(picture.width) * u64::from(picture.height) > most {
            return wrong(format!("a picture of up to {most} pixels"), format!("{picture:?}"));
        }
        let region = Self::rectangle(left, top, size)?;
        if left + size.width > picture.width || top + size.height > picture.height {
            return wrong(format!("within {}×{} pixels", picture.width, picture.height), region.to_string());
        }
        let pixels = u64::from(size.width) * u64::from(size.height);
        let sum: u64 = runs.iter().copied().map(u64::from).sum();
        if sum != pixels {
            return wrong(format!("runs of {pixels} pixels in all"), sum.to_string());
        }
        if runs.iter().skip(1).step_by(2).all(|run| *run == 0) {
            return Err(RegionError::Empty);
        }
        let mut hasher = Sha256::new();
        let sides = [picture.width, picture.height, left, top, size.width, size.height];
        sides.iter().chain(&runs).for_each(|number| hasher.update(number.to_le_bytes()));
        let sha256 = hexadecimal(&hasher.finalize());
        Ok(Self { picture: Some(picture), mask: Some(Mask { runs, sha256 }), ..region })
    }

    /// The upper left corner of the bounding rectangle: column and row.
    pub fn corner(&self) -> [u32; 2] {
        [self.left, self.top]
    }

    /// The size of the bounding rectangle.
    pub fn size(&self) -> PictureSize {
        self.size
    }

    /// The size that pictures must have. `None` for a rectangle that fits every picture that holds
    /// it.
    pub fn picture_size(&self) -> Option<PictureSize> {
        self.picture
    }

    /// Whether the region is a mask, not a rectangle.
    pub fn is_mask(&self) -> bool {
        self.mask.is_some()
    }

    /// SHA-256 of the mask, in hexadecimal. It covers the width and the height of the picture; left,
    /// top, width and height of the bounding rectangle; and the lengths of the runs of pixels, outside
    /// and inside in turns; all as little-endian `u32`.
    pub fn mask_sha256(&self) -> Option<&str> {
        self.mask.as_ref().map(|mask| mask.sha256.as_str())
    }

    /// Whether the pixel `(x, y)` lies inside. Cost: one step for each of the [`pieces`](Self::pieces).
    pub fn holds(&self, x: u32, y: u32) -> bool {
        self.pieces().any(|[row, from, to]| row == y && (from..to).contains(&x))
    }

    /// The pixels inside, as `[row, first column, column behind the last]`, row by row.
    pub fn pieces(&self) -> impl Iterator<Item = [u32; 3]> + '_ {
        let whole = u64::from(self.size.width) * u64::from(self.size.height);
        let width = u64::from(self.size.width);
        let runs: Box<dyn Iterator<Item = u64> + '_> = match &self.mask {
            Some(mask) => Box::new(mask.runs.iter().copied().map(u64::from)),
            None => Box::new([0, whole].into_iter()),
        };
        let inside = runs.scan(0, |begin, run| {
            let from = *begin;
            *begin += run;
            Some((from, *begin))
        });
        let inside = inside.skip(1).step_by(2).filter(|(from, to)| from < to);
        inside.flat_map(move |(from, to)| {
            (from / width..=(to - 1) / width).map(move |row| {
                let column = |pixel: u64| pixel.saturating_sub(row * width).min(width) as u32;
                [self.top + row as u32, self.left + column(from), self.left + column(to)]
            })
        })
    }
}

/// `X,Y,W,H`; the size of its pictures, if they must have one; the hash of a mask.
impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PictureSize { width, height } = self.size;
        write!(f, "{},{},{width},{height}", self.left, self.top)?;
        match (&self.picture, &self.mask) {
            (Some(PictureSize { width, height }), Some(mask)) => {
                write!(f, " by a mask of {width}×{height} pixels, SHA-256 {}", mask.sha256)
            }
            (Some(PictureSize { width, height }), None) => {
                write!(f, " in pictures of {width}×{height} pixels")
            }
            (None, _) => Ok(()),
        }
    }
}

/// The same as [`Display`](fmt::Display), since lists of runs help nobody.
impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a region is stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionRecord {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
    /// For a rectangle, the size that pictures must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    picture: Option<PictureSize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mask: Option<MaskRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MaskRecord {
    picture_width: u32,
    picture_height: u32,
    sha256: String,
    runs: Vec<u32>,
}

impl TryFrom<RegionRecord> for Region {
    type Error = RegionError;

    fn try_from(record: RegionRecord) -> Result<Self, RegionError> {
        let RegionRecord { x, y, width, height, picture: record_picture, mask } = record;
        let size = PictureSize { width, height };
        let Some(mask) = mask else {
            let rectangle = Self::rectangle(x, y, size)?;
            return record_picture.map_or(Ok(rectangle.clone()), |size| rectangle.for_pictures_of(size));
        };
        let picture = PictureSize { width: mask.picture_width, height: mask.picture_height };
        if record_picture.is_some() {
            let expected = "the size of pictures once, beside the runs of the mask".to_owned();
            return Err(RegionError::Record { expected, got: "twice".to_owned() });
        }
        let region = Self::from_runs(x, y, size, picture, mask.runs)?;
        match region.mask_sha256() {
            Some(sha256) if sha256 == mask.sha256 => Ok(region),
            other => Err(RegionError::Record {
                expected: format!("SHA-256 {}", other.unwrap_or_default()),
                got: mask.sha256,
            }),
        }
    }
}

impl From<Region> for RegionRecord {
    fn from(region: Region) -> Self {
        let Region { left, top, size, picture, mask } = region;
        let (picture, mask) = match (picture, mask) {
            (Some(picture), Some(mask)) => {
                let (picture_width, picture_height) = (picture.width, picture.height);
                let Mask { runs, sha256 } = mask;
                (None, Some(MaskRecord { picture_width, picture_height, sha256, runs }))
            }
            (picture, _) => (picture, None),
        };
        Self { x: left, y: top, width: size.width, height: size.height, picture, mask }
    }
}
