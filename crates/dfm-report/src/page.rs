//! The page around the gallery.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};

use sha2::{Digest, Sha256};

use crate::confusion::Confusion;
use crate::report::{Curve, Images, Report, Truth};
use crate::template::{fill, unknown};
use crate::text::Text;
use crate::{ReportError, base64, figures, gallery, number, plot, threshold};

const PAGE: &str = include_str!("../assets/page.html");
const STYLE: &str = include_str!("../assets/page.css");
const SCRIPT: &str = include_str!("../assets/page.js");

impl Report {
    /// Writes the page to `out`. `images` is called for each of [`Self::pictures`], with its index there
    /// and the index of a view, in falling order of the scores: once for each view, or with view 0. It
    /// returns the pixels to show. Only one answer is held at a time.
    ///
    /// # Errors
    ///
    /// If a number cannot be drawn: a score or threshold that is not finite, or a figure outside
    /// [0, 1]. Nothing is then written. Errors of `out` and `images` are returned as they are.
    pub fn write(
        &self,
        out: impl Write,
        mut images: impl FnMut(usize, usize) -> io::Result<Images>,
    ) -> Result<(), ReportError> {
        self.check()?;
        let mut out = BufWriter::new(out);
        // Browsers hash the text with plain line ends.
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
            "figures" => figures::write(out, &self.figures),
            "classes" => figures::classes(out, self),
            "notes" => notes(out, &self.notes),
            "threshold" => threshold::write(out, self),
            "roc" => write!(out, "{}", plot::roc(self)),
            "roc remarks" => {
                let drawn = self.roc.iter().any(|curve| curve.points.is_ok());
                write!(out, "{}", if drawn { " Dotted, chance." } else { "" })?;
                self.roc.iter().try_for_each(|curve| remark(out, curve))
            }
            "precision recall" => write!(out, "{}", plot::precision_recall(self)),
            "precision recall remarks" => {
                self.precision_recall.iter().try_for_each(|curve| remark(out, curve))
            }
            "overlap" => write!(out, "{}", plot::overlap(self)),
            "overlap remarks" => self.overlap.iter().try_for_each(|overlap| remark(out, &overlap.curve)),
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

/// Writes one sentence about what was judged, and one about the verdicts.
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

/// Writes what the plot does not show: which point is the threshold, or why a curve is missing.
fn remark(out: &mut impl Write, curve: &Curve) -> io::Result<()> {
    match &curve.points {
        Ok(_) if curve.of_pictures => write!(out, " The ringed point is the threshold."),
        Ok(_) => Ok(()),
        Err(reason) => write!(out, "<br><i>{}: no meaning: {}</i>", Text(&curve.name), Text(reason)),
    }
}

fn notes(out: &mut impl Write, notes: &[String]) -> io::Result<()> {
    if notes.is_empty() {
        return Ok(());
    }
    write!(out, "<div class=\"notes\"><h3>To be read with these figures</h3><ul>")?;
    notes.iter().try_for_each(|note| write!(out, "<li>{}</li>", Text(note)))?;
    write!(out, "</ul></div>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::tests::of;
    use crate::report::{
        Class, Figure, Group, Image, ImageFormat, Limit, MapScale, Measured, Overlap, PixelCounts, Region,
        Tick,
    };

    /// The page, and the order in which `images` was called.
    fn page(report: &Report) -> (String, Vec<usize>) {
        let (mut out, mut asked) = (Vec::new(), Vec::new());
        let images = |index, _| {
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
            "<b>0.500</b><span>95 %: 0.250 to 0.750</span>",
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
    fn pixels_are_counted_with_the_shares_that_have_a_meaning() {
        let mut report = of(&[1.0], &[2.0], None);
        assert!(!page(&report).0.contains("Pixels at the pixel threshold"));
        let counts = PixelCounts {
            threshold: 6.25,
            found: 12_000,
            missed: 4_000,
            false_alarms: 3_000,
            passed: 97_000,
        };
        for (counts, said) in [
            (counts, "<b>12\u{202f}000</b><span>found, 75.0\u{a0}%</span>"),
            (counts, "<b>3\u{202f}000</b><span>false alarms, 3.0\u{a0}%</span>"),
            (counts, "80.0\u{a0}% of what is called anomalous is marked in the masks; F1 is 77.4\u{a0}%."),
            (PixelCounts { found: 0, missed: 0, ..counts }, "<b>0</b><span>found</span>"),
            (PixelCounts { found: 0, missed: 0, ..counts }, "F1 has no meaning."),
            (PixelCounts { found: 0, false_alarms: 0, ..counts }, "called anomalous; F1 is 0.0\u{a0}%."),
        ] {
            report.pixels = Some(counts);
            let (page, _) = page(&report);
            assert!(page.contains(said), "{said}");
            assert!(page.contains("<caption>Pixels at the pixel threshold, 6.2500</caption>"));
        }
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
        let curve = report.precision_recall[0].clone();
        report.overlap = Some(Overlap { curve, limits: vec![Limit { to: 0.3, area: None }] });
        let (page, _) = page(&report);
        assert!(!page.contains("<x") && !page.contains("a=\"'"), "markup got through");
        assert_eq!((page.matches("</script>").count(), page.matches("</style>").count()), (1, 1));
        assert!(page.matches("&lt;/script&gt;&lt;/style&gt;&lt;x a=&quot;&#39;&gt;{{title}}").count() > 20);
    }

    type Breaks = fn(&mut Report);

    #[test]
    fn a_number_that_cannot_be_drawn_is_refused_before_anything_is_written() {
        let good = with_figures(of(&[1.0], &[2.0], Some(1.5)));
        let broken: [(&str, Breaks); 9] = [
            ("pixel threshold", |report| {
                let counts =
                    PixelCounts { threshold: f64::NAN, found: 1, missed: 1, false_alarms: 1, passed: 1 };
                report.pixels = Some(counts);
            }),
            ("limit of the overlap", |report| {
                let limits = vec![Limit { to: 1.5, area: None }];
                report.overlap = Some(Overlap { curve: report.roc[0].clone(), limits });
            }),
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
            let error = report.write(&mut out, |_, _| Ok(Images::default())).unwrap_err();
            assert!(error.to_string().contains(named), "{named}: {error}");
            assert!(out.is_empty() && report.plots().is_err());
        }
    }

    #[test]
    fn what_the_writer_or_the_images_cannot_do_is_returned() {
        let report = of(&[1.0], &[], None);
        let failing = |_, _| Err(io::Error::other("no such image"));
        assert!(report.write(Vec::new(), failing).unwrap_err().to_string().contains("no such image"));
        let mut small = [0_u8; 64];
        assert!(report.write(&mut small[..], |_, _| Ok(Images::default())).is_err());
    }
}
