//! A fitted model and what it says of a picture.

use std::collections::{HashMap, HashSet};

use burn::tensor::{Tensor, TensorData};
use dfm_backbone::{BackboneError, FeatureExtractor, Placement, PreparedPicture, Preprocessor, Region};
use dfm_stats::{FitStatistic, Samples};

use crate::calibrate::{Calibration, Label};
use crate::conformal::{CalibrationKind, HeldOutScores};
use crate::error::DfmError;
use crate::fit::FeatureRow;
use crate::held_out::different;
use crate::kept::Kept;
use crate::map::AnomalyGrid;
use crate::params::DfmParams;
use crate::places::PlaceScorers;
use crate::record::FitRecord;
use crate::score::Statistics;
use crate::self_test::SelfTest;
use crate::taps::HeldOutScorers;

/// What to compute beside the score.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PredictOptions {
    /// Whether to return anomaly maps, where the score has them.
    pub map: bool,
}

/// What a model says of one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The raw score, as [`DfmParams::score`](crate::DfmParams::score) and
    /// [`DfmParams::aggregation`](crate::DfmParams::aggregation) say, of several
    /// taps the geometric mean; without upper limit, and larger is more abnormal.
    pub score: f64,
    /// The score in (0, 1), ½ at the threshold; `None` without a threshold.
    pub normalized_score: Option<f64>,
    /// The verdict; `None` without a threshold. Whether the score reaches the threshold, but
    /// for a jackknife+ with a stated rate of false alarms: then whether `p_value` is at most
    /// that.
    pub label: Option<Label>,
    /// The share of good pictures that look as abnormal or more, never below `1 / (N + 1)`
    /// for `N` that calibrate; `None` of a model that was fitted with a threshold given. What
    /// is proved of it says [`CalibrationKind::guarantee`].
    pub p_value: Option<f64>,
    /// Where the score comes from, cell by cell. Of one tap
    /// [`Aggregation::of`](crate::Aggregation::of) gives the score again (for a Mahalanobis
    /// distance, its residual part); of several each cell is the geometric mean of theirs. See
    /// [`AnomalyGrid::upsample`] for a map of the picture's size.
    pub map: Option<AnomalyGrid>,
}

impl Prediction {
    /// What a model says of a picture in tiles, of what it says of each: the score and the
    /// verdict of the worst, and the maps of all. `None` of no tile.
    pub fn of_tiles(tiles: impl IntoIterator<Item = Self>) -> Option<Self> {
        tiles.into_iter().reduce(|mut whole, mut tile| {
            let joined = whole.map.take().zip(tile.map.take()).map(|(mut map, other)| {
                map.join(other);
                map
            });
            let worst = if tile.score > whole.score { tile } else { whole };
            Self { map: joined, ..worst }
        })
    }
}

/// What a fit learnt from good pictures that it held out.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) calibration: Option<Calibration>,
    pub(crate) scores: Option<HeldOutScores>,
    pub(crate) cell_threshold: Option<f64>,
}

/// A fitted model on a device.
#[derive(Debug)]
pub struct Dfm {
    pub(crate) extractor: FeatureExtractor,
    /// Place by place, and in each in the order of the taps.
    pub(crate) statistics: Vec<Statistics>,
    pub(crate) scorers: PlaceScorers,
    pub(crate) judged: Judged,
    /// The rate of false alarms that p-values are compared with, where scores are not.
    decisive_rate: Option<f64>,
    pub(crate) record: FitRecord,
    pub(crate) self_test: SelfTest,
    pub(crate) kept: Option<Kept>,
    /// By content hash, of pictures that are kept.
    pub(crate) names: HashMap<[u8; 32], String>,
}

impl Dfm {
    pub(crate) fn assemble(
        extractor: FeatureExtractor,
        statistics: Vec<Statistics>,
        scorers: PlaceScorers,
        judged: Judged,
        record: FitRecord,
        self_test: SelfTest,
        kept: Option<Kept>,
    ) -> Self {
        let asked = record.params.calibration.filter(|asked| asked.kind == CalibrationKind::JackknifePlus);
        let decisive_rate = asked.and_then(|asked| asked.false_alarm);
        let names = HashMap::new();
        Self { extractor, statistics, scorers, judged, decisive_rate, record, self_test, kept, names }
    }

