//! From what was typed to what the library takes.

use std::path::Path;

use anyhow::{Context, bail};
use dfm::weights::{HubOptions, HubReference};
use dfm::{
    Compute, Dfm, FeatureExtractor, FitParams, InstructionSet, JudgeOptions, Layer, Method, ModelStore,
    Network, NetworkPrecision, RegionRule, Tap, Threshold, Tiling, USUAL_POOL, ValidFitParams, Workers,
    device,
};
use tracing::info;

use crate::flags::{BackboneFlags, ComputeFlags, JudgeFlags, ModelFlags, RegionFlags};
use crate::hints::Hints;
use crate::input;
use crate::messages::Messages;
use crate::values::Size;

/// The device.
pub(crate) fn compute(flags: &ComputeFlags) -> anyhow::Result<Compute> {
    let compute = device::parse(&flags.device)?;
    let kernels = match flags.device.as_str() {
        "cpu" => format!(", our own kernels for {}", InstructionSet::best()),
        _ => String::new(),
    };
    info!("device {}{kernels}, {} threads", flags.device, workers(flags).threads());
    Ok(compute)
}

/// The threads.
pub(crate) fn workers(flags: &ComputeFlags) -> Workers {
    workers_of(flags.threads, flags.jobs)
}

/// The threads that are asked for, or the usual ones.
pub(crate) fn workers_of(threads: Option<usize>, jobs: Option<usize>) -> Workers {
    let workers = threads.map_or_else(Workers::new, |threads| Workers::new().with_threads(threads));
    match jobs {
        Some(jobs) => workers.with_jobs(jobs),
        None => workers,
    }
}

/// Refuses int8 on a device that does not have it, before anything is read.
pub(crate) fn check_precision(precision: NetworkPrecision, flags: &ComputeFlags) -> anyhow::Result<()> {
    if precision == NetworkPrecision::Int8 && flags.device != "cpu" {
        bail!("--precision int8: only --device cpu computes in int8, got --device {}", flags.device);
    }
    Ok(())
}

/// Memory for features and statistics unless told otherwise: a quarter of the machine's, 4 GiB where
/// that is not known.
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

/// Where features are taken: at the layers of the flags, or else at the `usual` taps' layers.
pub(crate) fn taps(flags: &BackboneFlags, usual: &[Tap]) -> anyhow::Result<Vec<Tap>> {
    let usual_pool = usual.first().map_or(USUAL_POOL, |tap| tap.pool);
    let usual: Vec<Layer> = usual.iter().map(|tap| tap.layer).collect();
    let layers = if flags.layer.is_empty() { &usual } else { &flags.layer };
    let pools = if flags.pool.is_empty() { &[usual_pool] } else { flags.pool.as_slice() };
    dfm::taps(layers, pools).map_err(|error| anyhow::anyhow!("--{error}"))
}

/// The network that the flags describe; pictures are resized as is usual for `method` if they do not
/// say how, or else as the weights state.
pub(crate) fn network(flags: &BackboneFlags, method: Option<&Method>) -> anyhow::Result<Network> {
    let size = flags.size.map(|Size { height, width }| [height, width]);
    Ok(Network::default()
        .with_backbone(flags.backbone.clone())
        .with_weights(flags.weights.clone())
        .with_hub(hub(flags.weights.as_deref())?)
        .with_seed(flags.seed)
        .with_size(size)
        .with_normalisation(flags.normalise)
        .with_resize(flags.resize.or(method.and_then(Method::usual_resize)))
        .with_resampling(flags.resampling.or(method.and_then(Method::usual_resampling))))
}

/// How a hub is asked, as the environment says, if `weights` are those of a repository.
pub(crate) fn hub(weights: Option<&str>) -> anyhow::Result<Option<HubOptions>> {
    let is_meant = weights.is_some_and(HubReference::is_meant);
    is_meant.then(HubOptions::of_user).transpose().map_err(dfm::Error::from).hints()
}

/// The extractor of a network, whose weights are fetched if they are not here.
pub(crate) fn extractor(
    network: &Network,
    params: &ValidFitParams,
    compute: Compute,
) -> anyhow::Result<FeatureExtractor> {
    network.fetch(&Messages::of_program()).hints()?;
    network.extractor(params, compute).hints()
}

