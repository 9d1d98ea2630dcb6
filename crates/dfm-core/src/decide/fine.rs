//! The largest cells of fine maps of pictures that are held out: what the pixel threshold of a fine map is
//! made of.

use std::collections::HashMap;

use burn::tensor::{Device, Tensor, TensorData};
use dfm_stats::Row;

use crate::decide::left_out::LayersLeftOut;
use crate::decide::split;
use crate::error::DfmError;
use crate::judge::fine::FineMap;
use crate::judge::map::AnomalyGrid;
use crate::judge::rule::ScoringRule;
use crate::learn::detail::Details;
use crate::learn::kept::Kept;
use crate::method::{CalibrationKind, Method};

/// The largest cell of the fine map of each of the pictures in `rows` whose details are held. Its details
/// are compared with those of all other pictures, and its coarse cells come from the model without it:
/// the one of all others, or for a split the one of the pictures that do not calibrate.
///
/// Cost: for each picture about what its details take, ten times over, and `O(R · D)` for its coarse cells.
///
/// # Errors
///
/// Those of [`LayersLeftOut`] and [`split::grids`], and if the device fails.
pub(crate) fn peaks(
    method: &Method,
    kept: &Kept,
    rows: &[Row],
    rule: &ScoringRule,
    details: &Details,
    device: &Device,
) -> Result<Vec<f64>, DfmError> {
    let mut counts: HashMap<[u8; 32], usize> = HashMap::new();
    kept.content_hashes.iter().for_each(|hash| *counts.entry(*hash).or_default() += 1);
    let first: HashMap<&[u8; 32], Row> =
        rows.iter().map(|row| (&kept.content_hashes[row.place], *row)).collect();
    let held: Vec<&[u8; 32]> = details.held().filter(|hash| first.contains_key(hash)).collect();
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let coarse = match method.calibration_kind() {
        Some(CalibrationKind::Split) => {
            // Where rows are tiles, the first tiles of a picture that comes several times are all of them.
            let mut of_pictures: HashMap<&[u8; 32], Vec<Row>> = HashMap::new();
            for (place, hash) in kept.content_hashes.iter().enumerate() {
                of_pictures.entry(hash).or_default().push(Row { place, copies: 1 });
            }
            let rows: Vec<&[Row]> = held.iter().map(|hash| of_pictures[hash].as_slice()).collect();
            let mut grids = split::grids(&kept.statistics, &rows.concat(), rule, device)?.into_iter();
            rows.iter().map(|rows| grids.by_ref().take(rows.len()).collect()).collect::<Vec<Vec<_>>>()
        }
        _ => {
            let rows: Vec<Row> = held.iter().map(|hash| first[hash]).collect();
            // A fine map has one place.
            let models = LayersLeftOut::new(kept.statistics.place(0), rule.layers(0), method.own_ratio())?;
            models.grids(&rows)?.into_iter().map(|grid| vec![grid]).collect()
        }
    };
    let mut peaks = Vec::with_capacity(held.len());
    // One after the other: each takes about 40 bytes a feature.
    for (hash, coarse) in held.into_iter().zip(coarse) {
        let Some((tiles, others)) = details.without(hash, &counts) else { continue };
        let mut first = 0;
        let layers = details.shapes().iter().map(|shape| {
            let columns = first..first + shape.len();
            first = columns.end;
            let values: Vec<f32> = tiles.iter().flat_map(|tile| &tile[columns.clone()]).copied().collect();
            Tensor::from_data(TensorData::new(values, [tiles.len(), shape.len()]), device)
        });
        let layers = dfm_backbone::Details::known(layers.collect());
        let maps = FineMap::new(others, device).refine(coarse, &layers)?;
        peaks.push(maps.iter().map(AnomalyGrid::peak).fold(0.0, f64::max));
    }
    Ok(peaks)
}
