//! From a file to a model that has passed its self-test.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek};

use dfm_backbone::{
    Architecture, BackboneError, BackboneWeights, Compute, FeatureExtractor, NetworkPrecision, NodeRanges,
    Tap,
};
use rayon::prelude::*;

use crate::decide::calibration::Calibration;
use crate::decide::conformal::HeldOutScores;
use crate::decide::held_out::different;
use crate::error::DfmError;
use crate::file::detail;
use crate::file::error::ModelFileError;
use crate::file::faults::{consistent, content, inconsistent, mismatch, shaped};
use crate::file::header::{ASIDE_HASHES, Header};
use crate::file::opened::OpenedFile;
use crate::file::self_test::{PROBE_HEIGHT, PROBE_WIDTH, SelfTest};
use crate::file::tap;
use crate::file::wanted::{Wanted, needed_to_judge};
use crate::judge::parts::Parts;
use crate::judge::places::PlaceScorers;
use crate::judge::rule::ScoringRule;
use crate::judge::scale::PlaceScale;
use crate::learn::aside::SetAside;
use crate::learn::kept::Kept;
use crate::method::{CalibrationKind, MapKind, ValidFitParams};
use crate::model::{Dfm, Judged, MAX_NAME_BYTES, Origin, is_name};

/// How to load a model.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Where it will run, and where its self-test runs.
    pub compute: Compute,
    /// The weights of a model that was saved without them. The embedded default
    /// is found by its hash and need not be given.
    pub weights: Option<BackboneWeights>,
    /// Whether to read what a model keeps so that it can be merged, updated, audited and
    /// explained, which is most of some files and takes most of the time. Without it the
    /// model is as if it kept nothing: enough to judge pictures. (Unless it judges them by a
    /// jackknife+, which goes by what is kept and reads it in any case.)
    pub fit_statistic: bool,
    /// The most bytes of tensors to accept.
    pub max_bytes: u64,
}

impl LoadOptions {
    /// For `compute`, without extra weights, all that there is, up to
    /// [`LoadOptions::MAX_BYTES`].
    pub fn on(compute: impl Into<Compute>) -> Self {
        Self { compute: compute.into(), weights: None, fit_statistic: true, max_bytes: Self::MAX_BYTES }
    }

    /// The default limit: 8 GiB, five thousand pictures of the largest features
    /// several times over.
    pub const MAX_BYTES: u64 = 8 << 30;
}

impl Dfm {
    /// Reads a model, checks its hash and its shapes, and runs its self-test on the device. A model that
    /// loads computes what it computed when it was fitted.
    ///
    /// Cost: one picture through the network. Memory: the stream, and beside it what
    /// [`read_file`](Self::read_file) takes, which is better for a file.
    ///
    /// # Errors
    ///
    /// [`ModelFileError`], for every way in which a file can be wrong; weights that were given and cannot
    /// be used, and a device that fails, have errors of their own.
    pub fn read(reader: &mut impl Read, options: LoadOptions) -> Result<Self, DfmError> {
        let (file, mut bytes) = OpenedFile::of_stream(reader, options.max_bytes)?;
        Self::read_opened(&file, &mut bytes, options)
    }

