//! The headline figures, and those of every class.

use std::io::{self, Write};

use crate::number;
use crate::report::{Class, Figure, Measured, Report};
use crate::text::Text;

/// Writes the headline figures, each with its interval on a scale.
pub(crate) fn write(out: &mut impl Write, figures: &[Figure]) -> io::Result<()> {
    if figures.is_empty() {
        return write!(out, "<p>Nothing was measured.</p>");
    }
    write!(out, "<dl class=\"figures\">")?;
    for figure in figures {
        write!(out, "<div><dt>{}</dt>", Text(&figure.name))?;
        match &figure.value {
            Ok(measured) => {
                write!(out, "<dd><b>{}</b>", number::figure(measured.value))?;
                match measured.interval {
                    Some([low, high]) => {
                        write!(out, "<span>95 %: {} to {}</span>", number::figure(low), number::figure(high))?
                    }
                    None => write!(out, "<span>no interval</span>")?,
                }
                write!(out, "{}</dd>", scale(measured))?;
            }
            Err(reason) => write!(out, "<dd class=\"without\">no meaning: {}</dd>", Text(reason))?,
        }
        write!(out, "</div>")?;
    }
    write!(out, "</dl>")
}

/// Writes the table of classes. The counts of verdicts move with the threshold.
pub(crate) fn classes(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let Some(first) = report.classes.first() else { return Ok(()) };
    write!(
        out,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Figures by class\"><table \
         class=\"classes\"><caption>By class</caption><thead><tr><th scope=\"col\">class</th><th \
         scope=\"col\">pictures</th><th scope=\"col\">called anomalous</th>"
    )?;
    for figure in &first.figures {
        write!(out, "<th scope=\"col\">{}</th>", Text(&figure.name))?;
    }
    write!(out, "</tr></thead><tbody>")?;
    report.classes.iter().try_for_each(|class| row_of_class(out, report, class))?;
    write!(out, "</tbody></table></div>")
}

/// Writes a value and its interval on a scale from 0 to 1.
fn scale(measured: &Measured) -> String {
    let x = |value: f64| 2.0 + 196.0 * value;
    let mut body = format!("<path class=\"axis\" d=\"M{} 7H{}", x(0.0), x(1.0));
    for tenths in 0..=10_u8 {
        let reach = if tenths % 5 == 0 { 5 } else { 2 };
        body += &format!("M{:.1} {}V7", x(f64::from(tenths) / 10.0), 7 - reach);
    }
    body += "\"/>";
    if let Some([low, high]) = measured.interval {
        body += &format!("<path class=\"interval\" d=\"M{:.1} 7H{:.1}\"/>", x(low), x(high));
    }
    body += &format!("<path class=\"value\" d=\"M{:.1} 1V12\"/>", x(measured.value));
    format!("<svg class=\"scale\" viewBox=\"0 0 200 12\" aria-hidden=\"true\">{body}</svg>")
}

fn row_of_class(out: &mut impl Write, report: &Report, class: &Class) -> io::Result<()> {
    let own = || report.pictures.iter().filter(|picture| picture.class == class.name);
    let called = report.threshold.map(|threshold| own().filter(|picture| picture.score >= threshold).count());
    write!(
        out,
        "<tr data-class=\"{0}\"><th scope=\"row\">{0}</th><td>{1}</td><td class=\"called\">{2}</td>",
        Text(&class.name),
        own().count(),
        called.map_or_else(|| "–".to_owned(), |called| called.to_string())
    )?;
    for figure in &class.figures {
        match &figure.value {
            Ok(Measured { value, interval: Some([low, high]) }) => write!(
                out,
                "<td>{} <span>{}–{}</span></td>",
                number::figure(*value),
                number::figure(*low),
                number::figure(*high)
            )?,
            Ok(measured) => write!(out, "<td>{}</td>", number::figure(measured.value))?,
            Err(reason) => write!(out, "<td class=\"without\">{}</td>", Text(reason))?,
        }
    }
    write!(out, "</tr>")
}
