//! What an evaluation tells its page.

use std::path::Path;

use dfm_core::metrics::{AUPRO_LIMITS, Figure, ImageFigures, PixelFigures};
use dfm_core::{Contradiction, Label, MapRegion};
use dfm_data::GOOD;
use dfm_render::{INFERNO, LINE, short};
use dfm_report::{
    Class, Curve, Group, Images, Limit, MapScale, Measured, Overlap, Picture, PixelCounts, Region, Report,
    Tick, Truth,
};
use serde_json::Value;

use super::gallery::Gallery;
use crate::error::Error;
use crate::evaluate::{Evaluated, Evaluation, Settings, below};
use crate::files::{check_file, make_folder, write_file};
use crate::kind::FileKind;

/// The page.
pub const PAGE: &str = "index.html";

/// Makes `folder` and refuses, before any work is done, one in which something of the page's names
/// must stay.
pub(crate) fn check(folder: &Path) -> Result<(), Error> {
    make_folder(folder)?;
    check_file(&folder.join(PAGE), FileKind::PAGE)?;
    Ok(Report::PLOT_NAMES.iter().try_for_each(|name| check_file(&folder.join(name), FileKind::PLOT))?)
}

/// Writes [`PAGE`] and its plots into `folder`, which is made if it is not there. Paths are shown as
/// they lie below `root`; `gallery` holds the pictures of `evaluated`, in the same order.
pub(crate) fn write(
    folder: &Path,
    root: &Path,
    evaluated: &Evaluated,
    evaluation: &Evaluation,
    gallery: &mut Gallery,
) -> Result<(), Error> {
    write_page(folder, &report(root, evaluated, evaluation), |index, _| gallery.images(index))
}

/// Writes a page and its plots into `folder`, which is made if it is not there.
pub(crate) fn write_page(
    folder: &Path,
    report: &Report,
    images: impl FnMut(usize, usize) -> std::io::Result<Images>,
) -> Result<(), Error> {
    make_folder(folder)?;
    for (name, plot) in report.plots()? {
        write_file(&folder.join(name), FileKind::PLOT, |writer| Ok(writer.write_all(plot.as_bytes())?))?;
    }
    write_file(&folder.join(PAGE), FileKind::PAGE, |writer| Ok(report.write(writer, images)?))
}

fn report(root: &Path, evaluated: &Evaluated, evaluation: &Evaluation) -> Report {
    let settings = &evaluation.settings;
    let reasons = Reasons::new(evaluated);
    let of_pictures = |points: Vec<[f64; 2]>, figure: Option<Figure>| Curve {
        name: "pictures".to_owned(),
        of_pictures: true,
        points: drawn(points, reasons.image),
        area: area(figure),
    };
    let of_pixels = |name: &str, points: &[[f64; 2]], figure: Option<Figure>| Curve {
        name: name.to_owned(),
        of_pictures: false,
        points: drawn(points.to_vec(), reasons.pixel),
        area: area(figure),
    };
    let (image, pixel, pixel_curves) = (&evaluation.image, &evaluation.pixel, &evaluated.pixel);
    let roc = evaluated.roc.iter().map(|point| [point.false_positive_rate, point.true_positive_rate]);
    let precision = evaluated.precision_recall.iter().map(|point| [point.recall, point.precision]);
    let aupro = [pixel.aupro_30, pixel.aupro_5];
    let limits = AUPRO_LIMITS.into_iter().zip(aupro).map(|(to, figure)| Limit { to, area: area(figure) });
    let mut headline = image_figures(image, &reasons);
    headline.extend(pixel_figures(evaluation, &reasons));
    let name = |path: &str| Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned());
    Report {
        title: name(&settings.dataset).unwrap_or_else(|| settings.dataset.clone()),
        facts: rows([
            ("Model", name(&settings.model).unwrap_or_else(|| settings.model.clone())),
            ("Program", settings.program.clone()),
        ]),
        notes: evaluation
            .notes()
            .into_iter()
            .chain(reviewed(evaluation))
            .chain(verdicts_apart(evaluated))
            .collect(),
        figures: headline,
        roc: vec![
            of_pictures(roc.collect(), image.auroc),
            of_pixels("pixels", &pixel_curves.roc, pixel.auroc),
        ],
        precision_recall: vec![
            of_pictures(precision.collect(), image.average_precision),
            of_pixels("pixels", &pixel_curves.precision_recall, pixel.average_precision),
        ],
        overlap: Some(Overlap {
            curve: of_pixels("regions", &pixel_curves.pro, None),
            limits: limits.collect(),
        }),
        classes: classes(evaluation, &reasons),
        threshold: evaluated.threshold,
        review_from: evaluated.review_from,
        pixels: evaluation.pixel_threshold.zip(evaluation.pixel_confusion).map(|(threshold, counts)| {
            PixelCounts {
                threshold,
                found: counts.true_positives,
                missed: counts.false_negatives,
                false_alarms: counts.false_positives,
                passed: counts.true_negatives,
            }
        }),
        map_scale: map_scale(evaluated),
        pictures: evaluated
            .pictures
            .iter()
            .map(|picture| Picture {
                path: below(root, &picture.path),
                class: picture.class.clone(),
                truth: if picture.defect.is_some() { Truth::Defect } else { Truth::Good },
                score: picture.score,
                p_value: picture.p_value,
                remark: remark(picture.label, picture.contradiction()),
                views: Vec::new(),
                regions: picture.regions.iter().flatten().map(region).collect(),
            })
            .collect(),
        settings: groups(settings, evaluation),
    }
}

