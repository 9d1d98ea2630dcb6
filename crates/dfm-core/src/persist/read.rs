//! From a file to a model that has passed its self-test.

use std::collections::HashMap;
use std::io::Read;

use dfm_backbone::{
    ActivationRanges, Architecture, BackboneError, BackboneWeights, Compute, FeatureExtractor,
    NetworkPrecision, Tap,
};
use dfm_stats::{Compression, FitStatistic, Pca, ProbabilisticPca, SvdGaussian};

use crate::calibrate::Calibration;
use crate::conformal::{CalibrationKind, HeldOutScores};
use crate::error::{DfmError, ModelFileError};
use crate::held_out::different;
use crate::model::{CompressionRecord, Dfm, FitRecord, Kept, MAX_NAME_BYTES, is_name};
use crate::params::{CalibrationParams, ScoreKind, ValidDfmParams};
use crate::persist::container::{self, Container, mismatch};
use crate::persist::header::Header;
use crate::score::Statistics;
use crate::self_test::{PROBE_HEIGHT, PROBE_WIDTH, SelfTest};

/// How to load a model.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Where it will run, and where its self-test runs.
    pub compute: Compute,
    /// The weights of a model that was saved without them. The embedded default
    /// is found by its hash and need not be given.
    pub weights: Option<BackboneWeights>,
    /// The most bytes of tensors to accept.
    pub max_bytes: u64,
}

impl LoadOptions {
    /// For `compute`, without extra weights, up to [`LoadOptions::MAX_BYTES`].
    pub fn on(compute: impl Into<Compute>) -> Self {
        Self { compute: compute.into(), weights: None, max_bytes: Self::MAX_BYTES }
    }

    /// The default limit: 8 GiB, five thousand pictures of the largest features
    /// several times over.
    pub const MAX_BYTES: u64 = 8 << 30;
}

impl Dfm {
    /// Reads a model, checks its hash and its shapes, and runs its self-test on
    /// the device. A model that loads computes what it computed when it was
    /// fitted.
    ///
    /// Cost: one picture through the network. Memory: the file, and beside it its
    /// weights (in `f32`, whatever the file holds), its directions and coordinates in
    /// `f64`, twice their size there, and once more the directions that score.
    ///
    /// # Errors
    ///
    /// [`ModelFileError`], for every way in which a file can be wrong; weights that
    /// were given and cannot be used, and a device that fails, have errors of their
    /// own.
    pub fn read(reader: &mut impl Read, options: LoadOptions) -> Result<Self, DfmError> {
        let bytes = container::read(reader, options.max_bytes)?;
        let file = Container::parse(&bytes)?;
        let header = &file.header;
        let valid = header.record.params.clone().check().map_err(content("parameters"))?;
        valid.check_model().map_err(content("parameters"))?;

        let weights = backbone_weights(&file, options.weights)?;
        let extractor = extractor(&file, &valid, weights, options.compute)?;
        consistent("feature_shape", &extractor.feature_shapes()[0], &header.feature_shape)?;
        consistent(
            "backbone.architecture",
            &extractor.weights().header().architecture,
            &header.backbone.architecture,
        )?;
        consistent("backbone.input", &extractor.weights().header().input, &header.backbone.input)?;

        let (directions, rows) = directions(&file)?;
        let kept = fit_statistic(&file, &directions, rows)?;
        let components = match header.is_split() && header.fit_statistic {
            true => widen(&shaped(
                "components",
                file.f32("components")?,
                &[header.components, header.feature_shape.len()],
            )?),
            false => directions,
        };
        let statistics = statistics(&file, components, kept.as_ref())?;
        let calibration = match header.calibrated {
            true => {
                let [threshold, spread] = pair(&file, "calibration")?;
                Some(Calibration::new(threshold, spread).map_err(content("calibration"))?)
            }
            false => None,
        };
        let self_test = SelfTest {
            probe: shaped(
                "self_test.probe",
                file.bytes("self_test.probe").map(|(shape, bytes)| (shape, bytes.to_vec()))?,
                &[PROBE_HEIGHT as usize, PROBE_WIDTH as usize, 3],
            )?,
            features: shaped(
                "self_test.features",
                file.f32("self_test.features")?,
                &[header.feature_shape.len()],
            )?,
            score: shaped("self_test.score", file.f64("self_test.score")?, &[1])?[0],
        };
        let scores = held_out_scores(&file, kept.as_ref())?;
        let record = header.record.clone();
        let mut model = Self::assemble(extractor, statistics, calibration, scores, record, self_test, kept);
        if header.names {
            model.names = names(&file, model.kept.as_ref())?;
        }
        model.self_test.check(&model.extractor, &model.scorer)?;
        Ok(model)
    }
}

