//! `dfm evaluate`: how well a model tells defects from good pictures.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use dfm_core::metrics::{ConfusionMatrix, PixelRanking, auroc, average_precision, best_f1};
use dfm_core::{Dfm, PredictOptions};

use super::judge::{Judged, judge};
use crate::flags::{EvaluateFlags, ReportFormat};
use crate::input::{Dataset, GOOD, Labelled, read_mask};
use crate::messages::Messages;
use crate::report::json::{ClassEvaluation, Evaluation};
use crate::report::table::{self, Align, Table};
use crate::{Outcome, args, output};

/// Runs the command.
pub(crate) fn run(flags: &EvaluateFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let jobs = args::jobs(&flags.judge.model.compute)?;
    let dataset = Dataset::read(&flags.dataset, messages)?;
    let model = args::judge(&flags.judge)?;
    let evaluation = evaluate(&model, &dataset, jobs, messages, |_| Ok(()))?;
    let mut out = output::stdout();
    match flags.format {
        ReportFormat::Json => writeln!(out, "{}", serde_json::to_string(&evaluation)?)?,
        ReportFormat::Table => print(&evaluation, &mut out)?,
    }
    Ok(messages.outcome(Outcome::Success))
}

/// Judges every picture of `dataset` and compares with the truth. `each` sees the
/// verdicts of every batch on their way. Errors reported before count as the data
/// set's.
pub(super) fn evaluate(
    model: &Dfm,
    dataset: &Dataset,
    jobs: usize,
    messages: &Messages,
    mut each: impl FnMut(&[Judged]) -> anyhow::Result<()>,
) -> anyhow::Result<Evaluation> {
    let paths: Vec<PathBuf> = dataset.pictures.iter().map(|picture| picture.path.clone()).collect();
    let mut tally = Tally::default();
    judge(model, &paths, jobs, PredictOptions { map: true }, messages, |judged| {
        each(&judged)?;
        for judged in judged {
            if let Err((path, error)) = tally.push(&dataset.pictures[judged.index], &judged) {
                messages.error(&path, format_args!("{error:#}"));
            }
        }
        Ok(())
    })?;
    let threshold = model.calibration().map(|calibration| calibration.threshold());
    Ok(tally.finish(threshold, messages.error_count()))
}

/// Verdicts and their truth, as they come.
#[derive(Default)]
struct Tally {
    scores: Vec<f64>,
    labels: Vec<bool>,
    classes: Vec<String>,
    /// By defect, with the pixels of that defect's pictures alone.
    class_pixels: BTreeMap<String, PixelRanking>,
    good_pixels: PixelRanking,
    without_mask: usize,
}

impl Tally {
    fn push(&mut self, labelled: &Labelled, judged: &Judged) -> Result<(), (PathBuf, anyhow::Error)> {
        self.scores.push(judged.prediction.score);
        self.labels.push(labelled.is_anomalous());
        self.classes.push(labelled.class.clone());
        let Some(grid) = &judged.prediction.map else { return Ok(()) };
        let map = grid.upsample(judged.size);
        let mask = match (&labelled.mask, labelled.is_anomalous()) {
            (_, false) => vec![false; map.values.len()],
            (Some(path), true) => {
                read_mask(path, judged.size).map_err(|error| (path.to_path_buf(), error))?
            }
            (None, true) => {
                self.without_mask += 1;
                return Ok(());
            }
        };
        if labelled.is_anomalous() {
            self.class_pixels.entry(labelled.class.clone()).or_default().push(&map.values, &mask);
        } else {
            self.good_pixels.push(&map.values, &mask);
        }
        Ok(())
    }

