//! `cargo xtask fuzz`: gives random inputs to everything that reads foreign bytes. The branches that an
//! input reaches decide which inputs come next.
//!
//! The compiler tells libFuzzer which branches an input takes. Stable Rust can do that, so only a
//! compiler for C++, which libFuzzer is written in, must be installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde_json::Value;

use crate::workspace;

/// A package whose programs are fuzz targets. The first inputs of a target lie in `corpus/TARGET`.
struct Package {
    folder: &'static str,
    /// Whether Burn is compiled for it, which takes many minutes.
    burn: bool,
}

/// Every such package.
const PACKAGES: &[Package] = &[
    Package { folder: "crates/dfm-kernels/fuzz", burn: false },
    Package { folder: "crates/dfm-image/fuzz", burn: false },
    Package { folder: "crates/dfm-data/fuzz", burn: false },
    Package { folder: "crates/dfm/fuzz", burn: true },
];

/// What makes the compiler count branches and compare operands, for all crates below.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing";

/// Flags of `cargo xtask fuzz`.
#[derive(Debug, Args)]
pub(crate) struct FuzzFlags {
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Leave out targets that Burn would be compiled for
    #[arg(long)]
    without_burn: bool,
    /// Check every access to memory too; needs a nightly toolchain
    #[arg(long)]
    address_sanitizer: bool,
    /// Only these targets
    #[arg(value_name = "TARGET")]
    only: Vec<String>,
}

/// Builds and runs the targets, one after the other.
///
/// # Errors
///
/// If one does not build, or an input makes it panic, hang or take too much memory; the input is
/// then kept.
pub(crate) fn run(flags: &FuzzFlags) -> anyhow::Result<()> {
    let target_dir = target_dir();
    let host = host()?;
    let mut ran = Vec::new();
    for package in PACKAGES.iter().filter(|package| !(flags.without_burn && package.burn)) {
        let folder = workspace::root().join(package.folder);
        let wanted: Vec<String> = targets(&folder)?
            .into_iter()
            .filter(|name| flags.only.is_empty() || flags.only.contains(name))
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let programs = build(&folder, &wanted, &host, &target_dir, flags.address_sanitizer)?;
        for (name, program) in wanted.iter().zip(programs) {
            let count = fuzz(&program, name, &folder.join("corpus").join(name), &target_dir, flags.seconds)?;
            println!("{name}: inputs: {count}, none that it could not take");
            ran.push(name.clone());
        }
    }
    if let Some(unknown) = flags.only.iter().find(|name| !ran.contains(name)) {
        bail!("no target {unknown} among those to run");
    }
    ensure!(!ran.is_empty(), "no target");
    Ok(())
}

/// `fuzz` in the target folder that cargo would use.
fn target_dir() -> PathBuf {
    let base = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    workspace::root().join(base).join("fuzz")
}

/// What this toolchain builds for. It is named, so that build scripts are not instrumented.
fn host() -> anyhow::Result<String> {
    let told = workspace::output(Command::new("rustc").arg("-vV").current_dir(workspace::root()))?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}

/// The targets of the package in `folder`, by name.
fn targets(folder: &Path) -> anyhow::Result<Vec<String>> {
    let told = workspace::output(
        workspace::cargo()
            .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
            .arg(folder.join("Cargo.toml")),
    )?;
    let metadata: Value = serde_json::from_str(&told).context("cargo metadata")?;
    let targets = metadata["packages"][0]["targets"].as_array().context("cargo metadata: no targets")?;
    let programs = targets.iter().filter(|target| target["kind"][0] == "bin");
    Ok(programs.filter_map(|target| target["name"].as_str().map(str::to_owned)).collect())
}

/// The programs of `targets`, in their order.
fn build(
    folder: &Path,
    targets: &[String],
    host: &str,
    target_dir: &Path,
    address_sanitizer: bool,
) -> anyhow::Result<Vec<PathBuf>> {
    let (mut command, mut rustflags) = (workspace::cargo(), COVERAGE.to_owned());
    let mut target_dir = target_dir.to_owned();
    if address_sanitizer {
        // This calls the shim, not the cargo that runs this program, because that cargo knows one
        // toolchain only.
        command = Command::new("cargo");
        command.current_dir(workspace::root()).arg("+nightly");
        command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
        rustflags.push_str(" -Zsanitizer=address");
        target_dir.push("address");
    }
    // Dependencies have the versions of the workspace. The package pins those that the workspace lacks.
    let (shared, own) = (workspace::root().join("Cargo.lock"), folder.join("Cargo.lock"));
    std::fs::copy(shared, &own).with_context(|| own.display().to_string())?;
    command.args(["build", "--release", "--target", host, "--message-format", "json"]);
    command.arg("--manifest-path").arg(folder.join("Cargo.toml")).arg("--target-dir").arg(&target_dir);
    command.args(targets.iter().flat_map(|name| ["--bin", name])).env("RUSTFLAGS", rustflags);
    let told = workspace::output(&mut command)?;
    let messages: Vec<Value> = told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let program = |name: &String| {
        let built = messages
            .iter()
            .find(|message| message["target"]["name"] == name.as_str() && message["executable"].is_string());
        let path = built.and_then(|message| message["executable"].as_str());
        path.map(PathBuf::from).with_context(|| format!("cargo build names no program {name}"))
    };
    targets.iter().map(program).collect()
}

/// Runs one target from the inputs in `seeds` and what earlier runs found. Returns how many inputs the
/// target got.
fn fuzz(program: &Path, name: &str, seeds: &Path, target_dir: &Path, seconds: u32) -> anyhow::Result<u64> {
    let found = target_dir.join("corpus").join(name);
    let refused = target_dir.join("refused").join(name);
    for folder in [&found, &refused] {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let mut command = Command::new(program);
    command.arg(&found).args(seeds.is_dir().then_some(seeds));
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-artifact_prefix={}/", refused.display()));
    // One second for an input is already far too long. The limit on memory follows from the limits that
    // targets set.
    command.args([
        "-timeout=20",
        "-rss_limit_mb=2048",
        "-max_len=65536",
        "-print_final_stats=1",
        "-verbosity=0",
    ]);
    let output = command.output().with_context(|| program.display().to_string())?;
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        eprint!("{told}");
        bail!("{name}: {}; the input lies in {}", output.status, refused.display());
    }
    executed(&told).with_context(|| format!("{name} does not say how many inputs it got: {told}"))
}

/// The count in what libFuzzer says at its end.
fn executed(told: &str) -> Option<u64> {
    let line = told.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_of_targets_is_run_and_has_inputs_to_begin_with() {
        let crates = workspace::root().join("crates");
        for entry in std::fs::read_dir(crates).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let folder = format!("crates/{name}/fuzz");
            if workspace::root().join(&folder).join("Cargo.toml").is_file() {
                assert!(PACKAGES.iter().any(|package| package.folder == folder), "{folder}");
            }
        }
        for package in PACKAGES {
            let folder = workspace::root().join(package.folder);
            let names = targets(&folder).unwrap();
            assert!(!names.is_empty(), "{}", package.folder);
            for name in names.iter().filter(|name| *name != "paths") {
                let seeds = std::fs::read_dir(folder.join("corpus").join(name));
                assert!(seeds.is_ok_and(|seeds| seeds.count() > 0), "{}: {name}", package.folder);
            }
        }
    }

    #[test]
    fn the_count_of_inputs_is_read_off() {
        let told = "Done 7 runs\nstat::number_of_executed_units: 1234\nstat::average_exec_per_sec: 5\n";
        assert_eq!(executed(told), Some(1234));
        assert_eq!(executed("nothing of the kind"), None);
    }
}
