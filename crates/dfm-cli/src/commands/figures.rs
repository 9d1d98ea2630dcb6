//! An evaluation for people.

use std::io::Write;

use dfm::metrics::Figure;
use dfm::{Evaluation, counted};

use crate::report::plain;
use crate::report::table::{self, Align, Table};

/// Writes the classes, then every figure with its interval.
pub(crate) fn print(evaluation: &Evaluation, out: &mut impl Write) -> anyhow::Result<()> {
    classes(evaluation).write(out)?;
    writeln!(out)?;
    figures(evaluation).write(out)?;
    writeln!(out)?;
    if let Some(best) = evaluation.best_f1 {
        writeln!(out, "best F1            at threshold {}", table::score(best.threshold))?;
    }
    if let (Some(threshold), Some(confusion)) = (evaluation.threshold, evaluation.confusion) {
        writeln!(
            out,
            "at the threshold   {}: {} defects found, {} missed, {} good pictures called anomalous, {} not",
            table::score(threshold),
            confusion.true_positives,
            confusion.false_negatives,
            confusion.false_positives,
            confusion.true_negatives
        )?;
    }
    if let (Some(review), Some(answers)) = (evaluation.review, evaluation.answers) {
        let of = |share: Option<f64>, words: &str| {
            share.map(|share| format!("{:.1} % of the {words}", 100.0 * share))
        };
        let shares = [of(review.good, "good ones"), of(review.defects, "defects")];
        writeln!(
            out,
            "for review         from {}: {} of {}{}",
            table::score(review.from),
            answers.review,
            counted(answers.count(), "picture"),
            shares.into_iter().flatten().map(|share| format!(", {share}")).collect::<String>()
        )?;
    }
    if let (Some(threshold), Some(pixels)) = (evaluation.pixel_threshold, evaluation.pixel_confusion) {
        let shares = [
            (share(pixels.true_positives, pixels.false_negatives), "of those with defects found"),
            (share(pixels.false_positives, pixels.true_negatives), "of the others called anomalous"),
        ];
        let parts = shares
            .iter()
            .filter_map(|(share, words)| Some(format!("{} {words}", table::figure(Some((*share)?)))));
        writeln!(
            out,
            "on pixels          {}: {}",
            table::score(threshold),
            parts.collect::<Vec<_>>().join(", ")
        )?;
    }
    match evaluation.bootstrap {
        Some(bootstrap) if evaluation.has_intervals() => writeln!(
            out,
            "intervals          95 %, of {} draws of pictures, as many of each class as there are",
            bootstrap.replicates
        )?,
        Some(_) if evaluation.pictures > 0 => {
            writeln!(out, "intervals          none: they take two good pictures and two with defects")?;
        }
        _ => {}
    }
    for note in evaluation.notes() {
        writeln!(out, "{note}")?;
    }
    Ok(())
}

fn classes(evaluation: &Evaluation) -> Table {
    let mut classes = Table::new(&[
        ("class", Align::Left),
        ("pictures", Align::Right),
        ("called anomalous", Align::Right),
        ("mean score", Align::Right),
        ("image AUROC", Align::Right),
        ("pixel AUROC", Align::Right),
        ("AUPRO", Align::Right),
    ]);
    let mut row =
        |name: &str, pictures: usize, called: Option<usize>, mean: String, figures: [Option<f64>; 3]| {
            let called = called.map_or_else(|| "-".to_owned(), |called| called.to_string());
            let own = [name.to_owned(), pictures.to_string(), called, mean];
            classes.push(own.into_iter().chain(figures.map(table::figure)));
        };
    let value = |figure: Option<Figure>| figure.map(|figure| figure.value);
    for (name, class) in &evaluation.classes {
        let aupro = value(class.pixel.and_then(|figures| figures.aupro_30));
        let figures = [class.image_auroc, class.pixel_auroc, aupro];
        row(&plain(name), class.pictures, class.called_anomalous, table::score(class.mean_score), figures);
    }
    let called = evaluation.confusion.map(|confusion| confusion.true_positives + confusion.false_positives);
    let figures = [evaluation.image_auroc, evaluation.pixel_auroc, value(evaluation.pixel.aupro_30)];
    row("all", evaluation.pictures, called, String::new(), figures);
    classes
}

fn figures(evaluation: &Evaluation) -> Table {
    let mut figures = Table::new(&[
        ("figure", Align::Left),
        ("image", Align::Right),
        ("95 %", Align::Left),
        ("pixel", Align::Right),
        ("95 %", Align::Left),
    ]);
    let (image, pixel) = (evaluation.image, evaluation.pixel);
    for (name, image, pixel) in [
        ("AUROC", image.auroc, pixel.auroc),
        ("average precision", image.average_precision, pixel.average_precision),
        ("best F1", image.best_f1, pixel.best_f1),
        ("F1 at the threshold", image.f1, evaluation.pixel_f1()),
        ("AUPRO to 30 %", None, pixel.aupro_30),
        ("AUPRO to 5 %", None, pixel.aupro_5),
        ("AUPIMO", None, pixel.aupimo),
    ] {
        let cells = [image, pixel].into_iter().flat_map(|figure| {
            [table::figure(figure.map(|figure| figure.value)), figure.map_or_else(String::new, interval)]
        });
        figures.push(std::iter::once(name.to_owned()).chain(cells));
    }
    figures
}

/// `part` of it and the rest; nothing of nothing.
fn share(part: usize, rest: usize) -> Option<f64> {
    (part + rest > 0).then(|| part as f64 / (part + rest) as f64)
}

fn interval(figure: Figure) -> String {
    match (figure.low, figure.high) {
        (Some(low), Some(high)) => format!("{low:.4} to {high:.4}"),
        _ => String::new(),
    }
}
