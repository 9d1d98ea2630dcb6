//! `dfm fit-all` and `dfm evaluate-all`: a model for each product, and what they are worth.

use std::io::Write;

use anyhow::{Context, bail};
use dfm::metrics::BootstrapParams;
use dfm::{
    EvaluatedProduct, FitStatus, FittedProduct, ForeignRecord, NotSearched, PRODUCTS, ProductsEvaluation,
    ProductsEvaluator, ProductsLearner, SaveOptions, Support, Worst,
};

use super::{fit, info};
use crate::flags::{EvaluateAllFlags, FitAllFlags, ReportFormat};
use crate::hints::Hints;
use crate::messages::Messages;
use crate::report::plain;
use crate::report::table::{self, Align, Table};
use crate::{Outcome, args, output};

/// `dfm fit-all`: `Failed` if a product has no model, or a picture of one could not be used.
pub(crate) fn fit_all(flags: &FitAllFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    if flags.fit.part.is_some() {
        bail!("--part: products are not fitted as parts together; fit each with dfm fit --part");
    }
    let learner = ProductsLearner::new(fit::learner(&flags.fit, messages)?)
        .with_layout(flags.fit.layout())
        .with_all_folders(flags.fit.all_folders)
        .with_save_options(SaveOptions { slim: flags.fit.slim });
    let root = flags
        .fit
        .folder
        .as_deref()
        .context("--list: expected a folder with a sub-folder for each product")?;
    let rows = learner.run(root, &flags.fit.output, messages, |_| {}).hints()?;
    let mut out = output::stdout();
    match flags.format {
        ReportFormat::Json => writeln!(out, "{}", serde_json::json!({ "products": rows }))?,
        ReportFormat::Table => fitted(&rows).write(&mut out)?,
    }
    for row in &rows {
        if let Some(found) = &row.foreign {
            messages.say(format_args!("{}: {}", row.product, info::foreign(found, row.threshold)));
        }
        if let Some(not_searched) = row.not_searched {
            messages.say(format_args!("{}: {not_searched}", row.product));
        }
        if let Some(support) = &row.support {
            fit::tell_few(&row.product, support, row.not_searched == Some(NotSearched::Memory), messages);
        }
    }
    let failed = rows.iter().filter(|row| row.status == FitStatus::Failed).count();
    let unused: usize = rows.iter().map(|row| row.errors).sum();
    if failed > 0 {
        messages.say(format_args!("{failed} of {} products have no model of these pictures", rows.len()));
    }
    let is_failure = failed > 0 || unused > 0 && !flags.fit.skip_bad;
    Ok(if is_failure { Outcome::Failed } else { Outcome::Success })
}

/// `dfm evaluate-all`.
pub(crate) fn evaluate_all(flags: &EvaluateAllFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let bootstrap = (flags.bootstrap > 0)
        .then(|| BootstrapParams { replicates: flags.bootstrap, ..BootstrapParams::default() });
    let evaluator = ProductsEvaluator::new(args::store(flags.weights.as_deref(), &flags.compute)?)
        .with_layout(flags.layout())
        .with_bootstrap(bootstrap)
        .with_false_alarm(flags.false_alarm)
        .with_output(flags.output.clone())
        .with_device_name(flags.compute.device.clone());
    let found = evaluator.run(&flags.models, &flags.root, messages, |_| {}).hints()?;
    let mut out = output::stdout();
    match flags.format {
        ReportFormat::Json => writeln!(out, "{}", serde_json::to_string(&found)?)?,
        ReportFormat::Table => {
            evaluated(&found).write(&mut out)?;
            if let Some(folder) = &flags.output {
                writeln!(out, "{PRODUCTS} is in {}.", folder.display())?;
            }
        }
    }
    if found.failed > 0 {
        messages.say(format_args!("{} of {} products were not measured", found.failed, found.products.len()));
    }
    Ok(messages.outcome(if found.failed > 0 { Outcome::Failed } else { Outcome::Success }))
}

fn fitted(rows: &[FittedProduct]) -> Table {
    let mut table = Table::new(&[
        ("product", Align::Left),
        ("pictures", Align::Right),
        ("left out", Align::Right),
        ("threshold", Align::Right),
        ("calibrate", Align::Left),
        ("seconds", Align::Right),
        ("status", Align::Left),
    ]);
    for row in rows {
        let calibrating = |support: &Support| {
            let few = if support.is_few { ", few" } else { "" };
            format!("{}{few}", support.pictures)
        };
        let left_out = match (row.pictures, row.not_searched) {
            (None, _) | (_, Some(_)) => dash(),
            (Some(_), None) => row.foreign.as_ref().map_or(0, ForeignRecord::count).to_string(),
        };
        let status = match row.status {
            FitStatus::Fitted => "fitted",
            FitStatus::Resumed => "fitted, resumed",
            FitStatus::Kept => "kept: same pictures and settings",
            _ => "failed",
        };
        let unused = match row.errors {
            errors if errors > 0 && row.status != FitStatus::Failed => format!(", {errors} not used"),
            _ => String::new(),
        };
        table.push([
            plain(&row.product).into_owned(),
            row.pictures.map_or_else(dash, |pictures| pictures.to_string()),
            left_out,
            row.threshold.map_or_else(dash, table::score),
            row.support.as_ref().map_or_else(dash, calibrating),
            format!("{:.1}", row.seconds),
            format!("{status}{unused}"),
        ]);
    }
    table
}

fn evaluated(found: &ProductsEvaluation) -> Table {
    let mut table = Table::new(&[
        ("product", Align::Left),
        ("image AUROC", Align::Right),
        ("pixel AUROC", Align::Right),
        ("found", Align::Right),
        ("rejected", Align::Right),
        ("status", Align::Left),
    ]);
    let of = |part: Option<usize>, whole: usize| match part {
        Some(part) if whole > 0 => format!("{part} of {whole}"),
        _ => dash(),
    };
    for row in &found.products {
        let EvaluatedProduct { found, defects, rejected, good, .. } = *row;
        table.push([
            plain(&row.product).into_owned(),
            table::figure(row.image_auroc),
            table::figure(row.pixel_auroc),
            of(found, defects),
            of(rejected, good),
            match (&row.reason, row.errors) {
                (Some(_), _) => "failed".to_owned(),
                (None, 0) => "measured".to_owned(),
                (None, errors) => format!("measured, {errors} not used"),
            },
        ]);
    }
    let mean = found.mean;
    let shares = [mean.image_auroc, mean.pixel_auroc, mean.found, mean.rejected].map(table::figure);
    table.push(std::iter::once("mean".to_owned()).chain(shares));
    let worst = &found.worst;
    let worst = [&worst.image_auroc, &worst.pixel_auroc, &worst.found, &worst.rejected];
    let value = |worst: &Option<Worst>| table::figure(worst.as_ref().map(|worst| worst.value));
    table.push(std::iter::once("worst".to_owned()).chain(worst.map(value)));
    let name = |worst: &Option<Worst>| match worst {
        Some(worst) => plain(&worst.product).into_owned(),
        None => dash(),
    };
    table.push(std::iter::once("worst product".to_owned()).chain(worst.map(name)));
    table
}

fn dash() -> String {
    "-".to_owned()
}
