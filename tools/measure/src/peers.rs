//! `cargo xtask bench peers`: times the network alone, beside other libraries.
//!
//! All contestants get the same weights and the same pictures. Every contestant is a process that
//! builds its network once and then takes its turns. A slow minute of the machine therefore affects
//! all of them. The tables are made of all turns together.

mod contest;
mod table;
mod worker;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use clap::Args;
use dfm_backbone::Architecture;

use crate::network::Course;
use crate::workspace;
use crate::{environment, machine, network, report};
use contest::{Contest, Contestant, Round};

/// The requirements of benches/peers/network.py. The last file is the one to install from.
const REQUIREMENTS: [&str; 2] = ["requirements.txt", "requirements-network.txt"];

/// Flags of `cargo xtask bench peers`.
#[derive(Debug, Args)]
pub(crate) struct PeersFlags {
    /// Networks, as `dfm weights list` names them
    #[arg(long, num_args = 1.., value_delimiter = ',', value_parser = architecture,
          default_values = ["resnet50_1by2", "resnet18", "resnet50", "wide_resnet50_2", "mobilenetv2_100",
                            "tf_efficientnet_lite2", "convnext_tiny", "vit_small_patch14_dinov2"])]
    arch: Vec<Architecture>,
    /// Numbers of pictures in a batch
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8])]
    batch: Vec<usize>,
    /// Number of turns of every contestant, each of about 0.7 s
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Number of threads of every contestant
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Write the tables into docs/benchmarks.md
    #[arg(long)]
    write: bool,
}

/// The programs that contestants run.
struct Programs {
    ours: PathBuf,
    python: PathBuf,
    script: PathBuf,
    rust: PathBuf,
}

/// Runs every contest that `flags` ask for and prints the tables.
///
/// # Errors
///
/// If a peer cannot be installed, does not run, or computes other features.
pub(crate) fn run(flags: &PeersFlags) -> anyhow::Result<()> {
    let batch = flags.batch.iter().copied().max().unwrap_or(0);
    ensure!(batch > 0 && !flags.batch.contains(&0), "--batch: there is no batch of 0 pictures");
    ensure!(flags.threads > 0, "--threads: there is no work without a thread");
    let programs = Programs {
        ours: std::env::current_exe().context("the path of this program")?,
        python: environment::python("peers", &REQUIREMENTS)?,
        script: workspace::root().join("benches/peers/network.py"),
        rust: environment::rust_peers()?,
    };
    let scratch = tempfile::tempdir().context("a scratch folder")?;
    let input = scratch.path().join("input");
    let mut tables = Vec::new();
    for architecture in &flags.arch {
        let Course { layer, side } = Course::of(architecture)?;
        eprintln!("{} to {layer} at {side}×{side}", architecture.name());
        network::write_input(batch, side, &input)?;
        let weights = scratch.path().join("weights");
        network::write_weights(architecture, &weights)?;
        let contests = flags.batch.iter().map(|&batch| {
            let round = Round {
                input: &input,
                scratch: scratch.path(),
                batch,
                side,
                threads: flags.threads,
                count: flags.rounds as usize,
            };
            hold(&programs, architecture, &weights, &round)
        });
        let contests = contests.collect::<anyhow::Result<Vec<_>>>()?;
        let setting = machine::describe(flags.threads, None)?;
        let text = format!("{setting} {}\n\n{}", versions(&contests), {
            table::table(&contests, network::operations(architecture)?)
        });
        println!("## {}\n\n{text}\n", architecture.name());
        tables.push((format!("network:{}", architecture.name()), text));
    }
    if flags.write { report::write(&tables) } else { Ok(()) }
}

fn hold(
    programs: &Programs,
    architecture: &Architecture,
    weights: &Path,
    round: &Round<'_>,
) -> anyhow::Result<Contest> {
    let single = export(programs, weights, &Round { batch: 1, ..*round })?;
    let batched = export(programs, weights, round)?;
    let yardstick = programs.python("peak", "peak", weights);
    let is_resnet = architecture.resnet().is_some();
    let all = contestants(programs, is_resnet, weights, [&single, &batched], round.batch);
    contest::hold(&all, &yardstick, round)
}

