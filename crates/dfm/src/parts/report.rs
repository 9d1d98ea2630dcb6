//! The page of an evaluation of parts: an entry for each part, with the pictures of all its views.

use std::path::Path;

use dfm_core::metrics::{Figure, precision_recall_curve, roc_curve};
use dfm_render::short;
use dfm_report::{Class, Curve, Group, Picture, Region, Report, Truth};

use super::evaluation::{PartsEvaluation, class_of, is_anomalous};
use super::judge::PartVerdict;
use crate::error::Error;
use crate::evaluate::below;
use crate::report::{self, Gallery, Reasons, area, drawn, figure, image_figures, remark, rows};

/// Writes the page of `verdicts` and its plots into `folder`. Names of parts are shown as they lie below
/// `root`. `gallery` holds the images of all views of each part, in the order of the verdicts.
pub(super) fn write(
    folder: &Path,
    root: &Path,
    verdicts: &[PartVerdict],
    evaluation: &PartsEvaluation,
    gallery: &mut Gallery,
) -> Result<(), Error> {
    let count = evaluation.views.len();
    report::write_page(folder, &page(root, verdicts, evaluation), |part, view| {
        gallery.images(part * count + view)
    })
}

fn page(root: &Path, verdicts: &[PartVerdict], evaluation: &PartsEvaluation) -> Report {
    let scores: Vec<f64> = verdicts.iter().map(|part| part.score).collect();
    let labels: Vec<bool> = verdicts.iter().map(is_anomalous).collect();
    let defects = labels.iter().filter(|is_defect| **is_defect).count();
    let reasons = Reasons::of_pictures(labels.len() - defects, defects);
    let curve = |points: Vec<[f64; 2]>, figure: Option<Figure>| Curve {
        name: "parts".to_owned(),
        of_pictures: true,
        points: drawn(points, reasons.image),
        area: area(figure),
    };
    let roc = roc_curve(&scores, &labels);
    let roc = roc.iter().map(|point| [point.false_positive_rate, point.true_positive_rate]);
    let precision = precision_recall_curve(&scores, &labels);
    let precision = precision.iter().map(|point| [point.recall, point.precision]);
    let name = |path: &str| Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned());
    let views: Vec<String> = evaluation.views.iter().map(|view| view.view.clone()).collect();
    Report {
        title: name(&evaluation.dataset).unwrap_or_else(|| evaluation.dataset.clone()),
        facts: rows([
            ("Model of parts", name(&evaluation.model).unwrap_or_else(|| evaluation.model.clone())),
            ("Views", views.join(", ")),
            ("Program", concat!("dfm ", env!("CARGO_PKG_VERSION")).to_owned()),
        ]),
        notes: notes(evaluation),
        figures: image_figures(&evaluation.part, &reasons),
        roc: vec![curve(roc.collect(), evaluation.part.auroc)],
        precision_recall: vec![curve(precision.collect(), evaluation.part.average_precision)],
        classes: classes(evaluation, &reasons),
        threshold: Some(evaluation.threshold),
        pictures: verdicts.iter().map(|part| entry(part, root, &views)).collect(),
        settings: settings(evaluation),
        ..Report::default()
    }
}

/// What a reader must know of parts.
fn notes(evaluation: &PartsEvaluation) -> Vec<String> {
    let PartsEvaluation { unjudged, unmatched, .. } = *evaluation;
    let mut notes = vec![
        "each entry is a part with all its views; whatever is counted here as pictures is counted in parts"
            .to_owned(),
        "each view has a scale of colours of its own".to_owned(),
    ];
    if unjudged + unmatched > 0 {
        notes.push(format!("not judged: {unjudged} parts, and {unmatched} pictures of no part"));
    }
    notes.extend(evaluation.contradictions.notes_of("part"));
    notes
}

fn classes(evaluation: &PartsEvaluation, reasons: &Reasons) -> Vec<Class> {
    let classes = evaluation.classes.iter().map(|(name, class)| {
        let auroc = class.part_auroc.map(|value| Figure { value, low: None, high: None, bound: 0.0 });
        let reason = if name == dfm_data::GOOD { "–" } else { reasons.image };
        Class { name: name.clone(), figures: vec![figure("AUROC", auroc, reason)] }
    });
    classes.collect()
}

fn entry(part: &PartVerdict, root: &Path, views: &[String]) -> Picture {
    let deciding = format!("view {} decides", views[part.deciding]);
    let remark = match remark(Some(part.label), part.contradiction()) {
        Some(remark) => format!("{remark}; {deciding}"),
        None => deciding,
    };
    let scaled = views.iter().zip(&part.views).map(|(name, view)| format!("{name} {}", short(view.scaled)));
    Picture {
        path: below(root, Path::new(&part.name)),
        class: class_of(part).to_owned(),
        truth: if is_anomalous(part) { Truth::Defect } else { Truth::Good },
        score: part.score,
        p_value: Some(part.p_value),
        remark: Some(format!("{remark}: {}", scaled.collect::<Vec<_>>().join(", "))),
        views: views.to_vec(),
        // Boxes of several views cannot be told apart in one list; the maps show them.
        regions: Vec::<Region>::new(),
    }
}

fn settings(evaluation: &PartsEvaluation) -> Vec<Group> {
    let intervals = match &evaluation.bootstrap {
        Some(bootstrap) => format!("{} draws of parts, seed {}", bootstrap.replicates, bootstrap.seed),
        None => "none".to_owned(),
    };
    vec![Group {
        title: "Evaluation".to_owned(),
        rows: rows([
            ("model", evaluation.model.clone()),
            ("data set", evaluation.dataset.clone()),
            ("parts judged", evaluation.parts.to_string()),
            ("parts not judged", evaluation.unjudged.to_string()),
            ("device", evaluation.device.clone()),
            ("intervals", intervals),
        ]),
    }]
}
