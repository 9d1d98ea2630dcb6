//! What a score is made of, and which good picture a picture is nearest to.

use std::ops::Range;

use dfm_backbone::{FeatureShape, PictureSize, Placement, Span, Tap, hexadecimal};
use dfm_stats::{FitStatistic, Samples};

use crate::decide::held_out::different;
use crate::decide::layer_out::LayerOut;
use crate::decide::set_aside::ScoresAside;
use crate::error::DfmError;
use crate::judge::joined::{geometric_mean, split_columns};
use crate::judge::parts::Parts;
use crate::judge::rule::LayerRule;
use crate::judge::score::relative;
use crate::judge::statistics::Statistics;
use crate::learn::kept::Kept;
use crate::method::Aggregation;
use crate::model::Dfm;

/// Pictures of the fit whose nearest neighbours say what a usual distance is.
const NEIGHBOURS_ASKED: usize = 128;

/// What a score is made of. For a picture in tiles, this is the score of the tile with the largest
/// score. Everything except the features is computed on the host in `f64`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// The score of each layer, in the order of the taps. The score of the model is the geometric mean
    /// of them. With statistics by position, the score is also put on the scale of all places.
    pub layers: Vec<LayerExplanation>,
    /// The picture of the fit whose features are nearest; `None` if the model keeps no fit statistic.
    pub nearest: Option<NearestPicture>,
}

/// What the score of one layer is made of. The shares of cells and `elsewhere` sum to 1, and so do the
/// shares of channels and `elsewhere`. If the score is 0, all of them are 0.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerExplanation {
    /// The layer, and how its features are pooled.
    pub tap: Tap,
    /// Its score.
    pub score: f64,
    /// The median score that this layer gives pictures of the fit, each by a model of all
    /// others, or those that the fit set aside; `None` where they cannot be held out.
    pub usual: Option<f64>,
    /// Every cell, by falling share.
    pub cells: Vec<CellShare>,
    /// Every channel of the features, by falling share.
    pub channels: Vec<ChannelShare>,
    /// The share that belongs to no cell and no channel. For a Mahalanobis distance it is the part
    /// inside the components, for a likelihood it is everything, and for an FRE it is nothing.
    pub elsewhere: f64,
}

/// The part of a cell in a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CellShare {
    /// Its row in the feature map.
    pub row: usize,
    /// Its column.
    pub column: usize,
    /// Its share of the score.
    pub share: f64,
    /// The pixels of the original picture under the cell: first column, first row, number of columns
    /// and number of rows. The features of the cell also see what lies around. `None` if the cell lies
    /// beside the picture.
    pub pixels: Option<[u32; 4]>,
}

/// The part of a channel in a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChannelShare {
    /// The index of the channel.
    pub channel: usize,
    /// Its share of the score.
    pub share: f64,
}

/// The nearest picture of the fit.
#[derive(Debug, Clone, PartialEq)]
pub struct NearestPicture {
    /// Relative to the folder that was fitted; `None` if the model has no names.
    pub name: Option<String>,
    /// In hexadecimal.
    pub content_hash: String,
    /// The Euclidean distance between the features of both; with several layers, the geometric mean of
    /// their distances.
    pub distance: f64,
    /// The median distance from a picture of the fit to the one nearest to it, over up to 128 evenly
    /// chosen pictures; `None` if the fit has only copies of one picture.
    pub usual_distance: Option<f64>,
}

/// Takes scores of a model apart.
#[derive(Debug)]
pub(crate) struct Explainer<'a> {
    model: &'a Dfm,
    usual: Parts<Option<f64>>,
    /// The neighbours at each place; empty if the model keeps no fit statistic.
    neighbours: Vec<Neighbours<'a>>,
}