/// Checked parameters of features at `taps`, whatever is made of them.
pub(crate) fn features_at(taps: Vec<Tap>, batch: usize) -> anyhow::Result<ValidFitParams> {
    let params = FitParams::from(dfm::Method::published().with_taps(taps));
    Ok(params.with_run(dfm::Run::default().with_batch(batch)).check()?)
}

/// What opens and saves models, with the `weights` that slim ones leave out, which are fetched if they are not here.
pub(crate) fn store(weights: Option<&str>, flags: &ComputeFlags) -> anyhow::Result<ModelStore> {
    store_on(weights, flags, &workers(flags))
}

/// Which pixels belong to regions, where that is asked for.
///
/// # Errors
///
/// If an area has more pixels than a picture can have.
pub(crate) fn region_rule(flags: &RegionFlags) -> anyhow::Result<RegionRule> {
    let pixel_area = flags.pixel_size.map_or(1.0, |side| side * side);
    let pixels = flags.min_area.map(|area| (area / pixel_area).ceil());
    if let Some(pixels) = pixels.filter(|pixels| *pixels > f64::from(u32::MAX)) {
        bail!("--min-area: expected at most {} pixels, got {pixels}", u32::MAX);
    }
    Ok(RegionRule::default()
        .with_pixel_threshold(flags.pixel_threshold)
        .with_close(flags.close)
        .with_min_area(pixels.map(|pixels| pixels as u32))
        .with_pixel_size(flags.pixel_size))
}

/// [`store`] on these threads.
fn store_on(weights: Option<&str>, flags: &ComputeFlags, workers: &Workers) -> anyhow::Result<ModelStore> {
    let hub = hub(weights)?;
    let weights =
        weights.map(|weights| Network::default().with_weights(Some(weights.to_owned())).with_hub(hub));
    if let Some(network) = &weights {
        network.fetch(&Messages::of_program()).hints()?;
    }
    let store = ModelStore::default().with_compute(compute(flags)?).with_workers(workers.clone());
    Ok(store.with_weights(weights))
}

/// What a model is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To judge pictures; what is kept for anything else may stay in the file.
    Judging,
    /// For what needs to know the pictures of the fit.
    Anything,
}

/// The model that the flags describe, self-tested on its device. It is read on the threads of `workers`, which
/// the command should go on with: threads that are new have no memory yet.
pub(crate) fn model(flags: &ModelFlags, purpose: Purpose, workers: &Workers) -> anyhow::Result<Dfm> {
    open_model(&flags.path, flags.weights.as_deref(), &flags.compute, purpose, workers)
}

/// The model at `path`, with the `weights` that a slim one leaves out.
pub(crate) fn open_model(
    path: &Path,
    weights: Option<&str>,
    flags: &ComputeFlags,
    purpose: Purpose,
    workers: &Workers,
) -> anyhow::Result<Dfm> {
    let store = store_on(weights, flags, workers)?;
    match purpose {
        Purpose::Judging => store.open(path),
        Purpose::Anything => store.open_whole(path),
    }
    .hints()
}

/// The model that the flags describe, and what they ask of it. Whether it gives no verdicts is said.
pub(crate) fn judge(
    flags: &JudgeFlags,
    purpose: Purpose,
    workers: &Workers,
    messages: &Messages,
) -> anyhow::Result<(Dfm, JudgeOptions)> {
    let model = model(&flags.model, purpose, workers)?;
    let options = match (flags.threshold, flags.false_alarm) {
        (Some(threshold), _) => JudgeOptions::default().with_threshold(Threshold::Score(threshold)),
        (None, Some(rate)) => {
            let options = JudgeOptions::default().with_threshold(Threshold::FalseAlarm(rate));
            model.judging(&options).context("--false-alarm")?;
            options
        }
        (None, None) => JudgeOptions::default(),
    };
    let options = match flags.review {
        Some(review) => {
            let options = options.with_review(review);
            model.judging(&options).context("--review")?;
            options
        }
        None => options,
    };
    let options = match &flags.roi {
        Some(roi) => {
            let options = options.with_region(input::region(Some(roi), flags.ignore.as_deref(), messages)?);
            model.judging(&options).with_context(|| format!("--roi {roi}"))?;
            options
        }
        None => options,
    };
    if model.judging(&options)?.threshold().is_none() {
        messages.say(format_args!(
            "{}: has no threshold, so there are scores but no verdicts: give --threshold, or fit without --val none",
            flags.model.path.display()
        ));
    }
    Ok((model, options))
}
