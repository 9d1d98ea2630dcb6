//! What a page is told.

use crate::error::ReportError;

/// Everything that a page says, but for the pixels of its pictures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// What was evaluated, in a few words.
    pub title: String,
    /// What was judged by what: name and value, below the title.
    pub facts: Vec<(String, String)>,
    /// What a reader must know to read the figures rightly; one sentence each.
    pub notes: Vec<String>,
    /// The headline figures, in this order.
    pub figures: Vec<Figure>,
    /// Receiver operating characteristics: false-alarm share, then recall.
    pub roc: Vec<Curve>,
    /// Precision–recall curves: recall, then precision.
    pub precision_recall: Vec<Curve>,
    /// Per-region overlap.
    pub overlap: Option<Overlap>,
    /// Figures by class. Every class has the same ones, in the same order.
    pub classes: Vec<Class>,
    /// The raw score from which a picture is called anomalous, if there is one.
    pub threshold: Option<f64>,
    /// What the pixel threshold makes of pixels, if there is one.
    pub pixels: Option<PixelCounts>,
    /// What the colours of all maps mean, if they mean the same.
    pub map_scale: Option<MapScale>,
    /// The pictures that were judged, in any order.
    pub pictures: Vec<Picture>,
    /// Settings and versions.
    pub settings: Vec<Group>,
}

/// A figure in [0, 1], or why it has no meaning here.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What it is, as `image AUROC`.
    pub name: String,
    /// The figure; else the reason in words, as `no picture with a defect`.
    pub value: Result<Measured, String>,
}

/// A value in [0, 1] and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The value.
    pub value: f64,
    /// Its 95 % interval: lower end, then upper.
    pub interval: Option<[f64; 2]>,
}

/// A curve in the unit square, or why it has no meaning here.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// What was ranked, as `pictures` or `pixels`.
    pub name: String,
    /// Whether pictures were ranked by their scores: the threshold is then a point of it.
    pub of_pictures: bool,
    /// Points `[x, y]` from one end to the other; else the reason in words.
    pub points: Result<Vec<[f64; 2]>, String>,
    /// The area below it.
    pub area: Option<f64>,
}

/// How much of a marked region is found, beside the false alarms that it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Overlap {
    /// The share of false positives among pixels, then the mean share of a region that is found,
    /// both rising.
    pub curve: Curve,
    /// Where the areas below it end.
    pub limits: Vec<Limit>,
}

/// The area below a curve up to a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// The share of false positives at which it ends.
    pub to: f64,
    /// The area, as a share of the largest possible.
    pub area: Option<f64>,
}

/// How many pixels of known truth are called what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PixelCounts {
    /// The value of a map from which a pixel is called anomalous.
    pub threshold: f64,
    /// Marked, and called anomalous.
    pub found: usize,
    /// Marked, and not called so.
    pub missed: usize,
    /// Not marked, but called anomalous.
    pub false_alarms: usize,
    /// Neither.
    pub passed: usize,
}

/// What is known of one class by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Class {
    /// Its name, as [`Picture::class`] has it.
    pub name: String,
    /// Its figures.
    pub figures: Vec<Figure>,
}

/// One picture that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Where it lies, as the reader knows it.
    pub path: String,
    /// Its class.
    pub class: String,
    /// What it shows.
    pub truth: Truth,
    /// Raw score; larger is more abnormal.
    pub score: f64,
    /// The share of good pictures that would score as high, in [0, 1].
    pub p_value: Option<f64>,
    /// Where its map reaches the pixel threshold, the strongest first.
    pub regions: Vec<Region>,
}

/// A connected region of a picture's map, in pixels of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    /// The first column and the first row of the box around it.
    pub corner: [u32; 2],
    /// Columns and rows of that box.
    pub size: [u32; 2],
    /// Its pixels.
    pub area: u32,
    /// The largest value of the map in it.
    pub peak: f64,
}

