//! The legend: the colours of maps and their values.

use super::draw::{Area, label, line};
use crate::report::MapScale;
use crate::text::Text;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 62.0;
const AREA: Area = Area { left: 16.0, right: 624.0, top: 22.0, bottom: 40.0 };

/// A bar of the colours with numbers below it. The pixel threshold is marked, with its number
/// above.
pub(crate) fn legend(scale: &MapScale) -> String {
    let stop = |(place, [red, green, blue]): (usize, &[u8; 3])| {
        let offset = place as f64 / (scale.colours.len() - 1).max(1) as f64;
        format!("<stop offset=\"{offset:.4}\" stop-color=\"#{red:02x}{green:02x}{blue:02x}\"/>")
    };
    let stops: String = scale.colours.iter().enumerate().map(stop).collect();
    let Area { left, right, top, bottom } = AREA;
    let mut body = format!(
        "<linearGradient id=\"map-colours\">{stops}</linearGradient><rect x=\"{left}\" y=\"{top}\" width=\"{}\" \
         height=\"{}\" fill=\"url(#map-colours)\"/>",
        right - left,
        bottom - top
    );
    let mut said = "Colours of the maps from dark to bright".to_owned();
    for tick in &scale.ticks {
        let x = AREA.x(tick.level);
        if tick.is_threshold {
            let [red, green, blue] = scale.mark;
            body += &format!(
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"3\" height=\"{:.1}\" fill=\"#{red:02x}{green:02x}{blue:02x}\" \
                 stroke=\"#000\"/>",
                x - 1.5,
                top - 4.0,
                bottom - top + 8.0
            );
            body += &label("middle", [x, top - 8.0], format_args!("pixel threshold {}", tick.label));
            said += &format!(", pixel threshold {}", tick.label);
        } else {
            body += &line("", [x, bottom], [x, bottom + 4.0]);
            body += &label("middle", [x, bottom + 18.0], &tick.label);
        }
    }
    format!(
        "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">{body}</svg>",
        Text(&said)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Tick;

    #[test]
    fn colours_lie_evenly_and_the_threshold_is_marked_at_its_level() {
        let tick = |level, label: &str, is_threshold| Tick { level, label: label.to_owned(), is_threshold };
        let scale = MapScale {
            colours: vec![[0, 0, 4], [186, 54, 85], [252, 255, 164]],
            mark: [0, 229, 255],
            ticks: vec![tick(0.0, "0", false), tick(0.5, "6.26", true)],
        };
        let legend = legend(&scale);
        for said in [
            "<stop offset=\"0.5000\" stop-color=\"#ba3655\"/>",
            "<stop offset=\"1.0000\" stop-color=\"#fcffa4\"/>",
            "<rect x=\"318.5\" y=\"18.0\" width=\"3\" height=\"26.0\" fill=\"#00e5ff\"",
            "aria-label=\"Colours of the maps from dark to bright, pixel threshold 6.26\"",
            "<text class=\"middle\" x=\"16.0\" y=\"58.0\">0</text>",
        ] {
            assert!(legend.contains(said), "{said} in {legend}");
        }
    }
}
