//! Small copies of pictures, maps and masks for a report, kept on the disk until its page is
//! written: a gallery of thousands takes the memory of one picture.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use dfm_core::{Levels, Picture, PictureSize, Verdict};
use dfm_render::{Heatmap, MapScale};
use dfm_report::{Image, ImageFormat, Images};
use image::codecs::jpeg::JpegEncoder;
use image::{GrayImage, RgbImage, imageops};

use crate::error::Error;

/// Pixels of the longer side: three beside each other, sharp on a dense screen.
const LONGER_SIDE: u32 = 256;
/// Out of 100: no artefact is seen in a picture of this size.
const JPEG_QUALITY: u8 = 85;

/// Images in the order in which their pictures were pushed.
#[derive(Debug)]
pub(crate) struct Gallery {
    file: File,
    end: u64,
    entries: Vec<[Option<Kept>; 3]>,
}

/// An image in the file.
#[derive(Debug)]
struct Kept {
    format: ImageFormat,
    width: u32,
    height: u32,
    start: u64,
    length: usize,
}

impl Gallery {
    /// Begins an empty gallery in a temporary file.
    pub(crate) fn new() -> Result<Self, Error> {
        let failed = |cause| Error::Temporary { operation: "create", cause };
        Ok(Self { file: tempfile::tempfile().map_err(failed)?, end: 0, entries: Vec::new() })
    }

    /// Adds the images of the next picture.
    pub(crate) fn push(&mut self, images: Images) -> Result<(), Error> {
        let Images { picture, map, mask } = images;
        let kept = [self.keep(picture), self.keep(map), self.keep(mask)];
        let [picture, map, mask] =
            kept.map(|kept| kept.map_err(|cause| Error::Temporary { operation: "write", cause }));
        self.entries.push([picture?, map?, mask?]);
        Ok(())
    }

    /// Reads what is kept of the picture that was pushed as number `index`.
    pub(crate) fn images(&mut self, index: usize) -> io::Result<Images> {
        let Some(entry) = self.entries.get(index) else { return Ok(Images::default()) };
        let file = &mut self.file;
        let mut read = |kept: &Option<Kept>| {
            let Some(kept) = kept else { return Ok(None) };
            let mut bytes = vec![0; kept.length];
            file.seek(SeekFrom::Start(kept.start))?;
            file.read_exact(&mut bytes)?;
            io::Result::Ok(Some(Image { format: kept.format, width: kept.width, height: kept.height, bytes }))
        };
        Ok(Images { picture: read(&entry[0])?, map: read(&entry[1])?, mask: read(&entry[2])? })
    }

    fn keep(&mut self, image: Option<Image>) -> io::Result<Option<Kept>> {
        let Some(Image { format, width, height, bytes }) = image else { return Ok(None) };
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&bytes)?;
        let kept = Kept { format, width, height, start: self.end, length: bytes.len() };
        self.end += bytes.len() as u64;
        Ok(Some(kept))
    }
}

/// Encodes the images of a picture: the [small](small_of) copy itself, its map over it, and the pixels
/// that its masks mark, row by row.
pub(crate) fn images(
    small: &RgbImage,
    verdict: &Verdict,
    mask: Option<&[bool]>,
    scale: &MapScale,
) -> Result<Images, Error> {
    let (width, height) = small.dimensions();
    let map = verdict.grid.as_ref().map(|grid| {
        let size = PictureSize { width, height };
        let scale = &MapScale { rule: scale.rule.scaled(verdict.size, size), ..*scale };
        jpeg(&Heatmap::new(grid, size, scale).over(small))
    });
    let mask = mask.map(|marked| {
        let PictureSize { width: columns, height: rows } = verdict.size;
        let mut mask = GrayImage::new(columns, rows);
        mask.iter_mut().zip(marked).for_each(|(value, marked)| *value = u8::from(*marked) * u8::MAX);
        let mask = imageops::thumbnail(&mask, width, height);
        encoded(ImageFormat::Png, width, height, |out| mask.write_to(out, image::ImageFormat::Png))
    });
    Ok(Images { picture: Some(jpeg(small)?), map: map.transpose()?, mask: mask.transpose()? })
}

/// The [small] copy of a decoded picture whose values are read by `levels`; `None` for a picture of other
/// levels, which is refused where it is prepared.
pub(crate) fn small_of(picture: &Picture<'_>, levels: Levels) -> Option<RgbImage> {
    levels.read(picture.borrowed()).ok().map(|levelled| small(&levelled.to_bytes()))
}

/// Scales a picture down until no side is longer than [`LONGER_SIDE`]; each pixel is the mean of
/// those that it stands for.
fn small(picture: &RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    let longer = width.max(height);
    if longer <= LONGER_SIDE {
        return picture.clone();
    }
    let scaled =
        |side: u32| (f64::from(side) * f64::from(LONGER_SIDE) / f64::from(longer)).round().max(1.0) as u32;
    imageops::thumbnail(picture, scaled(width), scaled(height))
}

fn jpeg(picture: &RgbImage) -> Result<Image, Error> {
    let (width, height) = picture.dimensions();
    encoded(ImageFormat::Jpeg, width, height, |out| {
        picture.write_with_encoder(JpegEncoder::new_with_quality(out, JPEG_QUALITY))
    })
}

fn encoded(
    format: ImageFormat,
    width: u32,
    height: u32,
    write: impl FnOnce(&mut Cursor<Vec<u8>>) -> image::ImageResult<()>,
) -> Result<Image, Error> {
    let mut bytes = Cursor::new(Vec::new());
    write(&mut bytes)?;
    Ok(Image { format, width, height, bytes: bytes.into_inner() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_come_back_as_they_were_kept_in_any_order() {
        let mut gallery = Gallery::new().unwrap();
        let image = |size: u32| jpeg(&RgbImage::new(size, 1)).unwrap();
        for size in 1..4 {
            let kept = [gallery.keep(Some(image(size))), Ok(None), gallery.keep(Some(image(10 * size)))];
            gallery.entries.push(kept.map(Result::unwrap));
        }
        for size in [2, 3, 1] {
            let images = gallery.images(size as usize - 1).unwrap();
            assert_eq!((images.picture, images.map), (Some(image(size)), None));
            assert_eq!(images.mask, Some(image(10 * size)));
        }
        assert_eq!(gallery.images(3).unwrap(), Images::default());
    }

    #[test]
    fn long_sides_are_cut_and_small_pictures_stay() {
        for ([width, height], small_size) in [
            ([256, 20], (256, 20)),
            ([512, 256], (256, 128)),
            ([1, 4096], (1, 256)),
            ([1000, 999], (256, 256)),
        ] {
            assert_eq!(small(&RgbImage::new(width, height)).dimensions(), small_size);
        }
    }
}