impl Dfm {
    /// [`LayerExplanation::usual`] of each layer at each place.
    fn usual_scores(&self) -> Result<Parts<Option<f64>>, DfmError> {
        // Tiles of one picture cannot vouch for each other.
        let Some(kept) = self.kept.as_ref().filter(|_| self.rows_are_pictures().is_ok()) else {
            return self.rule.statistics.each_ref().try_map(|_| Ok(None));
        };
        if let Some(aside) = &kept.set_aside {
            return Ok(ScoresAside::of(aside, &self.rule, self.extractor.device())?.usual);
        }
        if kept.is_compressed() {
            return self.rule.statistics.each_ref().try_map(|_| Ok(None));
        }
        let params = self.record.params.clone().check()?;
        let rows = different(&kept.content_hashes)?;
        let mut shapes = self.rule.shapes.iter().cycle();
        kept.statistics.each_ref().try_map(|statistic| {
            let shape = *shapes.next().expect("a model has layers");
            let usual = || -> Result<Option<f64>, DfmError> {
                // The statistic is of all pictures; after a split they are more than the model was fitted on.
                let statistics = params.statistics(statistic)?;
                let (aggregation, of) = (self.rule.aggregation, self.rule.rows);
                let rule = LayerRule { statistics: &statistics, aggregation, rows: of, shape };
                Ok(median(LayerOut::new(statistic, rule, None)?.scores(&rows)?))
            };
            // Where they cannot be held out, nothing is known of what is usual.
            Ok(usual().unwrap_or(None))
        })
    }
}

impl<'a> Explainer<'a> {
    /// Cost: the held-out scores of all pictures of the fit, and `128 · N · R` operations for `N`
    /// pictures that differ in `R` directions.
    ///
    /// # Errors
    ///
    /// If the model's own parameters or pictures are refused.
    pub(crate) fn new(model: &'a Dfm) -> Result<Self, DfmError> {
        Ok(Self { model, usual: model.usual_scores()?, neighbours: Neighbours::of(model) })
    }

    /// Takes the score of a `row` of features apart. The row belongs to a picture of this `size`, or to
    /// a tile of it, which lies at `placement`.
    ///
    /// # Errors
    ///
    /// If the score is a share of features that are all zero, or the row belongs to no place of the
    /// model.
    pub(crate) fn explain(
        &self,
        row: &[f32],
        placement: &Placement,
        size: PictureSize,
    ) -> Result<Explanation, DfmError> {
        let model = self.model;
        let shapes = model.extractor.feature_shapes();
        let rows = split_columns(Samples::from_f32(row, model.extractor.row_len())?, shapes)?;
        let mut layers = Vec::with_capacity(rows.len());
        let place = model.scorers.place_of(placement.tile)?;
        let taps = model.extractor.taps().iter().zip(self.usual.place(place));
        for ((rule, row), (tap, usual)) in model.rule.layers(place).zip(&rows).zip(taps) {
            let parts = Shares::of(rule, row)?;
            let shape = rule.shape;
            layers.push(LayerExplanation {
                tap: *tap,
                score: parts.score,
                usual: *usual,
                cells: parts.cells(shape, placement, size),
                channels: parts.channels(),
                elsewhere: parts.elsewhere(),
            });
        }
        let nearest = self.neighbours.get(place);
        let nearest = nearest.map(|neighbours| neighbours.nearest(&rows)).transpose()?;
        Ok(Explanation { layers, nearest })
    }
}

/// A score as a sum.
struct Shares {
    score: f64,
    /// The sum of the parts and of what belongs to no part. The score is this sum, or this sum as a
    /// share of the row.
    total: f64,
    cells: Vec<f64>,
    channels: Vec<f64>,
}

