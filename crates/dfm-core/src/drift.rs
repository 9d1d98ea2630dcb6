//! Is today's stream still what a model was fitted on?

use dfm_backbone::{Layer, PreparedPicture};
use dfm_stats::{Samples, ScoreDrift, SubspaceDrift, score_drift, subspace_drift};
use serde::Serialize;

use crate::error::DfmError;
use crate::held_out::different;
use crate::model::Dfm;
use crate::places::PlacesHeldOut;
use crate::score::to_host;
use crate::taps::split_columns;

/// How drift is looked for, unchecked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriftParams {
    /// The share of streams without drift that may be called drift, in [0.001, 0.5].
    pub false_alarm: f64,
    /// Of the permutations.
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
    /// Pictures that the model was fitted on.
    pub reference: usize,
    /// Largest distance between the distribution functions of today's scores and of the
    /// held-out scores of the fit's pictures (Kolmogorov–Smirnov).
    pub score_distance: f64,
    /// Its exact p-value.
    pub score_p_value: f64,
    /// Of the features of each layer; none where scores alone are known, or statistics are by
    /// position.
    pub features: Vec<FeatureDrift>,
}

/// The part of a [`DriftReport`] that takes pictures rather than scores.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeatureDrift {
    /// Where they are taken.
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
    /// Of statistics by position none: scores alone are compared.
    rows: Vec<f32>,
    /// Of a picture in tiles of which there are more to come, the content hash, how many there
    /// were, and the largest score.
    begun: Option<([u8; 32], usize, f64)>,
}

impl Dfm {
    /// Compares today's `scores`, as [`predict`](Self::predict) gave them, with those that
    /// the pictures of the fit get from models fitted without them.
    ///
    /// The false-alarm rate holds for independent pictures, whatever their distribution.
    /// Cost: none where the model was calibrated, which held out every picture already.
    ///
    /// # Errors
    ///
    /// If there is no score, one is not finite, or the model was neither calibrated nor keeps
    /// a fit statistic.
    pub fn drift_of_scores(&self, scores: &[f64], params: ValidDriftParams) -> Result<DriftReport, DfmError> {
        let score = self.score_drift(scores)?;
        Ok(report(params, score, Vec::new(), scores.len(), self.record.picture_count))
    }

    /// Starts to compare today's pictures with those of the fit: their scores, and the
    /// means and leading subspaces of their features.
    pub fn watch(&self, params: ValidDriftParams) -> DriftWatch<'_> {
        DriftWatch { model: self, params, scores: Vec::new(), rows: Vec::new(), begun: None }
    }

    fn score_drift(&self, scores: &[f64]) -> Result<ScoreDrift, DfmError> {
        self.rows_are_pictures()?;
        let reference = match &self.judged.scores {
            Some(held_out) => held_out.in_order().to_vec(),
            None => {
                let kept = self.kept("looking for drift")?;
                let (aggregation, shapes) = (self.record.params.aggregation, self.extractor.feature_shapes());
                let scale = self.scorers.scale();
                PlacesHeldOut::new(&kept.statistics, &self.statistics, scale, aggregation, shapes, None)?
                    .scores(&different(&kept.content_hashes)?)?
            }
        };
        if scores.is_empty() {
            return Err(DfmError::NothingToCompare);
        }
        Ok(score_drift(&reference, scores)?)
    }
}

impl DriftWatch<'_> {
    /// Takes a few pictures that the model's [`preprocessor`](Dfm::preprocessor) prepared.
    ///
    /// Memory: 4 bytes a feature, kept until [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// As for [`Dfm::predict`], pictures counted within their batch; then none of them is
    /// taken. A picture in tiles counts once all of them were, one after the other.
    pub fn push(&mut self, pictures: &[PreparedPicture]) -> Result<(), DfmError> {
        let Dfm { extractor, scorers, .. } = self.model;
        let (mut rows, mut scores) = (Vec::new(), Vec::new());
        for batch in pictures.chunks(self.model.batch()) {
            let features = extractor.extract(batch)?;
            if scorers.count() == 1 {
                rows.extend(to_host(features.clone())?);
            }
            let tiles: Vec<usize> = batch.iter().map(|picture| picture.placement.tile).collect();
            scores.extend(scorers.score(features, &tiles)?.values);
        }
        self.rows.extend(rows);
        pictures.iter().zip(scores).for_each(|(picture, score)| self.take(picture, score));
        Ok(())
    }

    /// Takes the score of a tile, of which the largest is its picture's; of a picture that lacks
    /// one there is none.
    fn take(&mut self, picture: &PreparedPicture, score: f64) {
        let (hash, tile) = (picture.content_hash, picture.placement.tile);
        self.begun = match self.begun {
            _ if tile == 0 => Some((hash, 1, score)),
            Some((of, count, worst)) if of == hash && count == tile => {
                Some((hash, count + 1, worst.max(score)))
            }
            _ => None,
        };
        if let Some((_, count, worst)) = self.begun
            && count == self.model.scorers.count()
        {
            self.scores.push(worst);
            self.begun = None;
        }
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
        let (pictures, reference) = (self.scores.len(), kept.content_hashes.len());
        if self.model.scorers.count() > 1 {
            return Ok(report(self.params, score, Vec::new(), pictures, reference));
        }
        let extractor = &self.model.extractor;
        let rows = Samples::from_f32(&self.rows, extractor.row_len())?;
        let DriftParams { false_alarm, seed } = self.params.0;
        // Ten times as many as it takes to tell the smallest p-value that matters.
        let permutations = (30.0 / false_alarm).ceil() as usize - 1;
        let mut features = Vec::with_capacity(kept.statistics.len());
        let rows = split_columns(rows, extractor.feature_shapes())?;
        for ((statistic, rows), tap) in kept.statistics.iter().zip(rows).zip(extractor.taps()) {
            features.push((tap.layer, subspace_drift(statistic, &rows, permutations, seed)?));
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