    /// [`read`](Self::read) from a `file`, from its first byte on. Each byte is read once. It is hashed while
    /// another thread makes the model of what was read before.
    ///
    /// Memory: the weights (in `f32`, whatever the file holds) and as the network reads them, twice the
    /// components, and if the [fit statistic](LoadOptions::fit_statistic) is asked for its directions and
    /// coordinates in `f64` beside what the file holds of them.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    pub fn read_file(file: &mut (impl Read + Seek + Send), options: LoadOptions) -> Result<Self, DfmError> {
        let opened = OpenedFile::of_file(file, options.max_bytes)?;
        Self::read_opened(&opened, file, options)
    }

    fn read_opened(
        opened: &OpenedFile,
        file: &mut (impl Read + Seek + Send),
        options: LoadOptions,
    ) -> Result<Self, DfmError> {
        // A jackknife+ decides by what is kept.
        let kind = opened.header.record.calibration_kind();
        let whole = options.fit_statistic || kind == Some(CalibrationKind::JackknifePlus);
        let few = if whole { HashMap::new() } else { needed_to_judge(&opened.header)? };
        let wanted = |name: &str| few.get(name).copied().unwrap_or(Wanted::All);
        let mut intact = Ok(());
        // The digest is computed while the model is made of the same bytes. If it is another, whatever
        // was made or refused is dropped.
        let model = rayon::in_place_scope(|scope| {
            scope.spawn(|_| intact = opened.load(file, wanted));
            Self::make(opened, options, whole)
        });
        intact?;
        model
    }

    /// The model that a file describes, which has passed its self-test.
    fn make(file: &OpenedFile, options: LoadOptions, whole: bool) -> Result<Self, DfmError> {
        let header = &file.header;
        let valid = header.record.params.clone().check().map_err(content("parameters"))?;

        if let Some(validation) = header.record.validation.as_ref().filter(|found| !found.is_sound()) {
            let expected = "pictures of both kinds, and shares";
            return Err(
                inconsistent("record.validation", &expected, &format!("{validation:?}").as_str()).into()
            );
        }
        let (content_hashes, aside_hashes) = content_hashes(file)?.unzip();
        let scores = held_out_scores(file, content_hashes.as_deref())?;
        let content_hashes = content_hashes.filter(|_| whole);
        let rows =
            content_hashes.as_ref().map(|hashes| (hashes.len(), aside_hashes.as_ref().map_or(0, Vec::len)));
        let tap_tensors = header.tap_tensors()?;
        // The network is laid out by this thread, to which the device may be tied. Another one reads and
        // hashes meanwhile. The weights come first in the order of the digest.
        let extractor = network(file, &valid, options.weights, options.compute)?;
        let of_taps: Result<Vec<_>, DfmError> =
            tap_tensors.into_par_iter().map(|tap| tap::read(file, tap, rows)).collect();
        let (statistics, kept): (Vec<_>, Vec<_>) = of_taps?.into_iter().unzip();
        let layers = valid.method().taps.len();
        let statistics = Parts::new(layers, statistics).expect("the header has a record of each");
        let (kept, aside): (Vec<_>, Vec<_>) = kept.into_iter().flatten().unzip();
        let set_aside = Parts::new(layers, aside).zip(aside_hashes.filter(|hashes| !hashes.is_empty()));
        let set_aside = set_aside.map(|(rows, content_hashes)| SetAside { content_hashes, rows });
        let kept = Parts::new(layers, kept).zip(content_hashes);
        let kept = kept.map(|(statistics, content_hashes)| Kept { statistics, content_hashes, set_aside });
        let calibration = match header.calibrated {
            true => {
                let values = shaped("calibration", file.f64("calibration")?, &[2])?;
                Some(Calibration::new(values[0], values[1]).map_err(content("calibration"))?)
            }
            false => None,
        };
        let self_test = SelfTest {
            probe: shaped(
                "self_test.probe",
                file.bytes("self_test.probe")?,
                &[PROBE_HEIGHT as usize, PROBE_WIDTH as usize, 3],
            )?,
            features: shaped("self_test.features", file.f32("self_test.features")?, &[extractor.row_len()])?,
            scores: shaped("self_test.score", file.f64("self_test.score")?, &[valid.places()])?,
            map: detail::probe_map(file, &extractor)?,
        };
        let cell_threshold = match header.cells_calibrated {
            true => {
                const CELLS: &str = "calibration.cells";
                let threshold = shaped(CELLS, file.f64(CELLS)?, &[1])?[0];
                if !threshold.is_finite() {
                    return Err(mismatch(CELLS, "a finite number", threshold.to_string()).into());
                }
                Some(threshold)
            }
            false => None,
        };
        let fine = detail::read(file, &extractor)?;
        let peaks = detail::peaks(file)?;
        let set_aside = kept.as_ref().and_then(|kept| kept.set_aside.as_ref()).map(SetAside::pictures);
        let set_aside = set_aside.unwrap_or_default();
        let judged = Judged { calibration, scores, cell_threshold, peaks, set_aside };
        let record = header.record.clone();
        let rule = ScoringRule {
            statistics,
            scale: place_scale(file, valid.places())?,
            aggregation: record.params.method.aggregation,
            rows: record.params.method.rows,
            shapes: extractor.feature_shapes().to_vec(),
        };
        let scorers = PlaceScorers::new(&rule, &extractor);
        let mut model = Self::assemble(extractor, rule, scorers, judged, record, self_test, kept);
        model.fine = fine;
        model.origin = Some(Origin {
            program: header.program.clone(),
            digest: header.digest.clone(),
            weights_included: header.backbone.included,
        });
        if header.names
            && let Some(kept) = &model.kept
        {
            model.names = names(file, &kept.known().collect::<Vec<_>>())?;
        }
        model.self_test.check(&model.extractor, &model.scorers, model.fine.as_ref())?;
        Ok(model)
    }
}

