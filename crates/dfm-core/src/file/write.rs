//! From a model to its file.

use std::borrow::Cow;
use std::io::Write;

use crate::decide::conformal::HeldOutScores;
use crate::error::DfmError;
use crate::file::container::{self, OwnedTensor};
use crate::file::detail;
use crate::file::header::{ASIDE_HASHES, ASIDE_ROWS, BackboneRecord, Header, TapTensors, version_of};
use crate::file::names;
use crate::file::self_test::{PROBE_HEIGHT, PROBE_WIDTH};
use crate::learn::kept::Kept;
use crate::method::CalibrationKind;
use crate::model::{Dfm, Judged};

/// What to leave out of a model file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SaveOptions {
    /// Leave the backbone's weights out, keeping their name and hash.
    pub slim: bool,
}

/// Where the bytes of a model file went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenSizes {
    /// The whole file.
    pub total: u64,
    /// The backbone's weights.
    pub backbone: u64,
    /// What is there only so that the model can be merged and updated.
    pub fit_statistic: u64,
}

impl Dfm {
    /// Writes the model. The same model gives the same bytes.
    ///
    /// Memory: twice the file, once as tensors and once as written; the backbone's
    /// weights a third time while they are put into their own format.
    ///
    /// # Errors
    ///
    /// Whatever the writer reports.
    pub fn write(&self, writer: &mut impl Write, options: &SaveOptions) -> Result<WrittenSizes, DfmError> {
        // The weights are written once: their hash, which the header has, is then known.
        let backbone = match options.slim {
            true => None,
            false => Some(self.extractor.weights().to_bytes()?),
        };
        let header = self.header(options);
        let (features, probed) = (self.extractor.row_len(), &self.self_test.scores);
        let mut tensors: Vec<(Cow<'static, str>, OwnedTensor)> = vec![
            (
                "self_test.probe".into(),
                OwnedTensor::u8(
                    &[PROBE_HEIGHT as usize, PROBE_WIDTH as usize, 3],
                    self.self_test.probe.clone(),
                ),
            ),
            (
                "self_test.features".into(),
                OwnedTensor::f32(&[features], self.self_test.features.iter().copied()),
            ),
            ("self_test.score".into(), OwnedTensor::f64(&[probed.len()], probed)),
        ];
        if let Some(ranges) = self.extractor.ranges() {
            let ranges = ranges.to_list();
            tensors.push(("activation_ranges".into(), OwnedTensor::f32(&[ranges.len()], ranges)));
        }
        let Judged { calibration, scores, cell_threshold, peaks, .. } = &self.judged;
        if let Some(calibration) = calibration {
            let values = [calibration.threshold(), calibration.spread()];
            tensors.push(("calibration".into(), OwnedTensor::f64(&[2], &values)));
        }
        if let Some(threshold) = cell_threshold {
            tensors.push(("calibration.cells".into(), OwnedTensor::f64(&[1], &[*threshold])));
        }
        if let Some(scores) = scores.as_ref().map(HeldOutScores::in_order) {
            tensors.push(("calibration.scores".into(), OwnedTensor::f64(&[scores.len()], scores)));
        }
        if !self.record.params.method.tile_statistics.is_shared() {
            let usual = self.rule.scale.usual();
            tensors.push(("usual_scores".into(), OwnedTensor::f64(&[usual.len()], usual)));
        }
        if let Some(fine) = &self.fine {
            let peaks = cell_threshold.map(|_| peaks.as_slice());
            tensors.extend(detail::tensors(&fine.statistics, peaks, &header.tap_tensors()?));
            let map = &self.self_test.map;
            tensors.push((names::PROBE.into(), OwnedTensor::f32(&[map.len()], map.iter().copied())));
        }
        let mut fit_statistic = 0;
        for tap in header.tap_tensors()? {
            let (of_tap, kept) = self.tap_tensors(tap);
            tensors.extend(of_tap);
            fit_statistic += kept;
        }
        if let Some(kept @ Kept { content_hashes, set_aside, .. }) = &self.kept {
            let bytes = content_hashes.as_flattened().to_vec();
            fit_statistic += bytes.len();
            tensors.push(("content_hashes".into(), OwnedTensor::u8(&[content_hashes.len(), 32], bytes)));
            if let Some(hashes) = set_aside.as_ref().map(|aside| &aside.content_hashes) {
                let bytes = hashes.as_flattened().to_vec();
                fit_statistic += bytes.len();
                tensors.push((ASIDE_HASHES.into(), OwnedTensor::u8(&[hashes.len(), 32], bytes)));
            }
            if header.names {
                let names: Vec<u8> = kept.known().flat_map(|hash| self.name_bytes(hash)).collect();
                fit_statistic += names.len();
                tensors.push(("picture_names".into(), OwnedTensor::u8(&[names.len()], names)));
            }
        }
        let backbone_bytes = backbone.as_ref().map_or(0, Vec::len) as u64;
        if let Some(bytes) = backbone {
            tensors.push(("backbone".into(), OwnedTensor::u8(&[bytes.len()], bytes)));
        }
        let total = container::write(writer, header, &tensors)?;
        Ok(WrittenSizes { total, backbone: backbone_bytes, fit_statistic: fit_statistic as u64 })
    }

