//! Maps as files: heat maps and overlays, masks, numbers.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use dfm_core::{AnomalyMap, Levels, MarkedPixels, RegionRule, Transparency, Verdict};
use dfm_data::{
    HEATMAP, LEGEND, MAP_CHUNK, MAP_CHUNK_AT, MAPS_MARK, MAPS_MARK_TEXT, MASK, OVERLAY, RelativeNames,
};
use dfm_render::{Heatmap, MapScale, legend};
use image::{DynamicImage, GrayImage, ImageFormat};
use rayon::prelude::*;

use crate::error::{Error, FileError};
use crate::files::{create_file, make_folder};
use crate::judge::Judged;
use crate::made::{Made, put_together};
use crate::note::Note;
use crate::npy::npy;
use crate::observer::{Observer, Reporter};
use crate::source::Source;
use crate::workers::Workers;

/// The end of the name of a map as numbers, in the picture's size.
const RAW: &str = "-map.npy";
/// The end of the name of the cells of a map as numbers.
const GRID: &str = "-grid.npy";

/// A folder of what is made of the maps of pictures, which mirrors where the pictures lie. No file
/// that is there is ever changed, whoever wrote it. Several kinds may share a folder.
#[derive(Debug)]
pub struct MapsFolder {
    folder: PathBuf,
    names: RelativeNames,
    kind: Kind,
    levels: Levels,
    workers: Workers,
    /// Whether it was told that names differ from the usual ones.
    told: AtomicBool,
}

/// What is made of a map.
#[derive(Debug)]
enum Kind {
    /// Heat maps and overlays.
    Colours(MapScale),
    /// Which pixels belong to regions.
    Masks(RegionRule),
    /// The values, in the picture's size or cell by cell.
    Numbers { of_cells: bool },
}

/// The map of a picture that was judged, made once for everything that is written of it.
pub(crate) struct Mapped<'v> {
    /// Index of the picture in its source.
    pub(crate) index: usize,
    pub(crate) verdict: &'v Verdict,
    pub(crate) map: &'v AnomalyMap,
    /// The pixels that belong to regions, with the rule that says so.
    pub(crate) marked: Option<(&'v MarkedPixels, RegionRule)>,
}

impl Mapped<'_> {
    /// The pixels that belong to regions by `rule`; `None` without a pixel threshold.
    fn marked(&self, rule: &RegionRule) -> Option<Cow<'_, MarkedPixels>> {
        match self.marked {
            Some((marked, by)) if by == *rule => Some(Cow::Borrowed(marked)),
            _ => self.map.marked(rule).map(Cow::Owned),
        }
    }
}

/// The files that were written for one picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PictureFiles {
    /// The heat map.
    pub heatmap: Option<PathBuf>,
    /// The map over the picture.
    pub overlay: Option<PathBuf>,
    /// Which pixels belong to regions.
    pub mask: Option<PathBuf>,
    /// The map as numbers.
    pub raw_map: Option<PathBuf>,
}

impl PictureFiles {
    /// These files, and those that only the `other` has.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            heatmap: self.heatmap.or(other.heatmap),
            overlay: self.overlay.or(other.overlay),
            mask: self.mask.or(other.mask),
            raw_map: self.raw_map.or(other.raw_map),
        }
    }

    /// The paths as JSON has them: heat map, overlay, mask and raw map.
    pub(crate) fn shown(&self) -> [Option<String>; 4] {
        let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        [&self.heatmap, &self.overlay, &self.mask, &self.raw_map].map(shown)
    }
}

impl MapsFolder {
    /// Makes `folder` for `NAME-heatmap.png` and `NAME-overlay.png`, in the size of the picture, with a
    /// legend if all maps have one scale. It is marked so that a later run takes no map for a picture.
    /// Inside it, pictures have their path below the folder that all share.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the folder cannot be made or written.
    pub fn new(folder: &Path, source: &dyn Source, scale: MapScale) -> Result<Self, Error> {
        let made = Self::of(folder, source, Kind::Colours(scale))?;
        if let Some(legend) = legend(&scale) {
            put_together(&folder.join(LEGEND), &[(".png", png(legend.into())?)])?;
        }
        Ok(made)
    }

