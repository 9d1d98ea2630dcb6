//! `dfm demo`: the real thing, on bundled pictures.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use dfm::{
    Dataset, EvaluationRun, Evaluator, FileKind, Files, Judge, Layout, Learner, MapScale, MapsFolder,
    ModelStore, PAGE, SaveOptions, VerdictLine, check_file, create_file,
};

use super::figures;
use super::fit::tell;
use super::predict::Lines;
use crate::flags::{DemoFlags, Format};
use crate::messages::Messages;
use crate::{Outcome, args, input, output};

/// `(path, bytes)` of every bundled picture, in the layout of MVTec AD.
static PICTURES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/demo_pictures.rs"));

/// Runs the command: fit, judge, measure, overlays, report.
pub(crate) fn run(flags: &DemoFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let output = &flags.output;
    let data = output.join("pictures");
    let (path, report) = (output.join("demo.dfm"), output.join("report"));
    check(output, &data, &path, &report)?;
    unpack(&data).with_context(|| format!("cannot unpack the bundled pictures to {}", data.display()))?;

    let (compute, workers) = (args::compute(&flags.compute)?, args::workers(&flags.compute));
    let dataset = input::test_set(&data, Some(Layout::Mvtec), messages)?;
    let learner = Learner::default().with_compute(compute.clone()).with_workers(workers.clone());
    let model = learner.fit(&Files::new(&data, dataset.train.clone()), messages)?;
    let sizes = ModelStore::save(&model, &path, &SaveOptions { slim: false })?;
    tell(&model, &path, sizes, messages)?;
    // The model that is judged with is the one in the file.
    let model = ModelStore::default().with_compute(compute).with_workers(workers.clone()).open(&path)?;

    let paths: Vec<_> = dataset.pictures.iter().map(|picture| picture.path.clone()).collect();
    let files = Files::new(&data, paths);
    let maps =
        MapsFolder::new(&output.join("maps"), &files, MapScale::of(&model))?.with_workers(workers.clone());
    let mut lines = Lines::new(Format::Table)?;
    let judge = Judge::new(model).with_workers(workers);
    let threshold = judge.model().calibration().map(|calibration| calibration.threshold());
    let evaluator = Evaluator::new(judge.clone())
        .with_pictures(true)
        .with_maps(vec![maps])
        .with_names(path.display().to_string(), flags.compute.device.clone());
    let mut run = evaluator.run_each(&dataset, &Default::default(), messages, |batch| {
        batch.iter().try_for_each(|one| {
            let shown = below(&dataset, &files.paths()[one.index]);
            lines.push(VerdictLine::new(shown, &one.verdict, judge.model(), threshold))
        })
    })?;
    let mut out = output::stdout();
    writeln!(out)?;
    lines.finish()?;
    writeln!(out)?;
    figures::print(run.evaluation(), &mut out)?;
    run.write_report(&report)?;
    writeln!(out)?;
    writeln!(out, "Overlays are in {}.", output.join("maps").display())?;
    writeln!(out, "The report is {}.", report.join(PAGE).display())?;
    writeln!(
        out,
        "Next: dfm fit YOUR_GOOD_PICTURES -o part.dfm, then dfm predict part.dfm NEW_PICTURES --maps maps"
    )?;
    Ok(messages.outcome(Outcome::Success))
}

/// A path without the folder of the data set.
fn below(dataset: &Dataset, path: &Path) -> String {
    path.strip_prefix(dataset.folder()).unwrap_or(path).display().to_string()
}

/// Refuses, before anything is written, an `output` in which something else must stay.
fn check(output: &Path, data: &Path, model: &Path, report: &Path) -> anyhow::Result<()> {
    for (name, bytes) in PICTURES {
        let path = data.join(name);
        match std::fs::read(&path) {
            Ok(found) if found != *bytes => bail!(
                "{}: expected the bundled picture or nothing there, found another file, which stays as it is; choose \
                 another folder with --output",
                path.display()
            ),
            _ => {}
        }
    }
    std::fs::create_dir_all(output)
        .with_context(|| format!("cannot create the folder {}", output.display()))?;
    check_file(model, FileKind::MODEL)?;
    Ok(EvaluationRun::check_folder(report, true)?)
}

/// Writes the bundled pictures that are not there.
fn unpack(folder: &Path) -> anyhow::Result<()> {
    for (name, bytes) in PICTURES {
        let path = folder.join(name);
        if path.is_file() {
            continue;
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        create_file(&path, |writer| Ok(writer.write_all(bytes)?))?;
    }
    Ok(())
}
