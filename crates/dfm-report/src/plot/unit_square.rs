//! ROC and precision–recall curves, and the frame that all plots in a unit square share.

use super::draw::{Area, label, line};
use crate::confusion::{Confusion, SHARES};
use crate::number;
use crate::report::{Curve, Report};
use crate::text::Text;

pub(super) const WIDTH: f64 = 400.0;
pub(super) const HEIGHT: f64 = 400.0;
pub(super) const AREA: Area = Area { left: 52.0, right: 388.0, top: 12.0, bottom: 348.0 };
/// Points that are closer together than this, in the units of the plot, are drawn as one.
const FINEST: f64 = 0.4;
pub(super) const ROW: f64 = 20.0;

/// The differences between the two plots.
struct Kind {
    id: &'static str,
    title: &'static str,
    area: &'static str,
    axes: [&'static str; 2],
    /// The ids of the [`SHARES`] that are the coordinates of the threshold's point.
    point: [&'static str; 2],
    /// The line of a random ranking.
    chance: Option<[[f64; 2]; 2]>,
    /// Left end and top of the legend, in the corner that good curves leave free.
    legend: [f64; 2],
}

/// Draws the receiver operating characteristics.
pub(crate) fn roc(report: &Report) -> String {
    let kind = Kind {
        id: "roc",
        title: "Receiver operating characteristic",
        area: "AUROC",
        axes: ["false-alarm share", "recall"],
        point: ["alarms", "recall"],
        chance: Some([[0.0, 0.0], [1.0, 1.0]]),
        legend: [0.38, 0.24],
    };
    draw(report, &report.roc, &kind)
}

/// Draws the precision–recall curves.
pub(crate) fn precision_recall(report: &Report) -> String {
    let kind = Kind {
        id: "pr",
        title: "Precision and recall",
        area: "AP",
        axes: ["recall", "precision"],
        point: ["recall", "precision"],
        chance: None,
        legend: [0.06, 0.24],
    };
    draw(report, &report.precision_recall, &kind)
}

fn draw(report: &Report, curves: &[Curve], kind: &Kind) -> String {
    let mut body = frame(kind.axes);
    if let (Some([from, to]), true) = (kind.chance, curves.iter().any(|curve| curve.points.is_ok())) {
        body += &line("chance", place(from), place(to));
    }
    let mut said = Vec::new();
    for (index, curve) in curves.iter().enumerate() {
        let [x, y] = [AREA.x(kind.legend[0]), AREA.y(kind.legend[1]) + ROW * index as f64];
        let style = if index == 0 { "first" } else { "second" };
        let text = match &curve.points {
            Ok(points) => {
                body += &path(points, style);
                body += &line(&format!("curve {style}"), [x, y - 4.0], [x + 26.0, y - 4.0]);
                let area = curve.area.map(|area| format!(", {} {}", kind.area, number::figure(area)));
                format!("{}{}", curve.name, area.unwrap_or_default())
            }
            Err(_) => format!("{}: no curve", curve.name),
        };
        body += &label("start", [x + 34.0, y], &text);
        said.push(text);
    }
    if curves.is_empty() {
        body += &label("middle", [AREA.x(0.5), AREA.y(0.5)], "no curve: nothing was ranked");
    }
    if curves.iter().any(|curve| curve.of_pictures && curve.points.is_ok()) {
        body += &point(report, kind);
    }
    let said = format!("{}. {}", kind.title, said.join("; "));
    format!(
        "<svg class=\"plot\" id=\"{}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">{body}</svg>",
        kind.id,
        Text(&said)
    )
}

/// The coordinates of a point of the unit square.
pub(super) fn place([x, y]: [f64; 2]) -> [f64; 2] {
    [AREA.x(x), AREA.y(y)]
}

/// The grid, the axes and their names, the horizontal axis first.
pub(super) fn frame(axes: [&str; 2]) -> String {
    let mut body = String::new();
    for tenths in [0, 2, 4, 6, 8, 10_u8] {
        let share = f64::from(tenths) / 10.0;
        let class = if tenths == 0 { "axis" } else { "grid" };
        body += &line(class, place([share, 0.0]), place([share, 1.0]));
        body += &line(class, place([0.0, share]), place([1.0, share]));
        let [x, y] = [AREA.x(share), AREA.y(share)];
        body += &label("middle", [x, AREA.bottom + 18.0], format_args!("{share:.1}"));
        body += &label("end", [AREA.left - 8.0, y + 4.0], format_args!("{share:.1}"));
    }
    body += &label("middle name", [AREA.x(0.5), AREA.bottom + 40.0], axes[0]);
    let [x, y] = [14.0, AREA.y(0.5)];
    body += &format!("<g transform=\"rotate(-90 {x} {y})\">{}</g>", label("middle name", [x, y], axes[1]));
    body
}

/// A curve in one of the two styles.
pub(super) fn path(points: &[[f64; 2]], style: &str) -> String {
    format!("<path class=\"curve {style}\" d=\"{}\"/>", outline(points))
}

/// Straight lines through `points`, without the points that nobody could tell from their
/// neighbours.
pub(super) fn outline(points: &[[f64; 2]]) -> String {
    let mut data = String::new();
    let mut last: Option<[f64; 2]> = None;
    for (index, point) in points.iter().enumerate() {
        let [x, y] = place(*point);
        let near = last.is_some_and(|[a, b]| (x - a).abs() < FINEST && (y - b).abs() < FINEST);
        if !near || index + 1 == points.len() {
            data += &format!("{}{x:.1} {y:.1}", if last.is_none() { "M" } else { "L" });
            last = Some([x, y]);
        }
    }
    data
}

/// The point of the threshold. The page's script moves it, by the values in its attributes.
fn point(report: &Report, kind: &Kind) -> String {
    let counts = Confusion::of(report);
    let share = |id: &str| {
        let share = SHARES.iter().find(|share| share.id == id)?;
        (share.of)(&counts?)
    };
    let [x, y] = kind.point.map(share);
    let [shown, at] = match (x, y) {
        (Some(x), Some(y)) => ["visible".to_owned(), format!("{:.1} {:.1}", AREA.x(x), AREA.y(y))],
        _ => ["hidden".to_owned(), "0 0".to_owned()],
    };
    let Area { left, right, top, bottom } = AREA;
    format!(
        "<g class=\"at\" visibility=\"{shown}\" transform=\"translate({at})\" data-x=\"{}\" data-y=\"{}\" \
         data-area=\"{left} {right} {top} {bottom}\"><circle r=\"9\"/><circle class=\"dot\" r=\"3.5\"/></g>",
        kind.point[0], kind.point[1]
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::of;
    use super::*;

    fn with_curve(points: Result<Vec<[f64; 2]>, String>) -> Report {
        let curve = Curve { name: "pictures".to_owned(), of_pictures: true, points, area: None };
        Report { roc: vec![curve], ..of(&[1.0, 2.0], &[1.5, 3.0], Some(2.0)) }
    }

    #[test]
    fn corners_of_the_square_are_corners_of_the_plot() {
        let plot = roc(&with_curve(Ok(vec![[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]])));
        assert!(plot.contains("d=\"M52.0 348.0L52.0 12.0L388.0 12.0\""), "{plot}");
        // One of two good pictures is a false alarm, one of two defects is found.
        assert!(plot.contains("visibility=\"visible\" transform=\"translate(220.0 180.0)\""), "{plot}");
    }

    #[test]
    fn a_curve_of_many_points_is_drawn_with_those_that_can_be_seen() {
        let many = (0..=100_000).map(|index| [f64::from(index) / 1e5; 2]).collect();
        let plot = roc(&with_curve(Ok(many)));
        assert!(plot.len() < 30_000, "{}", plot.len());
        assert!(plot.contains("388.0 12.0\"/>"), "the last point stays");
    }

    #[test]
    fn what_has_no_meaning_is_said() {
        let plot = roc(&with_curve(Err("no picture with a defect".to_owned())));
        assert!(plot.contains("pictures: no curve<") && !plot.contains("class=\"at\""), "{plot}");
        assert!(precision_recall(&with_curve(Ok(Vec::new()))).contains("nothing was ranked"));
        // Nothing is called anomalous, so precision has no meaning and the point has no
        // coordinates.
        let mut report = with_curve(Ok(vec![[0.0, 0.0]]));
        (report.threshold, report.precision_recall) = (Some(9.0), report.roc.clone());
        assert!(precision_recall(&report).contains("visibility=\"hidden\""));
    }
}
