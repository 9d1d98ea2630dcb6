//! `dfm fit`, `predict`, `evaluate` and `info` where several pictures show one part.

mod print;

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use dfm::metrics::BootstrapParams;
use dfm::parts::{
    GroupedParts, PartLine, PartPattern, PartsEvaluator, PartsJudge, PartsLearner, PartsModel, PartsOptions,
    View, holds_parts, read_parts,
};
use dfm::{
    CalibrationParams, Contradictions, Dataset, EvaluationRun, Files, Label, Layout, METRICS, PAGE,
    PREDICTIONS, RegionsTable, Robust, SaveOptions, Threshold,
};

use super::fit;
use crate::config::Record;
use crate::flags::{
    EvaluateFlags, FitFlags, InfoFlags, JudgeFlags, MapFlags, ModelFlags, PredictFlags, ReportFormat,
    Validation,
};
use crate::hints::Hints;
use crate::messages::Messages;
use crate::{Outcome, args, input, map_files, output};
use print::{Lines, print_evaluation, print_info};

/// What parts know of the flags of `dfm fit`; any other would be ignored, and is refused.
const FIT: &[&str] = &[
    "folder",
    "layout",
    "output",
    "part",
    "backbone",
    "weights",
    "layer",
    "pool",
    "size",
    "resize",
    "resampling",
    "normalise",
    "seed",
    "recipe",
    "rows",
    "pca",
    "score",
    "aggregate",
    "map",
    "levels",
    "roi",
    "tile",
    "stride",
    "tile-statistics",
    "compat",
    "precision",
    "robust",
    "val",
    "threshold",
    "false-alarm",
    "calibrate",
    "device",
    "threads",
    "jobs",
    "batch",
    "slim",
    "no-update",
    "max-memory",
    "all-folders",
    "exact",
    "resume",
    "skip-bad",
];
/// Those of `dfm predict` and `dfm evaluate` alike.
const JUDGING: &[&str] = &[
    "model",
    "part",
    "format",
    "maps",
    "raw-maps",
    "grid",
    "masks",
    "regions",
    "close",
    "min-area",
    "pixel-size",
    "threshold",
    "false-alarm",
    "weights",
    "device",
    "threads",
    "jobs",
];
/// Those of `dfm predict` alone.
const PREDICT: &[&str] = &["paths", "list"];
/// Those of `dfm evaluate` alone.
const EVALUATE: &[&str] = &["dataset", "layout", "output", "report", "bootstrap"];

/// Whether pictures are to be learnt part by part: a pattern is given, or a list names parts.
pub(crate) fn fits(flags: &FitFlags) -> bool {
    let lists_parts = |list: &Path| {
        let is_list = list.is_file() && flags.layout().is_none_or(|layout| layout == Layout::Manifest);
        // One that cannot be read is told by the usual fit.
        is_list && Dataset::read(list, Some(Layout::Manifest)).is_ok_and(|list| !list.parts.is_empty())
    };
    flags.part.is_some() || flags.folder.as_deref().is_some_and(lists_parts)
}

/// Whether a model of parts judges, or should.
pub(crate) fn judges(flags: &ModelFlags, pattern: Option<&PartPattern>) -> bool {
    pattern.is_some() || holds_parts(&flags.path)
}

/// `dfm fit`.
pub(crate) fn fit(flags: &FitFlags, record: &Record, messages: &Messages) -> anyhow::Result<Outcome> {
    refuse_others(record, &[FIT])?;
    match flags.val {
        Validation::Train => {}
        Validation::None => {
            bail!("--val none: the views of parts are joined by their held-out scores; leave it out")
        }
        Validation::Synthetic => bail!("--val synthetic: parts have no synthetic defects; leave it out"),
    }
    if flags.robust == Robust::On {
        bail!(
            "--robust on: a part is learnt with all its views or not at all, so no picture is left out as foreign; leave it \
             out, and take parts out of the folder whose pictures are said to stand out"
        );
    }
    let learner = fit::learner(flags, messages)?.with_threshold(None);
    let calibration = CalibrationParams::default()
        .with_kind(flags.calibrate)
        .with_false_alarm(flags.false_alarm)
        .with_threshold(flags.threshold);
    let folder =
        flags.folder.as_deref().context("--part: expected a folder or a list of parts, got --list")?;
    let found = input::learnable(folder, flags.layout(), input::Folders::all(flags.all_folders), messages)?;
    let parts = match (&flags.part, &found.dataset) {
        (Some(_), Some(dataset)) if !dataset.parts.is_empty() => {
            bail!("--part: the list names the part and the view of each picture; leave --part out")
        }
        (Some(pattern), _) => {
            let files = Files::new(folder, found.pictures);
            GroupedParts::by_pattern(&files, pattern, None, messages)
        }
        (None, Some(dataset)) => {
            let part = |path: std::path::PathBuf| dataset.parts.get(&path).cloned().map(|part| (path, part));
            let listed = found.pictures.into_iter().filter_map(part);
            GroupedParts::of_list(listed, dataset.folder(), None, messages)
        }
        (None, None) => bail!("{}: names no parts", folder.display()),
    };
    messages.say(format_args!("{}: {}", folder.display(), parts.summary()));
    let save = SaveOptions { slim: flags.slim };
    PartsLearner::new(learner, calibration)
        .fit_to(&parts, &flags.output, &save, flags.resume, messages)
        .map_err(|error| error.at(folder))
        .hints()?;
    let mut out = output::stdout();
    writeln!(out, "{}", flags.output.display())?;
    print_info(&PartsModel::info(&flags.output)?, &mut out)?;
    Ok(if flags.skip_bad { Outcome::Success } else { messages.outcome(Outcome::Success) })
}