/// What the verdict of the model says beyond the two sides of the threshold.
pub(crate) fn remark(label: Option<Label>, contradiction: Option<Contradiction>) -> Option<String> {
    let remark = match (label, contradiction) {
        (Some(Label::Review), _) => "for review",
        (_, Some(Contradiction::NormalWithRegions)) => "called normal, but the map has regions",
        (_, Some(Contradiction::AnomalousWithoutRegions)) => "called anomalous, but the map has no region",
        _ => return None,
    };
    Some(remark.to_owned())
}

fn region(region: &MapRegion) -> Region {
    let MapRegion { x, y, width, height, area, peak, .. } = *region;
    Region { corner: [x, y], size: [width, height], area, peak: peak.into() }
}

/// What colours mean, if there are maps and all have one scale.
fn map_scale(evaluated: &Evaluated) -> Option<MapScale> {
    if evaluated.maps == 0 {
        return None;
    }
    let ticks = evaluated.scale.ticks()?.into_iter().map(|tick| Tick {
        level: tick.level,
        label: short(tick.value),
        is_threshold: tick.is_threshold,
    });
    let colours = INFERNO.map(|colour| colour.map(|value| value as u8)).to_vec();
    Some(MapScale { colours, mark: LINE, ticks: ticks.collect() })
}

/// How many pictures a person should look at, if a review band was asked for.
fn reviewed(evaluation: &Evaluation) -> Option<String> {
    let (review, answers) = (evaluation.review?, evaluation.answers?);
    let of = |share: Option<f64>| {
        share.map_or_else(|| "none".to_owned(), |share| format!("{:.1} %", 100.0 * share))
    };
    Some(format!(
        "for review from a score of {}: {} of {} pictures, {} of the good ones and {} of those with a defect",
        short(review.from),
        answers.review,
        answers.count(),
        of(review.good),
        of(review.defects)
    ))
}

/// A note on verdicts that differ from the threshold, if verdicts rest on p-values of their own.
fn verdicts_apart(evaluated: &Evaluated) -> Option<String> {
    let threshold = evaluated.threshold?;
    let apart = evaluated.pictures.iter().filter(|picture| {
        picture.label.is_some_and(|label| (label == Label::Anomalous) != (picture.score >= threshold))
    });
    match apart.count() {
        0 => None,
        count => Some(format!(
            "the model judges by p-values: of {count} pictures it says other than the threshold, which is \
             what is counted here"
        )),
    }
}

/// The reasons why figures are missing.
pub(crate) struct Reasons {
    pub(crate) image: &'static str,
    pixel: &'static str,
    aupimo: &'static str,
    pub(crate) at_threshold: &'static str,
    at_pixel_threshold: &'static str,
}

impl Reasons {
    /// The reasons where there is a threshold, and nothing is known of pixels.
    pub(crate) fn of_pictures(good: usize, defects: usize) -> Self {
        let image = match (defects, good) {
            (0, 0) => "no picture was judged",
            (0, _) => "no picture with a defect",
            (_, 0) => "no good picture",
            _ => "nothing to rank",
        };
        Self { image, pixel: image, aupimo: image, at_threshold: image, at_pixel_threshold: image }
    }

    fn new(evaluated: &Evaluated) -> Self {
        let defects = evaluated.pictures.iter().filter(|picture| picture.defect.is_some()).count();
        let image = Self::of_pictures(evaluated.pictures.len() - defects, defects).image;
        let masked = evaluated.pictures.iter().any(|picture| picture.pixels.is_some());
        let pixel = match (evaluated.maps, defects) {
            (_, 0) => image,
            (0, _) => "this score has no map",
            _ if !masked => "no mask that marks a defect",
            _ => "nothing to rank",
        };
        Self {
            image,
            pixel,
            aupimo: match evaluated.pixel.figures.auroc {
                Some(_) if defects == evaluated.pictures.len() => image,
                Some(_) => "too few good pixels",
                None => pixel,
            },
            at_threshold: if evaluated.threshold.is_none() { "no threshold" } else { image },
            at_pixel_threshold: match evaluated.scale.rule.pixel_threshold {
                None if evaluated.maps > 0 => "no pixel threshold",
                _ => pixel,
            },
        }
    }
}

