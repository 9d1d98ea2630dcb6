//! A package that depends on `dfm` alone gives the scores of the program, to the last bit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::workspace;

/// The package, outside of the workspace's members.
const PACKAGE: &str = "examples/consumer";
/// The program that the suites build.
const PROGRAM: &str = "dfm-under-test";

/// The settings that the package tries, and the flags that ask the program for the same.
const SETTINGS: [(&str, &[&str]); 3] =
    [("default", &[]), ("tiles", &["--tile", "64", "--stride", "48"]), ("region", &["--roi", "8,8,80,72"])];

/// Builds and runs the package with the workspace's lock file and target folder, so that Burn is not
/// compiled again, and compares its scores with the program's.
///
/// # Errors
///
/// If either fails, or a score differs in a bit.
pub(crate) fn run() -> anyhow::Result<()> {
    let root = workspace::root();
    let target = target_folder(&root);
    let scratch = tempfile::tempdir().context("a scratch folder")?;
    let pictures = scratch.path().join("pictures");
    copy_tree(&root.join("assets/demo/train/good"), &pictures.join("good"))?;
    copy_tree(&root.join("assets/demo/test"), &pictures.join("new"))?;
    std::fs::copy(root.join("Cargo.lock"), root.join(PACKAGE).join("Cargo.lock"))
        .context("the workspace's lock file")?;
    let status = workspace::cargo()
        .args(["test", "--release", "--manifest-path"])
        .arg(root.join(PACKAGE).join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", &target)
        .status()
        .context("starting cargo test")?;
    ensure!(status.success(), "{PACKAGE}: cargo test: {status}");
    let program = target.join("release/dfm-consumer");
    let printed = workspace::output(Command::new(program).current_dir(scratch.path()))?;
    let found = scores_printed(&printed)?;
    let mut compared = 0;
    for (name, flags) in SETTINGS {
        let scores = scores_of_program(&target.join("release").join(PROGRAM), scratch.path(), flags)?;
        ensure!(!scores.is_empty(), "{PROGRAM} judged no picture");
        for (path, score) in scores {
            let key = (name.to_owned(), path);
            let got = found.get(&key).with_context(|| format!("{PACKAGE}: no score for {key:?}"))?;
            ensure!(
                *got == score.to_bits(),
                "{} with setting {name}: the library scores {}, the program {score}",
                key.1,
                f64::from_bits(*got)
            );
            compared += 1;
        }
    }
    ensure!(compared == found.len(), "{PACKAGE} printed {} scores, {compared} were expected", found.len());
    println!("\n{PACKAGE}: {compared} scores of the library are those of the program, to the last bit");
    Ok(())
}

/// What the package printed: by setting and path the bits of a score.
fn scores_printed(text: &str) -> anyhow::Result<BTreeMap<(String, String), u64>> {
    let parse = |line: &str| {
        let (name, rest) = line.split_once(' ')?;
        let (bits, path) = rest.split_once(' ')?;
        let bits = u64::from_str_radix(bits, 16).ok().filter(|_| bits.len() == 16)?;
        Some(((name.to_owned(), path.to_owned()), bits))
    };
    // The README's example prints lines of its own, which begin with a label.
    let lines =
        text.lines().filter(|line| SETTINGS.iter().any(|(name, _)| line.starts_with(&format!("{name} "))));
    lines.map(|line| parse(line).with_context(|| format!("{PACKAGE} printed '{line}'"))).collect()
}

/// Fits and predicts in `folder`: by path the score.
fn scores_of_program(program: &Path, folder: &Path, flags: &[&str]) -> anyhow::Result<BTreeMap<String, f64>> {
    let model = "program.dfm";
    workspace::output(
        Command::new(program).args(["fit", "pictures/good", "-o", model]).args(flags).current_dir(folder),
    )?;
    // Exit code 1 says that something is anomalous.
    let judged = Command::new(program)
        .args(["predict", model, "pictures/new", "--format", "json"])
        .current_dir(folder)
        .output()
        .with_context(|| program.display().to_string())?;
    ensure!(matches!(judged.status.code(), Some(0 | 1)), "{PROGRAM} predict: {}", judged.status);
    String::from_utf8(judged.stdout)?.lines().map(score_of_line).collect()
}

/// The path and the score of a verdict. The score is parsed here, since `serde_json` may miss the
/// last bit of a number.
fn score_of_line(line: &str) -> anyhow::Result<(String, f64)> {
    let value: Value = serde_json::from_str(line)?;
    let path = value["path"].as_str().context("a verdict has a path")?.to_owned();
    // Quotes inside the path are escaped, so this stands behind it.
    let (_, rest) = line.split_once("\",\"score\":").context("a verdict has a score")?;
    let number = rest.split([',', '}']).next().unwrap_or_default();
    Ok((path, number.trim().parse().with_context(|| format!("a score, got {number}"))?))
}

fn copy_tree(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let (from, to) = {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_owned();
            (path, to.join(name))
        };
        if from.is_dir() {
            copy_tree(&from, &to)?;
        } else {
            std::fs::copy(&from, &to).with_context(|| from.display().to_string())?;
        }
    }
    Ok(())
}

fn target_folder(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_package_prints_is_read_and_what_the_readme_prints_is_not() {
        let text = "Some(Normal) pictures/new/a.png\ndefault 3ff0000000000000 pictures/new/a b.png\n";
        let scores = scores_printed(text).unwrap();
        let key = ("default".to_owned(), "pictures/new/a b.png".to_owned());
        assert_eq!(scores.into_iter().collect::<Vec<_>>(), [(key, 1.0_f64.to_bits())]);
        assert!(scores_printed("tiles 12 x\n").is_err());
        let verdict =
            score_of_line(r#"{"path":"a\",\"score\":1","score":0.014432170817421795,"label":null}"#);
        assert_eq!(verdict.unwrap(), ("a\",\"score\":1".to_owned(), 0.014432170817421795));
    }
}
