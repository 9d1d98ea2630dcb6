//! `dfm evaluate`: how well a model tells defects from good pictures.

use std::io::Write;

use anyhow::Context;
use dfm::metrics::BootstrapParams;
use dfm::{Evaluator, Judge, METRICS, PAGE, PREDICTIONS, check_file};

use super::figures;
use crate::config::Record;
use crate::flags::{EvaluateFlags, ReportFormat};
use crate::messages::Messages;
use crate::{Outcome, args, input, output};

/// Runs the command.
pub(crate) fn run(flags: &EvaluateFlags, record: &Record, messages: &Messages) -> anyhow::Result<Outcome> {
    let bootstrap = (flags.bootstrap > 0)
        .then(|| BootstrapParams { replicates: flags.bootstrap, ..BootstrapParams::default() });
    bootstrap.map(BootstrapParams::check).transpose().context("--bootstrap")?;
    for folder in flags.output.iter().chain(&flags.report) {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the folder {}", folder.display()))?;
        check_file(&folder.join(METRICS))?;
    }
    let compute = &flags.judge.model.compute;
    let dataset =
        args::workers(compute).run(|| input::test_set(&flags.dataset, flags.layout(), messages))??;
    input::refuse_parts(&dataset)?;
    let (model, options) = args::judge(&flags.judge, args::Purpose::Judging, messages)?;
    let evaluator = Evaluator::new(Judge::new(model).with_workers(args::workers(compute)))
        .with_bootstrap(bootstrap)
        .with_pictures(flags.report.is_some())
        .with_names(flags.judge.model.path.display().to_string(), compute.device.clone());
    let mut run = evaluator.run(&dataset, &options, messages)?;
    for folder in flags.output.iter().chain(&flags.report) {
        run.write(folder, Some(&record.text()))?;
    }
    if let Some(folder) = &flags.report {
        run.write_report(folder)?;
    }
    let mut out = output::stdout();
    match flags.format {
        ReportFormat::Json => writeln!(out, "{}", serde_json::to_string(run.evaluation())?)?,
        ReportFormat::Table => {
            figures::print(run.evaluation(), &mut out)?;
            if let Some(folder) = &flags.output {
                writeln!(out, "{METRICS} and {PREDICTIONS} are in {}.", folder.display())?;
            }
            if let Some(folder) = &flags.report {
                writeln!(out, "The report is {}.", folder.join(PAGE).display())?;
            }
        }
    }
    if !run.evaluation().has_figures() {
        messages.error(
            &flags.dataset,
            "nothing can be measured: expected good pictures and others, masks that mark defects, or a threshold",
        );
    }
    Ok(messages.outcome(Outcome::Success))
}
