//! `dfm evaluate`: how well a model tells defects from good pictures.

use std::io::Write;

use anyhow::Context;
use dfm::metrics::BootstrapParams;
use dfm::{EvaluationRun, Evaluator, Judge, METRICS, PAGE, PREDICTIONS, RegionsTable};

use super::figures;
use crate::config::Record;
use crate::flags::{EvaluateFlags, ReportFormat};
use crate::hints::Hints;
use crate::messages::Messages;
use crate::{Outcome, args, input, map_files, output};

/// Runs the command.
pub(crate) fn run(flags: &EvaluateFlags, record: &Record, messages: &Messages) -> anyhow::Result<Outcome> {
    let bootstrap = (flags.bootstrap > 0)
        .then(|| BootstrapParams { replicates: flags.bootstrap, ..BootstrapParams::default() });
    bootstrap.map(BootstrapParams::check).transpose().context("--bootstrap")?;
    let folders = || {
        let outputs = flags.output.iter().map(|folder| (folder, false));
        outputs.chain(flags.report.iter().map(|folder| (folder, true)))
    };
    folders().try_for_each(|(folder, has_page)| EvaluationRun::check_folder(folder, has_page))?;
    let compute = &flags.judge.model.compute;
    let workers = args::workers(compute);
    let dataset = workers.run(|| input::test_set(&flags.dataset, flags.layout(), messages))??;
    input::refuse_parts(&dataset)?;
    let (model, options) = args::judge(&flags.judge, args::Purpose::Judging, &workers, messages)?;
    let options = options.with_region_rule(args::region_rule(&flags.regions)?);
    let rule = model.region_rule(&options).map_err(dfm::Error::from).hints()?;
    map_files::check(&flags.maps, &model, rule)?;
    let mut table = flags.maps.regions.as_deref().map(RegionsTable::new).transpose()?;
    let maps = map_files::folders(&flags.maps, &model, rule, &Evaluator::files(&dataset), &workers)?;
    let evaluator = Evaluator::new(Judge::new(model).with_workers(workers))
        .with_maps(maps)
        .with_bootstrap(bootstrap)
        .with_pictures(flags.report.is_some())
        .with_names(flags.judge.model.path.display().to_string(), compute.device.clone());
    let mut run = evaluator.run(&dataset, &options, messages)?;
    for (folder, _) in folders() {
        run.write(folder, Some(&record.text()))?;
    }
    if let Some(folder) = &flags.report {
        run.write_report(folder)?;
    }
    if let Some(mut table) = table.take() {
        run.write_regions(&mut table)?;
        table.finish()?;
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
