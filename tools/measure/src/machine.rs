//! The machine that the figures hold for.

use std::path::Path;
use std::process::Command;

use crate::workspace;

/// Number of cores that this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Machine, versions and commit, as one paragraph. If the peers' `python` is given, their versions
/// are included.
pub(crate) fn describe(threads: usize, python: Option<&Path>) -> anyhow::Result<String> {
    let processor =
        first_value("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = first_value("/proc/meminfo", "MemTotal").unwrap_or_else(|| "memory unknown".to_owned());
    let compiler = workspace::output(Command::new("rustc").arg("--version").current_dir(workspace::root()))?;
    let mut text = format!(
        "{processor}, {} cores, {memory}, {}; {threads} threads; {}; commit {}.",
        cores(),
        std::env::consts::OS,
        compiler.trim(),
        commit()
    );
    if let Some(python) = python {
        text.push_str(&format!(" Peers: {}.", versions(python, &[])?));
    }
    Ok(text)
}

/// The versions of `python` and of `packages` in it. If no package is named, those of the usual
/// ones.
pub(crate) fn versions(python: &Path, packages: &[&str]) -> anyhow::Result<String> {
    let script = workspace::root().join("benches/peers/versions.py");
    let versions = workspace::output(Command::new(python).arg(script).args(packages))?;
    Ok(versions.trim().to_owned())
}

/// The commit, and whether the work tree differs from it.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(workspace::root()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    let clean =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|changes| changes.is_empty());
    if clean { commit } else { format!("{commit} with changes") }
}

/// The first value of `key` in a file with lines of the form `key: value`.
fn first_value(path: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("info");
        std::fs::write(&path, "a : 1\nmodel name\t: Some CPU @ 2 GHz\nmodel name\t: Other\n").unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(first_value(path, "model name").as_deref(), Some("Some CPU @ 2 GHz"));
        assert_eq!(first_value(path, "flags"), None);
    }
}
