//! From what was typed to what the libraries take.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, bail};
use dfm_backbone::{
    Architecture, BackboneWeights, FeatureExtractor, ImportOptions, InputContract, catalogue, import_weights,
};
use dfm_core::device;
use dfm_core::{Dfm, DfmParams, LoadOptions, ModelInfo};

use crate::flags::{BackboneFlags, ComputeFlags, ModelFlags};
use crate::values::Size;
use crate::weights::Cache;

/// The network whose weights are inside the program.
const DEFAULT_BACKBONE: &str = "resnet50_1by2";

/// The device, with the threads that compute set up.
pub(crate) fn device(flags: &ComputeFlags) -> anyhow::Result<dfm_core::Compute> {
    if let Some(threads) = flags.threads {
        if !(1..=1024).contains(&threads) {
            bail!("--threads {threads}: expected 1 to 1024");
        }
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().context("--threads")?;
    }
    Ok(device::parse(&flags.device)?)
}

/// Threads that decode: those asked for, or up to four.
pub(crate) fn jobs(flags: &ComputeFlags) -> anyhow::Result<usize> {
    match flags.jobs {
        Some(jobs) if !(1..=256).contains(&jobs) => bail!("--jobs {jobs}: expected 1 to 256"),
        Some(jobs) => Ok(jobs),
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from).min(4)),
    }
}

/// The extractor that the flags describe.
pub(crate) fn extractor(
    flags: &BackboneFlags,
    params: &DfmParams,
    device: &dfm_core::Compute,
) -> anyhow::Result<FeatureExtractor> {
    let weights = backbone_weights(flags)?;
    let input = weights.header().input;
    let weights = match flags.size {
        Some(Size { height, width }) => weights.with_input(input.with_size(height, width)),
        None => weights,
    };
    Ok(params.clone().check()?.extractor(weights, device)?)
}

/// The weights that the flags describe.
fn backbone_weights(flags: &BackboneFlags) -> anyhow::Result<BackboneWeights> {
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
            let input = InputContract::usual_for(&architecture);
            Ok(BackboneWeights::random(architecture, flags.layer, input, flags.seed)?)
        }
        "embedded" if embedded => embedded_weights(),
        "embedded" => bail!(
            "--weights embedded: only resnet50_1by2 is embedded, not {name}; run `dfm weights pull {name}`, or give a \
             file or random"
        ),
        asked => {
            let options = ImportOptions { architecture, deepest: flags.layer, ..ImportOptions::default() };
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

/// The model that the flags describe, self-tested on its device.
pub(crate) fn model(flags: &ModelFlags) -> anyhow::Result<Dfm> {
    let device = device(&flags.compute)?;
    let weights = match flags.weights.as_deref() {
        // Made again from the seed in the model, which the library does by itself.
        None | Some("random") => None,
        Some("embedded") => Some(embedded_weights()?),
        Some(asked) => {
            let info = model_info(&flags.model)?;
            // A file of other people's format does not say what it is; the model does.
            // Licence and source too, so that the hash does not depend on whether the
            // weights are given as a file or by name.
            let options = ImportOptions {
                architecture: Some(info.architecture),
                deepest: info.record.params.layer,
                input: Some(info.input),
                license: Some(info.license),
                source: Some(info.source),
                ..ImportOptions::default()
            };
            Some(file_weights(asked, options)?)
        }
    };
    let mut model = read_model(&flags.model, LoadOptions { weights, ..LoadOptions::on(device) })?;
    if let Some(threshold) = flags.threshold {
        model.set_threshold(threshold)?;
    }
    Ok(model)
}

/// What the model at `path` says of itself.
pub(crate) fn model_info(path: &Path) -> anyhow::Result<ModelInfo> {
    let named = || path.display().to_string();
    let file = File::open(path).with_context(named)?;
    ModelInfo::read(&mut BufReader::new(file), LoadOptions::MAX_BYTES).with_context(named)
}

/// Reads the model at `path`.
pub(crate) fn read_model(path: &Path, options: LoadOptions) -> anyhow::Result<Dfm> {
    let named = || path.display().to_string();
    let file = File::open(path).with_context(named)?;
    Dfm::read(&mut BufReader::new(file), options).with_context(named)
}
