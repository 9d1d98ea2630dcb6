//! Adding pictures to a model.

use std::collections::HashSet;
use std::path::Path;

use dfm_backbone::hexadecimal;
use dfm_core::{Dfm, ForeignRecord, UpdateOptions, WrittenSizes};
use serde::Serialize;

use crate::error::Error;
use crate::learning::Learning;
use crate::levels::FitLevels;
use crate::note::Note;
use crate::observer::{Observer, Reporter};
use crate::source::Source;
use crate::store::ModelStore;

/// A model that got more pictures.
#[derive(Debug)]
#[non_exhaustive]
pub struct Updated {
    /// The model with them.
    pub model: Dfm,
    /// The sizes of its file.
    pub sizes: WrittenSizes,
    /// What is different now.
    pub change: ModelChange,
}

/// What an update did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ModelChange {
    /// Pictures that the model did not know.
    pub new: usize,
    /// Pictures that it knew already.
    pub known: usize,
    /// Pictures that cannot be used.
    pub left_out: usize,
    /// New pictures that the fit had left out as foreign to the others.
    pub once_foreign: usize,
    /// Pictures that the model did not know and that the update left out as foreign to the others.
    pub foreign: usize,
    /// Pictures that the fit had left out as foreign, and that stay left out.
    pub stay_out: usize,
    /// The threshold before, if there was one.
    pub threshold_before: Option<f64>,
    /// The threshold after, if there is one.
    pub threshold_after: Option<f64>,
}

impl ModelStore {
    /// Adds the pictures of `source` to the model at `path` and writes the result to `output`. Those
    /// that it knows already count once. Pictures that the fit had left out as foreign stay left out, unless
    /// the `options` say otherwise, and the observer hears their names. What changed is told. If there are
    /// enough pictures, foreign ones among the new pictures are left out, as in a fit.
    ///
    /// # Errors
    ///
    /// If the model keeps no fit statistic, no picture can be used, or `output` cannot be written.
    pub fn update(
        &self,
        path: &Path,
        source: &dyn Source,
        output: &Path,
        options: UpdateOptions,
        observer: &dyn Observer,
    ) -> Result<Updated, Error> {
        let reporter = Reporter::new(observer);
        let threshold = |model: &Dfm| model.calibration().map(|calibration| calibration.threshold());
        let (mut before, mut foreign_before) = (None, HashSet::new());
        let (mut learnt_now, mut stay_out) = (Vec::new(), Vec::new());
        let (model, sizes) = self.revise(path, output, &reporter, |model| {
            (before, foreign_before) = (threshold(&model), foreign_of(&model));
            let preparer = dfm_core::Preparer::for_fit(model.extractor());
            let batch = model.batch();
            let learning = Learning {
                source,
                levels: FitLevels::of_update(&model),
                workers: self.workers(),
                reporter: &reporter,
            };
            let (known, depth) = (model.record().sizes, model.record().depth);
            let learnt = learning.learn(&preparer, batch, None, |pieces, each, again| {
                Ok(model.update_each_rereading(pieces, options, each, again)?)
            })?;
            (learnt_now, stay_out) = (learnt.pictures, learnt.stay_out);
            let sizes = known.zip(learnt.model.record().sizes).map(|(known, new)| known.with(new));
            Ok(learnt.model.with_sizes(sizes).with_depth(depth))
        })?;
        if !stay_out.is_empty() {
            reporter
                .note(Note::StayOut { names: stay_out.iter().map(|index| source.name(*index)).collect() });
        }
        let (left_out, foreign) = (reporter.count(), foreign_of(&model));
        let is_foreign = |(hash, _): &&([u8; 32], usize)| foreign.contains(&hexadecimal(hash));
        let found_foreign = learnt_now.iter().filter(is_foreign).count();
        let gone = learnt_now.len() + left_out + stay_out.len();
        let change = ModelChange {
            new: learnt_now.len() - found_foreign,
            known: source.count().saturating_sub(gone),
            left_out,
            once_foreign: foreign_before.difference(&foreign).count(),
            foreign: found_foreign,
            stay_out: stay_out.len(),
            threshold_before: before,
            threshold_after: threshold(&model),
        };
        Ok(Updated { model, sizes, change })
    }
}

/// The content hashes of the pictures that were left out as foreign.
fn foreign_of(model: &Dfm) -> HashSet<String> {
    let pictures = model.record().foreign.iter().flat_map(|ForeignRecord { pictures, .. }| pictures);
    pictures.map(|picture| picture.content_hash.clone()).collect()
}
