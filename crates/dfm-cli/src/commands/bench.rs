//! `dfm bench`: how fast the network is on this machine, and whether it is right.

use std::io::Write;
use std::time::Instant;

use anyhow::bail;
use dfm::{
    Compute, CounterGenerator, FeatureExtractor, NetworkPrecision, Note, PictureSize, Placement,
    PreparedPicture, device,
};
use serde::Serialize;

use crate::flags::{BackboneFlags, BenchFlags, ReportFormat};
use crate::report::table::bytes;
use crate::{Outcome, args, messages, output};

/// What two `f32` implementations may differ by: they sum in other orders.
const TOLERANCE: f64 = 2e-5;

/// What eight bits may differ by, over all layers: a wrong step of one is far above.
const INT8_TOLERANCE: f64 = 0.1;

/// Runs the command: synthetic pictures, two runs to warm up, then the measured
/// ones. Fails if the features are not those of `flex`.
pub(crate) fn run(flags: &BenchFlags) -> anyhow::Result<Outcome> {
    args::workers(&flags.compute).run(|| measure(flags))?
}

fn measure(flags: &BenchFlags) -> anyhow::Result<Outcome> {
    if !(1..=10_000).contains(&flags.rounds) {
        bail!("--rounds {}: expected 1 to 10000", flags.rounds);
    }
    args::check_precision(flags.precision, &flags.compute)?;
    let compute = args::compute(&flags.compute)?;
    let mut extractor = extractor(flags, &compute)?;
    if let Some(unsupported) = extractor.unsupported_by_kernels().cloned() {
        messages::say(&Note::ByBurn { unsupported }.to_string());
    }
    let input = extractor.weights().header().input;
    let pictures: Vec<PreparedPicture> =
        (0..flags.batch).map(|seed| picture(seed as u64, input.height, input.width)).collect();
    if flags.precision == NetworkPrecision::Int8 {
        let ranges = extractor.measure_ranges(&pictures)?;
        extractor = extractor.into_int8(ranges)?;
    }

    let (features, _) = timed(&extractor, &pictures)?;
    timed(&extractor, &pictures)?;
    let mut times = (0..flags.rounds)
        .map(|_| Ok(timed(&extractor, &pictures)?.1 / flags.batch as f64))
        .collect::<anyhow::Result<Vec<f64>>>()?;
    times.sort_by(f64::total_cmp);
    let peak_rss_bytes = peak_memory();
    let (expected, _) = timed(&self::extractor(flags, &device::parse("flex")?)?, &pictures)?;

    let median_ms = times[times.len() / 2];
    let size = [input.height, input.width];
    let operations = extractor.weights().header().architecture.multiply_adds(flags.layer, size)?;
    let line = BenchLine {
        arch: flags.arch.clone(),
        layer: flags.layer.to_string(),
        device: flags.compute.device.clone(),
        engine: if extractor.has_kernels() { "kernels" } else { "burn" },
        precision: flags.precision.to_string(),
        batch: flags.batch,
        size,
        threads: args::workers(&flags.compute).threads(),
        min_ms: times[0],
        median_ms,
        gflops: 2.0 * operations as f64 / median_ms / 1e6,
        peak_rss_bytes,
        relative_l2: relative_l2(&features, &expected),
    };
    print(&line, flags.format)?;
    // Written so that a NaN fails too.
    let limit = if flags.precision == NetworkPrecision::F32 { TOLERANCE } else { INT8_TOLERANCE };
    if line.relative_l2 <= limit {
        return Ok(Outcome::Success);
    }
    bail!("the features are {:.1e} from those of flex, the limit is {limit:.0e}", line.relative_l2)
}

fn extractor(flags: &BenchFlags, compute: &Compute) -> anyhow::Result<FeatureExtractor> {
    let backbone = BackboneFlags {
        backbone: Some(flags.arch.clone()),
        weights: Some(flags.weights.clone()),
        layer: vec![flags.layer],
        pool: vec![1],
        size: Some(flags.size),
        resize: None,
        resampling: None,
        normalise: None,
        seed: 0,
    };
    let params = args::features_at(vec![flags.layer.pooled(1)], flags.batch)?;
    args::extractor(&args::network(&backbone, None)?, &params, compute.clone())
}

/// Noise of about the size of normalised pixels.
fn picture(seed: u64, height: usize, width: usize) -> PreparedPicture {
    let noise = CounterGenerator::new(seed);
    PreparedPicture {
        pixels: (0..3 * (height * width) as u64).map(|index| 2.0 * noise.unit_f32(index)).collect(),
        original: PictureSize { width: width as u32, height: height as u32 },
        placement: Placement::WHOLE,
        content_hash: None,
        outside: None,
    }
}

/// Features of a batch on the host, and the milliseconds that they took.
fn timed(extractor: &FeatureExtractor, pictures: &[PreparedPicture]) -> anyhow::Result<(Vec<f32>, f64)> {
    let begin = Instant::now();
    let features = extractor.extract(pictures)?.try_into_vec_as::<f32>();
    let features = features.map_err(|error| anyhow::anyhow!("reading features back: {error}"))?;
    Ok((features, begin.elapsed().as_secs_f64() * 1e3))
}

fn relative_l2(actual: &[f32], expected: &[f32]) -> f64 {
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let pairs = actual.iter().zip(expected);
    let distance = squares(&mut pairs.map(|(a, b)| f64::from(*a) - f64::from(*b)));
    (distance / squares(&mut expected.iter().copied().map(f64::from))).sqrt()
}

/// The most memory that this process has held, where the system says.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kibibytes)
}

fn print(line: &BenchLine, format: ReportFormat) -> anyhow::Result<()> {
    let mut out = output::stdout();
    match format {
        ReportFormat::Json => writeln!(out, "{}", serde_json::to_string(line)?)?,
        ReportFormat::Table => {
            let [height, width] = line.size;
            writeln!(out, "{} to {}, {height}×{width}, batch {}", line.arch, line.layer, line.batch)?;
            let engine = if line.engine == "kernels" { "our own kernels" } else { "Burn" };
            writeln!(
                out,
                "  on {} by {engine} in {} with {} threads",
                line.device, line.precision, line.threads
            )?;
            writeln!(out, "  {:.2} ms a picture in the middle, {:.2} at best", line.median_ms, line.min_ms)?;
            writeln!(out, "  {:.0} GFLOP/s; relative L2 to flex {:.1e}", line.gflops, line.relative_l2)?;
            if let Some(memory) = line.peak_rss_bytes {
                writeln!(out, "  {} of memory at most", bytes(memory))?;
            }
        }
    }
    Ok(())
}

/// What `dfm bench --format json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct BenchLine {
    arch: String,
    layer: String,
    device: String,
    /// What ran the network: `kernels`, our own, or `burn`.
    engine: &'static str,
    /// Numbers that the network computed in: `f32` or `int8`.
    precision: String,
    batch: usize,
    /// Height and width in pixels.
    size: [usize; 2],
    threads: usize,
    /// Milliseconds a picture, of the fastest run.
    min_ms: f64,
    /// Milliseconds a picture, of the run in the middle.
    median_ms: f64,
    /// Billions of operations a second in the run in the middle, were every
    /// convolution computed directly.
    gflops: f64,
    /// Most memory that the process held; null where the system does not say.
    peak_rss_bytes: Option<u64>,
    /// How far the features are from those that Burn's flex computes.
    relative_l2: f64,
}