    /// Makes `folder` for `NAME-mask.png`: in the size of the picture, white where a pixel belongs to a
    /// region by `rule`, and black elsewhere. Without a pixel threshold there are no masks.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new).
    pub fn masks(folder: &Path, source: &dyn Source, rule: RegionRule) -> Result<Self, Error> {
        Self::of(folder, source, Kind::Masks(rule))
    }

    /// Makes `folder` for maps as NumPy arrays of `f32`: `NAME-map.npy` in the size of the picture,
    /// `[H, W]`; or `of_cells` `NAME-grid.npy`, `[h, w]`, of a picture in tiles `[tiles, h, w]`.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new).
    pub fn numbers(folder: &Path, source: &dyn Source, of_cells: bool) -> Result<Self, Error> {
        Self::of(folder, source, Kind::Numbers { of_cells })
    }

    fn of(folder: &Path, source: &dyn Source, kind: Kind) -> Result<Self, Error> {
        make_folder(folder)?;
        match create_file(&folder.join(MAPS_MARK), |writer| Ok(writer.write_all(MAPS_MARK_TEXT.as_bytes())?))
        {
            Ok(()) | Err(Error::File(FileError::Taken { .. })) => {}
            Err(error) => return Err(error),
        }
        let paths: Vec<_> = (0..source.count()).map(|index| source.path(index)).collect();
        let names = RelativeNames::new(paths.iter().map(|path| path.as_ref()));
        let (levels, workers, told) = (Levels::Auto, Workers::new(), AtomicBool::new(false));
        Ok(Self { folder: folder.to_owned(), names, kind, levels, workers, told })
    }

    /// Sets which values of the pictures below overlays are black and white: the model's levels.
    #[must_use]
    pub fn with_levels(self, levels: Levels) -> Self {
        Self { levels, ..self }
    }

    /// Sets the threads that draw and compress.
    #[must_use]
    pub fn with_workers(self, workers: Workers) -> Self {
        Self { workers, ..self }
    }

    /// Writes the files of every picture of a batch that has a map, and returns where, one for each
    /// picture. The observer hears what cannot be written.
    ///
    /// If a file of such a name is there already and holds something else, it stays, and those of the
    /// picture get names with eight digits that follow from what they hold,
    /// `NAME-1a2b3c4d-heatmap.png`. The observer hears the first such name.
    ///
    /// Cost: an overlay reads its picture once more, since keeping a batch of photographs until its verdicts
    /// are there would take gigabytes. That is little beside compressing two pictures of its size,
    /// and all threads share it.
    pub fn write(&self, source: &dyn Source, batch: &[Judged], observer: &dyn Observer) -> Vec<PictureFiles> {
        Self::write_all(std::slice::from_ref(self), source, batch, observer)
    }

    /// [`write`](Self::write) of several folders. Each map is made once for all of them, on the threads
    /// of the first.
    pub fn write_all(
        folders: &[Self],
        source: &dyn Source,
        batch: &[Judged],
        observer: &dyn Observer,
    ) -> Vec<PictureFiles> {
        let nothing = || vec![PictureFiles::default(); batch.len()];
        let Some(first) = folders.first() else { return nothing() };
        let reporter = Reporter::new(observer);
        let rule = folders.iter().find_map(Self::rule);
        let write = |one: &Judged| {
            let Some(map) = one.verdict.map() else { return PictureFiles::default() };
            let marked = rule.and_then(|rule| map.marked(&rule));
            let marked = marked.as_ref().zip(rule);
            let mapped = Mapped { index: one.index, verdict: &one.verdict, map: &map, marked };
            Self::write_mapped(folders, source, &mapped, &reporter)
        };
        match first.workers.run(|| batch.par_iter().map(write).collect()) {
            Ok(written) => written,
            Err(error) => {
                reporter.problem(&first.folder, error);
                nothing()
            }
        }
    }

