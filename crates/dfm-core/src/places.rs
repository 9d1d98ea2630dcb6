//! Several places of a picture as one: the tiles of pictures of one size, each compared with
//! those of its own place alone.
//!
//! The statistics of such a model lie place by place, and tap by tap in each; what follows sees
//! those of one place as if it were the model. Of one place everything is as it is without this
//! module, to the last bit.
//!
//! A picture's score is the largest of its tiles'. Where good pictures differ much, as in grain,
//! scores are large, and where they hardly do they are small: on that scale alone the busiest
//! place would hide every other. What a place finds is therefore divided by what is usual there:
//! the median score of good pictures, each by a model of all others. Of what was tried on scenes
//! of calm and busy places and on photographs, the median did best: a large quantile or a spread,
//! which few pictures say little about, moved scores of one place against those of another at
//! random.

use burn::tensor::Tensor;
use dfm_backbone::{FeatureExtractor, FeatureShape};
use dfm_stats::{FitStatistic, Row};

use crate::aggregate::Aggregation;
use crate::error::DfmError;
use crate::held_out::different;
use crate::kept::Kept;
use crate::score::{Scores, Statistics};
use crate::taps::{HeldOutScorers, TapScorers, by_row, geometric_mean};

/// The least that is usual at a place, as a share of the most at any: what differs by less is
/// noise wherever it is.
const LEAST_USUAL: f64 = 1e-3;

/// What brings scores of all places to one scale: those of every place are divided by what is
/// usual there, and multiplied by what is usual anywhere, the geometric mean over all places.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct PlaceScale {
    /// The median score of good pictures at each place; none of a model without places.
    usual: Vec<f64>,
}

impl PlaceScale {
    /// Of the pictures of a fit and of `statistics` of them.
    ///
    /// # Errors
    ///
    /// If pictures cannot be held out.
    pub(crate) fn of(
        fitted: &Kept,
        statistics: &[Statistics],
        aggregation: Aggregation,
        shapes: &[FeatureShape],
    ) -> Result<Self, DfmError> {
        let different = different(&fitted.content_hashes)?;
        let places = fitted.statistics.chunks(shapes.len()).zip(statistics.chunks(shapes.len()));
        let usual = places.map(|(kept, statistics)| {
            let scorers = HeldOutScorers::new(kept, statistics, aggregation, shapes, None)?;
            let mut scores = scorers.scores(&different)?;
            scores.sort_by(f64::total_cmp);
            Ok(scores[scores.len() / 2])
        });
        Ok(Self { usual: usual.collect::<Result<_, DfmError>>()? })
    }

    /// From a file; `None` unless all are scores.
    pub(crate) fn from_usual(usual: Vec<f64>) -> Option<Self> {
        usual.iter().all(|score| score.is_finite() && *score >= 0.0).then_some(Self { usual })
    }

    /// The median score of good pictures at each place; none of a model without places.
    pub(crate) fn usual(&self) -> &[f64] {
        &self.usual
    }

    /// What scores of each place are multiplied by.
    fn weights(&self) -> Vec<f64> {
        let most = self.usual.iter().copied().fold(0.0, f64::max);
        if most <= 0.0 {
            return vec![1.0; self.usual.len().max(1)];
        }
        let usual: Vec<f64> = self.usual.iter().map(|score| score.max(LEAST_USUAL * most)).collect();
        let mean = geometric_mean(usual.clone());
        usual.into_iter().map(|score| mean / score).collect()
    }

    /// What every picture is given at its worst place, of what it is given at each.
    pub(crate) fn worst(&self, places: Vec<Vec<f64>>) -> Vec<f64> {
        let weights = self.weights();
        let worst = |values: Vec<f64>| {
            let weighed = values.into_iter().zip(&weights).map(|(value, weight)| value * weight);
            weighed.fold(f64::NEG_INFINITY, f64::max)
        };
        by_row(places, worst)
    }
}

/// The statistics of all places on a device.
#[derive(Debug, Clone)]
pub(crate) struct PlaceScorers {
    scale: PlaceScale,
    places: Vec<(TapScorers, f64)>,
}

impl PlaceScorers {
    /// Of statistics place by place, and in each in the order of the extractor's taps.
    pub(crate) fn new(
        statistics: &[Statistics],
        scale: PlaceScale,
        aggregation: Aggregation,
        extractor: &FeatureExtractor,
    ) -> Self {
        let taps = extractor.feature_shapes().len();
        let scorers = |statistics| TapScorers::new(statistics, aggregation, extractor);
        let places = statistics.chunks(taps).map(scorers).zip(scale.weights()).collect();
        Self { scale, places }
    }

    /// What brings all places to one scale.
    pub(crate) fn scale(&self) -> &PlaceScale {
        &self.scale
    }

    /// How many places there are.
    pub(crate) fn count(&self) -> usize {
        self.places.len()
    }

    /// The part of the score that is the same for every row; likelihoods, which have one, have
    /// one place.
    pub(crate) fn constant(&self) -> f64 {
        self.places[0].0.constant()
    }

