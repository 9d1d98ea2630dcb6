//! The threshold with the verdicts on pictures, and the pixel threshold with the verdicts on
//! pixels.

use std::io::{self, Write};

use crate::confusion::{Confusion, SHARES};
use crate::report::{PixelCounts, Report};
use crate::template::{fill, unknown};
use crate::{number, plot};

const THRESHOLD: &str = include_str!("../assets/threshold.html");
const PIXELS: &str = include_str!("../assets/pixels.html");

/// Writes the scores, the threshold that the reader can move, and its verdicts on pictures. Below
/// that, it writes the verdicts of the pixel threshold on pixels.
pub(crate) fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    if report.pictures.is_empty() {
        return write!(out, "<p>No picture was judged, so there is nothing to divide.</p>");
    }
    let counts = Confusion::of(report);
    let count = |of: fn(&Confusion) -> usize| {
        counts.as_ref().map_or_else(|| "–".to_owned(), |counts| of(counts).to_string())
    };
    fill(out, THRESHOLD, |out, name| {
        match name {
        "origin" => match report.threshold {
            Some(threshold) => {
                write!(out, "The threshold of the evaluation is {}. Move the slider to try another one.", number::score(threshold))
            }
            None => write!(out, "The evaluation has no threshold. Move the slider to try one."),
        },
        "reset" => match report.threshold {
            Some(threshold) => write!(out, "back to {}", number::score(threshold)),
            None => write!(out, "back to none"),
        },
        "histogram" => write!(out, "{}", plot::histogram(report)),
        "found" => write!(out, "{}", count(|counts| counts.found)),
        "missed" => write!(out, "{}", count(|counts| counts.missed)),
        "false alarms" => write!(out, "{}", count(|counts| counts.false_alarms)),
        "passed" => write!(out, "{}", count(|counts| counts.passed)),
        "shares" => SHARES.iter().try_for_each(|share| {
            let value = match &counts {
                Some(counts) => (share.of)(counts).map_or_else(|| share.without.to_owned(), number::percent),
                None => "no threshold".to_owned(),
            };
            write!(
                out,
                "<div><dt>{}</dt><dd><output id=\"{}\" data-without=\"{}\">{value}</output><span>{}</span></dd></div>",
                share.name, share.id, share.without, share.meaning
            )
        }),
        "pixels" => report.pixels.iter().try_for_each(|counts| pixels(out, counts)),
        other => unknown(other),
    }
    })
}

/// Writes the counts of labelled pixels, with the shares that have a meaning.
fn pixels<W: Write>(out: &mut W, counts: &PixelCounts) -> io::Result<()> {
    let confusion = Confusion::of_pixels(counts);
    let share = |id: &str| {
        let share = SHARES.iter().find(|share| share.id == id)?;
        (share.of)(&confusion).map(number::percent)
    };
    fill(out, PIXELS, |out, name| match name {
        "threshold" => write!(out, "{}", number::score(counts.threshold)),
        "found" => write!(out, "{}", number::count(counts.found)),
        "missed" => write!(out, "{}", number::count(counts.missed)),
        "false alarms" => write!(out, "{}", number::count(counts.false_alarms)),
        "passed" => write!(out, "{}", number::count(counts.passed)),
        "recall" | "alarms" => share(name).iter().try_for_each(|share| write!(out, ", {share}")),
        "others" => match (share("precision"), share("f1")) {
            (Some(precision), Some(f1)) => {
                write!(out, "{precision} of what is called anomalous is marked in the masks; F1 is {f1}.")
            }
            (None, Some(f1)) => write!(out, "No pixel is called anomalous; F1 is {f1}."),
            (_, None) => write!(out, "No pixel is marked in a mask, so that F1 has no meaning."),
        },
        other => unknown(other),
    })
}
