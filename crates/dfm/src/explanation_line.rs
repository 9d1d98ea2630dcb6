//! What programs read of an explanation. docs/json-schema.md describes it; names are never changed,
//! only added.

use dfm_core::{CellShare, Label, LayerExplanation, NearestPicture, Verdict};
use serde::Serialize;

/// What the score of a picture is made of, as one JSON object.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ExplanationLine {
    /// The picture, as it was named or found.
    pub path: String,
    /// Raw score; larger is more abnormal.
    pub score: f64,
    /// `normal`, `review` or `anomalous`; null without a threshold.
    pub label: Option<Label>,
    /// The raw score from which a picture is anomalous, if there is one.
    pub threshold: Option<f64>,
    /// The share of good pictures as abnormal or more; null without held-out scores.
    pub p_value: Option<f64>,
    /// Each layer, in the order of the model.
    pub layers: Vec<ExplainedLayer>,
    /// The good picture whose features are nearest; null if the model keeps no pictures.
    pub nearest: Option<ExplainedNearest>,
}

/// What one layer contributes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedLayer {
    /// The layer's name.
    pub layer: String,
    /// The side of the pooling window.
    pub pool: usize,
    /// The layer's own score.
    pub score: f64,
    /// The median of the layer's scores of good pictures, if it is known.
    pub usual: Option<f64>,
    /// The cells with the largest shares, the largest first.
    pub cells: Vec<ExplainedCell>,
    /// The channels with the largest shares, the largest first.
    pub channels: Vec<ExplainedChannel>,
    /// The share that belongs to no cell and no channel.
    pub elsewhere: f64,
}

/// The share of one cell of the feature map.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ExplainedCell {
    /// Its row in the feature map.
    pub row: usize,
    /// Its column in the feature map.
    pub column: usize,
    /// Its share of the layer's score.
    pub share: f64,
    /// Left edge in the picture, in pixels; null beside the picture.
    pub x: Option<u32>,
    /// Top edge in the picture, in pixels; null beside the picture.
    pub y: Option<u32>,
    /// Width in pixels; null beside the picture.
    pub width: Option<u32>,
    /// Height in pixels; null beside the picture.
    pub height: Option<u32>,
}

/// The share of one channel of the feature map.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ExplainedChannel {
    /// Its index.
    pub channel: usize,
    /// Its share of the layer's score.
    pub share: f64,
}

/// A good picture that was learnt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedNearest {
    /// Its name, relative to the folder that was learnt; null in a model without names.
    pub name: Option<String>,
    /// The hash of its pixels, in hexadecimal.
    pub content_hash: String,
    /// The distance of its features from those of the picture.
    pub distance: f64,
    /// The median distance of a good picture from the nearest other one, if it is known.
    pub usual_distance: Option<f64>,
}

impl ExplanationLine {
    /// Describes what a verdict at the raw score `threshold` is made of, with the `top` cells and
    /// channels of each layer. `None` if the verdict has no explanation.
    pub fn new(path: String, verdict: &Verdict, threshold: Option<f64>, top: usize) -> Option<Self> {
        let explanation = verdict.explanation.as_ref()?;
        Some(Self {
            path,
            score: verdict.score,
            label: verdict.label,
            threshold,
            p_value: verdict.p_value,
            layers: explanation.layers.iter().map(|layer| ExplainedLayer::new(layer, top)).collect(),
            nearest: explanation.nearest.as_ref().map(ExplainedNearest::new),
        })
    }
}

impl ExplainedLayer {
    fn new(layer: &LayerExplanation, top: usize) -> Self {
        let channels = layer.channels.iter().take(top);
        Self {
            layer: layer.tap.layer.to_string(),
            pool: layer.tap.pool,
            score: layer.score,
            usual: layer.usual,
            cells: layer.cells.iter().take(top).map(ExplainedCell::new).collect(),
            channels: channels
                .map(|one| ExplainedChannel { channel: one.channel, share: one.share })
                .collect(),
            elsewhere: layer.elsewhere,
        }
    }
}

impl ExplainedCell {
    fn new(cell: &CellShare) -> Self {
        let [x, y, width, height] = [0, 1, 2, 3].map(|side| cell.pixels.map(|pixels| pixels[side]));
        Self { row: cell.row, column: cell.column, share: cell.share, x, y, width, height }
    }
}

impl ExplainedNearest {
    fn new(nearest: &NearestPicture) -> Self {
        Self {
            name: nearest.name.clone(),
            content_hash: nearest.content_hash.clone(),
            distance: nearest.distance,
            usual_distance: nearest.usual_distance,
        }
    }
}
