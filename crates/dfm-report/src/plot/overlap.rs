//! Per-region overlap, and the areas below it that figures are made of.

use super::draw::{label, line};
use super::unit_square::{AREA, HEIGHT, ROW, WIDTH, frame, outline, path, place};
use crate::number;
use crate::report::{Limit, Overlap, Report};
use crate::text::Text;

/// Left end and top of the legend, in the corner that good curves leave free.
const LEGEND: [f64; 2] = [0.38, 0.24];
/// Width and height of a sample of an area in the legend.
const SAMPLE: [f64; 2] = [26.0, 10.0];

/// The curve and the areas below it. Areas that overlap are darker.
pub(crate) fn overlap(report: &Report) -> String {
    let mut body = frame(["false-alarm share of pixels", "mean overlap of regions"]);
    let said = match &report.overlap {
        None => {
            body += &label("middle", [AREA.x(0.5), AREA.y(0.5)], "no curve: nothing was ranked");
            String::new()
        }
        Some(Overlap { curve, limits }) => match &curve.points {
            Ok(points) => {
                let (areas, said) = areas(points, limits);
                body += &areas;
                body += &path(points, "first");
                said
            }
            Err(_) => {
                let text = format!("{}: no curve", curve.name);
                body += &label("start", [AREA.x(LEGEND[0]), AREA.y(LEGEND[1])], &text);
                text
            }
        },
    };
    let said = format!("Per-region overlap. {said}");
    format!(
        "<svg class=\"plot\" id=\"overlap\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">{body}</svg>",
        Text(said.trim_end())
    )
}

/// The areas up to each limit, the legend, and the same in words.
fn areas(points: &[[f64; 2]], limits: &[Limit]) -> (String, String) {
    let (mut body, mut legend, mut said) = (String::new(), String::new(), Vec::new());
    for (index, Limit { to, area }) in limits.iter().enumerate() {
        body += &format!("<path class=\"area\" d=\"{}\"/>", below(points, *to));
        body += &line("limit", place([*to, 0.0]), place([*to, 1.0]));
        let [x, y] = [AREA.x(LEGEND[0]), AREA.y(LEGEND[1]) + ROW * index as f64];
        let area = area.map_or_else(|| "no figure".to_owned(), number::figure);
        let text = format!("AUPRO to {}, {area}", percent(*to));
        // The sample is drawn as often as areas overlap there.
        let deep = limits.iter().filter(|other| other.to >= *to).count();
        let [width, height] = SAMPLE;
        let sample = format!(
            "<rect class=\"area\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{width}\" height=\"{height}\"/>",
            y - height + 1.0
        );
        legend += &sample.repeat(deep);
        legend += &label("start", [x + 34.0, y], &text);
        let [x, y] = place([*to, 0.0]);
        legend += &label("start", [x + 4.0, y - 8.0], percent(*to));
        said.push(text);
    }
    (body + &legend, said.join("; "))
}

fn percent(share: f64) -> String {
    format!("{:.0}\u{a0}%", 100.0 * share)
}

/// The outline of the area below the curve, up to `limit`.
fn below(points: &[[f64; 2]], limit: f64) -> String {
    let mut corners = vec![[0.0, 0.0]];
    corners.extend(points.iter().take_while(|point| point[0] <= limit));
    let crossing = points.windows(2).find(|ends| ends[0][0] < limit && limit < ends[1][0]);
    if let Some([[left, low], [right, high]]) = crossing {
        corners.push([limit, low + (high - low) * (limit - left) / (right - left)]);
    }
    corners.push([limit, 0.0]);
    outline(&corners) + "Z"
}

#[cfg(test)]
mod tests {
    use super::super::tests::of;
    use super::*;
    use crate::report::Curve;

    fn with(points: Result<Vec<[f64; 2]>, String>) -> Report {
        let curve = Curve { name: "regions".to_owned(), of_pictures: false, points, area: None };
        let limits = vec![Limit { to: 0.3, area: Some(0.75) }, Limit { to: 0.05, area: None }];
        Report { overlap: Some(Overlap { curve, limits }), ..of(&[1.0], &[2.0], None) }
    }

    #[test]
    fn areas_end_at_their_limits_on_the_curve() {
        let plot = overlap(&with(Ok(vec![[0.0, 0.0], [0.0, 0.5], [0.5, 1.0], [1.0, 1.0]])));
        // The curve rises to one half at once, then has a slope of 1: it is 0.8 and 0.55 at the
        // limits.
        assert!(plot.contains("d=\"M52.0 348.0L52.0 180.0L152.8 79.2L152.8 348.0Z\""), "{plot}");
        assert!(plot.contains("L52.0 180.0L68.8 163.2L68.8 348.0Z"), "{plot}");
        for said in [">AUPRO to 30\u{a0}%, 0.750<", ">AUPRO to 5\u{a0}%, no figure<", ">30\u{a0}%<"] {
            assert!(plot.contains(said), "{said}: {plot}");
        }
        // A point at the limit is the corner.
        assert_eq!(below(&[[0.0, 0.0], [0.5, 1.0]], 0.5), below(&[[0.0, 0.0], [0.5, 1.0], [1.0, 1.0]], 0.5));
    }

    #[test]
    fn what_has_no_meaning_is_said() {
        let plot = overlap(&with(Err("no masks".to_owned())));
        assert!(plot.contains(">regions: no curve<") && !plot.contains("class=\"area\""), "{plot}");
        assert!(overlap(&of(&[1.0], &[2.0], None)).contains("nothing was ranked"));
    }
}