    /// Writes what all `folders` have of one picture. The reporter hears what cannot be written.
    pub(crate) fn write_mapped(
        folders: &[Self],
        source: &dyn Source,
        mapped: &Mapped<'_>,
        reporter: &Reporter<'_>,
    ) -> PictureFiles {
        folders.iter().fold(PictureFiles::default(), |all, folder| {
            all.or(folder.write_one(source, mapped, reporter).unwrap_or_else(|error| {
                reporter.problem(&source.path(mapped.index), error);
                PictureFiles::default()
            }))
        })
    }

    /// Which pixels belong to regions, if what is written shows that.
    fn rule(&self) -> Option<RegionRule> {
        match &self.kind {
            Kind::Colours(scale) => Some(scale.rule),
            Kind::Masks(rule) => Some(*rule),
            Kind::Numbers { .. } => None,
        }
    }

    fn write_one(
        &self,
        source: &dyn Source,
        mapped: &Mapped<'_>,
        reporter: &Reporter<'_>,
    ) -> Result<PictureFiles, Error> {
        let Mapped { index, verdict, map, .. } = *mapped;
        let Some(grid) = &verdict.grid else { return Ok(PictureFiles::default()) };
        let stem = self.folder.join(self.names.of(&source.path(index)));
        match &self.kind {
            Kind::Colours(scale) => {
                let heatmap = Heatmap::of_map(map, grid, scale);
                let colours = png(heatmap.colours().into())?;
                let picture = source.read(index)?.decode_with(Transparency::Background, self.levels)?;
                let levelled = self.levels.read(picture)?;
                let marked = mapped.marked(&scale.rule);
                let overlay = png(heatmap.over_with(&levelled.to_bytes(), marked.as_deref()).into())?;
                let made = put_together(&stem, &[(HEATMAP, colours), (OVERLAY, overlay)])?;
                let [heatmap, overlay] = self.told_of(made, reporter);
                Ok(PictureFiles { heatmap, overlay, ..PictureFiles::default() })
            }
            Kind::Masks(rule) => {
                let Some(marked) = mapped.marked(rule) else { return Ok(PictureFiles::default()) };
                let mask = GrayImage::from_fn(verdict.size.width, verdict.size.height, |x, y| {
                    [if marked.pixels()[y as usize * map.width + x as usize] { u8::MAX } else { 0 }].into()
                });
                let made = put_together(&stem, &[(MASK, png(mask.into())?)])?;
                let [mask, _] = self.told_of(made, reporter);
                Ok(PictureFiles { mask, ..PictureFiles::default() })
            }
            Kind::Numbers { of_cells } => {
                let file = match (of_cells, grid.placements.len()) {
                    (false, _) => (RAW, npy(&[map.height, map.width], &map.values)),
                    (true, 1) => (GRID, npy(&[grid.height, grid.width], &grid.values)),
                    (true, tiles) => (GRID, npy(&[tiles, grid.height, grid.width], &grid.values)),
                };
                let [raw_map, _] = self.told_of(put_together(&stem, &[file])?, reporter);
                Ok(PictureFiles { raw_map, ..PictureFiles::default() })
            }
        }
    }

    /// Where files are; the first that has not its usual name is told.
    fn told_of(&self, made: Made, reporter: &Reporter<'_>) -> [Option<PathBuf>; 2] {
        if let (Some(path), Some(written)) = (made.stays, made.paths.first())
            && !self.told.swap(true, Ordering::Relaxed)
        {
            reporter.note(Note::OtherName { path, written: written.clone() });
        }
        let mut paths = made.paths.into_iter();
        [paths.next(), paths.next()]
    }
}

/// As PNG, with the text that says that it is a map.
fn png(picture: DynamicImage) -> Result<Vec<u8>, Error> {
    let mut png = Vec::new();
    picture.write_to(&mut std::io::Cursor::new(&mut png), ImageFormat::Png)?;
    png.splice(MAP_CHUNK_AT..MAP_CHUNK_AT, *MAP_CHUNK);
    Ok(png)
}
