//! What a file holds of details, for fine maps.

use std::borrow::Cow;

use dfm_backbone::FeatureExtractor;

use crate::file::container::OwnedTensor;
use crate::file::error::ModelFileError;
use crate::file::faults::{consistent, mismatch, shaped};
use crate::file::header::TapTensors;
use crate::file::names::{COUNT, MEAN, PEAKS, PROBE, VARIANCE};
use crate::file::opened::OpenedFile;
use crate::judge::detail::{DetailStatistics, LayerDetails};
use crate::judge::fine::FineMap;
use crate::method::MapKind;

/// The tensors of `statistics` for taps with these names.
pub(super) fn tensors(
    statistics: &DetailStatistics,
    peaks: Option<&[f64]>,
    taps: &[TapTensors<'_>],
) -> Vec<(Cow<'static, str>, OwnedTensor)> {
    let mut tensors = vec![(COUNT.into(), OwnedTensor::f64(&[1], &[statistics.count as f64]))];
    tensors.extend(peaks.map(|peaks| (PEAKS.into(), OwnedTensor::f64(&[peaks.len()], peaks))));
    let with_details = taps.iter().filter(|tap| tap.tap.pool > 1);
    for (tap, layer) in with_details.zip(&statistics.layers) {
        let shape = [layer.shape.channels, layer.shape.height, layer.shape.width];
        for (name, values) in [(MEAN, &layer.mean), (VARIANCE, &layer.variance)] {
            tensors.push((tap.name(name).into(), OwnedTensor::f32(&shape, values.iter().copied())));
        }
    }
    tensors
}

/// What makes fine maps, for the extractor of the model; `None` for a model with coarse maps.
///
/// # Errors
///
/// If a tensor has another shape, a value is not finite, a variance is negative, or the count is none.
pub(super) fn read(
    file: &OpenedFile,
    extractor: &FeatureExtractor,
) -> Result<Option<FineMap>, ModelFileError> {
    let header = &file.header;
    if header.record.params.method.map_kind() == MapKind::Coarse {
        return Ok(None);
    }
    let count = shaped(COUNT, file.f64(COUNT)?, &[1])?[0];
    // Every row of the fit has details.
    consistent(COUNT, &(header.record.picture_count as f64), &count)?;
    let taps = header.tap_tensors()?;
    let mut layers = Vec::new();
    for (tap, shape) in taps.iter().filter(|tap| tap.tap.pool > 1).zip(extractor.detail_shapes()) {
        let values = |name: &str, least: f32| {
            let name = tap.name(name);
            let expected = [shape.channels, shape.height, shape.width];
            let values = shaped(&name, file.f32(&name)?, &expected)?;
            // All values are looked at, since a compiler can do that with vectors.
            let is_sound = |value: &f32| value.is_finite() & (*value >= least);
            if values.iter().fold(true, |all, value| all & is_sound(value)) {
                return Ok(values);
            }
            match values.iter().find(|value| !is_sound(value)) {
                Some(value) => Err(mismatch(&name, "finite numbers in their range", value.to_string())),
                None => Ok(values),
            }
        };
        layers.push(LayerDetails { shape, mean: values(MEAN, f32::MIN)?, variance: values(VARIANCE, 0.0)? });
    }
    let statistics = DetailStatistics { count: header.record.picture_count, layers };
    Ok(Some(FineMap::new(statistics, extractor.device())))
}

/// The fine map of the probe when the model was fitted, row by row; none in a model with coarse maps.
///
/// # Errors
///
/// If it has another shape than the finest details.
pub(super) fn probe_map(file: &OpenedFile, extractor: &FeatureExtractor) -> Result<Vec<f32>, ModelFileError> {
    let cells = extractor.detail_shapes().iter().map(|shape| shape.height * shape.width).max();
    match cells {
        Some(cells) => shaped(PROBE, file.f32(PROBE)?, &[cells]),
        None => Ok(Vec::new()),
    }
}

/// The largest cells from which the threshold of fine cells was found; none for coarse maps.
///
/// # Errors
///
/// If there is none, there are more than pictures, or one is not finite.
pub(super) fn peaks(file: &OpenedFile) -> Result<Vec<f64>, ModelFileError> {
    let header = &file.header;
    if header.record.params.method.map_kind() == MapKind::Coarse || !header.cells_calibrated {
        return Ok(Vec::new());
    }
    let most = header.record.picture_count;
    let (shape, peaks) = file.f64(PEAKS)?;
    if shape.len() != 1 || peaks.is_empty() || peaks.len() > most {
        return Err(mismatch(PEAKS, &format!("1 to {most} values"), format!("{shape:?}")));
    }
    match peaks.iter().find(|peak| !peak.is_finite()) {
        Some(peak) => Err(mismatch(PEAKS, "finite numbers", peak.to_string())),
        None => Ok(peaks),
    }
}
