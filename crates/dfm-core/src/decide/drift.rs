//! Is today's stream still what a model was fitted on?

use dfm_backbone::Layer;
use dfm_stats::{FitStatistic, Samples, ScoreDrift, SubspaceDrift, score_drift, subspace_drift};
use serde::Serialize;

use crate::decide::held_out::different;
use crate::decide::left_out::PlacesLeftOut;
use crate::error::DfmError;
use crate::host::to_host;
use crate::judge::joined::split_columns;
use crate::method::Rows;
use crate::model::Dfm;
use crate::pieces::{Assembly, Piece, Preparer, each_of, features};

/// How drift is looked for, unchecked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriftParams {
    /// The share of streams without drift that may be called drift, in [0.001, 0.5].
    pub false_alarm: f64,
    /// Seed of the permutations.
    pub seed: u64,
}

impl Default for DriftParams {
    /// One stream in a hundred.
    fn default() -> Self {
        Self { false_alarm: 0.01, seed: 0 }
    }
}

impl DriftParams {
    /// Checks the parameters.
    ///
    /// # Errors
    ///
    /// If the rate is out of its range.
    pub fn check(self) -> Result<ValidDriftParams, DfmError> {
        if (0.001..=0.5).contains(&self.false_alarm) {
            return Ok(ValidDriftParams(self));
        }
        let (name, expected) = ("false alarm rate", "a share in [0.001, 0.5]");
        Err(DfmError::Parameter { name, expected, got: self.false_alarm.to_string() })
    }
}

/// Checked [`DriftParams`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValidDriftParams(DriftParams);

/// What was compared, and the verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DriftReport {
    /// Whether any p-value is at or below `level`.
    pub drift: bool,
    /// The share of streams without drift that are called drift at most.
    pub false_alarm: f64,
    /// `false_alarm` divided by the number of tests (Bonferroni).
    pub level: f64,
    /// Pictures of today.
    pub pictures: usize,
    /// Pictures that the model was fitted on; where the fit set pictures aside, those.
    pub reference: usize,
    /// Largest distance between the distribution functions of today's scores and of the
    /// held-out scores of the fit's pictures (Kolmogorov–Smirnov).
    pub score_distance: f64,
    /// Its exact p-value.
    pub score_p_value: f64,
    /// The drift of the features of each layer. It is empty if only scores are known, if statistics are by
    /// position, or if cells are rows.
    pub features: Vec<FeatureDrift>,
}

/// The part of a [`DriftReport`] that takes pictures rather than scores.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeatureDrift {
    /// The layer whose features are compared.
    pub layer: Layer,
    /// Distance of the mean feature rows, in standard deviations.
    pub mean_shift: f64,
    /// The share of permutations whose means are as far apart.
    pub mean_p_value: f64,
    /// Largest principal angle between the leading subspaces, in degrees.
    pub largest_angle: f64,
    /// The share of permutations whose subspaces are as far apart.
    pub angle_p_value: f64,
    /// Dimensions of those subspaces.
    pub subspace: usize,
}

/// Today's pictures on their way to a [`DriftReport`].
#[derive(Debug)]
pub struct DriftWatch<'m> {
    model: &'m Dfm,
    params: ValidDriftParams,
    scores: Vec<f64>,
    /// Empty for statistics by position and for cells as rows, where only scores are compared.
    rows: Vec<f32>,
    pictures: Assembly<f64>,
}

impl Dfm {
    /// Compares today's `scores`, as [`judge`](Self::judge) gave them, with those that
    /// the pictures of the fit get from models fitted without them.
    ///
    /// The false-alarm rate holds for independent pictures, whatever their distribution.
    /// Cost: none if the model was calibrated, because that held out every picture already.
    ///
    /// # Errors
    ///
    /// If there is no score, one is not finite, or the model was neither calibrated nor keeps
    /// a fit statistic.
    pub fn drift_of_scores(&self, scores: &[f64], params: ValidDriftParams) -> Result<DriftReport, DfmError> {
        let score = self.score_drift(scores)?;
        Ok(report(params, score, Vec::new(), scores.len(), self.reference_count()))
    }

    /// Starts to compare today's pictures with those of the fit: their scores, and the
    /// means and leading subspaces of their features.
    pub fn watch(&self, params: ValidDriftParams) -> DriftWatch<'_> {
        DriftWatch { model: self, params, scores: Vec::new(), rows: Vec::new(), pictures: Assembly::new() }
    }

    /// Pictures that scores are compared with.
    fn reference_count(&self) -> usize {
        self.record.set_aside.unwrap_or(self.record.picture_count)
    }

    /// Whether a stream's features are compared with those of the fit. A statistic by position has the rows of
    /// one place only, and the cells of a picture are no independent rows.
    fn compares_features(&self) -> bool {
        self.scorers.count() == 1 && self.rule.rows == Rows::Picture
    }

    fn score_drift(&self, scores: &[f64]) -> Result<ScoreDrift, DfmError> {
        self.rows_are_pictures()?;
        if self.record.has_small_scores() {
            return Err(DfmError::NoneSetAside { operation: "looking for drift" });
        }
        let reference = match &self.judged.scores {
            Some(held_out) => held_out.in_order().to_vec(),
            None => {
                let kept = self.kept("looking for drift")?;
                let models = PlacesLeftOut::new(&kept.statistics, &self.rule, None)?;
                models.scores(&different(&kept.content_hashes)?)?
            }
        };
        if scores.is_empty() {
            return Err(DfmError::NothingToCompare);
        }
        Ok(score_drift(&reference, scores)?)
    }
}

