//! The network alone: what all contestants of `bench peers` are given, and ours
//! among them, as a program of its own: `cargo xtask bench alone network`.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, ensure};
use burn::tensor::Device;
use clap::Args;
use dfm_backbone::{
    Architecture, BackboneWeights, Compute, CounterGenerator, FeatureExtractor, Layer, PictureSize,
    Placement, PreparedPicture,
};

/// What every contestant computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Course {
    /// The layer whose output it is.
    pub(crate) layer: Layer,
    /// Height and width of the pictures.
    pub(crate) side: usize,
}

impl Course {
    /// Up to the third stage of a ResNet, at 256×256. Other networks are computed whole, at 224×224.
    ///
    /// # Errors
    ///
    /// If the network has no layer.
    pub(crate) fn of(architecture: &Architecture) -> anyhow::Result<Self> {
        if architecture.resnet().is_some() {
            return Ok(Self { layer: Layer::named("layer3"), side: 256 });
        }
        let graph = architecture.graph()?;
        let (_, end) = graph.taps().last().with_context(|| architecture.name().to_owned())?;
        // The name of a stage, not that of its last block.
        let names = graph.taps().filter(|(_, node)| *node == end).map(|(name, _)| name);
        let layer = names.min_by_key(|name| name.len()).with_context(|| architecture.name().to_owned())?;
        Ok(Self { layer: layer.parse()?, side: 224 })
    }
}

/// Flags of `cargo xtask bench alone network`, in the order of every contestant.
#[derive(Debug, Args)]
pub(crate) struct NetworkFlags {
    /// Weights in our own format
    network: PathBuf,
    /// Pictures as raw numbers
    input: PathBuf,
    /// File for the features, as raw numbers
    output: PathBuf,
    /// Number of pictures that run together
    batch: usize,
    /// Height and width of the pictures
    side: usize,
    /// Number of threads to compute with; `RAYON_NUM_THREADS` sets them
    threads: usize,
    /// Compute in eight bits. The ranges are those of the pictures
    #[arg(long)]
    int8: bool,
}

