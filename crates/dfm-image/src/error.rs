//! Why a picture could not be used.

use crate::picture::Depth;
use crate::tiling::{Tiling, TilingError};

/// A picture that cannot be decoded or prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreprocessError {
    /// The file is of no known picture format.
    #[error("not a picture: expected JPEG, PNG, BMP, TIFF, WebP, GIF, PNM or QOI, found {found}")]
    UnknownFormat {
        /// What the first bytes look like.
        found: String,
    },
    /// The file holds more bytes than allowed.
    #[error("the file holds {got} bytes, the limit is {limit}: save it smaller")]
    TooManyBytes {
        /// The limit.
        limit: u64,
        /// The bytes of the file.
        got: u64,
    },
    /// The picture has more pixels than allowed.
    #[error("the picture is {width}×{height} pixels, the limit is {limit} in all: scale it down")]
    TooManyPixels {
        /// The limit.
        limit: u64,
        /// Declared width.
        width: u32,
        /// Declared height.
        height: u32,
    },
    /// The decoded pixels would take more bytes than allowed.
    #[error(
        "the picture of {width}×{height} pixels takes {got} bytes to decode, the limit is {limit}: save it with \
         8 bits a channel, or scale it down"
    )]
    TooManyDecodedBytes {
        /// The limit.
        limit: u64,
        /// The bytes that decoding would take.
        got: u64,
        /// Declared width.
        width: u32,
        /// Declared height.
        height: u32,
    },
    /// The picture has no pixels.
    #[error("the picture is {width}×{height} pixels: expected at least one; save it again")]
    Empty {
        /// Width.
        width: u32,
        /// Height.
        height: u32,
    },
    /// Every pixel is transparent.
    #[error(
        "the picture of {width}×{height} pixels is transparent everywhere, so it shows nothing: save it without transparency"
    )]
    Invisible {
        /// Width.
        width: u32,
        /// Height.
        height: u32,
    },
    /// The file holds several pictures, such as an animation.
    #[error("the {format} file holds {count} pictures: expected one; save each as a file of its own")]
    SeveralPictures {
        /// Name of the format.
        format: &'static str,
        /// How many pictures it holds.
        count: usize,
    },
    /// The file has no page of that number.
    #[error("expected page 1 to {got}, got page {number}")]
    NoPage {
        /// The page that was asked for.
        number: usize,
        /// How many there are.
        got: usize,
    },
    /// A picture of a format that is known and not read.
    #[error("{format} pictures are not read; save it as PNG, TIFF or JPEG")]
    OtherFormat {
        /// Name of the format.
        format: &'static str,
    },
    /// The file ends before the picture does.
    #[error("the {format} picture is cut short after {got} bytes: copy it again")]
    CutShort {
        /// Name of the format.
        format: &'static str,
        /// The bytes of the file.
        got: u64,
    },
    /// The format allows this kind of picture, but it is not supported here.
    #[error(
        "unsupported {format} picture: {found}; save it as PNG with 8 or 16 bits a channel, as grey or RGB"
    )]
    Unsupported {
        /// Name of the format.
        format: &'static str,
        /// What is not supported.
        found: String,
    },
    /// The format is known, and the content is damaged.
    #[error("damaged {format} picture: {reason}; save or copy it again")]
    Decode {
        /// Name of the format.
        format: &'static str,
        /// What the decoder found.
        reason: String,
    },
    /// The levels are those of other pictures.
    #[error(
        "expected a picture of the levels {levels}, with 16 bits a channel or floating-point numbers, found {found}: \
         save it as the pictures of the fit were saved, or fit with the levels `full`"
    )]
    Depth {
        /// The levels.
        levels: String,
        /// What the picture is made of.
        found: Depth,
    },
    /// A picture has floating-point numbers, which have no black and white of their own.
    #[error(
        "expected a range of levels for a picture with floating-point numbers, found none: state which values are \
         black and white at the fit, or save the picture with 16 bits a channel"
    )]
    LevelsNeeded,
    /// A picture with 16 bits a channel is transparent, and the levels bring no value to the colour that
    /// it is laid on.
    #[error(
        "expected levels within 0 and 65535 for a picture with 16 bits a channel that is transparent in places, found \
         {levels}: fit with other levels, or save the picture without transparency"
    )]
    NoBackground {
        /// The levels.
        levels: String,
    },
    /// A picture has a value that is no number or infinite.
    #[error(
        "expected finite values, found {got} in column {x} of row {y}: leave the picture out, or save it without"
    )]
    NotFinite {
        /// Column of the pixel, from 0.
        x: usize,
        /// Row of the pixel, from 0.
        y: usize,
        /// The value.
        got: f32,
    },
    /// The region does not fit the picture.
    #[error(
        "the region {region} does not lie within the picture, which is {width}×{height} pixels: leave the picture \
         out, or give another region"
    )]
    Region {
        /// The region.
        region: String,
        /// Width of the picture.
        width: u32,
        /// Height of the picture.
        height: u32,
    },
    /// The region is for pictures of another size.
    #[error(
        "the picture is {width}×{height} pixels, but the region is {region}: take pictures of that size, or fit a \
         model to pictures of this size"
    )]
    RegionOfOthers {
        /// The region.
        region: String,
        /// Width of the picture.
        width: u32,
        /// Height of the picture.
        height: u32,
    },
    /// The picture has another size than the others, and its tiles would lie elsewhere.
    #[error(
        "the picture is {got_width}×{got_height} pixels, expected {expected_width}×{expected_height}: statistics by \
         position need pictures of one size; leave it out, scale it to that size, or fit with tiles that share \
         statistics"
    )]
    OtherSize {
        /// Width that every picture must have.
        expected_width: u32,
        /// Height that every picture must have.
        expected_height: u32,
        /// Width of this one.
        got_width: u32,
        /// Height of this one.
        got_height: u32,
    },
    /// A whole picture was to be prepared where pictures are cut into tiles.
    #[error("expected every tile of the picture ({tiling}), got the whole picture: prepare its tiles")]
    WholePicture {
        /// How pictures are cut.
        tiling: Tiling,
    },
    /// The picture could not be cut into tiles.
    #[error(transparent)]
    Tiling(#[from] TilingError),
    /// The picture could not be resized.
    #[error(
        "resizing {width}×{height} pixels to {to_width}×{to_height}: {reason}; scale the picture down, or choose \
         another size"
    )]
    Resize {
        /// Width before.
        width: u32,
        /// Height before.
        height: u32,
        /// Width after.
        to_width: usize,
        /// Height after.
        to_height: usize,
        /// What the resizer reported.
        reason: String,
    },
}
