//! From what was typed to what the libraries take.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Instant;

use anyhow::{Context, bail};
use dfm_backbone::{
    Architecture, BackboneWeights, FeatureExtractor, ImportOptions, InstructionSet, Layer, Resize, Tap,
    catalogue, import_weights,
};
use dfm_core::device;
use dfm_core::{Dfm, DfmParams, LoadOptions, ModelInfo, NetworkPrecision, Tiling};
use tracing::info;

use crate::flags::{BackboneFlags, ComputeFlags, JudgeFlags, ModelFlags};
use crate::input;
use crate::messages::Messages;
use crate::values::Size;
use crate::weights::Cache;

/// The network whose weights are inside the program.
const DEFAULT_BACKBONE: &str = "resnet50_1by2";

/// Sets up the threads that compute, once. To be called before anything else may use them.
pub(crate) fn set_threads(flags: &ComputeFlags) -> anyhow::Result<()> {
    static DONE: OnceLock<()> = OnceLock::new();
    match flags.threads {
        Some(threads) if DONE.set(()).is_ok() => {
            Ok(rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().context("--threads")?)
        }
        _ => Ok(()),
    }
}

/// The device, with the threads that compute set up.
pub(crate) fn device(flags: &ComputeFlags) -> anyhow::Result<dfm_core::Compute> {
    set_threads(flags)?;
    let device = device::parse(&flags.device)?;
    let kernels = match flags.device.as_str() {
        "cpu" => format!(", our own kernels for {}", InstructionSet::best()),
        _ => String::new(),
    };
    info!("device {}{kernels}, {} threads", flags.device, rayon::current_num_threads());
    Ok(device)
}

/// Refuses int8 on a device that does not have it, before anything is read.
pub(crate) fn check_precision(precision: NetworkPrecision, flags: &ComputeFlags) -> anyhow::Result<()> {
    if precision == NetworkPrecision::Int8 && flags.device != "cpu" {
        bail!("--precision int8: only --device cpu computes in int8, got --device {}", flags.device);
    }
    Ok(())
}

/// Threads that decode: those asked for, or up to four.
pub(crate) fn jobs(flags: &ComputeFlags) -> usize {
    jobs_or(flags.jobs)
}

/// The same, of what is asked for.
pub(crate) fn jobs_or(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from).min(4))
}

/// Memory for features and statistics unless told otherwise: a quarter of the machine's,
/// 4 GiB where that is not known.
pub(crate) fn memory() -> u64 {
    let total = || -> Option<u64> {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix("kB")?.trim_end().parse::<u64>().ok()?.checked_mul(1024)
    };
    total().map_or(4 << 30, |total| total / 4)
}

/// Tiles of so many pixels a side, three quarters of one apart unless a stride is given.
pub(crate) fn tiling(tile: Option<u32>, stride: Option<u32>) -> Option<Tiling> {
    tile.map(|side| Tiling { side, stride: stride.unwrap_or(side - side / 4) })
}

/// Where features are taken, in the order of the layers: those of the flags, or else `usual`
/// ones.
pub(crate) fn taps(flags: &BackboneFlags, usual: &[Layer]) -> anyhow::Result<Vec<Tap>> {
    pooled(if flags.layer.is_empty() { usual } else { &flags.layer }, &flags.pool)
}

/// Each of `layers` behind its pool or behind that of all, in the order of the layers.
pub(crate) fn pooled(layers: &[Layer], pools: &[usize]) -> anyhow::Result<Vec<Tap>> {
    if pools.len() != 1 && pools.len() != layers.len() {
        bail!("--pool: expected one for all layers or one for each of {}, got {}", layers.len(), pools.len());
    }
    let pairs = layers.iter().zip(pools.iter().cycle());
    let mut taps: Vec<Tap> = pairs.map(|(layer, pool)| layer.pooled(*pool)).collect();
    taps.sort_by_key(|tap| tap.layer);
    Ok(taps)
}

/// The extractor that the flags describe; pictures are resized in the `usual` way if they do
/// not say how.
pub(crate) fn extractor(
    flags: &BackboneFlags,
    params: &DfmParams,
    usual: Option<Resize>,
    device: &dfm_core::Compute,
) -> anyhow::Result<FeatureExtractor> {
    let weights = network(flags, usual, Tap::deepest(&params.taps)?.layer)?;
    let extractor = params.clone().check()?.extractor(weights, device)?;
    let header = extractor.weights().header();
    let (input, deepest) = (header.input, Tap::deepest(extractor.taps())?);
    info!(
        "network {} to {}, weights from {}, input {}×{}, {}, {} features",
        header.architecture.name,
        deepest.layer,
        header.source,
        input.height,
        input.width,
        input.resize,
        extractor.row_len()
    );
    Ok(extractor)
}

/// The weights that the flags describe, for pictures of the size that they say.
pub(crate) fn network(
    flags: &BackboneFlags,
    usual: Option<Resize>,
    deepest: Layer,
) -> anyhow::Result<BackboneWeights> {
    let weights = backbone_weights(flags, deepest)?;
    let mut input = weights.header().input;
    if let Some(Size { height, width }) = flags.size {
        input = input.with_size(height, width);
    }
    input.resize = flags.resize.or(usual).unwrap_or(input.resize);
    Ok(weights.with_input(input))
}

