//! `cargo xtask bench precision`: compares int8 with f32 in speed and accuracy.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use dfm_backbone::{
    Architecture, BackboneWeights, Compute, CounterGenerator, FeatureExtractor, InstructionSet, Layer,
    NetworkPrecision, PictureSize, Placement, PreparedPicture,
};
use serde_json::Value;

use crate::cases::words;
use crate::workspace;
use crate::{machine, network, process, program, report};

const LAYER: Layer = Layer::named("layer3");
const SIDE: usize = 256;

/// The largest cost in AUROC at which int8 is offered.
const LIMIT: f64 = 0.003;

/// Both precisions, in the order in which they take turns.
const PRECISIONS: [NetworkPrecision; 2] = [NetworkPrecision::F32, NetworkPrecision::Int8];

/// Flags of `cargo xtask bench precision`.
#[derive(Debug, Args)]
pub(crate) struct PrecisionFlags {
    /// A data set with defects, in the layout of MVTec AD
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Networks
    #[arg(long, num_args = 1.., value_delimiter = ',', default_values = ["resnet50_1by2", "resnet18", "resnet50"])]
    arch: Vec<String>,
    /// Number of recorded forward passes of each
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Number of recorded runs of the program
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
    /// Write the tables into docs/benchmarks.md
    #[arg(long)]
    write: bool,
}

/// Measures and prints both tables.
///
/// # Errors
///
/// If something does not build or run.
pub(crate) fn run(flags: &PrecisionFlags) -> anyhow::Result<()> {
    let data = flags.data.canonicalize().with_context(|| flags.data.display().to_string())?;
    let dfm = program::build()?;
    let mut speed = "| Network | Instructions | f32, median | int8, median | int8 / f32 | Relative L2 |\n\
                     |---|---|--:|--:|--:|--:|\n"
        .to_owned();
    for arch in &flags.arch {
        for instructions in InstructionSet::available().into_iter().rev() {
            eprintln!("{arch}, {instructions}");
            let Times { median: [f32, int8], distance } = times(arch, instructions, flags.rounds)?;
            speed.push_str(&format!(
                "| {arch} | {instructions} | {:.2} ms | {:.2} ms | {:.2} | {distance:.1e} |\n",
                1e3 * f32,
                1e3 * int8,
                int8 / f32
            ));
        }
    }
    let scratch = tempfile::tempdir().context("a scratch folder")?;
    let demo = workspace::root().join("assets/demo");
    let name = data.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let mut quality =
        "| Data | | Fit | Predict | Image AUROC | Pixel AUROC |\n|---|---|--:|--:|--:|--:|\n".to_owned();
    let mut most = f64::NEG_INFINITY;
    for (name, data) in [(name.as_str(), data), ("demo", demo)] {
        eprintln!("{name}");
        let [f32, int8] = outcomes(&dfm, &data, scratch.path(), flags.repeats)?;
        for (precision, outcome) in PRECISIONS.iter().zip([&f32, &int8]) {
            quality.push_str(&format!(
                "| {name} | {precision} | {:.2} s | {:.2} s | {:.4} | {:.4} |\n",
                outcome.fit, outcome.predict, outcome.image, outcome.pixel
            ));
        }
        let [image, pixel] = [f32.image - int8.image, f32.pixel - int8.pixel];
        quality.push_str(&format!("| {name} | cost | | | {image:+.4} | {pixel:+.4} |\n"));
        most = most.max(image).max(pixel);
    }
    let setting = machine::describe(machine::cores(), None)?;
    let verdict = if most <= LIMIT { "offered" } else { "experimental" };
    let text = format!(
        "{setting}\n\n{speed}\n{quality}\nThe largest cost is {most:.4}, the limit {LIMIT}: int8 is {verdict}."
    );
    println!("{text}");
    if flags.write { report::write(&[("precision".to_owned(), text)]) } else { Ok(()) }
}

/// The times of the forward pass, and the distance of int8 from f32.
struct Times {
    /// Seconds, in the order of [`PRECISIONS`].
    median: [f64; 2],
    distance: f64,
}

