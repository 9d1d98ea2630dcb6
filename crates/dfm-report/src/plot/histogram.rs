//! The histogram: scores of good pictures and of defects, back to back, with the threshold.

use super::axis::Axis;
use super::draw::{Area, label, line};
use crate::number;
use crate::report::{Report, Truth};
use crate::text::Text;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 370.0;
const AREA: Area = Area { left: 48.0, right: 944.0, top: 46.0, bottom: 302.0 };
/// The line between the two halves. Bars of defects rise from it, bars of good pictures hang from
/// it.
const MIDDLE: f64 = (AREA.top + AREA.bottom) / 2.0;
/// Height of the highest bar, as a share of its half.
const HIGHEST: f64 = 0.92;
const FEWEST_BARS: usize = 12;
const MOST_BARS: usize = 64;

/// The bars of good pictures and of defects. Each half has a scale of its own, because the two
/// numbers of pictures usually differ. Wrong verdicts are dark, right verdicts are pale.
pub(crate) fn histogram(report: &Report) -> String {
    let scores: Vec<f64> = report.pictures.iter().map(|picture| picture.score).collect();
    let Some(axis) = Axis::new(&scores, report.threshold) else {
        let text = "no picture was judged";
        return format!(
            "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} 60\" role=\"img\" aria-label=\"{text}\">{}</svg>",
            label("middle", [WIDTH / 2.0, 34.0], text)
        );
    };
    let (mut body, band) = match report.review_from.zip(report.threshold) {
        Some((from, to)) => band([from, to], &axis),
        None => Default::default(),
    };
    for (tick, name) in axis.ticks() {
        let x = AREA.x(axis.share(tick));
        body += &line("grid", [x, AREA.top], [x, AREA.bottom]);
        body += &label("middle at-tick", [x, AREA.bottom + 36.0], name);
    }
    body += &half(report, &axis, Truth::Defect);
    body += &half(report, &axis, Truth::Good);
    body += &line("axis", [AREA.left, MIDDLE], [AREA.right, MIDDLE]);
    let scale = if axis.logarithmic { "raw score, logarithmic scale" } else { "raw score" };
    body += &label("middle name at-tick", [AREA.x(0.5), HEIGHT - 6.0], scale);
    body += &threshold(report.threshold, &axis);
    let said = format!(
        "Histogram of raw scores from {} to {}: {} defects above the line, {} good pictures below it{band}",
        number::score(axis.low),
        number::score(axis.high),
        report.count(Truth::Defect),
        report.count(Truth::Good)
    );
    let Area { left, right, top, bottom } = AREA;
    format!(
        "<svg class=\"plot\" id=\"histogram\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\" \
         data-low=\"{}\" data-high=\"{}\" data-logarithmic=\"{}\"{} data-area=\"{left} {right} {top} {bottom}\">\
         {body}</svg>",
        Text(&said),
        axis.low,
        axis.high,
        axis.logarithmic,
        report.threshold.map_or_else(String::new, |threshold| format!(" data-threshold=\"{threshold}\""))
    )
}