/// The network in the precision of the fit.
fn extractor(
    file: &Container<'_>,
    params: &ValidDfmParams,
    weights: BackboneWeights,
    compute: Compute,
) -> Result<FeatureExtractor, DfmError> {
    if params.params().precision == NetworkPrecision::F32 {
        return Ok(params.extractor(weights, compute).map_err(content("backbone"))?);
    }
    const RANGES: &str = "activation_ranges";
    let (shape, values) = file.f32(RANGES)?;
    let ranges = ActivationRanges::from_slice(&shaped(RANGES, (shape, values.clone()), &[values.len()])?);
    let ranges = ranges.ok_or_else(|| mismatch(RANGES, "a number and more", "none".to_owned()))?;
    let mut extractor = FeatureExtractor::int8(weights, &params.params().taps, compute, ranges).map_err(
        |error| match error {
            // Of the device, not of the file.
            BackboneError::Int8Device => DfmError::Backbone(error),
            other => content("backbone in int8")(other).into(),
        },
    )?;
    extractor.set_region(params.params().region.clone()).map_err(content("region"))?;
    extractor.set_tiling(params.params().tiling);
    Ok(extractor)
}

/// The weights in the file, or those given for a slim one, or those that a slim one
/// says how to make again.
fn backbone_weights(
    file: &Container<'_>,
    given: Option<BackboneWeights>,
) -> Result<BackboneWeights, DfmError> {
    let Header { backbone, record, .. } = &file.header;
    let deepest = Tap::deepest(&record.params.taps)?.layer;
    if backbone.included {
        let weights = BackboneWeights::from_bytes(file.bytes("backbone")?.1).map_err(content("backbone"))?;
        let weights = weights.truncate(deepest).map_err(content("backbone"))?;
        consistent("backbone.license", &weights.header().license, &backbone.license)?;
        consistent("backbone.source", &weights.header().source, &backbone.source)?;
        consistent("backbone.sha256", &weights.sha256(), &backbone.sha256)?;
        return Ok(weights);
    }
    let fitted = |weights: BackboneWeights| -> Result<BackboneWeights, DfmError> {
        Ok(weights.truncate(deepest)?.with_input(backbone.input))
    };
    if let Some(weights) = given {
        let weights = fitted(weights)?;
        let got = weights.sha256();
        return match got == backbone.sha256 {
            true => Ok(weights),
            false => Err(ModelFileError::OtherWeights { expected: backbone.sha256.clone(), got }.into()),
        };
    }
    #[cfg(feature = "embedded-weights")]
    if let Ok(weights) = fitted(BackboneWeights::embedded()?)
        && weights.sha256() == backbone.sha256
    {
        return Ok(weights);
    }
    // Of known networks only, so that a file cannot ask for any number of numbers.
    let architecture = &backbone.architecture;
    if let Some(seed) = BackboneWeights::seed_of(&backbone.source)
        && Architecture::known(&architecture.name).as_ref() == Some(architecture)
        && let Ok(weights) = BackboneWeights::random(architecture.clone(), deepest, backbone.input, seed)
        && weights.sha256() == backbone.sha256
    {
        return Ok(weights);
    }
    let (name, sha256) = (architecture.name.clone(), backbone.sha256.clone());
    Err(ModelFileError::WeightsNeeded { name, sha256 }.into())
}

/// `directions`, widened, and how many there are.
fn directions(file: &Container<'_>) -> Result<(Vec<f64>, usize), ModelFileError> {
    let Header { components, feature_shape, .. } = file.header;
    let (shape, values) = file.f32("directions")?;
    match shape[..] {
        [rows, columns] if columns == feature_shape.len() && rows >= components => Ok((widen(&values), rows)),
        _ => Err(mismatch(
            "directions",
            &format!("at least {components} rows of {} features", feature_shape.len()),
            format!("{shape:?}"),
        )),
    }
}

