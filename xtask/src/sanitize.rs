//! `cargo xtask sanitize`: runs the crate with unsafe code under AddressSanitizer.

use std::process::Command;

use anyhow::{Context, ensure};

use crate::workspace;

/// The target that the sanitizer is built for.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds and runs the tests of `dfm-kernels`, which need no other crate of ours. Every access to
/// memory is checked.
///
/// # Errors
///
/// If there is no nightly toolchain, the only one with the sanitizer, or if the sanitizer finds
/// something.
pub(crate) fn run() -> anyhow::Result<()> {
    // This calls the shim, not the cargo that runs this program, because that cargo knows one
    // toolchain only.
    let mut command = Command::new("cargo");
    command
        .current_dir(workspace::root())
        .args(["+nightly", "test", "--package", "dfm-kernels", "--target", TARGET])
        .args(["--target-dir", "target/sanitize"])
        .env("RUSTFLAGS", "-Zsanitizer=address")
        // Whole networks take minutes without it. Assertions and checks of overflow stay.
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO");
    let status = command.status().context("starting cargo +nightly")?;
    ensure!(status.success(), "{command:?}: {status}; it needs `rustup toolchain install nightly`");
    Ok(())
}
