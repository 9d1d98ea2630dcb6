//! The page around the gallery.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};

use sha2::{Digest, Sha256};

use crate::confusion::{Confusion, SHARES};
use crate::report::{Class, Curve, Figure, Images, Measured, Report, Truth};
use crate::template::{fill, unknown};
use crate::text::Text;
use crate::{ReportError, base64, gallery, number, plot};

const PAGE: &str = include_str!("../assets/page.html");
const THRESHOLD: &str = include_str!("../assets/threshold.html");
const STYLE: &str = include_str!("../assets/page.css");
const SCRIPT: &str = include_str!("../assets/page.js");

impl Report {
    /// Writes the page to `out`. `images` is asked once for what can be shown of each of
    /// [`Self::pictures`], by its place there, in falling order of the scores; only one
    /// answer is held at a time.
    ///
    /// # Errors
    ///
    /// If a number cannot be drawn (a score or threshold that is not finite, a figure
    /// outside [0, 1]), before anything is written; whatever `out` or `images` return.
    pub fn write(
        &self,
        out: impl Write,
        mut images: impl FnMut(usize) -> io::Result<Images>,
    ) -> Result<(), ReportError> {
        self.check()?;
        let mut out = BufWriter::new(out);
        // A hash is of the text as browsers read it: with plain line ends.
        let style = format!("{STYLE}{}", plot::STYLE).replace('\r', "");
        let script = SCRIPT.replace('\r', "");
        fill(&mut out, PAGE, |out, name| match name {
            "style hash" => base64::write(out, &Sha256::digest(&style)),
            "script hash" => base64::write(out, &Sha256::digest(&script)),
            "style" => write!(out, "{style}"),
            "script" => write!(out, "{script}"),
            "title" => write!(out, "{}", Text(&self.title)),
            "summary" => summary(out, self),
            "facts" => rows(out, &self.facts),
            "figures" => figures(out, &self.figures),
            "classes" => classes(out, self),
            "notes" => notes(out, &self.notes),
            "threshold" => threshold(out, self),
            "roc" => write!(out, "{}", plot::roc(self)),
            "roc remarks" => remarks(out, &self.roc),
            "precision recall" => write!(out, "{}", plot::precision_recall(self)),
            "precision recall remarks" => remarks(out, &self.precision_recall),
            "pictures" => gallery::write(out, self, &mut images),
            "settings" => self.settings.iter().try_for_each(|group| {
                write!(out, "<div><h3>{}</h3><dl>", Text(&group.title))?;
                rows(out, &group.rows)?;
                write!(out, "</dl></div>")
            }),
            other => unknown(other),
        })?;
        Ok(out.flush()?)
    }
}