fn times(arch: &str, instructions: InstructionSet, rounds: u32) -> anyhow::Result<Times> {
    let architecture = Architecture::known(arch)
        .with_context(|| format!("--arch {arch}: expected some of {}", Architecture::names().join(", ")))?;
    let input = architecture.usual_input().with_size(SIDE, SIDE);
    let weights = BackboneWeights::random(architecture, LAYER, input, 0)?;
    let compute = Compute::with_instructions(network::compute()?.device().clone(), instructions);
    let exact = FeatureExtractor::new(weights.clone(), &[LAYER.pooled(1)], compute.clone())?;
    let noise = CounterGenerator::new(0);
    let pictures = [PreparedPicture {
        pixels: (0..3 * SIDE.pow(2) as u64).map(|index| input.largest() * noise.unit_f32(index)).collect(),
        original: PictureSize { width: SIDE as u32, height: SIDE as u32 },
        placement: Placement::WHOLE,
        content_hash: None,
        outside: None,
    }];
    let int8 =
        FeatureExtractor::int8(weights, &[LAYER.pooled(1)], compute, exact.measure_ranges(&pictures)?)?;
    let mut times = [Vec::new(), Vec::new()];
    let mut features = [Vec::new(), Vec::new()];
    for round in 0..=rounds {
        for (at, extractor) in [&exact, &int8].into_iter().enumerate() {
            let begin = Instant::now();
            let values = black_box(extractor.extract(&pictures)?.into_data());
            if round > 0 {
                times[at].push(begin.elapsed().as_secs_f64());
            }
            features[at] =
                values.as_bytes().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        }
    }
    let [exact, approximate] = features;
    let squares = |values: &mut dyn Iterator<Item = f32>| values.map(|it| f64::from(it).powi(2)).sum::<f64>();
    let difference = squares(&mut exact.iter().zip(&approximate).map(|(a, b)| a - b));
    let distance = (difference / squares(&mut exact.iter().copied())).sqrt();
    Ok(Times { median: times.map(|times| report::median(&report::sorted(times))), distance })
}

/// The results of the program on a data set.
struct Outcome {
    /// Seconds of the fit.
    fit: f64,
    /// Seconds of the prediction.
    predict: f64,
    image: f64,
    pixel: f64,
}

/// The results in the order of [`PRECISIONS`].
fn outcomes(dfm: &Path, data: &Path, scratch: &Path, repeats: u32) -> anyhow::Result<[Outcome; 2]> {
    let models = PRECISIONS.map(|precision| scratch.join(format!("{precision}.dfm")));
    let (good, test) = (data.join("train/good"), data.join("test"));
    let (mut fits, mut predicts) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for turn in 0..=repeats {
        for (at, precision) in PRECISIONS.iter().enumerate() {
            let (model, precision) = (&models[at], precision.to_string());
            let fit: [&dyn AsRef<std::ffi::OsStr>; 6] =
                [&"fit", &good, &"-o", model, &"--precision", &precision];
            let (fit, _) = run_program(dfm, &fit, &[0], scratch)?;
            // The exit code is 1 where the program finds anomalies.
            let predict: [&dyn AsRef<std::ffi::OsStr>; 5] = [&"predict", model, &test, &"--format", &"json"];
            let (predict, _) = run_program(dfm, &predict, &[0, 1], scratch)?;
            if turn > 0 {
                fits[at].push(fit);
                predicts[at].push(predict);
            }
        }
    }
    let outcome = |at: usize| {
        let evaluate: [&dyn AsRef<std::ffi::OsStr>; 5] =
            [&"evaluate", &models[at], &data, &"--format", &"json"];
        let report: Value = serde_json::from_str(&run_program(dfm, &evaluate, &[0], scratch)?.1)?;
        let figure = |name: &str| report[name].as_f64().with_context(|| format!("no {name} in {report}"));
        let median = |times: &[f64]| report::median(&report::sorted(times.to_vec()));
        Ok::<_, anyhow::Error>(Outcome {
            fit: median(&fits[at]),
            predict: median(&predicts[at]),
            image: figure("image_auroc")?,
            pixel: figure("pixel_auroc")?,
        })
    };
    Ok([outcome(0)?, outcome(1)?])
}

/// Returns the seconds of one run and what it printed.
fn run_program(
    dfm: &Path,
    arguments: &[&dyn AsRef<std::ffi::OsStr>],
    accepted: &[i32],
    scratch: &Path,
) -> anyhow::Result<(f64, String)> {
    let mut command = Command::new(dfm);
    command.args(words(arguments));
    let measured = process::measure(command, accepted, scratch, machine::cores())?;
    Ok((measured.wall.as_secs_f64(), measured.output))
}
