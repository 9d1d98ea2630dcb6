//! Several places of a picture as one: the tiles of pictures of one size, each compared with
//! those of its own place alone.
//!
//! The code that uses this module sees the statistics of one place as if they were the whole model. A
//! model of one place gives the same bits as without this module.

use burn::tensor::Tensor;
use dfm_backbone::FeatureExtractor;

use crate::error::DfmError;
use crate::judge::layers::LayerScorers;
use crate::judge::rule::ScoringRule;
use crate::judge::score::Scores;

/// The statistics of all places on a device.
#[derive(Debug, Clone)]
pub(crate) struct PlaceScorers {
    places: Vec<(LayerScorers, f64)>,
}

impl PlaceScorers {
    /// Puts the statistics on the device of the `extractor` that makes the rows.
    pub(crate) fn new(rule: &ScoringRule, extractor: &FeatureExtractor) -> Self {
        let (device, side_by_side) = (extractor.device(), extractor.has_kernels());
        let scorers = (0..rule.statistics.place_count())
            .map(|place| LayerScorers::new(rule.layers(place), device, side_by_side))
            .zip(rule.scale.weights());
        Self { places: scorers.collect() }
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
    /// As for [`LayerScorers::score`], and for a tile that has no place.
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