/// The colours of maps and their values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MapScale {
    /// Red, green and blue from the lowest level to the highest, evenly spaced.
    pub colours: Vec<[u8; 3]>,
    /// The colour that marks the pixel threshold, and what reaches it in maps.
    pub mark: [u8; 3],
    /// Values along it.
    pub ticks: Vec<Tick>,
}

/// A value on a [`MapScale`].
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Where it lies, from 0 to 1.
    pub level: f64,
    /// The value in words.
    pub label: String,
    /// Whether a pixel belongs to a region from it on.
    pub is_threshold: bool,
}

/// What a picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// A good part.
    Good,
    /// A part with a defect.
    Defect,
}

/// What can be shown of a picture.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Images {
    /// The picture itself.
    pub picture: Option<Image>,
    /// Where it is abnormal.
    pub map: Option<Image>,
    /// Where the defect is marked.
    pub mask: Option<Image>,
}

/// An encoded image; its bytes are put into the page as they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// How it is encoded.
    pub format: ImageFormat,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The file's content.
    pub bytes: Vec<u8>,
}

/// How an [`Image`] is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
}

/// Settings that belong together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Group {
    /// What they are about.
    pub title: String,
    /// Name and value.
    pub rows: Vec<(String, String)>,
}

impl ImageFormat {
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
        }
    }
}

impl Report {
    /// Whether every number can be drawn.
    pub(crate) fn check(&self) -> Result<(), ReportError> {
        if let Some(threshold) = self.threshold {
            finite("the threshold", threshold)?;
        }
        for picture in &self.pictures {
            finite(&format!("the score of {}", picture.path), picture.score)?;
            if let Some(p_value) = picture.p_value {
                in_unit_interval(&format!("the p-value of {}", picture.path), p_value)?;
            }
            for region in &picture.regions {
                finite(&format!("the peak of a region of {}", picture.path), region.peak)?;
            }
        }
        for figure in self.figures.iter().chain(self.classes.iter().flat_map(|class| &class.figures)) {
            if let Ok(measured) = &figure.value {
                let interval = measured.interval.into_iter().flatten();
                interval
                    .chain([measured.value])
                    .try_for_each(|value| in_unit_interval(&figure.name, value))?;
            }
        }
        for tick in self.map_scale.iter().flat_map(|scale| &scale.ticks) {
            in_unit_interval("a level of the map's colours", tick.level)?;
        }
        if let Some(pixels) = &self.pixels {
            finite("the pixel threshold", pixels.threshold)?;
        }
        let roc = self.roc.iter().map(|curve| ("ROC", curve));
        let precision_recall = self.precision_recall.iter().map(|curve| ("precision–recall", curve));
        let overlap = self.overlap.iter().map(|overlap| ("per-region overlap", &overlap.curve));
        for (kind, curve) in roc.chain(precision_recall).chain(overlap) {
            let name = format!("the {kind} curve of {}", curve.name);
            let coordinates = curve.points.iter().flatten().flatten().copied();
            coordinates.chain(curve.area).try_for_each(|value| in_unit_interval(&name, value))?;
        }
        for limit in self.overlap.iter().flat_map(|overlap| &overlap.limits) {
            let values = std::iter::once(limit.to).chain(limit.area);
            values.into_iter().try_for_each(|value| in_unit_interval("a limit of the overlap", value))?;
        }
        Ok(())
    }

    /// How many pictures are what `truth` says.
    pub(crate) fn count(&self, truth: Truth) -> usize {
        self.pictures.iter().filter(|picture| picture.truth == truth).count()
    }
}

fn finite(what: &str, got: f64) -> Result<(), ReportError> {
    let error = || ReportError::Number { what: what.to_owned(), expected: "a finite number", got };
    got.is_finite().then_some(()).ok_or_else(error)
}

fn in_unit_interval(what: &str, got: f64) -> Result<(), ReportError> {
    let error = || ReportError::Number { what: what.to_owned(), expected: "a number in [0, 1]", got };
    (0.0..=1.0).contains(&got).then_some(()).ok_or_else(error)
}
