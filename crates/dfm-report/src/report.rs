//! The data of a page.

use crate::error::ReportError;

/// Everything that a page shows, except the pixels of its pictures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// What was evaluated, in a few words.
    pub title: String,
    /// Facts about the evaluation, as name and value, shown below the title.
    pub facts: Vec<(String, String)>,
    /// Notes that a reader needs to understand the figures; one sentence each.
    pub notes: Vec<String>,
    /// The headline figures, in this order.
    pub figures: Vec<Figure>,
    /// Receiver operating characteristics: false-alarm share, then recall.
    pub roc: Vec<Curve>,
    /// Precision–recall curves: recall, then precision.
    pub precision_recall: Vec<Curve>,
    /// Per-region overlap.
    pub overlap: Option<Overlap>,
    /// Figures of each class. Every class has the same figures in the same order.
    pub classes: Vec<Class>,
    /// The raw score from which a picture is called anomalous, if there is one.
    pub threshold: Option<f64>,
    /// The raw score from which a person should look at a picture, if that was asked for. The band ends at
    /// `threshold`.
    pub review_from: Option<f64>,
    /// Counts of pixels at the pixel threshold, if there is one.
    pub pixels: Option<PixelCounts>,
    /// The colour scale of all maps, if they share one.
    pub map_scale: Option<MapScale>,
    /// The pictures that were judged, in any order.
    pub pictures: Vec<Picture>,
    /// Settings and versions.
    pub settings: Vec<Group>,
}

/// A figure in [0, 1], or the reason why it has no meaning here.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Name of the figure, such as `image AUROC`.
    pub name: String,
    /// The figure, or the reason in words, such as `no picture with a defect`.
    pub value: Result<Measured, String>,
}

/// A value in [0, 1] and its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The value.
    pub value: f64,
    /// The 95 % interval: lower end, then upper end.
    pub interval: Option<[f64; 2]>,
}

/// A curve in the unit square, or the reason why it has no meaning here.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// What was ranked: `pictures` or `pixels`.
    pub name: String,
    /// Whether pictures were ranked by their scores. The threshold is then a point of the curve.
    pub of_pictures: bool,
    /// Points `[x, y]` from one end to the other, or the reason in words.
    pub points: Result<Vec<[f64; 2]>, String>,
    /// The area below the curve.
    pub area: Option<f64>,
}

/// The mean share of a marked region that is found, at each share of false alarms.
#[derive(Debug, Clone, PartialEq)]
pub struct Overlap {
    /// The share of false positives among pixels, and the mean share of a region that is found.
    /// Both rise.
    pub curve: Curve,
    /// The limits up to which areas are measured.
    pub limits: Vec<Limit>,
}

/// The area below a curve up to a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// The share of false positives at which the area ends.
    pub to: f64,
    /// The area, as a share of the largest possible area.
    pub area: Option<f64>,
}

/// Counts of labelled pixels at the pixel threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PixelCounts {
    /// The value of a map from which a pixel is called anomalous.
    pub threshold: f64,
    /// Marked pixels that are called anomalous.
    pub found: usize,
    /// Marked pixels that are not called anomalous.
    pub missed: usize,
    /// Unmarked pixels that are called anomalous.
    pub false_alarms: usize,
    /// Unmarked pixels that are not called anomalous.
    pub passed: usize,
}

/// The figures of one class.
#[derive(Debug, Clone, PartialEq)]
pub struct Class {
    /// Name of the class, as in [`Picture::class`].
    pub name: String,
    /// Figures of the class.
    pub figures: Vec<Figure>,
}

/// One picture that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Path of the picture, as the reader knows it.
    pub path: String,
    /// Its class.
    pub class: String,
    /// Label of the picture.
    pub truth: Truth,
    /// Raw score; larger is more abnormal.
    pub score: f64,
    /// The share of good pictures that would score at least as high, in [0, 1].
    pub p_value: Option<f64>,
    /// What else is to be said of the verdict, such as that a person should look.
    pub remark: Option<String>,
    /// If this is a part with several pictures, the names of its views. Each view has images of its own.
    pub views: Vec<String>,
    /// Regions in which the map reaches the pixel threshold, the strongest first.
    pub regions: Vec<Region>,
}

/// A connected region of a picture's map, in pixels of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    /// First column and first row of the box around the region.
    pub corner: [u32; 2],
    /// Number of columns and rows of that box.
    pub size: [u32; 2],
    /// Number of pixels of the region.
    pub area: u32,
    /// The largest value of the map in the region.
    pub peak: f64,
}

/// The colours of maps and the values that they stand for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MapScale {
    /// Red, green and blue of evenly spaced levels, from the lowest to the highest.
    pub colours: Vec<[u8; 3]>,
    /// The colour that marks the pixel threshold on the scale, and what reaches it in maps.
    pub mark: [u8; 3],
    /// Values along the scale.
    pub ticks: Vec<Tick>,
}

/// A value on a [`MapScale`].
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Position on the scale, from 0 to 1.
    pub level: f64,
    /// The value in words.
    pub label: String,
    /// Whether this is the pixel threshold, from which a pixel belongs to a region.
    pub is_threshold: bool,
}

/// The label of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// A good part.
    Good,
    /// A part with a defect.
    Defect,
}

/// The images that the gallery shows for a picture.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Images {
    /// The picture itself.
    pub picture: Option<Image>,
    /// The anomaly map.
    pub map: Option<Image>,
    /// The mask of the defect.
    pub mask: Option<Image>,
}

/// An encoded image. Its bytes are put into the page unchanged.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// The encoding.
    pub format: ImageFormat,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The content of the file.
    pub bytes: Vec<u8>,
}

/// The encoding of an [`Image`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
}

/// A group of settings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Group {
    /// Title of the group.
    pub title: String,
    /// Settings, as name and value.
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
    /// Checks that every number can be drawn.
    pub(crate) fn check(&self) -> Result<(), ReportError> {
        if let Some(threshold) = self.threshold {
            finite("the threshold", threshold)?;
        }
        if let Some(from) = self.review_from {
            finite("the score from which pictures are for review", from)?;
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

    /// Number of pictures with the label `truth`.
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