/// The network that the header describes.
fn network(
    file: &OpenedFile,
    params: &ValidFitParams,
    given: Option<BackboneWeights>,
    compute: Compute,
) -> Result<FeatureExtractor, DfmError> {
    let Header { backbone, feature_shapes, .. } = &file.header;
    let extractor = extractor(file, params, backbone_weights(file, given)?, compute)?;
    let weights = extractor.weights().header();
    consistent("feature_shapes", &extractor.feature_shapes(), &feature_shapes.as_slice())?;
    consistent("backbone.architecture", &weights.architecture, &backbone.architecture)?;
    consistent("backbone.input", &weights.input, &backbone.input)?;
    Ok(extractor)
}

/// The network in the precision of the fit.
fn extractor(
    file: &OpenedFile,
    params: &ValidFitParams,
    weights: BackboneWeights,
    compute: Compute,
) -> Result<FeatureExtractor, DfmError> {
    if params.method().precision == NetworkPrecision::F32 {
        return Ok(params.extractor(weights, compute).map_err(content("backbone"))?);
    }
    const RANGES: &str = "activation_ranges";
    let (shape, values) = file.f32(RANGES)?;
    let list = shaped(RANGES, (shape, values.clone()), &[values.len()])?;
    let in_int8 = content("backbone in int8");
    let ranges =
        NodeRanges::from_list(weights.graph(), &list).map_err(BackboneError::from).map_err(in_int8)?;
    let mut extractor = FeatureExtractor::int8(weights, &params.method().taps, compute, ranges).map_err(
        |error| match error {
            // The device is at fault, not the file.
            BackboneError::Int8Device => DfmError::Backbone(error),
            other => content("backbone in int8")(other).into(),
        },
    )?;
    extractor.set_region(params.method().region.clone()).map_err(content("region"))?;
    extractor.set_tiling(params.method().tiling, params.method().tile_statistics.picture_size());
    extractor.set_levels(params.method().levels);
    extractor.set_details(params.method().map_kind() == MapKind::Fine)?;
    Ok(extractor)
}