impl DriftWatch<'_> {
    /// Makes pieces of pictures for this stream, on any thread.
    pub fn preparer(&self) -> Preparer {
        Preparer::for_judging(&self.model.extractor)
    }

    /// Pieces that run through the network together.
    pub fn batch(&self) -> usize {
        self.model.batch()
    }

    /// Takes `pieces` of pictures, and tells which pictures cannot be used and why. The pieces of a
    /// picture come one after the other, and the picture counts once all of them have come. A piece
    /// that cannot be used spoils only its own picture. The errors are those of
    /// [`Judging::push`](crate::Judging::push).
    ///
    /// Memory: 4 bytes a feature, kept until [`finish`](Self::finish).
    pub fn push(&mut self, pieces: &[Piece]) -> Vec<(usize, DfmError)> {
        let Dfm { extractor, scorers, .. } = self.model;
        let is_kept = self.model.compares_features();
        let seen = each_of(pieces, self.batch(), |batch| {
            let (features, _) = features(extractor, batch, false)?;
            let tiles: Vec<usize> = batch.iter().map(|piece| piece.placement().tile).collect();
            let scores = scorers.score(features.clone(), &tiles)?.values;
            let values = if is_kept { to_host(features)? } else { Vec::new() };
            let mut rows = values.chunks(extractor.row_len()).map(<[f32]>::to_vec);
            Ok(scores.into_iter().map(|score| (score, rows.next())).collect())
        });
        let mut refused = Vec::new();
        for (piece, seen) in pieces.iter().zip(seen) {
            let (score, row) = seen.map_or_else(|error| (Err(error), None), |(score, row)| (Ok(score), row));
            self.rows.extend(row.into_iter().flatten());
            match self.pictures.push(&piece.id(), score, f64::max) {
                Some(Ok(score)) => self.scores.push(score),
                Some(Err(error)) => refused.push((piece.number(), error)),
                None => {}
            }
        }
        refused
    }

    /// The verdict.
    ///
    /// Memory: about `32 · (N + m) · D` bytes for `m` pictures of `D` features beside the
    /// `N` of the fit. Cost: as for [`Dfm::drift_of_scores`], a decomposition of all of
    /// them, and some thousand permutations.
    ///
    /// # Errors
    ///
    /// As for [`Dfm::drift_of_scores`].
    pub fn finish(self) -> Result<DriftReport, DfmError> {
        let score = self.model.score_drift(&self.scores)?;
        let kept = self.model.kept("looking for drift")?;
        // What compression dropped of the pictures that were learnt would look like drift.
        let aside = kept.needed_aside("looking for drift")?;
        let hashes = aside.map_or(&kept.content_hashes, |aside| &aside.content_hashes);
        let (pictures, reference) = (self.scores.len(), hashes.len());
        if !self.model.compares_features() {
            return Ok(report(self.params, score, Vec::new(), pictures, reference));
        }
        let extractor = &self.model.extractor;
        let rows = Samples::from_f32(&self.rows, extractor.row_len())?;
        let DriftParams { false_alarm, seed } = self.params.0;
        // Ten times as many as it takes to tell the smallest p-value that matters.
        let permutations = (30.0 / false_alarm).ceil() as usize - 1;
        let mut features = Vec::with_capacity(kept.statistics.layer_count());
        let rows = split_columns(rows, extractor.feature_shapes())?;
        for (place, (rows, tap)) in rows.into_iter().zip(extractor.taps()).enumerate() {
            let found = match aside {
                None => subspace_drift(kept.statistics.get(0, place), &rows, permutations, seed)?,
                Some(aside) => {
                    let reference = Samples::from_f32(aside.rows.get(0, place), rows.columns())?;
                    subspace_drift(&FitStatistic::of_owned(reference)?, &rows, permutations, seed)?
                }
            };
            features.push((tap.layer, found));
        }
        Ok(report(self.params, score, features, pictures, reference))
    }
}

impl FeatureDrift {
    fn of(layer: Layer, found: &SubspaceDrift) -> Self {
        Self {
            layer,
            mean_shift: found.mean_shift,
            mean_p_value: found.mean_p_value,
            largest_angle: found.largest_angle,
            angle_p_value: found.angle_p_value,
            subspace: found.subspace,
        }
    }
}

fn report(
    params: ValidDriftParams,
    score: ScoreDrift,
    features: Vec<(Layer, SubspaceDrift)>,
    pictures: usize,
    reference: usize,
) -> DriftReport {
    let false_alarm = params.0.false_alarm;
    let mut p_values = vec![score.p_value];
    p_values.extend(features.iter().flat_map(|(_, found)| [found.mean_p_value, found.angle_p_value]));
    let level = false_alarm / p_values.len() as f64;
    DriftReport {
        drift: p_values.iter().any(|p_value| *p_value <= level),
        false_alarm,
        level,
        pictures,
        reference,
        score_distance: score.distance,
        score_p_value: score.p_value,
        features: features.into_iter().map(|(layer, found)| FeatureDrift::of(layer, &found)).collect(),
    }
}
