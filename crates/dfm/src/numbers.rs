//! Maps as numbers: arrays, masks, and a table of regions.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use dfm_core::{Label, MapRegion, Verdict};
use serde::Serialize;

use crate::error::{Error, FileError};
use crate::files::{check_file, folder_of, temporary, write_file};
use crate::kind::FileKind;

/// A table with a row for each region, as CSV. It appears whole or not at all.
///
/// ```no_run
/// use dfm::{Judge, JudgeOptions, ModelStore, Pictures, RegionsTable, Silent, Source};
///
/// let judge = Judge::new(ModelStore::default().open("part.dfm".as_ref())?);
/// let pictures = Pictures::default();
/// let mut table = RegionsTable::new("regions.csv".as_ref())?;
/// judge.each(&pictures, &JudgeOptions::default().with_regions(true), &Silent, |batch| {
///     batch.iter().try_for_each(|one| table.push(&pictures.name(one.index), &one.verdict))
/// })?;
/// table.finish()?;
/// # Ok::<(), dfm::Error>(())
/// ```
#[derive(Debug)]
pub struct RegionsTable {
    path: PathBuf,
    writer: csv::Writer<tempfile::NamedTempFile>,
}

/// A row: a region of a picture, in pixels of the upright picture.
#[derive(Serialize)]
struct Row<'r> {
    path: &'r str,
    label: Option<Label>,
    score: f64,
    pixel_threshold: Option<f64>,
    region: usize,
    x: u32,
    y: u32,
    width: u32,
    height: u32,
    area: u32,
    area_mm2: Option<f64>,
    peak: f32,
    peak_x: u32,
    peak_y: u32,
}

/// The columns of every such table.
const COLUMNS: [&str; 14] = [
    "path",
    "label",
    "score",
    "pixel_threshold",
    "region",
    "x",
    "y",
    "width",
    "height",
    "area",
    "area_mm2",
    "peak",
    "peak_x",
    "peak_y",
];

const TABLE: FileKind = FileKind::new("a table of regions", |head| {
    head.starts_with(b"path,label,score,pixel_threshold,region,x,y,")
});

impl RegionsTable {
    /// Begins a table that will be at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if a file of another kind is there, or none can be written.
    pub fn new(path: &Path) -> Result<Self, Error> {
        check_file(path, TABLE)?;
        let failed = |cause| FileError::Write { path: path.to_owned(), cause };
        let file = temporary(folder_of(path)).map_err(failed)?;
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(file);
        writer.write_record(COLUMNS).map_err(|error| failed(error.into()))?;
        Ok(Self { path: path.to_owned(), writer })
    }

    /// Adds the regions of a picture, numbered from 1; nothing of one without any.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the system refuses.
    pub fn push(&mut self, path: &str, verdict: &Verdict) -> Result<(), Error> {
        let pixel_threshold = verdict.region_rule.and_then(|rule| rule.pixel_threshold);
        let regions = verdict.regions.as_deref().unwrap_or_default();
        self.push_regions(path, verdict.label, verdict.score, pixel_threshold, regions)
    }

    /// [`push`](Self::push) of regions with what the table says of their picture.
    pub(crate) fn push_regions(
        &mut self,
        path: &str,
        label: Option<Label>,
        score: f64,
        pixel_threshold: Option<f64>,
        regions: &[MapRegion],
    ) -> Result<(), Error> {
        for (place, region) in regions.iter().enumerate() {
            let row = Row {
                path,
                label,
                score,
                pixel_threshold,
                region: place + 1,
                x: region.x,
                y: region.y,
                width: region.width,
                height: region.height,
                area: region.area,
                area_mm2: region.area_mm2,
                peak: region.peak,
                peak_x: region.peak_x,
                peak_y: region.peak_y,
            };
            let written = self.writer.serialize(row);
            written.map_err(|error| FileError::Write { path: self.path.clone(), cause: error.into() })?;
        }
        Ok(())
    }

    /// Puts the table in its place.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if a file of another kind has come there, or the system refuses.
    pub fn finish(self) -> Result<(), Error> {
        let Self { path, writer } = self;
        let failed = |cause| FileError::Write { path: path.clone(), cause };
        let mut file =
            writer.into_inner().map_err(|error| failed(std::io::Error::other(error.to_string())))?;
        file.flush().and_then(|()| file.seek(SeekFrom::Start(0))).map_err(failed)?;
        write_file(&path, TABLE, |mut out| {
            std::io::copy(&mut file, &mut out)?;
            Ok(())
        })
    }
}
