//! The cases that are timed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::process::Measured;
use crate::workspace;

/// One program with its arguments.
#[derive(Debug)]
pub(crate) struct Case {
    /// What the case does, for the table.
    pub(crate) name: String,
    /// Number of pictures, for the rate.
    pub(crate) pictures: Option<usize>,
    /// The exit codes that mean success.
    pub(crate) accepted: &'static [i32],
    /// Index of our case that does the same work.
    pub(crate) peer_of: Option<usize>,
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Case {
    /// A case of ours. Its exit code of success is 0.
    pub(crate) fn new(name: &str, pictures: Option<usize>, program: &Path, arguments: Vec<OsString>) -> Self {
        let (name, program) = (name.to_owned(), program.to_owned());
        Self { name, pictures, accepted: &[0], peer_of: None, program, arguments }
    }

    /// The same case as the peer of the case with index `place`.
    pub(crate) fn beside(self, place: usize) -> Self {
        Self { peer_of: Some(place), ..self }
    }

    /// The command, ready to be started.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command
    }
}

/// What the peers of whole runs need.
#[derive(Debug)]
pub(crate) struct Peers<'a> {
    /// The Python that has their packages.
    pub(crate) python: &'a Path,
    /// Rows and columns of the matrix that is decomposed.
    pub(crate) shape: (usize, usize),
}

/// Every case, ours before its peers, if those are asked for.
pub(crate) fn all(
    peers: Option<&Peers<'_>>,
    data: &Path,
    dfm: &Path,
    scratch: &Path,
    threads: usize,
) -> anyhow::Result<Vec<Case>> {
    let data = data.canonicalize().with_context(|| data.display().to_string())?;
    let (good, test) = (data.join("train/good"), data.join("test"));
    let (good_count, test_count) = (count_files(&good)?, count_files(&test)?);
    let threads = threads.to_string();
    let model = scratch.join("bench.dfm");
    let fit = words(&[&"fit", &good, &"-o", &model, &"--threads", &threads]);
    let predict = words(&[&"predict", &model, &test, &"--format", &"json", &"--threads", &threads]);
    let mut cases = vec![
        Case::new("fit, default settings", Some(good_count), dfm, fit),
        Case {
            // The exit code is 1 where the program finds anomalies.
            accepted: &[0, 1],
            ..Case::new("predict, default settings", Some(test_count), dfm, predict)
        },
    ];
    if let Some(peers) = peers {
        with_pytorch(&mut cases, peers, dfm, (&good, good_count), scratch, &threads);
        with_numpy(&mut cases, peers)?;
    }
    Ok(cases)
}

/// The network, alone and with the statistics behind it.
fn with_pytorch(
    cases: &mut Vec<Case>,
    peers: &Peers<'_>,
    dfm: &Path,
    (good, count): (&Path, usize),
    scratch: &Path,
    threads: &str,
) {
    let script = workspace::root().join("benches/peers/pytorch_dfm.py");
    let same = words(&[&"--layer", &"layer3", &"--pool", &"4", &"--batch", &"8", &"--threads", &threads]);
    let network = words(&[&"--backbone", &"resnet50", &"--weights", &"random"]);
    let (rows, model) = (scratch.join("features.safetensors"), scratch.join("peer.dfm"));
    let features = words(&[&"features", &good, &"-o", &rows]);
    // The threshold is given, because the peer has no held-out scores to find one from.
    let stretched = words(&[&"--resize", &"stretch", &"--aggregate", &"sum"]);
    let fit = words(&[&"fit", &good, &"-o", &model, &"--no-update", &"--threshold", &"1"]);
    let fit = [fit, stretched].concat();
    for (task, name, ours, peer) in [
        ("features", "features, resnet50 to layer3", features, "PyTorch"),
        ("fit", "fit, resnet50 to layer3, threshold given", fit, "PyTorch, scikit-learn"),
    ] {
        let place = cases.len();
        cases.push(Case::new(name, Some(count), dfm, [ours, network.clone(), same.clone()].concat()));
        let arguments = [words(&[&script, &task, &good]), same.clone()].concat();
        cases.push(Case { peer_of: Some(place), ..Case::new(peer, Some(count), peers.python, arguments) });
    }
}

/// The statistics by themselves.
fn with_numpy(cases: &mut Vec<Case>, peers: &Peers<'_>) -> anyhow::Result<()> {
    let script = workspace::root().join("benches/peers/decompose.py");
    let shape = format!("{}x{}", peers.shape.0, peers.shape.1);
    let name = format!("principal components and scores of {shape}, in f64");
    let ours = std::env::current_exe().context("the path of this program")?;
    let place = cases.len();
    cases.push(Case::new(&name, None, &ours, words(&[&"alone", &"decompose", &"--shape", &shape])));
    for method in ["numpy", "scikit-learn"] {
        let arguments = words(&[&script, &"--shape", &shape, &"--method", &method]);
        cases.push(Case { peer_of: Some(place), ..Case::new(method, None, peers.python, arguments) });
    }
    Ok(())
}

/// Checks that cases which do the same work got the same result. Programs tell it by printing a
/// JSON object with `components` and `mean_score`.
pub(crate) fn agree(cases: &[Case], runs: &[Vec<Measured>]) -> anyhow::Result<()> {
    for (case, measured) in cases.iter().zip(runs) {
        let Some(ours) = case.peer_of else { continue };
        let (Some(theirs), Some(ours)) = (told(measured), told(&runs[ours])) else { continue };
        let close = (theirs.1 - ours.1).abs() <= 1e-6 * ours.1.abs();
        ensure!(
            theirs.0 == ours.0 && close,
            "{}: {} components, mean score {}; ours: {}, {}",
            case.name,
            theirs.0,
            theirs.1,
            ours.0,
            ours.1
        );
    }
    Ok(())
}

fn told(runs: &[Measured]) -> Option<(u64, f64)> {
    let result: Value = serde_json::from_str(&runs.last()?.output).ok()?;
    Some((result["components"].as_u64()?, result["mean_score"].as_f64()?))
}

pub(crate) fn words(parts: &[&dyn AsRef<std::ffi::OsStr>]) -> Vec<OsString> {
    parts.iter().map(|part| part.as_ref().to_owned()).collect()
}

/// Number of files below `folder`, at any depth.
pub(crate) fn count_files(folder: &Path) -> anyhow::Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry.with_context(|| folder.display().to_string())?;
        count += if entry.path().is_dir() { count_files(&entry.path())? } else { 1 };
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_with_another_result_is_an_error() {
        let case = |peer_of| Case { peer_of, ..Case::new("x", None, Path::new("x"), Vec::new()) };
        let cases = [case(None), case(Some(0))];
        let runs = |output: &str| {
            let run = |output: &str| Measured {
                wall: std::time::Duration::from_secs(1),
                peak_bytes: None,
                output: output.to_owned(),
            };
            [vec![run(r#"{"components": 3, "mean_score": 2.0}"#)], vec![run(output)]]
        };
        assert!(agree(&cases, &runs(r#"{"components": 3, "mean_score": 2.0000001}"#)).is_ok());
        assert!(agree(&cases, &runs("of another kind")).is_ok());
        assert!(agree(&cases, &runs(r#"{"components": 4, "mean_score": 2.0}"#)).is_err());
        assert!(agree(&cases, &runs(r#"{"components": 3, "mean_score": 2.0001}"#)).is_err());
    }
}