impl Shares {
    /// Computes the shares of one row of a tap's features.
    fn of(rule: LayerRule<'_>, row: &Samples) -> Result<Self, DfmError> {
        let LayerRule { statistics, aggregation, rows, shape } = rule;
        let residual = statistics.pca().residual(&rows.of_features(row.clone(), shape)?)?;
        let squares = rows.to_features(residual.into_iter().map(|value| value * value).collect(), shape);
        let mut cells = vec![0.0; shape.height * shape.width];
        for channel in squares.chunks_exact(cells.len()) {
            cells.iter_mut().zip(channel).for_each(|(cell, square)| *cell += square);
        }
        let weights = match statistics {
            Statistics::Fre(_) => aggregation.weights(&cells),
            Statistics::Mahalanobis(model) => vec![model.residual_weight(); cells.len()],
            Statistics::Nll(..) => vec![0.0; cells.len()],
        };
        let of_channel =
            |channel: &[f64]| channel.iter().zip(&weights).map(|(square, weight)| square * weight).sum();
        let channels = squares.chunks_exact(cells.len()).map(of_channel).collect();
        cells.iter_mut().zip(&weights).for_each(|(cell, weight)| *cell *= weight);
        let total = match statistics {
            Statistics::Fre(_) => cells.iter().sum(),
            Statistics::Mahalanobis(model) => model.squared_distance(row)?[0],
            Statistics::Nll(pca, gaussian) => gaussian.negative_log_likelihood(&pca.transform(row)?)?[0],
        };
        let score = match (statistics, aggregation) {
            (Statistics::Fre(_), Aggregation::Relative) => {
                relative(total, row.as_slice().iter().map(|value| value * value).sum(), 0)?
            }
            _ => total,
        };
        Ok(Self { score, total, cells, channels })
    }

    fn share(&self, part: f64) -> f64 {
        if part > 0.0 { part / self.total } else { 0.0 }
    }

    /// The rest of the score. It contains rounding, because a distance inside the components is a
    /// difference.
    fn elsewhere(&self) -> f64 {
        match self.cells.iter().sum::<f64>() {
            0.0 if self.total == 0.0 => 0.0,
            inside => (1.0 - self.share(inside)).max(0.0),
        }
    }

    fn cells(&self, shape: FeatureShape, placement: &Placement, size: PictureSize) -> Vec<CellShare> {
        let cell = |(place, part): (usize, &f64)| {
            let (row, column) = (place / shape.width, place % shape.width);
            let across = pixels(placement.across, column, shape.width, size.width);
            let down = pixels(placement.down, row, shape.height, size.height);
            let pixels = (!across.is_empty() && !down.is_empty())
                .then(|| [across.start, down.start, across.end - across.start, down.end - down.start]);
            CellShare { row, column, share: self.share(*part), pixels }
        };
        let mut cells: Vec<CellShare> = self.cells.iter().enumerate().map(cell).collect();
        cells.sort_by(|a, b| b.share.total_cmp(&a.share));
        cells
    }

    fn channels(&self) -> Vec<ChannelShare> {
        let channel = |(channel, part): (usize, &f64)| ChannelShare { channel, share: self.share(*part) };
        let mut channels: Vec<ChannelShare> = self.channels.iter().enumerate().map(channel).collect();
        channels.sort_by(|a, b| b.share.total_cmp(&a.share));
        channels
    }
}

/// The pixels along one side of a picture that lie in cell `index` of `count`.
fn pixels(span: Span, index: usize, count: usize, pixels: u32) -> Range<u32> {
    // Less than any part of a pixel: rounding must not reach into the next one.
    const ROUNDING: f64 = 1e-6;
    let at = |cell: usize| (cell as f64 / count as f64 - span.start) / span.length * f64::from(pixels);
    let (from, to) = ((at(index) + ROUNDING).floor(), (at(index + 1) - ROUNDING).ceil());
    let within = |place: f64| place.clamp(0.0, f64::from(pixels)) as u32;
    within(from)..within(to)
}

/// The positions of the pictures of a fit in the space of features, at one place.
#[derive(Debug)]
struct Neighbours<'a> {
    model: &'a Dfm,
    /// The statistic of each tap.
    statistics: &'a [FitStatistic],
    content_hashes: &'a [[u8; 32]],
    usual_distance: Option<f64>,
}

/// Coordinates in the directions of a tap, and the squared length of what lies outside.
type Position = (Vec<f64>, f64);

