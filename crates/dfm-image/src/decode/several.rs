//! Files that hold several pictures, such as animations, of which a decoder shows the first.

use image::ImageFormat;

use super::jpeg_segments::Segments;
use crate::error::PreprocessError;

/// Refuses a file that holds several pictures. A file that is damaged is left to the decoder.
///
/// # Errors
///
/// [`PreprocessError::SeveralPictures`].
pub(super) fn check_single(
    bytes: &[u8],
    format: ImageFormat,
    name: &'static str,
) -> Result<(), PreprocessError> {
    let count = match format {
        ImageFormat::Gif => gif(bytes)?,
        ImageFormat::Png => png(bytes),
        ImageFormat::WebP => webp(bytes),
        ImageFormat::Pnm => pnm(bytes),
        _ => 1,
    };
    refuse_several(name, count)
}

/// Refuses a JPEG if its first picture, `first`, is followed by others of the same size. Smaller ones are
/// previews and gain maps.
///
/// # Errors
///
/// [`PreprocessError::SeveralPictures`].
pub(super) fn check_single_jpeg(bytes: &[u8], first: &Segments) -> Result<(), PreprocessError> {
    refuse_several("JPEG", jpeg(bytes, first))
}

fn refuse_several(format: &'static str, count: usize) -> Result<(), PreprocessError> {
    match count {
        0 | 1 => Ok(()),
        count => Err(PreprocessError::SeveralPictures { format, count }),
    }
}

/// The number of frames of a GIF, which ends with a trailer.
fn gif(bytes: &[u8]) -> Result<usize, PreprocessError> {
    frames_of_gif(bytes).ok_or(PreprocessError::CutShort { format: "GIF", got: bytes.len() as u64 })
}

fn frames_of_gif(bytes: &[u8]) -> Option<usize> {
    let table = |flags: u8| if flags & 0x80 != 0 { 3 << ((flags & 7) + 1) } else { 0 };
    let mut at = 13 + table(*bytes.get(10)?);
    let mut frames = 0;
    loop {
        match bytes.get(at)? {
            0x3B => return Some(frames),
            0x21 => at = behind_blocks(bytes, at + 2)?,
            0x2C => {
                frames += 1;
                at = behind_blocks(bytes, at + 11 + table(*bytes.get(at + 9)?))?;
            }
            // The file is damaged. The decoder will say how.
            _ => return Some(frames),
        }
    }
}

/// The position behind a series of blocks that each begin with their length.
fn behind_blocks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match usize::from(*bytes.get(at)?) {
            0 => return Some(at + 1),
            length => at += 1 + length,
        }
    }
}

/// The number of pictures of a PNG: the frames of its animation, and the still image if it is not one of
/// them.
fn png(bytes: &[u8]) -> usize {
    let (mut at, mut frames, mut is_first_frame) = (8, None, false);
    while let Some(head) = bytes.get(at..at + 8) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        match &head[4..] {
            b"acTL" => {
                let count = bytes.get(at + 8..at + 12).and_then(|count| count.try_into().ok());
                frames = count.map(|count| u32::from_be_bytes(count) as usize);
            }
            b"fcTL" => is_first_frame = true,
            // These chunks come before the first pixels.
            b"IDAT" => break,
            _ => {}
        }
        at = at.saturating_add(12).saturating_add(length);
    }
    frames.map_or(1, |frames| frames + usize::from(!is_first_frame))
}

/// The number of frames of a WebP.
fn webp(bytes: &[u8]) -> usize {
    let (mut at, mut frames) = (12_usize, 0);
    while let Some(head) = bytes.get(at..at.saturating_add(8)) {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        frames += usize::from(&head[..4] == b"ANMF");
        at = at.saturating_add(8).saturating_add(length).saturating_add(length % 2);
    }
    frames
}

/// The number of pictures of a JPEG that are as large as its first one.
fn jpeg(bytes: &[u8], first: &Segments) -> usize {
    let (mut count, mut rest) = (1, &bytes[first.end_of_image..]);
    loop {
        let padding = rest.iter().take_while(|byte| **byte == 0).count();
        rest = &rest[padding..];
        if !rest.starts_with(&[0xFF, 0xD8, 0xFF]) {
            return count;
        }
        let Ok(next) = Segments::parse(rest) else { return count };
        count += usize::from((next.width, next.height) == (first.width, first.height));
        rest = &rest[next.end_of_image..];
    }
}

/// The number of pictures of a binary PNM, which may lie one behind the other.
fn pnm(bytes: &[u8]) -> usize {
    let (mut count, mut rest) = (0, bytes);
    while let Some(behind) = behind_pnm(rest) {
        count += 1;
        rest = behind;
    }
    count
}

/// The bytes behind the first picture of a binary PNM.
fn behind_pnm(bytes: &[u8]) -> Option<&[u8]> {
    let start = bytes.trim_ascii_start();
    let [b'P', kind @ b'4'..=b'6', rest @ ..] = start else { return None };
    let mut rest = rest;
    let mut number = || -> Option<u64> {
        rest = rest.trim_ascii_start();
        while rest.first() == Some(&b'#') {
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            rest = rest[end..].trim_ascii_start();
        }
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, behind) = rest.split_at(length);
        rest = behind;
        std::str::from_utf8(digits).ok()?.parse().ok()
    };
    let (width, height) = (number()?, number()?);
    let row = match kind {
        b'4' => width.div_ceil(8),
        kind => {
            let sample = if number()? > 255 { 2 } else { 1 };
            width.checked_mul(sample * if *kind == b'6' { 3 } else { 1 })?
        }
    };
    let length = usize::try_from(row.checked_mul(height)?).ok()?;
    // One white-space character ends the header.
    rest.get(length.checked_add(1)?..)
}