fn statistics(
    file: &Container<'_>,
    mut directions: Vec<f64>,
    kept: Option<&Kept>,
) -> Result<Statistics, DfmError> {
    let Header { components, feature_shape, ref record, .. } = file.header;
    let features = feature_shape.len();
    directions.truncate(components * features);
    let [total, residual] = pair(file, "variances")?;
    let explained = shaped("explained_variance", file.f64("explained_variance")?, &[components])?;
    // Of all pictures, of which a split model has fewer.
    if let Some((_, hashes)) = kept {
        consistent("record.picture_count", &hashes.len(), &record.picture_count)?;
    }
    if let Some((statistic, hashes)) = kept.filter(|_| !file.header.is_split()) {
        consistent("record.rank", &statistic.rank(), &record.rank)?;
        let divisor = (hashes.len() - 1) as f64;
        for (variance, value) in explained.iter().zip(statistic.singular_values()) {
            let expected = value * (value / divisor);
            // Both are `f64` and one was computed from the other: a few roundings.
            if (variance - expected).abs() > 1e-9 * expected {
                return Err(inconsistent("explained_variance", &expected, variance).into());
            }
        }
    }
    let pca = Pca::from_parts(
        shaped("mean", file.f64("mean")?, &[features])?,
        directions,
        explained,
        residual,
        total,
        fitted_count(record)?,
        record.rank,
    )
    .map_err(content("principal components"))?;
    match record.params.score {
        ScoreKind::Fre => return Ok(Statistics::Fre(pca)),
        ScoreKind::Mahalanobis => {
            let intensity = shaped("shrinkage", file.f64("shrinkage")?, &[1])?[0];
            let model = ProbabilisticPca::with_intensity(pca, intensity).map_err(content("shrinkage"))?;
            return Ok(Statistics::Mahalanobis(Box::new(model)));
        }
        ScoreKind::Nll => {}
    }
    let deviations = file.f64("gaussian.deviations")?.1;
    let gaussian = SvdGaussian::from_parts(
        shaped("gaussian.mean", file.f64("gaussian.mean")?, &[components])?,
        shaped("gaussian.basis", file.f64("gaussian.basis")?, &[deviations.len(), components])?,
        deviations,
    )
    .map_err(content("gaussian"))?;
    let intensity = record.gaussian.as_ref().map_or(0.0, |gaussian| gaussian.shrinkage);
    let gaussian = gaussian.shrunk_by(intensity).map_err(content("gaussian"))?;
    consistent(
        "record.gaussian.rank",
        &Some(gaussian.rank()),
        &record.gaussian.as_ref().map(|gaussian| gaussian.rank),
    )?;
    Ok(Statistics::Nll(pca, gaussian))
}

fn fit_statistic(file: &Container<'_>, directions: &[f64], rank: usize) -> Result<Option<Kept>, DfmError> {
    if !file.header.fit_statistic {
        return Ok(None);
    }
    let (shape, bytes) = file.bytes("content_hashes")?;
    let hashes = bytes.as_chunks::<32>().0;
    if shape != [file.header.record.picture_count, 32] {
        return Err(mismatch("content_hashes", "32 bytes a picture", format!("{shape:?}")).into());
    }
    let compression = match &file.header.record.compression {
        Some(CompressionRecord { limit, error_bound, .. }) => {
            let remainders = shaped("remainders", file.f64("remainders")?, &[hashes.len()])?;
            let compression = Compression::from_parts(*limit, *error_bound, remainders);
            Some(compression.map_err(content("compression"))?)
        }
        None => None,
    };
    let mean = if file.header.is_split() { "statistic.mean" } else { "mean" };
    let statistic = FitStatistic::from_parts(
        shaped(mean, file.f64(mean)?, &[file.header.feature_shape.len()])?,
        directions.to_vec(),
        shaped("singular_values", file.f64("singular_values")?, &[rank])?,
        widen(&shaped("coordinates", file.f32("coordinates")?, &[hashes.len(), rank])?),
        hashes.len(),
        compression,
    )
    .map_err(content("fit statistic"))?;
    Ok(Some((statistic, hashes.to_vec())))
}

