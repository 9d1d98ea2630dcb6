//! Plots as SVG. The same text stands in the page and, with its style inside, in a file.

mod axis;
mod draw;
mod histogram;
mod legend;
mod overlap;
mod unit_square;

pub(crate) use histogram::histogram;
pub(crate) use legend::legend;
pub(crate) use overlap::overlap;
pub(crate) use unit_square::{precision_recall, roc};

use crate::report::Report;

pub(crate) const STYLE: &str = include_str!("../../assets/plot.css");

impl Report {
    /// The names of the files of [`plots`](Self::plots).
    pub const PLOT_NAMES: [&str; 4] =
        ["roc.svg", "precision-recall.svg", "per-region-overlap.svg", "histogram.svg"];

    /// The plots as separate files: for each, the name of the file and the SVG document.
    ///
    /// # Errors
    ///
    /// If a number cannot be drawn.
    pub fn plots(&self) -> Result<[(&'static str, String); 4], crate::ReportError> {
        self.check()?;
        let file = |plot: String| {
            plot.replacen("<svg ", "<svg xmlns=\"http://www.w3.org/2000/svg\" ", 1).replacen(
                '>',
                &format!("><style>{STYLE}</style>"),
                1,
            )
        };
        let [first, second, third, fourth] = Self::PLOT_NAMES;
        Ok([
            (first, file(roc(self))),
            (second, file(precision_recall(self))),
            (third, file(overlap(self))),
            (fourth, file(histogram(self))),
        ])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::report::{Curve, Picture, Truth};

    /// A report with the scores of `good` pictures and of `defects`.
    pub(crate) fn of(good: &[f64], defects: &[f64], threshold: Option<f64>) -> Report {
        let picture = |truth| {
            move |score: &f64| Picture {
                path: format!("{score}.png"),
                class: "class".to_owned(),
                truth,
                score: *score,
                p_value: None,
                remark: None,
                views: Vec::new(),
                regions: Vec::new(),
            }
        };
        let good = good.iter().map(picture(Truth::Good));
        let pictures = good.chain(defects.iter().map(picture(Truth::Defect))).collect();
        Report { threshold, pictures, ..Report::default() }
    }

    #[test]
    fn files_are_documents_with_their_style() {
        let mut report = of(&[1.0, 2.0], &[3.0], Some(2.5));
        report.roc.push(Curve {
            name: "<b>&".to_owned(),
            of_pictures: true,
            points: Ok(vec![[0.0, 0.0], [1.0, 1.0]]),
            area: Some(0.5),
        });
        for (name, plot) in report.plots().unwrap() {
            assert!(plot.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" "), "{name}: {plot}");
            assert_eq!(plot.matches("<style>").count(), 1, "{name}");
            assert!(plot.ends_with("</svg>"), "{name}");
            assert!(
                !plot.contains("<b>") && !plot.contains("NaN") && !plot.contains("inf"),
                "{name}: {plot}"
            );
        }
    }
}