    /// Scores pictures that this model's [`preprocessor`](Self::preprocessor)
    /// prepared, in their order, [`batch`](Self::batch) of them at a time.
    ///
    /// # Errors
    ///
    /// If a picture was prepared for another input size, its features are not finite,
    /// or all zero where the score is relative to them, a map was asked for that `f32` cannot hold, or the device fails.
    pub fn predict(
        &self,
        pictures: &[PreparedPicture],
        options: PredictOptions,
    ) -> Result<Vec<Prediction>, DfmError> {
        let mut predictions = Vec::with_capacity(pictures.len());
        for batch in pictures.chunks(self.batch()) {
            let rows = self.extractor.extract(batch)?;
            let placements = batch.iter().map(|picture| &picture.placement);
            self.judge(rows, placements, options, &mut predictions)?;
        }
        Ok(predictions)
    }

    /// [`predict`](Self::predict) for pictures whose features an extractor that differs in
    /// nothing took before, each with where it lies under the grid
    /// ([`PreparedPicture::placement`]).
    ///
    /// # Errors
    ///
    /// If a row has another number of features, and as for [`predict`](Self::predict).
    pub fn predict_features(
        &self,
        pictures: &[(FeatureRow, Placement)],
        options: PredictOptions,
    ) -> Result<Vec<Prediction>, DfmError> {
        let columns = self.extractor.row_len();
        let mut predictions = Vec::with_capacity(pictures.len());
        for batch in pictures.chunks(self.record.params.batch) {
            let mut values = Vec::with_capacity(batch.len() * columns);
            for (row, _) in batch {
                if row.values.len() != columns {
                    let picture = predictions.len() + values.len() / columns;
                    let got = row.values.len();
                    return Err(DfmError::ComputedFeatures { picture, expected: columns, got });
                }
                values.extend_from_slice(&row.values);
            }
            let data = TensorData::new(values, [batch.len(), columns]);
            let rows = Tensor::from_data(data, self.extractor.device());
            self.judge(rows, batch.iter().map(|(_, placement)| placement), options, &mut predictions)?;
        }
        Ok(predictions)
    }

