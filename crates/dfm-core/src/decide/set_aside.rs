//! Scores of the pictures that a fit set aside.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};

use crate::error::DfmError;
use crate::judge::joined::{by_row, geometric_mean, joint_grid};
use crate::judge::map::AnomalyGrid;
use crate::judge::parts::Parts;
use crate::judge::rule::{LayerRule, ScoringRule};
use crate::judge::scale::PlaceScale;
use crate::judge::score::{Scorer, Scores};
use crate::learn::aside::SetAside;

/// Rows that are scored together.
const BATCH: usize = 64;

/// The scores of the rows that a fit set aside. Its own model scores them as new pictures.
pub(crate) struct ScoresAside {
    /// For each place, the score of each row.
    scores: Vec<Vec<f64>>,
    /// The largest cell of the map of each row; empty for a score without maps.
    peaks: Vec<Vec<f64>>,
    /// The median score of each layer at each place.
    pub(crate) usual: Parts<Option<f64>>,
}

impl ScoresAside {
    /// Scores all rows by `rule`, before places are brought to one scale.
    ///
    /// # Errors
    ///
    /// If a relative score is impossible because the features of a row are all zero, or the device fails.
    pub(crate) fn of(aside: &SetAside, rule: &ScoringRule, device: &Device) -> Result<Self, DfmError> {
        let (mut scores, mut peaks, mut usual) = (Vec::new(), Vec::new(), Vec::new());
        for (place, rows) in aside.rows.places().enumerate() {
            let (mut values, mut maps) = (Vec::new(), Vec::new());
            for (rows, layer) in rows.iter().zip(rule.layers(place)) {
                let found = scores_of_layer(rows, layer, device)?;
                usual.push(median(&found.values));
                values.push(found.values);
                maps.push(found.maps);
            }
            scores.push(by_row(values, geometric_mean));
            peaks.push(by_row(maps, |layers: Vec<AnomalyGrid>| joint_grid(layers).peak()));
        }
        let usual = Parts::new(aside.rows.layer_count(), usual).expect("as many values as there are parts");
        Ok(Self { scores, peaks, usual })
    }

    /// The scale that makes scores of all places comparable.
    pub(crate) fn usual_scale(&self) -> PlaceScale {
        let usual = self.scores.iter().map(|scores| median(scores).unwrap_or(0.0));
        PlaceScale::of_usual(usual.collect())
    }

    /// The score of each picture of `aside`, by rising content hash, and the largest cell of its maps. Both
    /// are those of its worst place, or of its worst tile if tiles share statistics.
    pub(crate) fn of_pictures(self, aside: &SetAside, scale: &PlaceScale) -> (Vec<f64>, Vec<f64>) {
        let worst = |rows: Vec<Vec<f64>>| {
            let mut largest = BTreeMap::new();
            for (hash, value) in aside.content_hashes.iter().zip(scale.worst(rows)) {
                let most = largest.entry(hash).or_insert(f64::NEG_INFINITY);
                *most = value.max(*most);
            }
            largest.into_values().collect()
        };
        (worst(self.scores), worst(self.peaks))
    }
}

fn scores_of_layer(rows: &[f32], rule: LayerRule<'_>, device: &Device) -> Result<Scores, DfmError> {
    let (scorer, columns) = (Scorer::new(rule, device), rule.shape.len());
    let mut all = Scores { values: Vec::new(), maps: Vec::new() };
    for (batch, values) in rows.chunks(BATCH * columns).enumerate() {
        let count = values.len() / columns;
        let rows = Tensor::from_data(TensorData::new(values.to_vec(), [count, columns]), device);
        let mut found = scorer.score(rows).map_err(|error| error.behind(batch * BATCH))?;
        all.values.append(&mut found.values);
        all.maps.append(&mut found.maps);
    }
    Ok(all)
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}
