//! Heat maps and overlays as files.

use std::path::{Path, PathBuf};

use dfm_core::{Levels, RgbImage, Verdict};
use dfm_data::{HEATMAP, LEGEND, MAPS_MARK, OVERLAY, RelativeNames};
use dfm_render::{Heatmap, MapScale, legend};
use image::ImageFormat;
use rayon::prelude::*;

use crate::error::Error;
use crate::files::{make_folder, write_file};
use crate::judge::Judged;
use crate::observer::{Observer, Reporter};
use crate::source::Source;

/// A folder of heat maps and overlays, which mirrors where the pictures lie.
#[derive(Debug)]
pub struct MapsFolder {
    folder: PathBuf,
    names: RelativeNames,
    scale: MapScale,
    levels: Levels,
}

impl MapsFolder {
    /// Makes `folder`, marked so that a later run takes no map for a picture, with a legend if all
    /// maps have one scale. Inside it, pictures have their path below the folder that all share.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the folder cannot be made or written.
    pub fn new(folder: &Path, source: &dyn Source, scale: MapScale) -> Result<Self, Error> {
        make_folder(folder)?;
        write_file(&folder.join(MAPS_MARK), |_| Ok(()))?;
        if let Some(legend) = legend(&scale) {
            write_png(&folder.join(LEGEND), &legend)?;
        }
        let paths: Vec<_> = (0..source.count()).map(|index| source.path(index)).collect();
        let names = RelativeNames::new(paths.iter().map(|path| path.as_ref()));
        Ok(Self { folder: folder.to_owned(), names, scale, levels: Levels::Auto })
    }

    /// Sets which values of the pictures below overlays are black and white: the model's levels.
    #[must_use]
    pub fn with_levels(self, levels: Levels) -> Self {
        Self { levels, ..self }
    }

    /// Writes `NAME-heatmap.png` and `NAME-overlay.png` of every picture of a batch that has a map,
    /// in the picture's size. The observer hears what cannot be written.
    ///
    /// Cost: reads each picture once more, since keeping a batch of photographs until its verdicts
    /// are there would take gigabytes. That is little beside compressing two pictures of its size,
    /// and all threads of the current pool share it.
    pub fn write(&self, source: &dyn Source, batch: &[Judged], observer: &dyn Observer) {
        let write = |one: &Judged| self.write_one(source, one.index, &one.verdict);
        let written: Vec<_> = batch.par_iter().map(write).collect();
        let reporter = Reporter::new(observer);
        for (one, written) in batch.iter().zip(written) {
            if let Err(error) = written {
                reporter.problem(&source.path(one.index), error);
            }
        }
    }

    fn write_one(&self, source: &dyn Source, index: usize, verdict: &Verdict) -> Result<(), Error> {
        let Some(grid) = &verdict.grid else { return Ok(()) };
        let heatmap = Heatmap::new(grid, verdict.size, &self.scale);
        let target = self.folder.join(self.names.of(&source.path(index)));
        if let Some(parent) = target.parent() {
            make_folder(parent)?;
        }
        let named = |ending: &str| {
            let mut name = target.file_name().unwrap_or_default().to_owned();
            name.push(ending);
            target.with_file_name(name)
        };
        write_png(&named(HEATMAP), &heatmap.colours())?;
        let levelled = self.levels.read(source.read(index)?.decode()?)?;
        write_png(&named(OVERLAY), &heatmap.over(&levelled.to_bytes()))
    }
}

fn write_png(path: &Path, picture: &RgbImage) -> Result<(), Error> {
    let mut png = Vec::new();
    picture.write_to(&mut std::io::Cursor::new(&mut png), ImageFormat::Png)?;
    write_file(path, |writer| Ok(writer.write_all(&png)?))
}
