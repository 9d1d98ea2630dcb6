//! Times each step of a network during a run.

use anyhow::Context;
use clap::Args;
use dfm_backbone::{
    Architecture, BackboneWeights, CounterGenerator, FeatureExtractor, Layer, PictureSize, Placement,
    PreparedPicture,
};

use crate::network;

/// Flags of `cargo xtask bench layers`; `RAYON_NUM_THREADS` sets the threads.
#[derive(Debug, Args)]
pub(crate) struct LayersFlags {
    /// The network
    #[arg(long, default_value = "resnet50")]
    arch: String,
    /// The layer up to which it runs
    #[arg(long, default_value = "layer3")]
    layer: Layer,
    /// Height and width of a picture
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// Number of runs, of which the median counts
    #[arg(long, default_value_t = 20)]
    repeats: usize,
}

/// Times every step and prints a line for each.
///
/// # Errors
///
/// If there is no such network, or if pictures of this size leave nothing of its map.
pub(crate) fn run(flags: &LayersFlags) -> anyhow::Result<()> {
    let architecture = Architecture::known(&flags.arch).with_context(|| {
        format!("--arch {}: expected one of {}", flags.arch, Architecture::names().join(", "))
    })?;
    let input = architecture.usual_input().with_size(flags.size, flags.size);
    let weights = BackboneWeights::random(architecture, flags.layer, input, 0)?;
    let extractor = FeatureExtractor::new(weights, &[flags.layer.pooled(1)], network::compute()?)?;
    let noise = CounterGenerator::new(0);
    let side = flags.size as u32;
    let picture = PreparedPicture {
        pixels: (0..3 * flags.size.pow(2) as u64).map(|index| 2.0 * noise.unit_f32(index)).collect(),
        original: PictureSize { width: side, height: side },
        placement: Placement::WHOLE,
        content_hash: None,
        outside: None,
    };
    let steps =
        extractor.time_steps(&picture, flags.repeats)?.context("no kernels of ours on this device")?;
    println!("{:>9}  {:>8}  step", "ms", "GFLOP/s");
    for step in &steps {
        let rate = 2e-9 * step.multiply_adds as f64 / step.seconds;
        println!("{:>9.3}  {rate:>8.1}  {}", 1e3 * step.seconds, step.step);
    }
    println!("{:>9.3}  in all", 1e3 * steps.iter().map(|step| step.seconds).sum::<f64>());
    Ok(())
}