/// The weights that the flags describe, as they come.
fn backbone_weights(flags: &BackboneFlags, deepest: Layer) -> anyhow::Result<BackboneWeights> {
    let known = |name: &str| {
        Architecture::known(name).with_context(|| {
            format!(
                "--backbone {name}: expected one of {}; leave it out for weights of our own format, which name their \
                 network",
                Architecture::names().join(", ")
            )
        })
    };
    let architecture = flags.backbone.as_deref().map(known).transpose()?;
    let name = flags.backbone.as_deref().unwrap_or(DEFAULT_BACKBONE);
    let embedded = name == DEFAULT_BACKBONE;
    let asked = flags.weights.as_deref().unwrap_or(if embedded { "embedded" } else { name });
    match asked {
        "random" => {
            let architecture = architecture.map_or_else(|| known(DEFAULT_BACKBONE), Ok)?;
            let input = architecture.usual_input();
            Ok(BackboneWeights::random(architecture, deepest, input, flags.seed)?)
        }
        "embedded" if embedded => embedded_weights(),
        "embedded" => bail!(
            "--weights embedded: only resnet50_1by2 is embedded, not {name}; run `dfm weights pull {name}`, or give a \
             file or random"
        ),
        asked => {
            let options = ImportOptions { architecture, deepest, ..ImportOptions::default() };
            file_weights(asked, options)
        }
    }
}

#[cfg(feature = "embedded-weights")]
fn embedded_weights() -> anyhow::Result<BackboneWeights> {
    Ok(BackboneWeights::embedded()?)
}

#[cfg(not(feature = "embedded-weights"))]
fn embedded_weights() -> anyhow::Result<BackboneWeights> {
    bail!(
        "this program was built without embedded weights: give --weights FILE or random, or build it with them"
    )
}

/// Pulled weights by name, or a file.
fn file_weights(asked: &str, mut options: ImportOptions) -> anyhow::Result<BackboneWeights> {
    let Some(entry) = catalogue().iter().find(|entry| entry.name == asked) else {
        let path = Path::new(asked);
        if !path.exists() {
            bail!(
                "--weights {asked}: expected embedded, random, a name of `dfm weights list` or a file, found nothing \
                 of that name"
            );
        }
        return import_weights(path, &options).with_context(|| asked.to_owned());
    };
    let path = Cache::open()?.find(entry).with_context(|| {
        format!(
            "the weights '{asked}' are not here yet: run `dfm weights pull {asked}`, or give --weights random"
        )
    })?;
    options.architecture = options.architecture.or_else(|| Architecture::known(entry.name));
    options.input = options.input.or(Some(entry.input));
    options.license.get_or_insert_with(|| entry.license.to_owned());
    options.source.get_or_insert_with(|| format!("{}{}", entry.endpoint, entry.file_name));
    // Others can write to the cache too.
    options.checksum = Some(entry.checksum);
    import_weights(&path, &options).with_context(|| path.display().to_string())
}

/// What a model is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To judge pictures; what is kept for anything else may stay in the file.
    Judging,
    /// For what needs to know the pictures of the fit.
    Anything,
}

/// The model that the flags describe, self-tested on its device.
pub(crate) fn model(flags: &ModelFlags, purpose: Purpose) -> anyhow::Result<Dfm> {
    open_model(&flags.path, flags.weights.as_deref(), device(&flags.compute)?, purpose)
}

/// [`model`], judging by what the flags say; that it gives no verdicts is said.
pub(crate) fn judge(flags: &JudgeFlags, purpose: Purpose, messages: &Messages) -> anyhow::Result<Dfm> {
    let mut model = model(&flags.model, purpose)?;
    if let Some(threshold) = flags.threshold {
        model.set_threshold(threshold)?;
    }
    if let Some(false_alarm) = flags.false_alarm {
        model.set_false_alarm(false_alarm).context("--false-alarm")?;
    }
    if let Some(roi) = &flags.roi {
        model.set_region(Some(input::region(roi)?)).with_context(|| format!("--roi {roi}"))?;
    }
    if model.calibration().is_none() {
        messages.note(format_args!(
            "{}: has no threshold, so there are scores but no verdicts: give --threshold, or fit without --val none",
            flags.model.path.display()
        ));
    }
    Ok(model)
}

/// What the model at `path` says of itself.
pub(crate) fn model_info(path: &Path) -> anyhow::Result<ModelInfo> {
    let named = || path.display().to_string();
    let file = File::open(path).with_context(named)?;
    ModelInfo::read(&mut BufReader::new(file), LoadOptions::MAX_BYTES).with_context(named)
}

/// The model at `path` on `device`, with the `weights` that a slim one leaves out.
pub(crate) fn open_model(
    path: &Path,
    weights: Option<&str>,
    device: dfm_core::Compute,
    purpose: Purpose,
) -> anyhow::Result<Dfm> {
    let weights = match weights {
        // Made again from the seed in the model, which the library does by itself.
        None | Some("random") => None,
        Some("embedded") => Some(embedded_weights()?),
        Some(asked) => {
            let info = model_info(path)?;
            // A file of other people's format does not say what it is; the model does.
            // Licence and source too, so that the hash does not depend on whether the
            // weights are given as a file or by name.
            let options = ImportOptions {
                architecture: Some(info.architecture),
                deepest: Tap::deepest(&info.record.params.taps)?.layer,
                input: Some(info.input),
                license: Some(info.license),
                source: Some(info.source),
                ..ImportOptions::default()
            };
            Some(file_weights(asked, options)?)
        }
    };
    let begun = Instant::now();
    let named = || path.display().to_string();
    let file = File::open(path).with_context(named)?;
    let fit_statistic = purpose == Purpose::Anything;
    let options = LoadOptions { weights, fit_statistic, ..LoadOptions::on(device) };
    let model = Dfm::read(&mut BufReader::new(file), options).with_context(named)?;
    info!(
        "model {}: {} components of {} pictures, read and self-tested in {:.1?}",
        path.display(),
        model.component_count(),
        model.record().picture_count,
        begun.elapsed()
    );
    Ok(model)
}
