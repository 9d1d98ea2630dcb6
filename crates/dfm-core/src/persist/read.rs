//! From a file to a model that has passed its self-test.

use std::io::Read;

use dfm_backbone::{BackboneWeights, Compute};
use dfm_stats::{FitStatistic, Pca, SvdGaussian};

use crate::calibrate::Calibration;
use crate::error::{DfmError, ModelFileError};
use crate::model::{Dfm, Kept};
use crate::params::ScoreKind;
use crate::persist::container::{self, Container, mismatch};
use crate::persist::header::Header;
use crate::score::Statistics;
use crate::self_test::SelfTest;

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
    /// Cost: one copy of the file in memory, one picture through the network.
    ///
    /// # Errors
    ///
    /// [`ModelFileError`], for every way in which a file can be wrong.
    pub fn read(reader: &mut impl Read, options: LoadOptions) -> Result<Self, DfmError> {
        let bytes = container::read(reader, options.max_bytes)?;
        let file = Container::parse(&bytes)?;
        let header = &file.header;
        let valid = header.record.params.clone().check()?;

        let weights = backbone_weights(&file, options.weights)?;
        let extractor = valid.extractor(weights, &options.compute)?;
        consistent("feature_shape", &extractor.feature_shape(), &header.feature_shape)?;
        consistent(
            "backbone.architecture",
            &extractor.weights().header().architecture,
            &header.backbone.architecture,
        )?;
        consistent("backbone.input", &extractor.weights().header().input, &header.backbone.input)?;

        let (directions, rows) = directions(&file)?;
        let kept = fit_statistic(&file, &directions, rows)?;
        let statistics = statistics(&file, directions, kept.as_ref())?;
        let calibration = match header.calibrated {
            true => {
                let [threshold, spread] = pair(&file, "calibration")?;
                Some(Calibration::new(threshold, spread)?)
            }
            false => None,
        };
        let self_test = SelfTest {
            probe: file.bytes("self_test.probe")?.to_vec(),
            features: shaped(
                "self_test.features",
                file.f32("self_test.features")?,
                &[header.feature_shape.len()],
            )?,
            score: shaped("self_test.score", file.f64("self_test.score")?, &[1])?[0],
        };
        let model =
            Self::assemble(extractor, statistics, calibration, header.record.clone(), self_test, kept);
        model.self_test.check(&model.extractor, &model.scorer)?;
        Ok(model)
    }
}

/// The weights in the file, or those given for a slim one.
fn backbone_weights(
    file: &Container<'_>,
    given: Option<BackboneWeights>,
) -> Result<BackboneWeights, DfmError> {
    let Header { backbone, record, .. } = &file.header;
    if backbone.included {
        return Ok(BackboneWeights::from_bytes(file.bytes("backbone")?)?);
    }
    let fitted = |weights: BackboneWeights| -> Result<BackboneWeights, DfmError> {
        Ok(weights.truncate(record.params.layer)?.with_input(backbone.input))
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
    let (name, sha256) = (backbone.architecture.name.clone(), backbone.sha256.clone());
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
    if let Some((statistic, hashes)) = kept {
        consistent("record.rank", &statistic.rank(), &record.rank)?;
        consistent("record.picture_count", &hashes.len(), &record.picture_count)?;
    }
    let pca = Pca::from_parts(
        shaped("mean", file.f64("mean")?, &[features])?,
        directions,
        shaped("explained_variance", file.f64("explained_variance")?, &[components])?,
        residual,
        total,
        record.picture_count,
        record.rank,
    )?;
    if record.params.score == ScoreKind::Fre {
        return Ok(Statistics::Fre(pca));
    }
    let deviations = file.f64("gaussian.deviations")?.1;
    let gaussian = SvdGaussian::from_parts(
        shaped("gaussian.mean", file.f64("gaussian.mean")?, &[components])?,
        shaped("gaussian.basis", file.f64("gaussian.basis")?, &[deviations.len(), components])?,
        deviations,
    )?;
    Ok(Statistics::Nll(pca, gaussian))
}

fn fit_statistic(file: &Container<'_>, directions: &[f64], rank: usize) -> Result<Option<Kept>, DfmError> {
    if !file.header.fit_statistic {
        return Ok(None);
    }
    let (hashes, rest) = file.bytes("content_hashes")?.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(mismatch("content_hashes", "32 bytes a picture", format!("{} more", rest.len())).into());
    }
    let statistic = FitStatistic::from_parts(
        shaped("mean", file.f64("mean")?, &[file.header.feature_shape.len()])?,
        directions.to_vec(),
        shaped("singular_values", file.f64("singular_values")?, &[rank])?,
        widen(&shaped("coordinates", file.f32("coordinates")?, &[hashes.len(), rank])?),
        hashes.len(),
    )?;
    Ok(Some((statistic, hashes.to_vec())))
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
    Err(ModelFileError::Inconsistent { what, expected: format!("{expected:?}"), got: format!("{got:?}") })
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}
