//! The peers' virtual environments, in a cache outside the clone.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};

use crate::workspace;

/// Environment variable with the path of the cache, instead of the usual path.
const VARIABLE: &str = "DFM_BENCH_CACHE";

/// The cache. It is made if it does not exist.
pub(crate) fn cache() -> anyhow::Result<PathBuf> {
    let usual = || std::env::home_dir().map(|home| home.join(".cache/dfm-bench"));
    let folder = std::env::var_os(VARIABLE).map(PathBuf::from).or_else(usual);
    let folder = folder.with_context(|| format!("no home folder: set {VARIABLE}"))?;
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    folder.canonicalize().with_context(|| folder.display().to_string())
}

/// Returns the Python of the environment `name`. `requirements` are files in `benches/peers`, of
/// which the last includes the others. They are installed.
///
/// # Errors
///
/// If Python or what it needs cannot be installed.
pub(crate) fn python(name: &str, requirements: &[&str]) -> anyhow::Result<PathBuf> {
    let folder = cache()?.join(name);
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.is_file() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    let scripts = workspace::root().join("benches/peers");
    let mut wanted = String::new();
    for file in requirements {
        wanted += &std::fs::read_to_string(scripts.join(file)).with_context(|| (*file).to_owned())?;
    }
    // The requirements that were installed last, so a second run needs no network.
    let installed = folder.join("installed.txt");
    if std::fs::read_to_string(&installed).ok().as_ref() != Some(&wanted) {
        let last = requirements.last().context("no requirements")?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(scripts.join(last)))?;
        std::fs::write(&installed, wanted).with_context(|| installed.display().to_string())?;
    }
    Ok(python)
}

/// Builds `benches/rust-peers` for the processor of this machine, as the authors of the peers
/// recommend. Returns the folder with the programs.
///
/// # Errors
///
/// If it does not build.
pub(crate) fn rust_peers() -> anyhow::Result<PathBuf> {
    let target = cache()?.join("rust-peers");
    let manifest = workspace::root().join("benches/rust-peers/Cargo.toml");
    run(workspace::cargo()
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTFLAGS", "-C target-cpu=native"))?;
    Ok(target.join("release"))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let name = format!("{command:?}");
    // Standard output is for the tables.
    let status = command.stdout(std::io::stderr()).status().with_context(|| name.clone())?;
    ensure!(status.success(), "{name}: {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_is_named() {
        // What cargo says of it would stand among the tests' own lines.
        let mut wrong = Command::new(env!("CARGO"));
        wrong.arg("no-such-command").stderr(std::process::Stdio::null());
        let error = run(&mut wrong).unwrap_err().to_string();
        assert!(error.contains("no-such-command"), "{error}");
        assert!(run(&mut Command::new("no-such-program")).is_err());
    }
}
