//! Today's pictures beside those of a fit.

use std::path::Path;

use dfm_core::{Dfm, DriftParams, DriftReport, Piece};
use dfm_data::{DataError, json_lines};
use serde::Deserialize;

use crate::error::Error;
use crate::judge::next_batch;
use crate::levels::{FitLevels, LevelsWatch};
use crate::observer::{Observer, Reporter, Stage};
use crate::source::{Give, Source, ahead, give_all};
use crate::workers::Workers;

/// Compares the pictures of `source` with those that `model` was fitted on: their scores, means and
/// leading subspaces of features. The observer hears pictures that cannot be used.
///
/// # Errors
///
/// If a parameter is out of its range, the model keeps no fit statistic, or no picture can be used.
pub fn drift(
    model: &Dfm,
    source: &dyn Source,
    params: DriftParams,
    workers: &Workers,
    observer: &dyn Observer,
) -> Result<DriftReport, Error> {
    let params = params.check()?;
    let reporter = Reporter::new(observer);
    workers.run(|| {
        let mut watch = model.watch(params);
        let (preparer, size) = (watch.preparer(), watch.batch());
        let seen = LevelsWatch::new(preparer.preprocessor().levels());
        let levels = FitLevels::of_model(model);
        let prepare = |index: usize, give: Give<'_, Piece>| {
            let picture = source.read(index)?.decode_for(preparer.preprocessor())?;
            levels.check(&picture)?;
            seen.picture(&picture);
            give_all(preparer.pieces(index, picture)?, give, |piece, last| {
                if last {
                    seen.piece(&piece);
                }
                piece
            })?;
            Ok(())
        };
        let progress = reporter.stage(Stage::Judging, Some(source.count()));
        ahead(source.count(), workers.jobs(), size, prepare, |loaded| {
            loop {
                let (ready, ended) = next_batch(loaded, size, |index, error| {
                    reporter.problem(&source.path(index), error);
                    progress.step();
                });
                ready.iter().filter(|one| one.last).for_each(|_| progress.step());
                let pieces: Vec<Piece> = ready.into_iter().map(|one| one.found).collect();
                for (index, error) in watch.push(&pieces) {
                    reporter.problem(&source.path(index), error);
                }
                if ended {
                    break;
                }
            }
        });
        seen.tell(&reporter);
        Ok(watch.finish()?)
    })?
}

/// Reads the scores of a file with one verdict a line, as [`VerdictLine`](crate::VerdictLine) is
/// written.
///
/// # Errors
///
/// [`Error::Data`] if the file cannot be read, a line is no verdict, or there is none.
pub fn scores_of_lines(path: &Path) -> Result<Vec<f64>, Error> {
    #[derive(Deserialize)]
    struct Line {
        score: f64,
    }
    let mut scores = Vec::new();
    for (line, Line { score }) in json_lines(path, "a verdict with its score")? {
        if !score.is_finite() {
            let reason = format!("expected a finite score, found {score}");
            return Err(DataError::Line { path: path.to_owned(), line, reason }.into());
        }
        scores.push(score);
    }
    match scores.is_empty() {
        true => Err(Error::NoPicture { what: "expected verdicts with their scores, one a line, found none" }),
        false => Ok(scores),
    }
}
