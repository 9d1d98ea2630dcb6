//! Two evaluations of the same pictures, told apart.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use dfm_core::Label;
use dfm_core::metrics::{BootstrapParams, PairedFigures, PairedPicture, paired_figures};
use dfm_data::json_lines;
use serde::Serialize;

use super::files::{METRICS, PREDICTIONS};
use super::json::PictureLine;
use crate::error::Error;
use crate::workers::Workers;

/// What tells two evaluations apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// The first run, as it was named.
    pub first: String,
    /// The second run, as it was named.
    pub second: String,
    /// Pictures that both judged.
    pub pictures: usize,
    /// Pictures that the first alone judges rightly at its threshold; `None` without one.
    pub only_first_right: Option<usize>,
    /// Pictures that the second alone judges rightly at its threshold.
    pub only_second_right: Option<usize>,
    /// Draws from which intervals are made.
    pub replicates: usize,
    /// Every figure of both, their difference, and whether it may be chance.
    pub figures: PairedFigures,
}

/// Compares the evaluations in two folders, or beside two files [`METRICS`], on their pictures.
///
/// # Errors
///
/// [`Error::Runs`] if a folder holds no evaluation, or the two are of other pictures, classes or
/// masks; if the bootstrap is out of its range, or the system gives no threads.
pub fn compare(first: &Path, second: &Path, bootstrap: BootstrapParams) -> Result<Comparison, Error> {
    let checked = bootstrap.check()?;
    let [one, other] = [Run::read(first)?, Run::read(second)?];
    let pairs = paired(&one, &other)?;
    let thresholds = [one.threshold(), other.threshold()];
    // `None` where either has no threshold.
    let right = |one: &Run, other: &Run| {
        one.lines.iter().try_fold(0, |count, (path, line)| {
            Some(count + usize::from(line.is_right()? && !other.lines[path].is_right()?))
        })
    };
    let figures = Workers::new().run(|| paired_figures(&pairs, thresholds, &checked))?;
    Ok(Comparison {
        first: first.display().to_string(),
        second: second.display().to_string(),
        pictures: pairs.len(),
        only_first_right: right(&one, &other),
        only_second_right: right(&other, &one),
        replicates: bootstrap.replicates,
        figures,
    })
}

/// One evaluation.
struct Run {
    file: PathBuf,
    /// What was said of each picture, by its path.
    lines: BTreeMap<String, PictureLine>,
}

impl Run {
    /// Reads the predictions in a folder, or beside its metrics.
    fn read(named: &Path) -> Result<Self, Error> {
        let folder = match named.file_name().is_some_and(|name| name == METRICS) && named.is_file() {
            true => named.parent().unwrap_or(Path::new("")),
            false => named,
        };
        let file = folder.join(PREDICTIONS);
        if !file.is_file() {
            return Err(Error::NoRun { path: named.to_owned() });
        }
        let mut lines = BTreeMap::new();
        for (number, line) in json_lines::<PictureLine>(&file, "a line of an evaluation's predictions")? {
            if !line.score.is_finite() {
                return Err(refused(format!("{}, line {number}: expected a finite score", file.display())));
            }
            if let Some(twice) = lines.insert(line.path.clone(), line) {
                return Err(refused(format!(
                    "{}, line {number}: {} is there twice",
                    file.display(),
                    twice.path
                )));
            }
        }
        if lines.is_empty() {
            return Err(refused(format!("{}: expected at least one picture, found none", file.display())));
        }
        Ok(Self { file, lines })
    }

    fn threshold(&self) -> Option<f64> {
        self.lines.values().next().and_then(|line| line.threshold)
    }
}

/// Pairs what both runs say of each picture. The pictures must be the same.
fn paired(first: &Run, second: &Run) -> Result<Vec<PairedPicture>, Error> {
    let names = [first, second].map(|run| run.file.display().to_string());
    let alone = |one: &Run, other: &Run| -> Vec<String> {
        one.lines.keys().filter(|path| !other.lines.contains_key(*path)).cloned().collect()
    };
    for (name, alone) in names.iter().zip([alone(first, second), alone(second, first)]) {
        if let [path, ..] = alone.as_slice() {
            return Err(refused(format!(
                "{name} holds {} pictures that the other run does not, as {path}: evaluate both models on the same \
                 pictures",
                alone.len()
            )));
        }
    }
    let classes: BTreeSet<&str> =
        first.lines.values().filter(|line| line.anomalous).map(|line| line.class.as_str()).collect();
    // A score without maps has no pixels, so there is nothing to compare.
    let both_marked = [first, second].iter().all(|run| run.lines.values().any(|line| line.pixels.is_some()));
    let mut pairs = Vec::with_capacity(first.lines.len());
    for (path, one) in &first.lines {
        let other = &second.lines[path];
        if (&one.class, one.anomalous) != (&other.class, other.anomalous) {
            return Err(refused(format!(
                "{path} is of class {} in {} and of class {} in {}: the runs saw different data sets",
                one.class, names[0], other.class, names[1]
            )));
        }
        let [own, others] = [one, other].map(|line| line.pixels.map_or(0, |pixels| pixels.anomalous_pixels));
        if both_marked && own != others {
            return Err(refused(format!(
                "{path} has {own} marked pixels in {} and {others} in {}: the masks differ, evaluate both models with \
                 the same",
                names[0], names[1]
            )));
        }
        let kind = one.anomalous.then(|| classes.iter().position(|class| *class == one.class)).flatten();
        pairs.push(PairedPicture {
            kind,
            scores: [one.score, other.score],
            pixels: [one.pixels, other.pixels],
        });
    }
    Ok(pairs)
}

impl PictureLine {
    /// Whether the verdict is the truth. A picture to review has none yet.
    fn is_right(&self) -> Option<bool> {
        let label = self.label?;
        Some(label != Label::Review && (label == Label::Anomalous) == self.anomalous)
    }
}

fn refused(reason: String) -> Error {
    Error::Runs { reason }
}
