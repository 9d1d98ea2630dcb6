//! Whole JPEG files. Decoders are made for browsers: they show what they can of a damaged file
//! and fill the rest with grey. Such a picture must not pass for a good part. Three things are
//! therefore checked besides the decoder's own strict mode: every segment of the file is there
//! (`jpeg_segments`), the coded data reaches the last pixel, and it ends there.

use std::io::{self, BufRead, Cursor, Read, Seek, SeekFrom};

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::jpeg_segments::{Fault, Segments};
use super::several::check_single_jpeg;
use super::size_check::check_size;
use crate::error::PreprocessError;
use crate::limits::DecodeLimits;

const FORMAT: &str = "JPEG";
const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];
/// Bits that are all ones, in the form that coded data has. No code of a JPEG consists of ones
/// only, so a decoder that still reads data here finds that the file is damaged. Without these
/// bytes it would read zeros, and zeros have a meaning.
const NO_CODE: [u8; 32] = {
    let mut bytes = [0; 32];
    let mut index = 0;
    while index < bytes.len() {
        bytes[index] = 0xFF;
        index += 2;
    }
    bytes
};
/// Bytes of coded data that may be left when all pixels are decoded: the decoder reads ahead,
/// and some cameras write padding.
const SPARE: u64 = 64;

/// Decodes a JPEG and applies its EXIF orientation. Colours are converted as the
/// `image` crate does, which decodes with the same library.
pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<DynamicImage, PreprocessError> {
    let segments = Segments::parse(bytes).map_err(|fault| match fault {
        Fault::CutShort => PreprocessError::CutShort { format: FORMAT, got: bytes.len() as u64 },
        Fault::Damaged(reason) => damaged(reason),
    })?;
    check_single_jpeg(bytes, &segments)?;
    // A progressive picture keeps all its coefficients besides its pixels.
    let bytes_a_pixel = if segments.progressive { 2 * u64::from(segments.components) } else { 0 } + 3;
    check_size(segments.width, segments.height, bytes_a_pixel, limits)?;

    let whole = [&bytes[..segments.end], &NO_CODE, &END_OF_IMAGE].concat();
    let mut source = Source { bytes: Cursor::new(&whole), last_refill: 0 };
    let options = |colours| {
        DecoderOptions::default()
            .set_strict_mode(true)
            .set_max_width(usize::MAX)
            .set_max_height(usize::MAX)
            .jpeg_set_out_colorspace(colours)
    };
    let mut decoder = JpegDecoder::new_with_options(&mut source, options(ColorSpace::RGB));
    decoder.decode_headers().map_err(|error| damaged(error.to_string()))?;
    let colours = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => ColorSpace::Luma,
        _ => ColorSpace::RGB,
    };
    decoder.set_options(options(colours));
    let pixels = decoder.decode().map_err(|error| damaged(error.to_string()))?;
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    drop(decoder);

    let left = (segments.end as u64).saturating_sub(source.last_refill);
    if left > SPARE {
        return Err(damaged(format!("{left} bytes of coded data are left when all pixels are decoded")));
    }
    let (width, height) = (segments.width, segments.height);
    let picture = match colours {
        ColorSpace::Luma => GrayImage::from_raw(width, height, pixels).map(DynamicImage::from),
        _ => RgbImage::from_raw(width, height, pixels).map(DynamicImage::from),
    };
    let mut picture = picture.ok_or_else(|| damaged("the headers contradict each other"))?;
    picture.apply_orientation(orientation.unwrap_or(Orientation::NoTransforms));
    Ok(picture)
}

fn damaged(reason: impl Into<String>) -> PreprocessError {
    PreprocessError::Decode { format: FORMAT, reason: reason.into() }
}

/// The bytes of a file, and how far the decoder has come. The decoder reads coded data four bytes
/// at a time, and skips other bytes one by one.
struct Source<'a> {
    bytes: Cursor<&'a Vec<u8>>,
    last_refill: u64,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.len() == 4 {
            self.last_refill = self.bytes.position();
        }
        self.bytes.read(buffer)
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.bytes.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.bytes.consume(amount);
    }
}

impl Seek for Source<'_> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(position)
    }
}