/// `dfm predict`: one line a part.
pub(crate) fn predict(flags: &PredictFlags, record: &Record, messages: &Messages) -> anyhow::Result<Outcome> {
    let (model, options) = open(&flags.judge, PREDICT, record)?;
    let is_list = |path: &&std::path::PathBuf| {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        matches!(extension.as_deref(), Some("csv" | "jsonl")) && path.is_file()
    };
    let names = model.view_names();
    let parts = match (flags.paths.iter().find(is_list), flags.part.as_ref().or(model.pattern())) {
        (Some(list), _) if flags.paths.len() > 1 || flags.list.is_some() => {
            bail!("{}: expected one list of parts, or pictures, found both", list.display())
        }
        (Some(_), _) if flags.part.is_some() => bail!("--part: a list names parts itself; leave --part out"),
        (Some(list), _) => {
            let listed = read_parts(list)?;
            listed.problems.iter().for_each(|problem| messages.error(&problem.path, &problem.error));
            GroupedParts::of_list(listed.pictures, Path::new(""), Some(&names), messages)
        }
        (None, Some(pattern)) => {
            let files = input::named(&flags.paths, flags.list.as_deref(), messages)?.into_files()?;
            GroupedParts::by_pattern(&files, pattern, Some(&names), messages)
        }
        (None, None) => bail!(
            "{}: was fitted to a list of parts, so it has no pattern; give a list with path, part and view, or --part",
            flags.judge.model.path.display()
        ),
    };
    let options = options.with_region_rule(args::region_rule(&flags.regions)?);
    let mut table = flags.maps.regions.as_deref().map(RegionsTable::new).transpose()?;
    let judge = with_maps(PartsJudge::new(&model, &options).hints()?, &parts, &flags.maps)?;
    let mut lines = Lines::new(flags.format, &names)?;
    let (mut anomalous, mut contradictions) = (0, Contradictions::default());
    judge.each(&parts, messages, |batch| {
        anomalous += batch.iter().filter(|part| part.label == Label::Anomalous).count();
        batch.iter().for_each(|part| contradictions.push(part.contradiction()));
        if let Some(table) = &mut table {
            batch.iter().try_for_each(|part| part.write_regions(table))?;
        }
        batch.iter().try_for_each(|part| lines.push(&PartLine::new(part, &judge), part.region_count()))
    })?;
    lines.finish()?;
    table.map(RegionsTable::finish).transpose()?;
    contradictions.notes_of("part").iter().for_each(|note| messages.say(note));
    Ok(messages.outcome(if anomalous > 0 { Outcome::Anomalous } else { Outcome::Success }))
}