/// One sentence for what was judged, one for what came of it.
fn summary(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let (good, defects) = (report.count(Truth::Good), report.count(Truth::Defect));
    if report.pictures.is_empty() {
        return write!(out, "No picture was judged.");
    }
    write!(out, "{} judged: {good} good, {defects} with a defect", plural(report.pictures.len(), "picture"))?;
    let kinds: BTreeSet<&str> = report
        .pictures
        .iter()
        .filter(|picture| picture.truth == Truth::Defect)
        .map(|picture| picture.class.as_str())
        .collect();
    match kinds.len() {
        0 => {}
        1 => write!(out, " of one class")?,
        many => write!(out, " of {many} classes")?,
    }
    let (Some(counts), Some(threshold)) = (Confusion::of(report), report.threshold) else {
        return write!(out, ". There is no threshold.");
    };
    write!(out, ". At the threshold of {}, ", number::score(threshold))?;
    if defects > 0 {
        write!(out, "<b>{} of {defects} defects found</b>", counts.found)?;
    }
    if good > 0 {
        let and = if defects > 0 { " and " } else { "" };
        write!(out, "{and}<b>{} of {good} good pictures called anomalous</b>", counts.false_alarms)?;
    }
    write!(out, ".")
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn rows(out: &mut impl Write, rows: &[(String, String)]) -> io::Result<()> {
    rows.iter().try_for_each(|(name, value)| {
        write!(out, "<div><dt>{}</dt><dd><bdi>{}</bdi></dd></div>", Text(name), Text(value))
    })
}

/// What a plot leaves to be said: which point is the threshold, and why a curve is missing.
fn remarks(out: &mut impl Write, curves: &[Curve]) -> io::Result<()> {
    curves.iter().try_for_each(|curve| match &curve.points {
        Ok(_) if curve.of_pictures => write!(out, " The ringed point is the threshold."),
        Ok(_) => Ok(()),
        Err(reason) => write!(out, "<br><i>{}: no meaning: {}</i>", Text(&curve.name), Text(reason)),
    })
}

fn notes(out: &mut impl Write, notes: &[String]) -> io::Result<()> {
    if notes.is_empty() {
        return Ok(());
    }
    write!(out, "<div class=\"notes\"><h3>To be read with these figures</h3><ul>")?;
    notes.iter().try_for_each(|note| write!(out, "<li>{}</li>", Text(note)))?;
    write!(out, "</ul></div>")
}

fn figures(out: &mut impl Write, figures: &[Figure]) -> io::Result<()> {
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
                    Some([low, high]) => write!(
                        out,
                        "<span>95 % interval {} to {}</span>",
                        number::figure(low),
                        number::figure(high)
                    )?,
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

/// A value and its interval on a scale from 0 to 1.
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

/// The table of classes: what is called anomalous moves with the threshold.
fn classes(out: &mut impl Write, report: &Report) -> io::Result<()> {
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

fn threshold(out: &mut impl Write, report: &Report) -> io::Result<()> {
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
                write!(out, "The evaluation’s is {}; move it to see what another does.", number::score(threshold))
            }
            None => write!(out, "The evaluation has none; move the slider to try one."),
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
        other => unknown(other),
    }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::tests::of;
    use crate::report::{Curve, Group, Image, ImageFormat, MapScale, Region, Tick};

    /// The page, and the order in which pictures were asked for.
    fn page(report: &Report) -> (String, Vec<usize>) {
        let (mut out, mut asked) = (Vec::new(), Vec::new());
        let images = |index| {
            asked.push(index);
            let image = Image { format: ImageFormat::Png, width: 1, height: 1, bytes: b"foob".to_vec() };
            Ok(Images { picture: Some(image), ..Images::default() })
        };
        report.write(&mut out, images).unwrap();
        (String::from_utf8(out).unwrap(), asked)
    }

    fn with_figures(mut report: Report) -> Report {
        let figures = [
            ("known", Ok(Measured { value: 0.5, interval: Some([0.25, 0.75]) })),
            ("unknown", Err("no picture with a defect".to_owned())),
        ];
        let figures = figures.map(|(name, value)| Figure { name: name.to_owned(), value }).to_vec();
        report.classes.push(Class { name: "class".to_owned(), figures: figures.clone() });
        report.figures = figures;
        let none = Err("no picture with a defect".to_owned());
        report.roc.push(Curve { name: "pictures".to_owned(), of_pictures: true, points: none, area: None });
        report
    }

    #[test]
    fn a_page_says_what_it_was_told_and_fetches_nothing() {
        let report = with_figures(of(&[1.0, 3.0], &[2.0, 4.0, 5.0], Some(2.5)));
        let (page, asked) = page(&report);
        for said in [
            "<b>2 of 3 defects found</b> and <b>1 of 2 good pictures called anomalous</b>",
            "<b>0.500</b><span>95 % interval 0.250 to 0.750</span>",
            "<dd class=\"without\">no meaning: no picture with a defect</dd>",
            "<i>pictures: no meaning: no picture with a defect</i>",
            "<output id=\"found\">2</output>",
            "<td>5</td><td class=\"called\">3</td>",
            "src=\"data:image/png;base64,Zm9vYg==\"",
            "<li data-score=\"4\" data-truth=\"defect\" data-class=\"class\" data-verdict=\"found\">",
        ] {
            assert!(page.contains(said), "{said}");
        }
        // By falling score, good pictures and defects together.
        assert_eq!(asked, [4, 3, 1, 2, 0]);
        let (markup, script) = page.split_once("<script>").unwrap();
        for other in ["{{", "://", "url(//", "@import", "NaN", "inf\""] {
            assert!(!markup.contains(other), "{other}");
        }
        assert!(!script.contains("://") && !script.contains("fetch"));
    }

    #[test]
    fn maps_have_a_legend_and_regions_their_boxes() {
        let region = |peak| Region { corner: [70, 24], size: [41, 50], area: 1305, peak };
        let mut report = of(&[1.0], &[2.0], None);
        assert!(!page(&report).0.contains("map-colours"));
        report.map_scale = Some(MapScale { colours: vec![[0; 3], [255; 3]], ..MapScale::default() });
        report.pictures[0].regions = vec![region(11.25)];
        report.pictures[1].regions = (0..12).map(|place| region(9.0 - f64::from(place))).collect();
        let (page, _) = page(&report);
        for said in [
            "fill=\"url(#map-colours)\"",
            "<summary>1 region above the pixel threshold</summary><ol><li>41 × 50 at 70, 24: 1305 pixels, peak 11.2500</li></ol></details>",
            "<summary>12 regions above",
            "</ol><p>and 2 weaker</p>",
        ] {
            assert!(page.contains(said), "{said}");
        }
        assert_eq!(page.matches(" pixels, peak ").count(), 1 + 10);
    }

    #[test]
    fn whatever_is_missing_is_said() {
        for (report, said) in [
            (of(&[], &[], Some(1.0)), "No picture was judged."),
            (of(&[1.0], &[], Some(2.0)), "no meaning: no picture with a defect</output>"),
            (of(&[], &[1.0], Some(2.0)), "no meaning: no good picture</output>"),
            (of(&[1.0], &[2.0], Some(3.0)), "no meaning: no picture is called anomalous</output>"),
            (of(&[1.0], &[2.0], None), "There is no threshold."),
        ] {
            assert!(page(&report).0.contains(said), "{said}");
        }
    }

    #[test]
    fn nothing_handed_in_becomes_markup() {
        const HOSTILE: &str = "</script></style><x a=\"'>{{title}}";
        let text = || HOSTILE.to_owned();
        let mut report = with_figures(of(&[1.0], &[2.0], Some(1.5)));
        report.title = text();
        report.facts.push((text(), text()));
        report.notes.push(text());
        report.settings.push(Group { title: text(), rows: vec![(text(), text())] });
        for picture in &mut report.pictures {
            (picture.path, picture.class) = (text(), text());
        }
        let tick = Tick { level: 0.5, label: text(), is_threshold: true };
        report.map_scale = Some(MapScale { ticks: vec![tick], ..MapScale::default() });
        report.classes[0].name = text();
        for figure in report.figures.iter_mut().chain(&mut report.classes[0].figures) {
            figure.name = text();
            if figure.value.is_err() {
                figure.value = Err(text());
            }
        }
        report.roc[0].name = text();
        report.precision_recall.push(Curve { points: Err(text()), ..report.roc[0].clone() });
        let (page, _) = page(&report);
        assert!(!page.contains("<x") && !page.contains("a=\"'"), "markup got through");
        assert_eq!((page.matches("</script>").count(), page.matches("</style>").count()), (1, 1));
        assert!(page.matches("&lt;/script&gt;&lt;/style&gt;&lt;x a=&quot;&#39;&gt;{{title}}").count() > 20);
    }

    type Breaks = fn(&mut Report);

    #[test]
    fn a_number_that_cannot_be_drawn_is_refused_before_anything_is_written() {
        let good = with_figures(of(&[1.0], &[2.0], Some(1.5)));
        let broken: [(&str, Breaks); 7] = [
            ("peak of a region of 1.png", |report| {
                let region = Region { corner: [0; 2], size: [1; 2], area: 1, peak: f64::NAN };
                report.pictures[0].regions.push(region);
            }),
            ("level of the map", |report| {
                let tick = Tick { level: 1.5, label: String::new(), is_threshold: false };
                report.map_scale = Some(MapScale { ticks: vec![tick], ..MapScale::default() });
            }),
            ("threshold", |report| report.threshold = Some(f64::NAN)),
            ("score of 1.png", |report| report.pictures[0].score = f64::INFINITY),
            ("p-value of 1.png", |report| report.pictures[0].p_value = Some(1.5)),
            ("known", |report| {
                report.figures[0].value = Ok(Measured { value: 0.5, interval: Some([0.4, 1.1]) });
            }),
            ("ROC curve of pictures", |report| report.roc[0].points = Ok(vec![[0.0, f64::NAN]])),
        ];
        for (named, breaks) in broken {
            let mut report = good.clone();
            breaks(&mut report);
            let mut out = Vec::new();
            let error = report.write(&mut out, |_| Ok(Images::default())).unwrap_err();
            assert!(error.to_string().contains(named), "{named}: {error}");
            assert!(out.is_empty() && report.plots().is_err());
        }
    }

    #[test]
    fn what_the_writer_or_the_images_cannot_do_is_returned() {
        let report = of(&[1.0], &[], None);
        let failing = |_| Err(io::Error::other("no such image"));
        assert!(report.write(Vec::new(), failing).unwrap_err().to_string().contains("no such image"));
        let mut small = [0_u8; 64];
        assert!(report.write(&mut small[..], |_| Ok(Images::default())).is_err());
    }
}
