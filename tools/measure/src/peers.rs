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
    /// Networks, as `dfm weights list` names them; without this flag those of the tables
    #[arg(long, num_args = 1.., value_delimiter = ',', value_parser = architecture)]
    arch: Vec<Architecture>,
    /// Compare numbers of eight and 16 bits: ours in int8, and the peers in int8 and in what they take by
    /// themselves
    #[arg(long)]
    small: bool,
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

/// The networks of the tables.
const NETWORKS: [&str; 8] = [
    "resnet50_1by2",
    "resnet18",
    "resnet50",
    "wide_resnet50_2",
    "mobilenetv2_100",
    "tf_efficientnet_lite2",
    "convnext_tiny",
    "vit_small_patch14_dinov2",
];

/// The networks of the tables in small numbers.
const SMALL_NETWORKS: [&str; 2] = ["resnet50_1by2", "resnet50"];

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
        // They compute in f32 alone.
        rust: if flags.small { PathBuf::new() } else { environment::rust_peers()? },
    };
    let scratch = tempfile::tempdir().context("a scratch folder")?;
    let input = scratch.path().join("input");
    let mut tables = Vec::new();
    let kind = if flags.small { "small" } else { "network" };
    for architecture in &flags.architectures()? {
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
            hold(&programs, architecture, &weights, &round, flags.small)
        });
        let contests = contests.collect::<anyhow::Result<Vec<_>>>()?;
        let setting = machine::describe(flags.threads, None)?;
        let text = format!("{setting} {}\n\n{}", versions(&contests), {
            table::table(&contests, network::operations(architecture)?)
        });
        println!("## {}\n\n{text}\n", architecture.name());
        tables.push((format!("{kind}:{}", architecture.name()), text));
    }
    if flags.write { report::write(&tables) } else { Ok(()) }
}

fn hold(
    programs: &Programs,
    architecture: &Architecture,
    weights: &Path,
    round: &Round<'_>,
    small: bool,
) -> anyhow::Result<Contest> {
    let single = export(programs, weights, &Round { batch: 1, ..*round })?;
    let batched = export(programs, weights, round)?;
    let yardstick = programs.python("peak", "peak", weights);
    if small {
        let exact = Networks { weights, single: &single, batched: &batched };
        let [single, batched] = [quantise(programs, &single, round)?, quantise(programs, &batched, round)?];
        let all = small_contestants(programs, exact, [&single, &batched], round.batch);
        return contest::hold(&all, &yardstick, round);
    }
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

/// The network in eight bits, made of an ONNX file with the pictures of the contest.
fn quantise(programs: &Programs, network: &Path, round: &Round<'_>) -> anyhow::Result<PathBuf> {
    let path = network.with_extension("int8.onnx");
    let mut command = Command::new(&programs.python);
    command.arg(&programs.script).arg("quantise").arg(network).arg(round.input).arg(&path);
    command.args([round.batch, round.side, round.threads].map(|number| number.to_string()));
    workspace::output(&mut command)?;
    Ok(path)
}

/// A network in `f32`: our weights, and ONNX files for one picture and for a batch.
struct Networks<'a> {
    weights: &'a Path,
    single: &'a Path,
    batched: &'a Path,
}

/// The contestants in small numbers. The first is ours in `f32`, which all features are compared with.
/// OpenVINO gets no hint about numbers: it takes those that it thinks best.
fn small_contestants(
    programs: &Programs,
    exact: Networks<'_>,
    [single, batched]: [&Path; 2],
    batch: usize,
) -> Vec<Contestant> {
    let small = |contestant| Contestant { tolerance: contest::SMALL_TOLERANCE, ..contestant };
    let python = |name, word, network| small(programs.python(name, word, network));
    let mut all = vec![
        programs.ours(contest::OURS, None, exact.weights),
        small(programs.ours("DFM int8", Some("--int8"), exact.weights)),
        python("OpenVINO default, latency", "openvino-default", exact.batched),
        python("OpenVINO int8, latency", "openvino-default", batched),
        python("ONNX Runtime int8", "onnxruntime", batched),
        // This contestant needs a C++ compiler.
        Contestant { optional: true, ..python("torch.compile bf16", "compile-bf16", exact.weights) },
    ];
    if batch > 1 {
        let word = "openvino-default-throughput";
        all.push(python("OpenVINO default, throughput", word, exact.single));
        all.push(python("OpenVINO int8, throughput", word, single));
    }
    all
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
        let tolerance = contest::TOLERANCE;
        Contestant {
            name,
            program: vec![program],
            network: network.to_owned(),
            optional: !is_resnet,
            tolerance,
        }
    };
    let mut all = vec![
        programs.ours(contest::OURS, None, weights),
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
        Contestant {
            name,
            program,
            network: network.to_owned(),
            optional: false,
            tolerance: contest::TOLERANCE,
        }
    }

    /// Our own program, with a flag before its arguments.
    fn ours(&self, name: &'static str, flag: Option<&str>, network: &Path) -> Contestant {
        let words = ["alone", "network"].into_iter().chain(flag).map(PathBuf::from);
        Contestant {
            name,
            program: std::iter::once(self.ours.clone()).chain(words).collect(),
            network: network.to_owned(),
            optional: false,
            tolerance: contest::TOLERANCE,
        }
    }
}

impl PeersFlags {
    /// The networks of the contests.
    fn architectures(&self) -> anyhow::Result<Vec<Architecture>> {
        if !self.arch.is_empty() {
            return Ok(self.arch.clone());
        }
        let names: &[&str] = if self.small { &SMALL_NETWORKS } else { &NETWORKS };
        names.iter().map(|name| architecture(name).map_err(anyhow::Error::msg)).collect()
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
    fn small_numbers_are_compared_with_peers_in_small_numbers() {
        let path = || PathBuf::from("x");
        let programs = Programs { ours: path(), python: path(), script: path(), rust: path() };
        let [weights, single, batched] = ["w", "1", "n"].map(Path::new);
        let small = ["1.int8", "n.int8"].map(Path::new);
        let of = |batch| small_contestants(&programs, Networks { weights, single, batched }, small, batch);
        let all = of(8);
        let int8 = all.iter().rposition(|one| one.name.starts_with(contest::OURS));
        assert_eq!(int8, Some(1), "the last one of ours is that in int8");
        assert_eq!(all[1].program.last(), Some(&PathBuf::from("--int8")));
        let has = |name: &str, network: &str| {
            all.iter().any(|one| one.name == name && one.network == Path::new(network))
        };
        assert!(has("OpenVINO default, latency", "n") && has("OpenVINO int8, latency", "n.int8"));
        assert!(has("OpenVINO int8, throughput", "1.int8") && has("ONNX Runtime int8", "n.int8"));
        // Only the first contestant is held to f32.
        assert!(all[1..].iter().all(|one| one.tolerance == contest::SMALL_TOLERANCE));
        assert!(!of(1).iter().any(|one| one.name.ends_with("throughput")));
    }

    #[test]
    fn every_network_of_the_tables_is_known() {
        assert!(NETWORKS.into_iter().chain(SMALL_NETWORKS).all(|name| architecture(name).is_ok()));
    }

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
