//! `cargo xtask test`: runs every suite, and says at the end which devices ran.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Args;

use crate::{consumer, workspace};

/// Features that `--all-backends` compiles in beside the default.
const FEATURES: &str = "dfm-tests/ndarray,dfm-tests/wgpu";
/// Devices that must then be present.
const DEVICES: [&str; 3] = ["flex", "ndarray", "wgpu"];
/// Environment variable for the suites: devices, comma-separated, whose absence is a failure.
const REQUIRED: &str = "DFM_REQUIRE_DEVICES";
/// Read by `tests/tests/zz_devices.rs`: where to list the devices that ran.
const REPORT: &str = "DFM_DEVICES_FILE";

/// Flags of `cargo xtask test`.
#[derive(Debug, Args)]
pub(crate) struct TestFlags {
    /// Also build and run the ndarray and wgpu backends
    #[arg(long)]
    all_backends: bool,
    /// With --all-backends: report a missing adapter instead of failing
    #[arg(long, requires = "all_backends")]
    allow_missing: bool,
    /// Target folder of --all-backends. It differs from that of the default build, so that neither
    /// compiles Burn again for the other [default: target/all-backends]
    #[arg(long, requires = "all_backends", value_name = "DIR")]
    target_dir: Option<PathBuf>,
    /// Arguments for cargo test: `-- FILTER`, `-- --test pipeline`, `-- -- --nocapture`
    #[arg(last = true, value_name = "ARGUMENTS")]
    rest: Vec<OsString>,
}

/// Runs the suites.
///
/// # Errors
///
/// If a suite fails, or if the suites do not say which devices they ran on.
pub(crate) fn run(flags: &TestFlags) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir().context("a scratch folder")?;
    let report = scratch.path().join("devices");
    let mut command = workspace::cargo();
    command.args(["test", "--release", "--workspace"]).env(REPORT, &report);
    if flags.all_backends {
        let folder = flags.target_dir.clone().unwrap_or_else(default_folder);
        command.args(["--features", FEATURES]).env("CARGO_TARGET_DIR", folder);
        if flags.allow_missing {
            command.env_remove(REQUIRED);
        } else if std::env::var_os(REQUIRED).is_none() {
            command.env(REQUIRED, DEVICES.join(","));
        }
    }
    command.args(&flags.rest);
    let status = command.status().context("starting cargo test")?;
    ensure!(status.success(), "cargo test: {status}");

    if flags.rest.is_empty() && !flags.all_backends {
        consumer::run()?;
    }
    let Ok(ran) = std::fs::read_to_string(&report) else {
        ensure!(!flags.rest.is_empty(), "tests/tests/zz_devices.rs did not say which devices ran");
        println!("\ndevices run: not known, because `zz_devices` was not among the chosen tests");
        return Ok(());
    };
    println!("\n{}", summary(&ran, flags.all_backends)?);
    Ok(())
}

/// The folder `all-backends` in the target folder that cargo would use.
fn default_folder() -> PathBuf {
    let base = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    workspace::root().join(base).join("all-backends")
}

/// The summary: the devices in `ran`, one on each line, and how to add the others.
fn summary(ran: &str, all_backends: bool) -> anyhow::Result<String> {
    let ran: Vec<&str> = ran.lines().collect();
    ensure!(!ran.is_empty(), "no suite ran on any device");
    let absent: Vec<&str> = DEVICES.into_iter().filter(|device| !ran.contains(device)).collect();
    let mut summary = format!("Tests passed. Devices run: {}.", ran.join(", "));
    if !absent.is_empty() {
        let cure = if all_backends {
            "compiled in, but no adapter was found: install a driver"
        } else {
            "add them with `cargo xtask test --all-backends`"
        };
        summary.push_str(&format!("\nNot run: {} ({cure}).", absent.join(", ")));
    }
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use super::summary;

    #[test]
    fn the_last_words_name_what_ran_and_what_did_not() {
        let words = summary("flex\n", false).unwrap();
        assert!(words.contains("Devices run: flex."), "{words}");
        assert!(words.contains("Not run: ndarray, wgpu (add them"), "{words}");
        let words = summary("flex\nndarray\n", true).unwrap();
        assert!(words.contains("Not run: wgpu (compiled in, but no adapter"), "{words}");
        let words = summary("flex\nndarray\nwgpu\n", true).unwrap();
        assert!(!words.contains("Not run"), "{words}");
    }

    #[test]
    fn no_device_at_all_is_a_failure() {
        assert!(summary("", true).is_err());
    }
}