    /// Adds what the model says of a batch.
    fn judge<'p>(
        &self,
        rows: Tensor<2>,
        placements: impl Iterator<Item = &'p Placement> + Clone,
        options: PredictOptions,
        predictions: &mut Vec<Prediction>,
    ) -> Result<(), DfmError> {
        let tiles: Vec<usize> = placements.clone().map(|placement| placement.tile).collect();
        let offset = predictions.len();
        let scores = self.scorers.score(rows.clone(), &tiles).map_err(|error| error.behind(offset))?;
        let p_values = self.p_values(&scores.values, rows)?;
        let mut maps = scores.maps.into_iter();
        for (index, (score, placement)) in scores.values.into_iter().zip(placements).enumerate() {
            let map = maps.next().filter(|_| options.map);
            let map = map.map(|map| AnomalyGrid { placements: vec![placement.clone()], ..map });
            if map.as_ref().is_some_and(|map| map.values.iter().any(|cell| !cell.is_finite())) {
                return Err(DfmError::MapRange { picture: predictions.len(), score });
            }
            predictions.push(Prediction {
                score,
                normalized_score: self.judged.calibration.map(|calibration| calibration.normalize(score)),
                label: self.label(score, p_values.get(index).copied()),
                p_value: p_values.get(index).copied(),
                map,
            });
        }
        Ok(())
    }

    fn label(&self, score: f64, p_value: Option<f64>) -> Option<Label> {
        match (self.decisive_rate, p_value) {
            (Some(rate), Some(p_value)) if p_value <= rate => Some(Label::Anomalous),
            (Some(_), Some(_)) => Some(Label::Normal),
            _ => self.judged.calibration.map(|calibration| calibration.label(score)),
        }
    }

    /// One a score, none without held-out scores.
    fn p_values(&self, scores: &[f64], features: Tensor<2>) -> Result<Vec<f64>, DfmError> {
        match &self.judged.scores {
            None => Ok(Vec::new()),
            Some(held_out) if held_out.kind() == CalibrationKind::JackknifePlus => {
                self.jackknife_plus(held_out, features)
            }
            Some(held_out) => Ok(scores.iter().map(|score| held_out.p_value(*score)).collect()),
        }
    }

    /// By the models without each of the pictures of the fit.
    fn jackknife_plus(&self, held_out: &HeldOutScores, features: Tensor<2>) -> Result<Vec<f64>, DfmError> {
        let kept = self.kept("jackknife+")?;
        let (aggregation, shapes) = (self.record.params.aggregation, self.extractor.feature_shapes());
        let ratio = self.record.params.own_ratio();
        let scorers = HeldOutScorers::new(&kept.statistics, &self.statistics, aggregation, shapes, ratio)?;
        let rows = Samples::from_tensor(features)?;
        let mut as_high = vec![0; rows.rows()];
        let new = scorers.scores_of(rows, &different(&kept.content_hashes)?)?;
        for (own, scores) in held_out.in_order().iter().zip(new) {
            as_high.iter_mut().zip(scores).for_each(|(count, new)| *count += usize::from(*own >= new));
        }
        Ok(as_high.into_iter().map(|as_high| held_out.p_value_of(as_high)).collect())
    }

    /// Pictures that run through the network together: as many as at the fit, if
    /// their activations may all be held at once.
    pub fn batch(&self) -> usize {
        self.record.params.batch.min(self.extractor.largest_batch())
    }

    /// Looks at another part of every picture, or at all of it. A rectangle can move, as
    /// parts do under a camera; a mask is part of the fit.
    ///
    /// # Errors
    ///
    /// If scores would then be made of other cells than those that the model was fitted to;
    /// then nothing changes.
    pub fn set_region(&mut self, region: Option<Region>) -> Result<(), DfmError> {
        let (fitted, asked) = (self.preprocessor(), self.preprocessor().with_region(region.clone()));
        for shape in self.extractor.feature_shapes() {
            let counted = |preprocessor: &Preprocessor| {
                preprocessor.counted_cells([shape.height, shape.width]).map_err(BackboneError::from)
            };
            if counted(&asked)? != counted(&fitted)? {
                let named = |region: Option<&Region>| region.map_or("none".to_owned(), Region::to_string);
                let (expected, got) = (named(self.extractor.region()), named(region.as_ref()));
                return Err(DfmError::OtherCells { expected, got });
            }
        }
        let params = DfmParams { region: region.clone(), ..self.record.params.clone() };
        if params.place_count()? != self.scorers.count() {
            let expected =
                "one of as many tiles as that of the fit, whose places have statistics of their own";
            let got = region.map_or("none".to_owned(), |region| region.to_string());
            return Err(DfmError::Parameter { name: "region", expected, got });
        }
        self.extractor.set_region(region.clone())?;
        self.record.params.region = region;
        Ok(())
    }

    /// Prepares pictures as this model expects them.
    pub fn preprocessor(&self) -> Preprocessor {
        self.extractor.preprocessor()
    }

    /// The feature extractor.
    pub fn extractor(&self) -> &FeatureExtractor {
        &self.extractor
    }

    /// How the model came to be.
    pub fn record(&self) -> &FitRecord {
        &self.record
    }

    /// Principal components that scoring uses, at all places and taps together.
    pub fn component_count(&self) -> usize {
        self.statistics.iter().map(|statistics| statistics.pca().component_count()).sum()
    }

    /// The share of the variance that the components of each tap explain, place by place.
    pub fn explained_ratios(&self) -> Vec<f64> {
        self.statistics.iter().map(|statistics| statistics.pca().explained_ratio()).collect()
    }

    /// The threshold and normalisation, if the model has them.
    pub fn calibration(&self) -> Option<Calibration> {
        self.judged.calibration
    }

    /// What a cell of a map reaches in about as few held-out good pictures as reach the
    /// threshold: the same quantile of their largest cells, an estimate. `None` of a model
    /// that was fitted with a threshold given, has no maps, or had to drop what cells are
    /// made of.
    pub fn cell_threshold(&self) -> Option<f64> {
        self.judged.cell_threshold
    }

    /// Refuses what takes rows of the fit for pictures where they are tiles.
    pub(crate) fn rows_are_pictures(&self) -> Result<(), DfmError> {
        let expected = "none for drift and audits, or statistics by position: tiles of one picture that share \
                        statistics are not independent; fit without --tile, or with --tile-statistics position";
        match self.record.params.tiling.filter(|_| self.record.params.tile_statistics.is_shared()) {
            Some(tiling) => Err(DfmError::Parameter { name: "tiling", expected, got: tiling.to_string() }),
            None => Ok(()),
        }
    }

    /// What the model keeps so that it can be merged and updated: the statistic of its
    /// pictures at each tap, by position place by place, and their content hashes, row by row.
    pub fn fit_statistics(&self) -> Option<(&[FitStatistic], &[[u8; 32]])> {
        self.kept.as_ref().map(|kept| (kept.statistics.as_slice(), kept.content_hashes.as_slice()))
    }

    /// The same, for an `operation` that needs it.
    pub(crate) fn kept(&self, operation: &'static str) -> Result<&Kept, DfmError> {
        self.kept.as_ref().ok_or(DfmError::NoFitStatistic { operation })
    }

    /// Replaces the threshold, keeping the spread that normalisation uses.
    ///
    /// # Errors
    ///
    /// If it is not finite.
    pub fn set_threshold(&mut self, threshold: f64) -> Result<(), DfmError> {
        self.judged.calibration = Some(match self.judged.calibration {
            Some(calibration) => calibration.with_threshold(threshold)?,
            None => Calibration::at(threshold)?,
        });
        self.decisive_rate = None;
        Ok(())
    }

    /// Replaces the threshold by that of a rate of false alarms: what has a p-value of it or
    /// less is anomalous.
    ///
    /// # Errors
    ///
    /// If it is no share, smaller than the pictures that calibrate can support, or none were
    /// held out.
    pub fn set_false_alarm(&mut self, false_alarm: f64) -> Result<(), DfmError> {
        let scores = self.judged.scores.as_ref().ok_or(DfmError::NotCalibrated)?;
        let (threshold, kind) = (scores.threshold_at(false_alarm)?, scores.kind());
        self.set_threshold(threshold)?;
        self.decisive_rate = (kind == CalibrationKind::JackknifePlus).then_some(false_alarm);
        Ok(())
    }

    /// How good pictures were held out; `None` of a model that was fitted with a threshold
    /// given.
    pub fn calibration_kind(&self) -> Option<CalibrationKind> {
        self.judged.scores.as_ref().map(HeldOutScores::kind)
    }

    /// Names pictures of the fit by their content hash, so that [`audit`](Self::audit) can.
    /// What has a name keeps it; names of other pictures, and such that are empty, longer
    /// than 4096 bytes or hold a zero byte, are not taken. A model that keeps no fit
    /// statistic has no names.
    pub fn name_pictures(&mut self, names: impl IntoIterator<Item = ([u8; 32], String)>) {
        let Some(kept) = &self.kept else { return };
        let known: HashSet<&[u8; 32]> = kept.content_hashes.iter().collect();
        for (hash, name) in names {
            if known.contains(&hash) && is_name(&name) {
                self.names.entry(hash).or_insert(name);
            }
        }
    }

    /// The name of a picture of the fit.
    pub fn picture_name(&self, content_hash: &[u8; 32]) -> Option<&str> {
        self.names.get(content_hash).map(String::as_str)
    }
}

/// The most bytes of a picture's name: the longest path that systems take.
pub(crate) const MAX_NAME_BYTES: usize = 4096;

/// Whether a model can hold `name`.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.contains('\0')
}