impl<'a> Neighbours<'a> {
    /// Finds the neighbours for each place.
    fn of(model: &'a Dfm) -> Vec<Self> {
        let Some(Kept { statistics, content_hashes, .. }) = &model.kept else { return Vec::new() };
        let of_place = |statistics| {
            let mut neighbours = Self { model, statistics, content_hashes, usual_distance: None };
            neighbours.usual_distance = neighbours.median_distance();
            neighbours
        };
        statistics.places().map(of_place).collect()
    }

    fn nearest(&self, rows: &[Samples]) -> Result<NearestPicture, DfmError> {
        let position = |((statistic, row), shape): ((&FitStatistic, &Samples), &FeatureShape)| {
            let rows = self.model.rule.rows.of_features(row.clone(), *shape)?;
            let (coordinates, outside) = statistic.coordinates_of(&rows)?;
            // What compression dropped of the fit's own pictures is not known.
            Ok((coordinates, if statistic.compression().is_some() { 0.0 } else { outside.iter().sum() }))
        };
        let layers = self.statistics.iter().zip(rows).zip(&self.model.rule.shapes);
        let from: Vec<Position> = layers.map(position).collect::<Result<_, DfmError>>()?;
        let mut nearest = (0, f64::INFINITY);
        for place in 0..self.content_hashes.len() {
            let distance = self.distance(&from, place);
            if distance < nearest.1 {
                nearest = (place, distance);
            }
        }
        let hash = &self.content_hashes[nearest.0];
        Ok(NearestPicture {
            name: self.model.picture_name(hash).map(str::to_owned),
            content_hash: hexadecimal(hash),
            distance: nearest.1,
            usual_distance: self.usual_distance,
        })
    }

    /// The coordinates of the picture with index `place`: of its row, or of all of its cells.
    fn coordinates<'s>(&self, statistic: &'s FitStatistic, place: usize) -> &'s [f64] {
        let of_each = statistic.coordinates().len() / self.content_hashes.len();
        &statistic.coordinates()[place * of_each..][..of_each]
    }

    /// The distance from `from` to the picture with index `place`.
    fn distance(&self, from: &[Position], place: usize) -> f64 {
        let of_tap = |(statistic, (own, outside)): (&FitStatistic, &Position)| {
            let other = self.coordinates(statistic, place);
            let inside: f64 = own.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum();
            (inside + outside).sqrt()
        };
        geometric_mean(self.statistics.iter().zip(from).map(of_tap).collect())
    }

    /// The median distance from a picture to the nearest other one.
    fn median_distance(&self) -> Option<f64> {
        let hashes = self.content_hashes;
        let nearest = |place: usize| {
            let own = |statistic: &FitStatistic| (self.coordinates(statistic, place).to_vec(), 0.0);
            let from: Vec<Position> = self.statistics.iter().map(own).collect();
            let others = (0..hashes.len()).filter(|other| hashes[*other] != hashes[place]);
            others.map(|other| self.distance(&from, other)).reduce(f64::min)
        };
        let asked = (0..hashes.len()).step_by(hashes.len().div_ceil(NEIGHBOURS_ASKED).max(1));
        median(asked.filter_map(nearest).collect())
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_share_the_pixels_of_a_picture() {
        let whole = Placement::WHOLE.across;
        let cells =
            |span, pixels| (0..4).map(|cell| super::pixels(span, cell, 4, pixels)).collect::<Vec<_>>();
        assert_eq!(cells(whole, 8), [0..2, 2..4, 4..6, 6..8]);
        // A pixel that two cells meet in belongs to both.
        assert_eq!(cells(whole, 6), [0..2, 1..3, 3..5, 4..6]);
        // A letterbox: the picture in the middle half. A crop: its middle half alone.
        let letterbox = Span { start: 0.25, length: 0.5 };
        assert_eq!(cells(letterbox, 8), [0..0, 0..4, 4..8, 8..8]);
        let crop = Span { start: -0.5, length: 2.0 };
        assert_eq!(cells(crop, 16), [4..6, 6..8, 8..10, 10..12]);
    }

    #[test]
    fn the_median_is_the_value_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }
}
