//! Scores of pictures that a model was fitted without, at all layers and places together.

use dfm_backbone::FeatureShape;
use dfm_stats::{FitStatistic, Row, Samples};

use crate::decide::held_out::different;
use crate::decide::layer_out::LayerOut;
use crate::error::DfmError;
use crate::judge::joined::{by_row, geometric_mean, joint_grid, split_columns};
use crate::judge::map::AnomalyGrid;
use crate::judge::parts::Parts;
use crate::judge::rule::{LayerRule, ScoringRule};
use crate::judge::scale::PlaceScale;
use crate::learn::kept::Kept;

/// The models without a picture, of all layers at one place: see [`LayerOut`].
#[derive(Debug)]
pub(crate) struct LayersLeftOut<'a> {
    layers: Vec<LayerOut<'a>>,
    shapes: Vec<FeatureShape>,
}

impl<'a> LayersLeftOut<'a> {
    /// As [`LayerOut::new`], for every layer.
    ///
    /// # Errors
    ///
    /// As for [`LayerOut::new`].
    pub(crate) fn new<'r>(
        kept: &'a [FitStatistic],
        layers: impl Iterator<Item = LayerRule<'r>>,
        ratio: Option<f64>,
    ) -> Result<Self, DfmError> {
        let (mut scorers, mut shapes) = (Vec::with_capacity(kept.len()), Vec::with_capacity(kept.len()));
        for (statistic, rule) in kept.iter().zip(layers) {
            scorers.push(LayerOut::new(statistic, rule, ratio)?);
            shapes.push(rule.shape);
        }
        Ok(Self { layers: scorers, shapes })
    }

    /// The score of each of the `different` pictures by the models without it.
    ///
    /// # Errors
    ///
    /// As for [`LayerOut::scores`].
    pub(crate) fn scores(&self, different: &[Row]) -> Result<Vec<f64>, DfmError> {
        let scores = self.layers.iter().map(|layer| layer.scores(different)).collect::<Result<_, _>>()?;
        Ok(by_row(scores, geometric_mean))
    }

    /// The largest cell of the map of each of those pictures, by the models without it. Empty for a
    /// score without maps, and if compression dropped what cells are made of.
    ///
    /// # Errors
    ///
    /// As for [`LayerOut::cells`].
    pub(crate) fn peaks(&self, different: &[Row]) -> Result<Vec<f64>, DfmError> {
        Ok(self.grids(different)?.iter().map(AnomalyGrid::peak).collect())
    }

    /// The map of each of those pictures, by the models without it. Empty as [`peaks`](Self::peaks) is.
    ///
    /// # Errors
    ///
    /// As for [`LayerOut::cells`].
    pub(crate) fn grids(&self, different: &[Row]) -> Result<Vec<AnomalyGrid>, DfmError> {
        if self.layers.iter().any(LayerOut::is_compressed) {
            return Ok(Vec::new());
        }
        let mut grids = Vec::with_capacity(self.layers.len());
        for (layer, shape) in self.layers.iter().zip(&self.shapes) {
            let cells = layer.cells(different)?.into_iter();
            grids.push(cells.map(|cells| AnomalyGrid::of_cells(&cells, *shape)).collect());
        }
        Ok(by_row(grids, joint_grid))
    }

    /// The scores of new `rows` by the models without each of the `different` pictures.
    ///
    /// # Errors
    ///
    /// As for [`LayerOut::scores_of`].
    pub(crate) fn scores_of(&self, rows: Samples, different: &[Row]) -> Result<Vec<Vec<f64>>, DfmError> {
        let mut scores = Vec::with_capacity(self.layers.len());
        for (layer, rows) in self.layers.iter().zip(split_columns(rows, &self.shapes)?) {
            scores.push(layer.scores_of(&rows, different)?);
        }
        Ok(by_row(scores, |layers| by_row(layers, geometric_mean)))
    }
}

/// The models without a picture, of all places: see [`LayersLeftOut`].
#[derive(Debug)]
pub(crate) struct PlacesLeftOut<'a> {
    places: Vec<LayersLeftOut<'a>>,
    scale: &'a PlaceScale,
}

impl<'a> PlacesLeftOut<'a> {
    /// As [`LayersLeftOut::new`], for every place.
    ///
    /// # Errors
    ///
    /// As for [`LayerOut::new`].
    pub(crate) fn new(
        kept: &'a Parts<FitStatistic>,
        rule: &'a ScoringRule,
        ratio: Option<f64>,
    ) -> Result<Self, DfmError> {
        let places = kept.places().enumerate();
        let places = places.map(|(place, kept)| LayersLeftOut::new(kept, rule.layers(place), ratio));
        Ok(Self { places: places.collect::<Result<_, _>>()?, scale: &rule.scale })
    }

    /// The score of each of the `different` pictures by the models without it.
    ///
    /// # Errors
    ///
    /// As for [`LayersLeftOut::scores`].
    pub(crate) fn scores(&self, different: &[Row]) -> Result<Vec<f64>, DfmError> {
        let scores = self.places.iter().map(|place| place.scores(different)).collect::<Result<_, _>>()?;
        Ok(self.scale.worst(scores))
    }

    /// The largest cell of the maps of each of those pictures, by the models without it. Empty if
    /// [`LayersLeftOut::peaks`] is empty at any place.
    ///
    /// # Errors
    ///
    /// As for [`LayersLeftOut::peaks`].
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

/// The scale that makes scores of all places of `rule` comparable, from the pictures of its fit.
///
/// # Errors
///
/// If pictures cannot be held out.
pub(crate) fn usual_scale(fitted: &Kept, rule: &ScoringRule) -> Result<PlaceScale, DfmError> {
    let different = different(&fitted.content_hashes)?;
    let usual = fitted.statistics.places().enumerate().map(|(place, kept)| {
        let mut scores = LayersLeftOut::new(kept, rule.layers(place), None)?.scores(&different)?;
        scores.sort_by(f64::total_cmp);
        Ok(scores[scores.len() / 2])
    });
    Ok(PlaceScale::of_usual(usual.collect::<Result<_, DfmError>>()?))
}