/// How many pictures the model was fitted on.
fn fitted_count(record: &FitRecord) -> Result<usize, ModelFileError> {
    let split = record.params.calibration.is_some_and(|asked| asked.kind == CalibrationKind::Split);
    let fitted = record.picture_count.checked_sub(record.held_out);
    fitted.filter(|_| split == (record.held_out > 0)).ok_or_else(|| {
        let expected = if split { "1 and fewer than all pictures" } else { "0" };
        inconsistent("record.held_out", &expected, &record.held_out.to_string().as_str())
    })
}

/// The scores that calibrate, if any do.
fn held_out_scores(file: &Container<'_>, kept: Option<&Kept>) -> Result<Option<HeldOutScores>, DfmError> {
    const SCORES: &str = "calibration.scores";
    let Some(CalibrationParams { kind, .. }) = file.header.record.params.calibration else { return Ok(None) };
    let (shape, values) = file.f64(SCORES)?;
    let scores = shaped(SCORES, (shape, values.clone()), &[values.len()])?;
    let most = file.header.record.picture_count;
    if scores.is_empty() || scores.len() > most {
        return Err(mismatch(SCORES, &format!("1 to {most} values"), scores.len().to_string()).into());
    }
    // Where pictures are kept, how many of them are different is known.
    if let Some((_, hashes)) = kept.filter(|_| kind != CalibrationKind::Split) {
        let different = different(hashes).map_err(content("content hashes"))?.len();
        consistent(SCORES, &different, &scores.len())?;
    }
    Ok(Some(HeldOutScores::new(kind, scores).map_err(content("held-out scores"))?))
}

/// The names of the pictures that are kept, by content hash.
fn names(file: &Container<'_>, kept: Option<&Kept>) -> Result<HashMap<[u8; 32], String>, DfmError> {
    const NAMES: &str = "picture_names";
    let hashes = kept.map_or(&[][..], |(_, hashes)| hashes);
    let refused = |got: String| {
        let expected = format!(
            "a name of up to {MAX_NAME_BYTES} bytes and a zero for each of {} pictures",
            hashes.len()
        );
        mismatch(NAMES, &expected, got)
    };
    let (_, bytes) = file.bytes(NAMES)?;
    let count = bytes.iter().filter(|byte| **byte == 0).count();
    if count != hashes.len() || bytes.last() != Some(&0) {
        return Err(refused(format!("{count} zeros in {} bytes", bytes.len())).into());
    }
    let mut names = HashMap::with_capacity(count);
    for (hash, name) in hashes.iter().zip(bytes.split(|byte| *byte == 0)).filter(|(_, name)| !name.is_empty())
    {
        let name = std::str::from_utf8(name).map_err(|error| refused(error.to_string()))?;
        if !is_name(name) {
            return Err(refused(format!("one of {} bytes", name.len())).into());
        }
        names.insert(*hash, name.to_owned());
    }
    Ok(names)
}

fn pair(file: &Container<'_>, name: &'static str) -> Result<[f64; 2], ModelFileError> {
    let values = shaped(name, file.f64(name)?, &[2])?;
    Ok([values[0], values[1]])
}

fn shaped<T>(
    name: &'static str,
    (shape, values): (Vec<usize>, Vec<T>),
    expected: &[usize],
) -> Result<Vec<T>, ModelFileError> {
    if shape == expected {
        Ok(values)
    } else {
        Err(mismatch(name, &format!("{expected:?}"), format!("{shape:?}")))
    }
}

fn consistent<T: PartialEq + std::fmt::Debug>(
    what: &'static str,
    expected: &T,
    got: &T,
) -> Result<(), ModelFileError> {
    if expected == got {
        return Ok(());
    }
    Err(inconsistent(what, expected, got))
}

fn inconsistent<T: std::fmt::Debug>(what: &'static str, expected: &T, got: &T) -> ModelFileError {
    ModelFileError::Inconsistent { what, expected: format!("{expected:?}"), got: format!("{got:?}") }
}

/// What a library refused of the file's content, as an error of the file.
fn content<E: std::fmt::Display>(part: &'static str) -> impl Fn(E) -> ModelFileError + Copy {
    move |error| ModelFileError::Content { part, reason: error.to_string() }
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}