    /// The place whose statistics the tile of that number is compared with.
    ///
    /// # Errors
    ///
    /// If there is no such tile.
    pub(crate) fn place_of(&self, tile: usize) -> Result<usize, DfmError> {
        match self.places.len() {
            1 => Ok(0),
            count if tile < count => Ok(tile),
            count => Err(DfmError::Parameter {
                name: "tile",
                expected: "one of a picture of the size that the model is for",
                got: format!("number {tile} of {count}"),
            }),
        }
    }

    /// Scores `rows` `[N, D]`, each at the place of its tile.
    ///
    /// # Errors
    ///
    /// As for [`TapScorers::score`], and for a tile that has no place.
    pub(crate) fn score(&self, rows: Tensor<2>, tiles: &[usize]) -> Result<Scores, DfmError> {
        if let [(scorers, _)] = self.places.as_slice() {
            return scorers.score(rows);
        }
        let columns = rows.dims()[1];
        let (mut first, mut all) = (0, Scores { values: Vec::new(), maps: Vec::new() });
        for run in tiles.chunk_by(|one, next| one == next) {
            let (scorers, weight) = &self.places[self.place_of(run[0])?];
            let part = rows.clone().slice([first..first + run.len(), 0..columns]);
            let found = scorers.score(part).map_err(|error| error.behind(first))?;
            all.values.extend(found.values.into_iter().map(|value| value * weight));
            all.maps.extend(found.maps.into_iter().map(|map| map.times(*weight)));
            first += run.len();
        }
        Ok(all)
    }
}

/// The models without a picture of all places: see [`HeldOutScorers`].
#[derive(Debug)]
pub(crate) struct PlacesHeldOut<'a> {
    places: Vec<HeldOutScorers<'a>>,
    scale: &'a PlaceScale,
}

impl<'a> PlacesHeldOut<'a> {
    /// As [`HeldOutScorers::new`], for every place.
    pub(crate) fn new(
        kept: &'a [FitStatistic],
        statistics: &[Statistics],
        scale: &'a PlaceScale,
        aggregation: Aggregation,
        shapes: &'a [FeatureShape],
        ratio: Option<f64>,
    ) -> Result<Self, DfmError> {
        let places = kept.chunks(shapes.len()).zip(statistics.chunks(shapes.len()));
        let of_place = |(kept, statistics)| HeldOutScorers::new(kept, statistics, aggregation, shapes, ratio);
        Ok(Self { places: places.map(of_place).collect::<Result<_, _>>()?, scale })
    }

    /// The score of each of the `different` pictures by the models without it.
    ///
    /// # Errors
    ///
    /// As for [`HeldOutScorers::scores`].
    pub(crate) fn scores(&self, different: &[Row]) -> Result<Vec<f64>, DfmError> {
        let scores = self.places.iter().map(|place| place.scores(different)).collect::<Result<_, _>>()?;
        Ok(self.scale.worst(scores))
    }

    /// The largest cell of the maps of each of those pictures by the models without it; none
    /// where [`HeldOutScorers::peaks`] gives none.
    ///
    /// # Errors
    ///
    /// As for [`HeldOutScorers::peaks`].
    pub(crate) fn peaks(&self, different: &[Row]) -> Result<Vec<f64>, DfmError> {
        let peaks: Vec<_> =
            self.places.iter().map(|place| place.peaks(different)).collect::<Result<_, _>>()?;
        // Compression of one place leaves the largest cell of all unknown.
        match peaks.iter().any(Vec::is_empty) {
            true => Ok(Vec::new()),
            false => Ok(self.scale.worst(peaks)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(usual: &[f64]) -> PlaceScale {
        PlaceScale::from_usual(usual.to_vec()).unwrap()
    }

    #[test]
    fn what_is_usual_is_the_same_everywhere() {
        let scale = scale(&[0.01, 0.04, 0.02]);
        // Two pictures as usual, one twice as bad at the second place, one at the calm first.
        let places = vec![vec![0.01, 0.01, 0.03], vec![0.04, 0.08, 0.04], vec![0.02, 0.02, 0.02]];
        let worst = scale.worst(places);
        for (got, expected) in worst.iter().zip([0.02, 0.04, 0.06]) {
            // Logarithms and their mean: some roundings.
            assert!((got - expected).abs() < 1e-14, "{worst:?}");
        }
    }

    #[test]
    fn of_one_place_and_of_none_nothing_changes() {
        let scores = vec![vec![0.1, 0.7, 0.3]];
        assert_eq!(scale(&[0.123]).worst(scores.clone()), scores[0]);
        assert_eq!(PlaceScale::default().worst(scores.clone()), scores[0]);
        assert_eq!(scale(&[0.0]).worst(scores.clone()), scores[0]);
    }

    #[test]
    fn a_place_where_nothing_ever_changes_does_not_drown_the_others() {
        let worst = scale(&[1.0, 0.0]).worst(vec![vec![1.0, 1.0], vec![0.0, 1e-9]]);
        assert_eq!(worst[0], worst[1]);
        assert!(scale(&[0.0, 0.0]).worst(vec![vec![1.0], vec![2.0]]) == [2.0]);
    }

    #[test]
    fn what_is_no_score_is_refused() {
        for usual in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(PlaceScale::from_usual(vec![1.0, usual]), None);
        }
    }
}
