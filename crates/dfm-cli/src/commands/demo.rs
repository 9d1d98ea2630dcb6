//! `dfm demo`: the real thing, on bundled pictures.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use dfm_core::metrics::BootstrapParams;
use dfm_core::{FitParams, JudgeOptions, Method, USUAL_POOL};

use super::evaluate::{below, evaluate, settings};
use super::fit::save;
use super::learn::Learning;
use super::predict::{Lines, Maps};
use crate::evaluation::{Evaluation, print};
use crate::flags::{BackboneFlags, DemoFlags, Format};
use crate::input::{Dataset, Layout};
use crate::messages::Messages;
use crate::report::gallery::Gallery;
use crate::report::html;
use crate::report::json::PredictionLine;
use crate::report::scale::MapScale;
use crate::{Outcome, args, atomic, output};

/// `(path, bytes)` of every bundled picture, in the layout of MVTec AD.
static PICTURES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/demo_pictures.rs"));

/// Runs the command: fit, judge, measure, overlays, report.
pub(crate) fn run(flags: &DemoFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let output = &flags.output;
    let data = output.join("pictures");
    unpack(&data).with_context(|| format!("cannot unpack the bundled pictures to {}", data.display()))?;

    let method = Method::default();
    let backbone = backbone(&method);
    let params = FitParams::from(method.clone());
    let device = args::device(&flags.compute)?;
    let jobs = args::jobs(&flags.compute);
    let extractor = args::extractor(&backbone, &params, method.usual_resize(), &device)?;
    let dataset = Dataset::read_test(&data, Some(Layout::Mvtec), messages)?;
    let learning = Learning { folder: &data, paths: &dataset.train, jobs, messages };
    let model = learning.fit(&params, extractor, None)?.model;
    let threshold = model.calibration().map(|calibration| calibration.threshold());
    let judge = args::Judge { model, options: JudgeOptions::default(), threshold };
    let model = &judge.model;
    let path = output.join("demo.dfm");
    save(model, &path, false)?;

    let paths: Vec<_> = dataset.pictures.iter().map(|picture| picture.path.clone()).collect();
    let scale = MapScale::of(model);
    let maps = Maps::new(&output.join("maps"), &paths, scale)?;
    let mut gallery = Gallery::new()?;
    let mut lines = Lines::new(Format::Table)?;
    let bootstrap = Some(BootstrapParams::default());
    let evaluated = evaluate(&judge, &scale, &dataset, jobs, bootstrap, messages, |judged| {
        maps.write(&paths, judged, messages);
        gallery.push(&dataset, judged, &scale, messages)?;
        judged.iter().try_for_each(|one| {
            let shown = below(&data, &paths[one.index]).display().to_string();
            lines.push(PredictionLine::new(shown, one, model, threshold))
        })
    })?;
    let mut out = output::stdout();
    writeln!(out)?;
    lines.finish()?;
    writeln!(out)?;
    let settings = settings(&path, &flags.compute.device, &dataset)?;
    let evaluation = Evaluation::new(&evaluated, settings);
    print(&evaluation, &mut out)?;
    let report = output.join("report");
    std::fs::create_dir_all(&report)
        .with_context(|| format!("cannot create the folder {}", report.display()))?;
    html::write(&report, dataset.folder(), &evaluated, &evaluation, &mut gallery)?;
    writeln!(out)?;
    writeln!(out, "Overlays are in {}.", output.join("maps").display())?;
    writeln!(out, "The report is {}.", report.join(html::PAGE).display())?;
    writeln!(
        out,
        "Next: dfm fit YOUR_GOOD_PICTURES -o part.dfm, then dfm predict part.dfm NEW_PICTURES --maps maps"
    )?;
    Ok(messages.outcome(Outcome::Success))
}

/// What `dfm fit` takes unless told otherwise.
fn backbone(usual: &Method) -> BackboneFlags {
    BackboneFlags {
        backbone: None,
        weights: None,
        layer: usual.taps.iter().map(|tap| tap.layer).collect(),
        pool: vec![USUAL_POOL],
        size: None,
        resize: None,
        seed: 0,
    }
}

fn unpack(folder: &Path) -> anyhow::Result<()> {
    for (name, bytes) in PICTURES {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        atomic::write(&path, |writer| Ok(writer.write_all(bytes)?))?;
    }
    Ok(())
}
