//! Small copies of pictures, maps and masks for a report, kept on the disk until its page
//! is written: a gallery of thousands takes the memory of one picture.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use anyhow::Context;
use dfm_report::{Image, ImageFormat, Images};
use image::codecs::jpeg::JpegEncoder;
use image::{GrayImage, Luma, RgbImage, imageops};
use rayon::prelude::*;

use super::heatmap::Heatmap;
use super::scale::MapScale;
use crate::commands::Judged;
use crate::input::{self, Dataset, Labelled};
use crate::messages::Messages;

/// Pixels of the longer side: three beside each other, sharp on a dense screen.
const LONGER_SIDE: u32 = 256;
/// Of 100: no artefact is seen in a picture of this size.
const JPEG_QUALITY: u8 = 85;

/// Images in the order in which their pictures were pushed.
pub(crate) struct Gallery {
    file: File,
    end: u64,
    entries: Vec<[Option<Kept>; 3]>,
}

/// An image in the file.
struct Kept {
    format: ImageFormat,
    width: u32,
    height: u32,
    start: u64,
    length: usize,
}

impl Gallery {
    /// Of nothing yet.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let file =
            tempfile::tempfile().context("cannot create a temporary file for the report's pictures")?;
        Ok(Self { file, end: 0, entries: Vec::new() })
    }

    /// Adds a batch. Pictures are read once more, on all processors; what cannot be shown of
    /// one is reported and left out.
    pub(crate) fn push(
        &mut self,
        dataset: &Dataset,
        batch: &[Judged],
        scale: &MapScale,
        messages: &Messages,
    ) -> anyhow::Result<()> {
        let shown: Vec<_> =
            batch.par_iter().map(|judged| images(&dataset.pictures[judged.index], judged, scale)).collect();
        for (judged, shown) in batch.iter().zip(shown) {
            let images = shown.unwrap_or_else(|error| {
                messages.error(&dataset.pictures[judged.index].path, format_args!("{error:#}"));
                Images::default()
            });
            let Images { picture, map, mask } = images;
            let kept = [self.keep(picture), self.keep(map), self.keep(mask)];
            let [picture, map, mask] = kept.map(|kept| kept.context("cannot keep a picture for the report"));
            self.entries.push([picture?, map?, mask?]);
        }
        Ok(())
    }

    /// What is kept of the picture that was pushed as number `index`.
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

fn images(labelled: &Labelled, judged: &Judged, scale: &MapScale) -> anyhow::Result<Images> {
    let picture = small(input::decode_file(&labelled.path)?);
    let (width, height) = picture.dimensions();
    let map = judged.prediction.grid.as_ref().map(|grid| {
        let size = dfm_core::PictureSize { width, height };
        jpeg(&Heatmap::new(grid, size, scale).over(&picture))
    });
    // A mask that cannot be used was reported when its pixels were to be counted.
    let mask =
        if labelled.masks.is_empty() { None } else { input::read_masks(&labelled.masks, judged.size).ok() };
    let mask = mask.map(|marked| {
        let mask = GrayImage::from_fn(judged.size.width, judged.size.height, |x, y| {
            let at = y as usize * judged.size.width as usize + x as usize;
            Luma([if marked.get(at).copied().unwrap_or(false) { u8::MAX } else { 0 }])
        });
        let mask = imageops::thumbnail(&mask, width, height);
        encoded(ImageFormat::Png, width, height, |out| mask.write_to(out, image::ImageFormat::Png))
    });
    Ok(Images { picture: Some(jpeg(&picture)?), map: map.transpose()?, mask: mask.transpose()? })
}

/// No side longer than [`LONGER_SIDE`], every pixel a mean of those it stands for.
fn small(picture: RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    let longer = width.max(height);
    if longer <= LONGER_SIDE {
        return picture;
    }
    let scaled =
        |side: u32| (f64::from(side) * f64::from(LONGER_SIDE) / f64::from(longer)).round().max(1.0) as u32;
    imageops::thumbnail(&picture, scaled(width), scaled(height))
}

fn jpeg(picture: &RgbImage) -> anyhow::Result<Image> {
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
) -> anyhow::Result<Image> {
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
            assert_eq!(small(RgbImage::new(width, height)).dimensions(), small_size);
        }
    }
}