/// The network as ONNX, for batches of one size.
fn export(programs: &Programs, weights: &Path, round: &Round<'_>) -> anyhow::Result<PathBuf> {
    let path = round.scratch.join(format!("network-{}.onnx", round.batch));
    let mut command = Command::new(&programs.python);
    command.arg(&programs.script).arg("export").arg(weights).arg("-").arg(&path);
    command.args([round.batch, round.side, round.threads].map(|number| number.to_string()));
    workspace::output(&mut command)?;
    Ok(path)
}

/// All contestants, ours first. A mode that answers many requests at once is compared with our
/// batches, not with our single pictures. Our program for candle knows ResNets alone, and tract may
/// lack an operation of another network.
fn contestants(
    programs: &Programs,
    is_resnet: bool,
    weights: &Path,
    [single, batched]: [&Path; 2],
    batch: usize,
) -> Vec<Contestant> {
    let rust = |name, program: &str, network: &Path| {
        let program = programs.rust.join(program).with_extension(std::env::consts::EXE_EXTENSION);
        Contestant { name, program: vec![program], network: network.to_owned(), optional: !is_resnet }
    };
    let mut all = vec![
        Contestant {
            name: "DFM",
            program: vec![programs.ours.clone(), "alone".into(), "network".into()],
            network: weights.to_owned(),
            optional: false,
        },
        programs.python("PyTorch eager", "eager", weights),
        programs.python("PyTorch channels_last", "channels-last", weights),
        // This contestant needs a C++ compiler.
        Contestant { optional: true, ..programs.python("torch.compile", "compile", weights) },
        programs.python("ONNX Runtime", "onnxruntime", batched),
        programs.python("OpenVINO latency", "openvino", batched),
        rust("tract", "tract", batched),
    ];
    if is_resnet {
        all.push(rust("candle", "candle", weights));
    }
    if batch > 1 {
        all.push(programs.python("OpenVINO throughput", "openvino-throughput", single));
    }
    all
}

impl Programs {
    /// A contestant that benches/peers/network.py runs.
    fn python(&self, name: &'static str, word: &str, network: &Path) -> Contestant {
        let program = vec![self.python.clone(), self.script.clone(), word.into()];
        Contestant { name, program, network: network.to_owned(), optional: false }
    }
}

/// What the contestants say about themselves, each text once.
fn versions(contests: &[Contest]) -> String {
    let mut versions: Vec<&str> = Vec::new();
    for outcome in contests.iter().flat_map(|contest| &contest.outcomes) {
        if !versions.contains(&outcome.version.as_str()) {
            versions.push(&outcome.version);
        }
    }
    format!("Contestants: {}.", versions.join(", "))
}

fn architecture(name: &str) -> Result<Architecture, String> {
    Architecture::known(name).ok_or_else(|| format!("expected one of {}", Architecture::names().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_throughput_mode_meets_batches_alone() {
        let path = || PathBuf::from("x");
        let programs = Programs { ours: path(), python: path(), script: path(), rust: path() };
        let of = |is_resnet, batch| {
            contestants(&programs, is_resnet, Path::new("w"), [Path::new("1"), Path::new("n")], batch)
        };
        let names = |batch| {
            let all = of(true, batch);
            all.into_iter().map(|one| (one.name, one.network)).collect::<Vec<_>>()
        };
        assert_eq!(names(1)[0].0, "DFM");
        assert!(!names(1).iter().any(|(name, _)| *name == "OpenVINO throughput"));
        assert!(names(8).contains(&("OpenVINO throughput", PathBuf::from("1"))));
        assert!(names(8).contains(&("ONNX Runtime", PathBuf::from("n"))));
        assert!(of(true, 1).iter().any(|one| one.name == "candle"));
        assert!(!of(false, 1).iter().any(|one| one.name == "candle"));
    }
}