    fn header(&self, options: &SaveOptions) -> Header {
        let weights = self.extractor.weights();
        Header {
            version: version_of(&self.record),
            digest: String::new(),
            program: format!("dfm {}", env!("CARGO_PKG_VERSION")),
            record: self.record.clone(),
            backbone: BackboneRecord {
                architecture: weights.header().architecture.clone(),
                input: weights.header().input,
                license: weights.header().license.clone(),
                source: weights.header().source.clone(),
                sha256: weights.sha256(),
                file_sha256: weights.fetched_sha256().map(str::to_owned),
                included: !options.slim,
            },
            feature_shapes: self.extractor.feature_shapes().to_vec(),
            calibrated: self.judged.calibration.is_some(),
            cells_calibrated: self.judged.cell_threshold.is_some(),
            fit_statistic: self.kept.is_some(),
            names: self.kept.is_some() && !self.names.is_empty(),
        }
    }

    /// The tensors of a tap at a place, and how many bytes of them are there only for merging and
    /// updating.
    fn tap_tensors(&self, tap: TapTensors<'_>) -> (Vec<(Cow<'static, str>, OwnedTensor)>, usize) {
        let statistics = self.rule.statistics.get(tap.place, tap.layer);
        let pca = statistics.pca();
        let (features, components) = (pca.mean().len(), pca.component_count());
        let mut tensors = vec![
            ("mean", OwnedTensor::f64(&[features], pca.mean())),
            ("variances", OwnedTensor::f64(&[2], &[pca.total_variance(), pca.residual_variance()])),
            ("explained_variance", OwnedTensor::f64(&[components], pca.explained_variance())),
        ];
        if let Some(gaussian) = statistics.gaussian() {
            let rank = gaussian.rank();
            tensors.push(("gaussian.mean", OwnedTensor::f64(&[components], gaussian.mean())));
            tensors.push(("gaussian.basis", OwnedTensor::f64(&[rank, components], gaussian.basis())));
            tensors.push(("gaussian.deviations", OwnedTensor::f64(&[rank], gaussian.deviations())));
        }
        if let Some(intensity) = statistics.shrinkage() {
            tensors.push(("shrinkage", OwnedTensor::f64(&[1], &[intensity])));
        }
        // The components are the first of the directions, so they are written once, unless
        // they are those of fewer pictures.
        let narrow = |values: &[f64]| values.iter().map(|value| *value as f32).collect::<Vec<_>>();
        let mut kept_bytes = 0;
        match &self.kept {
            Some(kept) => {
                let statistic = kept.statistics.get(tap.place, tap.layer);
                let (rank, pictures) = (statistic.rank(), statistic.sample_count());
                let directions = OwnedTensor::f32(&[rank, features], narrow(statistic.directions()));
                let coordinates = OwnedTensor::f32(&[pictures, rank], narrow(statistic.coordinates()));
                tensors.push(("directions", directions));
                tensors.push(("coordinates", coordinates));
                tensors.push(("singular_values", OwnedTensor::f64(&[rank], statistic.singular_values())));
                kept_bytes = ((rank - components) * features + pictures * rank) * 4 + rank * 8;
                if self.is_split() {
                    let narrow = pca.narrow_components().into_owned();
                    tensors.push(("components", OwnedTensor::f32(&[components, features], narrow)));
                    tensors.push(("statistic.mean", OwnedTensor::f64(&[features], statistic.mean())));
                    kept_bytes += components * features * 4 + features * 8;
                }
                if let Some(compression) = statistic.compression() {
                    tensors.push(("remainders", OwnedTensor::f64(&[pictures], compression.remainders())));
                    kept_bytes += pictures * 8;
                }
                if let Some(aside) = &kept.set_aside {
                    let (rows, values) = (aside.content_hashes.len(), aside.rows.get(tap.place, tap.layer));
                    kept_bytes += values.len() * 4;
                    let shape = [rows, tap.shape.len()];
                    tensors.push((ASIDE_ROWS, OwnedTensor::f32(&shape, values.iter().copied())));
                }
            }
            None => {
                let (shape, values) = ([components, features], pca.narrow_components().into_owned());
                let components = match self.record.params.keeping.half_components {
                    true => OwnedTensor::f16(&shape, values),
                    false => OwnedTensor::f32(&shape, values),
                };
                tensors.push(("directions", components));
            }
        }
        (tensors.into_iter().map(|(name, tensor)| (tap.name(name).into(), tensor)).collect(), kept_bytes)
    }

    /// Whether the components are those of fewer pictures than are kept.
    fn is_split(&self) -> bool {
        let has_aside = self.record.set_aside.is_some();
        self.calibration_kind() == Some(CalibrationKind::Split) && !has_aside
    }

    /// A picture's name and the zero byte that ends it.
    fn name_bytes(&self, content_hash: &[u8; 32]) -> impl Iterator<Item = u8> + '_ {
        self.picture_name(content_hash).unwrap_or_default().bytes().chain([0])
    }
}