/// The band of scores for review, with its entry in the legend, and the words that tell it. It belongs to the
/// evaluation, so it stays where it is if the reader moves the threshold.
fn band([from, to]: [f64; 2], axis: &Axis) -> (String, String) {
    let [left, right] = [from, to].map(|score| AREA.x(axis.share(score).clamp(0.0, 1.0)));
    let Area { top, bottom, .. } = AREA;
    let rect = |x: f64, y: f64, width: f64, height: f64| {
        format!(
            "<rect class=\"review\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        )
    };
    let said = format!("for review, {} to {}", number::score(from), number::score(to));
    let legend = [AREA.left, HEIGHT - 18.0];
    let body = rect(left, top, (right - left).max(0.0), bottom - top)
        + &rect(legend[0], legend[1], 22.0, 12.0)
        + &label("start", [legend[0] + 28.0, HEIGHT - 6.0], &said);
    (body, format!("; {said}"))
}

/// The bars of one half: all of them pale, and those with wrong verdicts again in dark.
fn half(report: &Report, axis: &Axis, truth: Truth) -> String {
    let (class, name, outwards, none) = match truth {
        Truth::Defect => ("defect", "defects", -1.0, "no picture with a defect"),
        Truth::Good => ("good", "good pictures", 1.0, "no good picture"),
    };
    let count = report.count(truth);
    let outer = MIDDLE + outwards * (MIDDLE - AREA.top);
    let name_at = [AREA.left, if outwards < 0.0 { outer - 8.0 } else { outer + 16.0 }];
    if count == 0 {
        return label("middle", [AREA.x(0.5), (MIDDLE + outer) / 2.0 + 4.0], none);
    }
    let bars = Bars::new(report, axis);
    let mut counts = vec![0_u32; bars.count + 1];
    for picture in report.pictures.iter().filter(|picture| picture.truth == truth) {
        counts[bars.of(picture.score)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    let height = |count: u32| outwards * HIGHEST * (MIDDLE - AREA.top) * f64::from(count) / f64::from(most);
    let mut data = format!("M{:.1} {MIDDLE:.1}", AREA.left);
    for (index, count) in counts.iter().enumerate() {
        let end = AREA.x(bars.end(index));
        data += &format!("V{:.1}H{end:.1}", MIDDLE + height(*count));
    }
    data += &format!("V{MIDDLE:.1}Z");
    let top = MIDDLE + height(most);
    let mut body = line("tick", [AREA.left - 5.0, top], [AREA.left, top]);
    body += &label("end", [AREA.left - 8.0, top + 4.0], most);
    body += &format!("<path class=\"bars {class}\" d=\"{data}\"/>");
    body += &format!("<path class=\"bars {class} wrong\" clip-path=\"url(#wrong)\" d=\"{data}\"/>");
    body + &label(&format!("start {class}"), name_at, format_args!("{name}, {count}"))
}

/// How the axis is divided into bars. The threshold of the evaluation lies between two bars, so no
/// bar mixes right and wrong verdicts. The first and the last bar are as long as the space that is
/// left.
struct Bars<'a> {
    axis: &'a Axis,
    /// Number of bars of full length along the axis.
    count: usize,
    /// Length of the first bar, as a share of a full bar.
    first: f64,
    /// The threshold, and the index of the bar that begins there.
    threshold: Option<(f64, usize)>,
}

impl<'a> Bars<'a> {
    fn new(report: &Report, axis: &'a Axis) -> Self {
        let count = (2.0 * (report.pictures.len() as f64).sqrt()) as usize;
        let count = count.clamp(FEWEST_BARS, MOST_BARS);
        let place = report.threshold.map_or(1.0, |threshold| axis.share(threshold) * count as f64);
        let begins = place.ceil() as usize;
        let first = place + 1.0 - begins as f64;
        Self { axis, count, first, threshold: report.threshold.map(|threshold| (threshold, begins)) }
    }

    /// The end of bar `index`, as a share of the axis.
    fn end(&self, index: usize) -> f64 {
        ((index as f64 + self.first) / self.count as f64).min(1.0)
    }

    /// The index of the bar that counts `score`.
    fn of(&self, score: f64) -> usize {
        let bar = (self.axis.share(score) * self.count as f64 - self.first + 1.0).max(0.0) as usize;
        let bar = match self.threshold {
            Some((threshold, begins)) if score >= threshold => bar.max(begins),
            Some((_, begins)) => bar.min(begins.saturating_sub(1)),
            None => bar,
        };
        // There is one more bar behind the last full one, unless the first bar is full too.
        bar.min(if self.first < 1.0 { self.count } else { self.count - 1 })
    }
}

/// The line of the threshold, and the areas with wrong verdicts: defects left of it, good pictures
/// right of it. The page's script moves both.
fn threshold(threshold: Option<f64>, axis: &Axis) -> String {
    let x = AREA.x(threshold.map_or(0.0, |threshold| axis.share(threshold)));
    let shown = if threshold.is_some() { "visible" } else { "hidden" };
    let Area { left, right, top, bottom } = AREA;
    let (half, missed_width, alarms_width) = (MIDDLE - top, x - left, right - x);
    let text =
        threshold.map_or_else(String::new, |threshold| format!("threshold {}", number::score(threshold)));
    let anchor = if x > AREA.x(0.8) { "end" } else { "start" };
    let beside = if anchor == "end" { -6.0 } else { 6.0 };
    format!(
        "<clipPath id=\"wrong\"><rect id=\"missed\" x=\"{left}\" y=\"{top}\" width=\"{missed_width:.1}\" \
         height=\"{half}\" visibility=\"{shown}\"/><rect id=\"alarmed\" x=\"{x:.1}\" y=\"{MIDDLE}\" width=\"{alarms_width:.1}\" \
         height=\"{half}\" visibility=\"{shown}\"/></clipPath><g id=\"line\" class=\"threshold\" visibility=\"{shown}\" \
         transform=\"translate({x:.1} 0)\">{}{}</g>",
        line("", [0.0, top - 40.0], [0.0, bottom]),
        label(anchor, [beside, top - 30.0], text)
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::of;
    use super::*;

    #[test]
    fn every_picture_is_in_a_bar_and_the_threshold_divides_them() {
        let plot = histogram(&of(&[1.0, 2.0, 2.0, 2.0], &[3.0, 4.0], Some(2.5)));
        assert!(plot.contains("good pictures, 4") && plot.contains("defects, 2"), "{plot}");
        assert!(plot.contains("threshold 2.5000"));
        // Half way along the axis from 1 to 4.
        assert!(plot.contains("transform=\"translate(496.0 0)\""), "{plot}");
        assert!(plot.contains("id=\"missed\" x=\"48\" y=\"46\" width=\"448.0\""), "{plot}");
        // The highest bar of good pictures holds the three equal scores, and fills its half.
        assert!(plot.contains(&format!("V{:.1}H", MIDDLE + HIGHEST * (MIDDLE - AREA.top))), "{plot}");
    }

    #[test]
    fn no_bar_lies_on_both_sides_of_the_threshold() {
        for threshold in [2.5, 2.513, 1.0, 4.0, 0.9, 7.0, 1.3 + 1.2] {
            let scores = [1.0, 1.7, 2.4, 2.5, 2.513, 2.6, 4.0];
            let report = of(&scores, &[3.0], Some(threshold));
            let axis = Axis::new(&[scores.as_slice(), &[3.0]].concat(), report.threshold).unwrap();
            let bars = Bars::new(&report, &axis);
            for score in scores {
                let bar = bars.of(score);
                let (begin, end) = (bar.checked_sub(1).map_or(0.0, |before| bars.end(before)), bars.end(bar));
                let (share, at) = (axis.share(score), axis.share(threshold));
                assert!(
                    begin < end && (begin - 1e-9..=end + 1e-9).contains(&share),
                    "{score} in {begin}..{end}"
                );
                let right = if score >= threshold { begin + 1e-9 >= at } else { end - 1e-9 <= at };
                assert!(right, "{score} in {begin}..{end}, the threshold at {at}");
            }
        }
    }

    #[test]
    fn the_band_of_review_has_a_colour_and_a_line_in_the_legend() {
        let mut report = of(&[1.0, 2.0, 2.0, 2.0], &[3.0, 4.0], Some(2.5));
        assert!(!histogram(&report).contains("review"));
        report.review_from = Some(1.75);
        let plot = histogram(&report);
        // From 1.75 to the middle of the axis, which goes from 0.91 to 4.09.
        let band = "<rect class=\"review\" x=\"284.7\" y=\"46.0\" width=\"211.3\" height=\"256.0\"/>";
        assert!(plot.contains(band), "{plot}");
        assert!(plot.contains(">for review, 1.7500 to 2.5000</text>"), "{plot}");
        assert!(plot.contains("good pictures below it; for review, 1.7500 to 2.5000\""), "{plot}");
        assert_eq!(plot.matches("class=\"review\"").count(), 2);
        assert!(super::super::STYLE.matches(".plot .review { fill:").count() == 2);
        // A band that begins before every score begins where the axis does.
        report.review_from = Some(-7.0);
        assert!(histogram(&report).contains("<rect class=\"review\" x=\"48.0\""));
        // Without a threshold, nothing says where it ends.
        report.threshold = None;
        assert!(!histogram(&report).contains("review"));
    }

    #[test]
    fn what_is_not_there_is_said() {
        assert!(histogram(&of(&[], &[], Some(1.0))).contains("no picture was judged"));
        assert!(histogram(&of(&[1.0], &[], Some(1.0))).contains("no picture with a defect"));
        assert!(histogram(&of(&[], &[1.0], Some(1.0))).contains("no good picture<"));
        assert!(histogram(&of(&[1.0], &[1.0], None)).contains("class=\"threshold\" visibility=\"hidden\""));
    }
}
