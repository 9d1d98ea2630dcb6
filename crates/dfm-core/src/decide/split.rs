//! Good pictures that a model is not fitted on, so that they can calibrate it.

use std::collections::{BTreeMap, HashSet};

use burn::tensor::{Device, Tensor, TensorData};
use dfm_stats::{FitStatistic, Row, Samples};

use crate::decide::held_out::{different, spread, squared_row_norms};
use crate::error::DfmError;
use crate::judge::joined::{by_row, geometric_mean, joint_grid};
use crate::judge::map::AnomalyGrid;
use crate::judge::parts::Parts;
use crate::judge::rule::{LayerRule, ScoringRule};
use crate::judge::score::{Scorer, Scores, relative};
use crate::judge::statistics::Statistics;
use crate::learn::kept::Kept;
use crate::method::{Aggregation, Rows};

/// Pictures that are scored together.
const BATCH: usize = 64;

/// The content hashes, in rising order, of the pictures that calibrate a
/// [split](crate::CalibrationKind::Split) of the pictures with these `content_hashes`. They are the
/// smallest quarter of the different hashes, rounded up.
///
/// # Errors
///
/// If there are fewer than three different ones.
pub fn held_out_hashes(content_hashes: &[[u8; 32]]) -> Result<Vec<[u8; 32]>, DfmError> {
    let rows = calibrating(&different(content_hashes)?, content_hashes)?;
    Ok(rows.into_iter().map(|row| content_hashes[row.place]).collect())
}

/// The quarter of the `different` pictures that calibrates, rounded up: those with the smallest content
/// hashes. The choice does not depend on what the pictures show, nor on their order or their names.
///
/// # Errors
///
/// If there are fewer than three, because fewer than two would be left to fit.
pub(crate) fn calibrating(different: &[Row], content_hashes: &[[u8; 32]]) -> Result<Vec<Row>, DfmError> {
    if different.len() < 3 {
        return Err(DfmError::TooFewPictures { expected: 3, got: different.len() });
    }
    let mut rows = different.to_vec();
    rows.sort_by_key(|row| content_hashes[row.place]);
    rows.truncate(different.len().div_ceil(4));
    Ok(rows)
}

/// Scores the rows `held_out` of all that are `kept`, as new pictures, by a model that was fitted
/// without them, on its own device. Returns their scores, and the largest cell of each of their maps.
/// With several places, both are those of the worst place.
///
/// # Errors
///
/// If a relative score is impossible because the features of a picture are all zero, or the device fails.
pub(crate) fn scores(
    kept: &Parts<FitStatistic>,
    held_out: &[Row],
    rule: &ScoringRule,
    device: &Device,
) -> Result<(Vec<f64>, Vec<f64>), DfmError> {
    let (mut scores, mut peaks) = (Vec::new(), Vec::new());
    for (place, kept) in kept.places().enumerate() {
        let (mut values, mut maps) = (Vec::new(), Vec::new());
        for (whole, layer) in kept.iter().zip(rule.layers(place)) {
            let found = scores_of_layer(whole, held_out, layer, device)?;
            values.push(found.values);
            maps.push(found.maps);
        }
        scores.push(by_row(values, geometric_mean));
        peaks.push(by_row(maps, |layers| joint_grid(layers).peak()));
    }
    Ok((rule.scale.worst(scores), rule.scale.worst(peaks)))
}

/// The map of each of the rows `held_out`, by a model with one place that was fitted without them: see
/// [`scores`].
///
/// # Errors
///
/// Those of [`scores`].
pub(crate) fn grids(
    kept: &Parts<FitStatistic>,
    held_out: &[Row],
    rule: &ScoringRule,
    device: &Device,
) -> Result<Vec<AnomalyGrid>, DfmError> {
    let layers = kept.place(0).iter().zip(rule.layers(0));
    let maps = layers.map(|(whole, layer)| Ok(scores_of_layer(whole, held_out, layer, device)?.maps));
    Ok(by_row(maps.collect::<Result<_, DfmError>>()?, joint_grid))
}