/// The weights in the file, or those given for a slim one, or those that a slim one
/// says how to make again.
fn backbone_weights(file: &OpenedFile, given: Option<BackboneWeights>) -> Result<BackboneWeights, DfmError> {
    let Header { backbone, record, .. } = &file.header;
    let deepest = Tap::deepest(&record.params.method.taps)?.layer;
    if backbone.included {
        let weights =
            BackboneWeights::from_own_bytes(&file.bytes("backbone")?.1).map_err(content("backbone"))?;
        let weights = weights.truncate(deepest).map_err(content("backbone"))?;
        consistent("backbone.license", &weights.header().license, &backbone.license)?;
        consistent("backbone.source", &weights.header().source, &backbone.source)?;
        consistent("backbone.sha256", &weights.sha256(), &backbone.sha256)?;
        if let Some(recorded) = &backbone.file_sha256 {
            let got = weights.file_sha256().unwrap_or("none").to_owned();
            consistent("backbone.file_sha256", &got, recorded)?;
        }
        return Ok(weights);
    }
    let fitted = |weights: BackboneWeights| -> Result<BackboneWeights, DfmError> {
        Ok(weights.truncate(deepest)?.with_input(backbone.input))
    };
    if let Some(weights) = given {
        let weights = fitted(weights)?;
        if let Some(expected) = backbone.file_sha256.as_deref()
            && let Some(got) = weights.file_sha256().filter(|got| *got != expected)
        {
            let (expected, got) = (expected.to_owned(), got.to_owned());
            return Err(ModelFileError::OtherWeightsFile { expected, got }.into());
        }
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
    // Only known networks are made, so that a file cannot ask for a network of any size.
    let architecture = &backbone.architecture;
    if let Some(seed) = BackboneWeights::seed_of(&backbone.source)
        && Architecture::known(architecture.name()).as_ref() == Some(architecture)
        && let Ok(weights) = BackboneWeights::random(architecture.clone(), deepest, backbone.input, seed)
        && weights.sha256() == backbone.sha256
    {
        return Ok(weights);
    }
    let (name, sha256) = (architecture.name().to_owned(), backbone.sha256.clone());
    Err(ModelFileError::WeightsNeeded { name, sha256, file_sha256: backbone.file_sha256.clone() }.into())
}

/// One for each row.
type Hashes = Vec<[u8; 32]>;

/// The content hashes of the pictures that are kept, and of those that were set aside; `None` if none
/// are kept.
fn content_hashes(file: &OpenedFile) -> Result<Option<(Hashes, Hashes)>, ModelFileError> {
    let Header { record, fit_statistic, .. } = &file.header;
    if !fit_statistic {
        return Ok(None);
    }
    let hashes = |name: &str, count: usize| {
        let (shape, bytes) = file.bytes(name)?;
        match shape == [count, 32] {
            true => Ok(bytes.as_chunks::<32>().0.to_vec()),
            false => Err(mismatch(name, &format!("32 bytes for each of {count}"), format!("{shape:?}"))),
        }
    };
    let Some(pictures) = record.set_aside else {
        return Ok(Some((hashes("content_hashes", record.picture_count)?, Vec::new())));
    };
    let learnt = hashes("content_hashes", record.picture_count.saturating_sub(record.held_out))?;
    let aside = hashes(ASIDE_HASHES, record.held_out)?;
    let mut different = aside.clone();
    different.dedup();
    consistent("record.set_aside", &different.len(), &pictures)?;
    let known: HashSet<&[u8; 32]> = learnt.iter().collect();
    let is_sound = !aside.is_empty() && aside.is_sorted() && aside.iter().all(|hash| !known.contains(hash));
    match is_sound {
        true => Ok(Some((learnt, aside))),
        false => {
            let expected = "pictures in the order of their hashes, none of them learnt";
            Err(mismatch(ASIDE_HASHES, expected, "others".to_owned()))
        }
    }
}

/// The scores that calibrate, if any do, and the pictures that are kept, if any are.
fn held_out_scores(
    file: &OpenedFile,
    content_hashes: Option<&[[u8; 32]]>,
) -> Result<Option<HeldOutScores>, DfmError> {
    const SCORES: &str = "calibration.scores";
    let Some(kind) = file.header.record.calibration_kind() else { return Ok(None) };
    let (shape, values) = file.f64(SCORES)?;
    let scores = shaped(SCORES, (shape, values.clone()), &[values.len()])?;
    let most = file.header.record.picture_count;
    if scores.is_empty() || scores.len() > most {
        return Err(mismatch(SCORES, &format!("1 to {most} values"), scores.len().to_string()).into());
    }
    if let Some(pictures) = file.header.record.set_aside {
        consistent(SCORES, &pictures, &scores.len())?;
    }
    // If pictures are kept, the number of different ones is known.
    if let Some(content_hashes) = content_hashes.filter(|_| kind != CalibrationKind::Split) {
        let different = different(content_hashes).map_err(content("content hashes"))?.len();
        consistent(SCORES, &different, &scores.len())?;
    }
    Ok(Some(HeldOutScores::new(kind, scores).map_err(content("held-out scores"))?))
}

/// The scale that makes scores of this many `places` comparable.
fn place_scale(file: &OpenedFile, places: usize) -> Result<PlaceScale, ModelFileError> {
    const USUAL: &str = "usual_scores";
    if file.header.record.params.method.tile_statistics.is_shared() {
        return Ok(PlaceScale::default());
    }
    let usual = shaped(USUAL, file.f64(USUAL)?, &[places])?;
    PlaceScale::from_usual(usual)
        .ok_or_else(|| mismatch(USUAL, "finite numbers, not negative", "others".to_owned()))
}

/// The names of the pictures that are kept, by content hash.
fn names(file: &OpenedFile, hashes: &[&[u8; 32]]) -> Result<HashMap<[u8; 32], String>, DfmError> {
    const NAMES: &str = "picture_names";
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
        names.insert(**hash, name.to_owned());
    }
    Ok(names)
}
