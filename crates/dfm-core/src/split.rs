//! Good pictures that a model is not fitted on, so that they can calibrate it.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};
use dfm_backbone::{FeatureExtractor, FeatureShape};
use dfm_stats::{Compression, FitStatistic, Row, Samples};

use crate::aggregate::Aggregation;
use crate::error::DfmError;
use crate::held_out::{relative, squared_row_norms};
use crate::score::Statistics;

/// Pictures that are scored together.
const BATCH: usize = 64;

/// The quarter of the `different` pictures that calibrates, rounded up: that of the smallest
/// content hashes. Which those are has nothing to do with what the pictures show, and neither
/// order nor names change it.
///
/// # Errors
///
/// If there are fewer than three, so that less than two would be left to fit.
pub(crate) fn calibrating(different: &[Row], content_hashes: &[[u8; 32]]) -> Result<Vec<Row>, DfmError> {
    if different.len() < 3 {
        return Err(DfmError::TooFewPictures { expected: 3, got: different.len() });
    }
    let mut rows = different.to_vec();
    rows.sort_by_key(|row| content_hashes[row.place]);
    rows.truncate(different.len().div_ceil(4));
    Ok(rows)
}

/// What a model that was fitted without the rows `held_out` of the `whole` says of them: its
/// scores, as of new pictures, on its own device.
///
/// # Errors
///
/// If one has no features that a share could be of, compression dropped what cells are made
/// of, or the device fails.
pub(crate) fn scores(
    whole: &FitStatistic,
    held_out: &[Row],
    statistics: &Statistics,
    aggregation: Aggregation,
    extractor: &FeatureExtractor,
) -> Result<Vec<f64>, DfmError> {
    let shape = extractor.feature_shapes()[0];
    // A share is of the sum, and what compression dropped belongs to both.
    let (summed, norms) = match aggregation {
        Aggregation::Relative => (Aggregation::Sum, Some(squared_row_norms(whole)?)),
        other => (other, None),
    };
    if whole.compression().is_some() && !matches!(summed, Aggregation::Sum) {
        return Err(DfmError::CompressedCells);
    }
    // How much of what was dropped is part of a score.
    let weight = match statistics {
        Statistics::Fre(_) => 1.0,
        Statistics::Nll(..) => 0.0,
        Statistics::Mahalanobis(model) => model.residual_weight(),
    };
    let scorer = statistics.scorer(summed, extractor.device());
    let mut scores = Vec::with_capacity(held_out.len());
    for batch in held_out.chunks(BATCH) {
        let values = scorer.score(rows(whole, batch, shape, extractor)?, shape)?.values;
        for (Row { place, .. }, score) in batch.iter().zip(values) {
            let remainder = whole.compression().map_or(0.0, |compression| remainder(compression, *place));
            let score = score + weight * remainder;
            scores.push(match &norms {
                Some(norms) => relative(score, norms[*place], *place)?,
                None => score,
            });
        }
    }
    Ok(scores)
}

/// [`scores`] of pictures in tiles, of the first rows of the pictures held out and the content
/// hashes of all rows: of each picture the largest score of its tiles.
///
/// # Errors
///
/// Those of [`scores`].
pub(crate) fn scores_of_tiles(
    whole: &FitStatistic,
    (held_out, content_hashes): (&[Row], &[[u8; 32]]),
    statistics: &Statistics,
    aggregation: Aggregation,
    extractor: &FeatureExtractor,
) -> Result<Vec<f64>, DfmError> {
    let hash_of = |row: &Row| &content_hashes[row.place];
    let mut largest: BTreeMap<&[u8; 32], f64> =
        held_out.iter().map(|row| (hash_of(row), f64::NEG_INFINITY)).collect();
    let rows = (0..content_hashes.len()).map(|place| Row { place, copies: 1 });
    let tiles: Vec<Row> = rows.filter(|row| largest.contains_key(hash_of(row))).collect();
    let found = scores(whole, &tiles, statistics, aggregation, extractor)?;
    for (tile, score) in tiles.iter().zip(found) {
        largest.entry(hash_of(tile)).and_modify(|largest| *largest = largest.max(score));
    }
    Ok(largest.into_values().collect())
}

fn remainder(compression: &Compression, place: usize) -> f64 {
    compression.remainders()[place]
}

/// Feature rows from their coordinates.
fn rows(
    whole: &FitStatistic,
    places: &[Row],
    shape: FeatureShape,
    extractor: &FeatureExtractor,
) -> Result<Tensor<2>, DfmError> {
    let rank = whole.rank();
    let coordinates = places.iter().flat_map(|row| &whole.coordinates()[row.place * rank..][..rank]);
    let deviations = whole.deviations_of(&Samples::from_f64(coordinates.copied().collect(), rank)?)?;
    let values = deviations.iter().zip(whole.mean().iter().cycle());
    let rows: Vec<f32> = values.map(|(deviation, mean)| (deviation + mean) as f32).collect();
    Ok(Tensor::from_data(TensorData::new(rows, [places.len(), shape.len()]), extractor.device()))
}