/// [`scores`] of pictures in tiles that share statistics. `held_out` has the first row of each picture.
/// The score of a picture is the largest of its tiles.
///
/// # Errors
///
/// Those of [`scores`].
pub(crate) fn scores_of_tiles(
    kept: &Kept,
    held_out: &[Row],
    rule: &ScoringRule,
    device: &Device,
) -> Result<(Vec<f64>, Vec<f64>), DfmError> {
    let hash_of = |row: &Row| &kept.content_hashes[row.place];
    let hashes: HashSet<&[u8; 32]> = held_out.iter().map(hash_of).collect();
    let rows = (0..kept.content_hashes.len()).map(|place| Row { place, copies: 1 });
    let tiles: Vec<Row> = rows.filter(|row| hashes.contains(hash_of(row))).collect();
    let (scores, peaks) = scores(&kept.statistics, &tiles, rule, device)?;
    let of_pictures = |values: Vec<f64>| {
        let mut largest = BTreeMap::new();
        for (tile, value) in tiles.iter().zip(values) {
            largest
                .entry(hash_of(tile))
                .and_modify(|most: &mut f64| *most = most.max(value))
                .or_insert(value);
        }
        largest.into_values().collect()
    };
    Ok((of_pictures(scores), of_pictures(peaks)))
}

fn scores_of_layer(
    whole: &FitStatistic,
    held_out: &[Row],
    rule: LayerRule<'_>,
    device: &Device,
) -> Result<Scores, DfmError> {
    // A relative score is a share of the whole row. What compression dropped belongs to the residual and to
    // the row.
    let (summed, norms) = match rule.aggregation {
        Aggregation::Relative => (Aggregation::Sum, Some(squared_norms(whole, rule)?)),
        other => (other, None),
    };
    // The part of the dropped variance that belongs to a score.
    let weight = match rule.statistics {
        Statistics::Fre(_) => 1.0,
        Statistics::Nll(..) => 0.0,
        Statistics::Mahalanobis(model) => model.residual_weight(),
    };
    let count = rule.rows.count(rule.shape);
    let scorer = Scorer::new(LayerRule { aggregation: summed, ..rule }, device);
    let mut all = Scores { values: Vec::with_capacity(held_out.len()), maps: Vec::new() };
    for batch in held_out.chunks(BATCH) {
        let Scores { values, mut maps } = scorer.score(features(whole, batch, rule, device)?)?;
        for (index, (Row { place, .. }, score)) in batch.iter().zip(values).enumerate() {
            let remainders = whole.compression().map(|found| &found.remainders()[place * count..][..count]);
            let remainder = remainders.map_or(0.0, |remainders| remainders.iter().sum());
            if remainder > 0.0 && summed.needs_cells() {
                let known = &mut maps[index].values;
                let mut cells: Vec<f64> = known.iter().copied().map(f64::from).collect();
                match rule.rows {
                    // A cell is a row, so what was dropped is known of each.
                    Rows::Cells => {
                        let dropped = remainders.into_iter().flatten();
                        cells.iter_mut().zip(dropped).for_each(|(cell, dropped)| *cell += dropped);
                    }
                    Rows::Picture => spread(&mut cells, remainder),
                }
                all.values.push(summed.of_cells(&cells));
                known.iter_mut().zip(cells).for_each(|(cell, value)| *cell = value as f32);
                continue;
            }
            let score = score + weight * remainder;
            let Some(norms) = &norms else {
                all.values.push(score);
                continue;
            };
            all.values.push(relative(score, norms[*place], *place)?);
            let cells = maps.get_mut(index).into_iter().flat_map(|map| &mut map.values);
            cells.for_each(|cell| *cell = (f64::from(*cell) / norms[*place]) as f32);
        }
        all.maps.append(&mut maps);
    }
    Ok(all)
}

/// The squared length of the features of each picture.
fn squared_norms(whole: &FitStatistic, rule: LayerRule<'_>) -> Result<Vec<f64>, DfmError> {
    let norms = squared_row_norms(whole)?;
    Ok(norms.chunks_exact(rule.rows.count(rule.shape)).map(|rows| rows.iter().sum()).collect())
}

/// The features of pictures, from the coordinates of their rows.
fn features(
    whole: &FitStatistic,
    places: &[Row],
    rule: LayerRule<'_>,
    device: &Device,
) -> Result<Tensor<2>, DfmError> {
    let LayerRule { rows, shape, .. } = rule;
    let (rank, of_each) = (whole.rank(), whole.rank() * rows.count(shape));
    let coordinates = places.iter().flat_map(|row| &whole.coordinates()[row.place * of_each..][..of_each]);
    let deviations = whole.deviations_of(&Samples::from_f64(coordinates.copied().collect(), rank)?)?;
    let values = deviations.iter().zip(whole.mean().iter().cycle());
    let values = values.map(|(deviation, mean)| deviation + mean).collect();
    let values: Vec<f32> = rows.to_features(values, shape).into_iter().map(|value| value as f32).collect();
    Ok(Tensor::from_data(TensorData::new(values, [places.len(), shape.len()]), device))
}