/// Computes once, says that it is ready, and then times as many forward passes as each line of
/// standard input asks for, until standard input ends.
///
/// # Errors
///
/// If the network cannot be built or run, or if standard input holds something else.
pub(crate) fn run(flags: &NetworkFlags) -> anyhow::Result<()> {
    let threads = std::env::var("RAYON_NUM_THREADS").ok();
    ensure!(threads == Some(flags.threads.to_string()), "RAYON_NUM_THREADS is {threads:?}");
    let bytes = std::fs::read(&flags.network).with_context(|| flags.network.display().to_string())?;
    let weights = BackboneWeights::from_bytes(&bytes)?;
    drop(bytes);
    let (input, layer) = (weights.header().input.with_size(flags.side, flags.side), weights.header().deepest);
    let (weights, taps) = (weights.with_input(input), [layer.pooled(1)]);
    let mut extractor = FeatureExtractor::new(weights.clone(), &taps, compute()?)?;
    ensure!(extractor.has_kernels(), "our own kernels lack {:?}", extractor.unsupported_by_kernels());
    let pictures = pictures(&flags.input, flags.batch, flags.side)?;
    if flags.int8 {
        let ranges = extractor.measure_ranges(&pictures)?;
        extractor = FeatureExtractor::int8(weights, &taps, compute()?, ranges)?;
    }
    let forward = || Ok::<_, anyhow::Error>(extractor.extract(&pictures)?.into_data());
    std::fs::write(&flags.output, forward()?.as_bytes())
        .with_context(|| flags.output.display().to_string())?;
    say(&serde_json::json!({"ready": true, "version": format!("DFM {}", env!("CARGO_PKG_VERSION"))}))?;
    for line in std::io::stdin().lock().lines() {
        let line = line.context("standard input")?;
        let runs = line.strip_prefix("run ").and_then(|count| count.parse::<usize>().ok());
        let runs = runs.with_context(|| format!("expected 'run K', got '{line}'"))?;
        let mut times = Vec::with_capacity(runs);
        for _ in 0..runs {
            let start = Instant::now();
            std::hint::black_box(forward()?);
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        say(&serde_json::json!(times))?;
    }
    Ok(())
}

/// The device that `--device cpu` names.
#[cfg(feature = "flex")]
#[expect(clippy::unnecessary_wraps, reason = "without the backend there is none")]
pub(super) fn compute() -> anyhow::Result<Compute> {
    Ok(Compute::with_kernels(Device::flex()))
}

#[cfg(not(feature = "flex"))]
pub(super) fn compute() -> anyhow::Result<Compute> {
    anyhow::bail!("built without the feature flex")
}

fn say(line: &serde_json::Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("standard output")
}

fn pictures(path: &Path, batch: usize, side: usize) -> anyhow::Result<Vec<PreparedPicture>> {
    let values = floats(path)?;
    let one = 3 * side * side;
    ensure!(values.len() >= batch * one, "{}: fewer than {batch} pictures", path.display());
    let pictures = values.chunks_exact(one).take(batch).map(|pixels| PreparedPicture {
        pixels: pixels.to_vec(),
        original: PictureSize { width: side as u32, height: side as u32 },
        placement: Placement::WHOLE,
        content_hash: None,
        outside: None,
    });
    Ok(pictures.collect())
}

/// Reads raw little-endian numbers.
///
/// # Errors
///
/// If the file cannot be read.
pub(crate) fn floats(path: &Path) -> anyhow::Result<Vec<f32>> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    Ok(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// Writes the weights that all contestants get. They are random, and so are their biases, so a
/// contestant that drops a bias is noticed.
///
/// # Errors
///
/// If they cannot be written.
pub(crate) fn write_weights(architecture: &Architecture, path: &Path) -> anyhow::Result<()> {
    let input = architecture.usual_input();
    let weights = BackboneWeights::random(architecture.clone(), Course::of(architecture)?.layer, input, 0)?;
    let (header, mut values) = (weights.header().clone(), weights.values().to_vec());
    let biases = weights.graph().parameters().into_iter().zip(&mut values);
    for (index, (_, bias)) in biases.filter(|(parameter, _)| parameter.suffix == "bias").enumerate() {
        let generator = CounterGenerator::new(index as u64);
        for (place, bias) in bias.iter_mut().enumerate() {
            *bias = 0.1 * generator.unit_f32(place as u64);
        }
    }
    let bytes = BackboneWeights::new(header, values)?.to_bytes()?;
    std::fs::write(path, bytes).with_context(|| path.display().to_string())
}

/// Writes the pictures that all contestants get.
///
/// # Errors
///
/// If they cannot be written.
pub(crate) fn write_input(batch: usize, side: usize, path: &Path) -> anyhow::Result<()> {
    let generator = CounterGenerator::new(1);
    let values = (0..batch * 3 * side * side).map(|index| generator.unit_f32(index as u64));
    let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
    std::fs::write(path, bytes).with_context(|| path.display().to_string())
}

/// Number of floating-point operations for one picture, by the plain definition of convolution. A
/// multiplication and an addition count as two.
///
/// # Errors
///
/// If the picture is too small for the network.
pub(crate) fn operations(architecture: &Architecture) -> anyhow::Result<f64> {
    let Course { layer, side } = Course::of(architecture)?;
    Ok(2.0 * architecture.multiply_adds(layer, [side; 2])? as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_those_of_the_literature() {
        let count = |name| operations(&Architecture::known(name).unwrap()).unwrap() / 1e9;
        // 2 · (3.93 + 4.33 + 0.31) / 2, counted layer by layer.
        assert!((count("resnet50") - 8.563).abs() < 0.001, "{}", count("resnet50"));
        assert!(count("resnet18") < count("resnet50"));
        // Twice the channels of the 3×3 convolutions, but not of the others.
        assert!(count("wide_resnet50_2") > 2.0 * count("resnet50"));
        // torchvision publishes 300.77 million multiplications. The last convolution (320 to 1280 channels at
        // 7×7) and the classifier are behind the last layer.
        let whole = 300_774_272.0 - 1_280_000.0;
        let head = 320.0 * 1280.0 * 49.0;
        assert!(
            (count("mobilenetv2_100") - 2e-9 * (whole - head)).abs() < 1e-6,
            "{}",
            count("mobilenetv2_100")
        );
    }

    #[test]
    fn networks_that_are_no_resnets_are_computed_whole() {
        let course = |name| Course::of(&Architecture::known(name).unwrap()).unwrap();
        assert_eq!(course("resnet18"), Course { layer: Layer::named("layer3"), side: 256 });
        for (name, layer) in [
            ("mobilenetv2_100", "blocks.6"),
            ("convnext_tiny", "stages.3"),
            ("tf_efficientnet_lite2", "blocks.6"),
        ] {
            assert_eq!(course(name), Course { layer: Layer::named(layer), side: 224 }, "{name}");
        }
    }

    #[test]
    fn weights_and_input_can_be_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let (weights, input) = (folder.path().join("weights"), folder.path().join("input"));
        write_weights(&Architecture::known("resnet18").unwrap(), &weights).unwrap();
        let read = BackboneWeights::from_bytes(&std::fs::read(&weights).unwrap()).unwrap();
        assert!(read.values().iter().all(|values| values.iter().any(|value| *value != 0.0)));
        write_input(2, 8, &input).unwrap();
        assert_eq!(floats(&input).unwrap().len(), 2 * 3 * 8 * 8);
        assert_eq!(pictures(&input, 2, 8).unwrap()[1].pixels.len(), 3 * 8 * 8);
        assert!(pictures(&input, 3, 8).is_err());
    }
}