    fn finish(mut self, threshold: Option<f64>, errors: usize) -> Evaluation {
        let mut names = self.classes.clone();
        names.sort();
        names.dedup();
        let classes: BTreeMap<String, ClassEvaluation> = names
            .into_iter()
            .map(|name| {
                let evaluation = self.class(&name, threshold);
                (name, evaluation)
            })
            .collect();
        // Every pixel is held once: all of them are the classes' and the good ones'.
        let mut pixels = std::mem::take(&mut self.good_pixels);
        std::mem::take(&mut self.class_pixels).into_values().for_each(|class| pixels.absorb(class));
        let pixel_auroc = pixels.auroc();
        Evaluation {
            classes,
            image_auroc: auroc(&self.scores, &self.labels),
            pixel_auroc,
            average_precision: average_precision(&self.scores, &self.labels),
            best_f1: best_f1(&self.scores, &self.labels),
            threshold,
            confusion: threshold.map(|threshold| ConfusionMatrix::at(&self.scores, &self.labels, threshold)),
            pictures: self.scores.len(),
            errors,
            without_mask: self.without_mask,
        }
    }

    /// One class by itself, a defect beside all good pictures.
    fn class(&mut self, name: &str, threshold: Option<f64>) -> ClassEvaluation {
        let rows = || self.classes.iter().zip(&self.scores);
        let own: Vec<f64> = rows().filter(|(class, _)| *class == name).map(|(_, score)| *score).collect();
        let good = rows().filter(|(class, _)| *class == GOOD).map(|(_, score)| *score);
        let scores: Vec<f64> = own.iter().copied().chain(good).collect();
        let labels: Vec<bool> = (0..scores.len()).map(|index| index < own.len()).collect();
        let pixel_auroc =
            self.class_pixels.get_mut(name).and_then(|pixels| pixels.auroc_beside(&mut self.good_pixels));
        ClassEvaluation {
            pictures: own.len(),
            called_anomalous: threshold
                .map(|threshold| own.iter().filter(|score| **score >= threshold).count()),
            mean_score: own.iter().sum::<f64>() / own.len() as f64,
            image_auroc: if name == GOOD { None } else { auroc(&scores, &labels) },
            pixel_auroc,
        }
    }
}

/// The evaluation for people.
pub(super) fn print(evaluation: &Evaluation, out: &mut impl Write) -> anyhow::Result<()> {
    let mut classes = Table::new(&[
        ("class", Align::Left),
        ("pictures", Align::Right),
        ("called anomalous", Align::Right),
        ("mean score", Align::Right),
        ("image AUROC", Align::Right),
        ("pixel AUROC", Align::Right),
    ]);
    let mut row = |name: &str, pictures: usize, called: Option<usize>, mean: String, image, pixel| {
        let called = called.map_or_else(|| "-".to_owned(), |called| called.to_string());
        classes.push([
            name.to_owned(),
            pictures.to_string(),
            called,
            mean,
            table::figure(image),
            table::figure(pixel),
        ]);
    };
    for (name, class) in &evaluation.classes {
        let mean = table::score(class.mean_score);
        row(name, class.pictures, class.called_anomalous, mean, class.image_auroc, class.pixel_auroc);
    }
    let called = evaluation.confusion.map(|confusion| confusion.true_positives + confusion.false_positives);
    row("all", evaluation.pictures, called, String::new(), evaluation.image_auroc, evaluation.pixel_auroc);
    classes.write(out)?;
    writeln!(out)?;
    writeln!(out, "average precision  {}", table::figure(evaluation.average_precision))?;
    if let Some(best) = evaluation.best_f1 {
        writeln!(out, "best F1            {:.4} at threshold {}", best.f1, table::score(best.threshold))?;
    }
    if let (Some(threshold), Some(confusion)) = (evaluation.threshold, evaluation.confusion) {
        writeln!(
            out,
            "at the threshold   {}: {} defects found, {} missed, {} good pictures called anomalous, {} not",
            table::score(threshold),
            confusion.true_positives,
            confusion.false_negatives,
            confusion.false_positives,
            confusion.true_negatives
        )?;
    }
    if evaluation.without_mask > 0 {
        writeln!(out, "{} pictures with defects have no mask: not in pixel AUROC", evaluation.without_mask)?;
    }
    Ok(())
}

/// A path without `root`, for people.
pub(super) fn below<'p>(root: &Path, path: &'p Path) -> &'p Path {
    path.strip_prefix(root).unwrap_or(path)
}