pub(crate) fn image_figures(figures: &ImageFigures, reasons: &Reasons) -> Vec<dfm_report::Figure> {
    vec![
        figure("image AUROC", figures.auroc, reasons.image),
        figure("image average precision", figures.average_precision, reasons.image),
        figure("image F1, best", figures.best_f1, reasons.image),
        figure("image F1 at the threshold", figures.f1, reasons.at_threshold),
    ]
}

fn pixel_figures(evaluation: &Evaluation, reasons: &Reasons) -> Vec<dfm_report::Figure> {
    let figures: &PixelFigures = &evaluation.pixel;
    vec![
        figure("pixel AUROC", figures.auroc, reasons.pixel),
        figure("pixel average precision", figures.average_precision, reasons.pixel),
        figure("pixel F1, best", figures.best_f1, reasons.pixel),
        figure("pixel F1 at the threshold", evaluation.pixel_f1(), reasons.at_pixel_threshold),
        figure("AUPRO to 30 %", figures.aupro_30, reasons.pixel),
        figure("AUPRO to 5 %", figures.aupro_5, reasons.pixel),
        figure("AUPIMO", figures.aupimo, reasons.aupimo),
    ]
}

pub(crate) fn figure(name: &str, figure: Option<Figure>, without: &str) -> dfm_report::Figure {
    let value = figure.map(|figure| Measured {
        value: share(figure.value),
        interval: figure.low.zip(figure.high).map(|(low, high)| [share(low), share(high)]),
    });
    dfm_report::Figure { name: name.to_owned(), value: value.ok_or_else(|| without.to_owned()) }
}

/// The area below a curve.
pub(crate) fn area(figure: Option<Figure>) -> Option<f64> {
    figure.map(|figure| share(figure.value))
}

/// Sums of many shares may pass 1 by their rounding.
fn share(value: f64) -> f64 {
    value.clamp(0.0, 1.0)
}

pub(crate) fn drawn(points: Vec<[f64; 2]>, without: &str) -> Result<Vec<[f64; 2]>, String> {
    if points.is_empty() {
        return Err(without.to_owned());
    }
    Ok(points.into_iter().map(|point| point.map(share)).collect())
}

fn classes(evaluation: &Evaluation, reasons: &Reasons) -> Vec<Class> {
    let none = "–";
    let good =
        Reasons { image: none, pixel: none, aupimo: none, at_threshold: none, at_pixel_threshold: none };
    let classes = evaluation.classes.iter().map(|(name, class)| {
        let reasons = if name == GOOD { &good } else { reasons };
        let (image, pixel) = (class.image.unwrap_or_default(), class.pixel.unwrap_or_default());
        let figures = vec![
            figure("image AUROC", image.auroc, reasons.image),
            figure("pixel AUROC", pixel.auroc, reasons.pixel),
            figure("AUPRO to 30 %", pixel.aupro_30, reasons.pixel),
        ];
        Class { name: name.clone(), figures }
    });
    classes.collect()
}

fn groups(settings: &Settings, evaluation: &Evaluation) -> Vec<Group> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let params = settings.params.as_object().into_iter().flatten();
    let intervals = match &evaluation.bootstrap {
        Some(bootstrap) => format!("{} draws of pictures, seed {}", bootstrap.replicates, bootstrap.seed),
        None => "none".to_owned(),
    };
    let group = |title: &str, rows| Group { title: title.to_owned(), rows };
    vec![
        group("Fit", params.map(|(name, value)| (name.replace('_', " "), text(value))).collect()),
        group(
            "Model",
            rows([
                ("file", settings.model.clone()),
                ("SHA-256", settings.model_digest.clone()),
                ("fitted by", settings.model_program.clone()),
                ("good pictures learnt", settings.fitted_on.to_string()),
                ("network", settings.architecture.clone()),
                ("its input", format!("{} × {} pixels", settings.input["width"], settings.input["height"])),
                ("SHA-256 of its weights", settings.weights_sha256.clone()),
            ]),
        ),
        group(
            "Evaluation",
            rows([
                ("data set", settings.dataset.clone()),
                ("its layout", settings.layout.clone()),
                ("pictures judged", evaluation.pictures.to_string()),
                ("not usable", evaluation.errors.to_string()),
                ("program", settings.program.clone()),
                ("device", settings.device.clone()),
                ("intervals", intervals),
            ]),
        ),
    ]
}

pub(crate) fn rows<const N: usize>(rows: [(&str, String); N]) -> Vec<(String, String)> {
    rows.map(|(name, value)| (name.to_owned(), value)).to_vec()
}