/// `dfm evaluate`.
pub(crate) fn evaluate(
    flags: &EvaluateFlags,
    record: &Record,
    messages: &Messages,
) -> anyhow::Result<Outcome> {
    let (model, options) = open(&flags.judge, EVALUATE, record)?;
    let bootstrap = (flags.bootstrap > 0)
        .then(|| BootstrapParams { replicates: flags.bootstrap, ..BootstrapParams::default() });
    let folders = || {
        let outputs = flags.output.iter().map(|folder| (folder, false));
        outputs.chain(flags.report.iter().map(|folder| (folder, true)))
    };
    folders().try_for_each(|(folder, has_page)| EvaluationRun::check_folder(folder, has_page))?;
    let compute = &flags.judge.model.compute;
    let dataset =
        args::workers(compute).run(|| input::test_set(&flags.dataset, flags.layout(), messages))??;
    let options = options.with_region_rule(args::region_rule(&flags.regions)?);
    let mut table = flags.maps.regions.as_deref().map(RegionsTable::new).transpose()?;
    let judge = PartsJudge::new(&model, &options).hints()?;
    let evaluator = PartsEvaluator::new(&model)
        .with_bootstrap(bootstrap)
        .with_pattern(flags.part.clone())
        .with_pictures(flags.report.is_some())
        .with_names(flags.judge.model.path.display().to_string(), compute.device.clone());
    let parts = evaluator.group(&dataset, messages);
    let judge = with_maps(judge, &parts, &flags.maps)?;
    let mut run = evaluator.run_on(&dataset, &parts, &judge, messages)?;
    for (folder, _) in folders() {
        run.write(folder, Some(&record.text()))?;
    }
    if let Some(folder) = &flags.report {
        run.write_report(folder)?;
    }
    if let Some(mut table) = table.take() {
        run.verdicts().iter().try_for_each(|part| part.write_regions(&mut table))?;
        table.finish()?;
    }
    let mut out = output::stdout();
    match flags.format {
        ReportFormat::Json => writeln!(out, "{}", serde_json::to_string(run.evaluation())?)?,
        ReportFormat::Table => {
            print_evaluation(run.evaluation(), &mut out)?;
            if let Some(folder) = &flags.output {
                writeln!(out, "{METRICS} and {PREDICTIONS} are in {}.", folder.display())?;
            }
            if let Some(folder) = &flags.report {
                writeln!(out, "The report is {}.", folder.join(PAGE).display())?;
            }
        }
    }
    Ok(messages.outcome(Outcome::Success))
}

/// `dfm info`.
pub(crate) fn info(flags: &InfoFlags) -> anyhow::Result<Outcome> {
    let info = PartsModel::info(&flags.model)?;
    let mut out = output::stdout();
    match flags.format {
        ReportFormat::Json => writeln!(out, "{}", serde_json::to_string(&info)?)?,
        ReportFormat::Table => print_info(&info, &mut out)?,
    }
    Ok(Outcome::Success)
}

/// The model of parts that the flags describe, and what they ask of it. `own` are the flags that the command
/// takes beside those of [`JUDGING`].
fn open(flags: &JudgeFlags, own: &[&str], record: &Record) -> anyhow::Result<(PartsModel, PartsOptions)> {
    let model = &flags.model;
    if !holds_parts(&model.path) {
        bail!(
            "--part: expected a model of parts, which dfm fit --part makes, found something else at {}",
            model.path.display()
        );
    }
    refuse_others(record, &[JUDGING, own])?;
    let store = args::store(model.weights.as_deref(), &model.compute)?;
    let model = PartsModel::open(&model.path, &store).hints()?;
    let threshold = match (flags.threshold, flags.false_alarm) {
        (Some(threshold), _) => Some(Threshold::Score(threshold)),
        (None, rate) => rate.map(Threshold::FalseAlarm),
    };
    Ok((model, PartsOptions::default().with_threshold(threshold)))
}

/// The judge with the folders of maps that flags ask for: in each, a folder for each view.
fn with_maps<'m>(
    judge: PartsJudge<'m>,
    parts: &GroupedParts,
    flags: &MapFlags,
) -> anyhow::Result<PartsJudge<'m>> {
    let views = || judge.model().views().iter().enumerate();
    for (_, view) in views() {
        map_files::check(flags, view.judge.model(), judge.region_rule(view)?)?;
    }
    let folders = |(number, view): (usize, &View)| {
        let (model, rule) = (view.judge.model(), judge.region_rule(view)?);
        let own = flags.below(&view.name);
        map_files::folders(&own, model, rule, &parts.files(number), view.judge.workers())
    };
    let maps = views().map(folders).collect::<anyhow::Result<_>>()?;
    Ok(judge.with_maps(maps))
}

/// Refuses flags that would change nothing.
fn refuse_others(record: &Record, known: &[&[&str]]) -> anyhow::Result<()> {
    match record.given().into_iter().find(|name| !known.iter().any(|known| known.contains(&name.as_str()))) {
        Some(name) => bail!(
            "--{name}: a model of parts does not take it; each view is a usual model, VIEW.dfm in its folder, which \
             takes it for the pictures of that view"
        ),
        None => Ok(()),
    }
}
