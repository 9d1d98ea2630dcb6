//! JPEG, whole or not at all. Decoders are made for browsers and show what they
//! can of a damaged file, filling the rest with grey, which must not pass for a
//! good part. Three things are therefore checked beside the decoder's own strict
//! mode: that the file's segments are all there (`layout`), that the coded data
//! reaches to the last pixel, and that it ends there.

use std::io::{self, BufRead, Cursor, Read, Seek, SeekFrom};

use image::error::DecodingError;
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageError, ImageFormat, RgbImage};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::decode::{DecodeLimits, check_size};
use super::error::PreprocessError;
use super::jpeg_layout::{Fault, Layout};

const FORMAT: &str = "JPEG";
const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];
/// Ones, as coded data spells them. No code of a JPEG consists of ones only, so
/// a decoder that still wants data when it comes here finds that it is damaged;
/// without them it would read zeros, which mean something.
const NO_CODE: [u8; 32] = {
    let mut bytes = [0; 32];
    let mut index = 0;
    while index < bytes.len() {
        bytes[index] = 0xFF;
        index += 2;
    }
    bytes
};
/// Bytes of coded data that may be left when all pixels are decoded: what the
/// decoder reads ahead, and padding that some cameras write.
const SPARE: u64 = 64;

/// Decodes a JPEG and applies its EXIF orientation. Colours are converted as the
/// `image` crate does, which decodes with the same library.
pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<DynamicImage, PreprocessError> {
    let layout = Layout::of(bytes).map_err(|fault| match fault {
        Fault::CutShort => PreprocessError::CutShort { format: FORMAT, got: bytes.len() as u64 },
        Fault::Damaged(reason) => damaged(reason),
    })?;
    // Besides the pixels a progressive picture needs all its coefficients.
    let bytes_a_pixel = if layout.progressive { 2 * u64::from(layout.components) } else { 0 } + 3;
    check_size(layout.width, layout.height, bytes_a_pixel, limits)?;

    let whole = [&bytes[..layout.end], &NO_CODE, &END_OF_IMAGE].concat();
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

    let left = (layout.end as u64).saturating_sub(source.last_refill);
    if left > SPARE {
        return Err(damaged(format!("{left} bytes of coded data are left when all pixels are decoded")));
    }
    let (width, height) = (layout.width, layout.height);
    let picture = match colours {
        ColorSpace::Luma => GrayImage::from_raw(width, height, pixels).map(DynamicImage::from),
        _ => RgbImage::from_raw(width, height, pixels).map(DynamicImage::from),
    };
    let mut picture = picture.ok_or_else(|| damaged("the headers contradict each other"))?;
    picture.apply_orientation(orientation.unwrap_or(Orientation::NoTransforms));
    Ok(picture)
}

fn damaged(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> PreprocessError {
    let source = ImageError::Decoding(DecodingError::new(ImageFormat::Jpeg.into(), reason));
    PreprocessError::Decode { format: FORMAT, source }
}

/// The bytes, and how far the decoder got: it takes coded data four bytes at a
/// time, and what it skips one by one.
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
