//! The figures over pixels, and how they are made of what pixels lie at which score.

use serde::{Deserialize, Serialize};

use super::Figure;
use super::bootstrap::figure;
use super::pool::Mass;
use super::steps::{Estimate, Scale, area, average_precision, best_f1};

/// Shares of false positives at which AUPRO ends: MVTec's, and the one for defects that must
/// not drown in false alarms.
pub const AUPRO_LIMITS: [f64; 2] = [0.3, 0.05];
/// The shares of good pictures' pixels between which AUPIMO is taken.
pub(super) const AUPIMO_WINDOW: [f64; 2] = [1e-5, 1e-4];

/// Figures over pixels. All but AUPIMO are of all pixels together, whichever picture they
/// come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PixelFigures {
    /// AUROC.
    pub auroc: Option<Figure>,
    /// Average precision.
    pub average_precision: Option<Figure>,
    /// The best F1 over every threshold.
    pub best_f1: Option<Figure>,
    /// Area under the per-region overlap up to 30 % of false positives, as a share of the
    /// largest possible (Bergmann et al., *MVTec AD*, 2021).
    pub aupro_30: Option<Figure>,
    /// The same up to 5 %.
    pub aupro_5: Option<Figure>,
    /// Mean over pictures with defects of the share of the defect that is found, over
    /// thresholds that mark 1e-5 to 1e-4 of good pictures' pixels, on a logarithmic scale
    /// (Bertoldo et al., *AUPIMO*, 2024). `None` below 1e5 pixels of good pictures.
    pub aupimo: Option<Figure>,
}

/// The same of one picture with a defect, against the normal pixels of all. The mean of
/// `auroc` weighted by `anomalous_pixels`, of AUPRO by `regions`, and of AUPIMO are the
/// figures of all pictures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PicturePixels {
    /// Pixels that the mask marks.
    pub anomalous_pixels: u64,
    /// Connected regions that it marks.
    pub regions: u32,
    /// The chance that one of them scores above a normal pixel of any picture.
    pub auroc: Option<f64>,
    /// Per-region overlap up to 30 % of all false positives.
    pub aupro_30: Option<f64>,
    /// Up to 5 %.
    pub aupro_5: Option<f64>,
    /// The picture's AUPIMO.
    pub aupimo: Option<f64>,
}

/// The figures of [`PixelFigures`], in its order.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawFigures(pub(super) [Option<Estimate>; FIGURES]);

/// Figures of pixels.
pub(super) const FIGURES: usize = 6;

impl RawFigures {
    /// Computes the figures of pooled pixels, whose scores fall.
    pub(super) fn of(steps: &[(u32, Mass)], resolves_aupimo: bool) -> Self {
        let curve = |of: fn(&Mass) -> [f64; 2], window, scale| {
            area(steps.iter().map(|(_, mass)| of(mass)), window, scale)
        };
        let overlap = |limit| curve(|mass| [mass.normal, mass.overlap], [0.0, limit], Scale::Linear);
        let shared = || curve(|mass| [mass.good, mass.share], AUPIMO_WINDOW, Scale::Logarithmic);
        Self([
            curve(|mass| [mass.normal, mass.anomalous], [0.0, 1.0], Scale::Linear),
            average_precision(steps),
            best_f1(steps).map(|(_, estimate)| estimate),
            overlap(AUPRO_LIMITS[0]),
            overlap(AUPRO_LIMITS[1]),
            if resolves_aupimo { shared() } else { None },
        ])
    }

    /// With intervals that say how far replicates are from the figure.
    pub(super) fn figures(&self, intervals: Option<&[Option<[f64; 2]>; FIGURES]>) -> PixelFigures {
        let of = |place: usize| {
            self.0[place].map(|Estimate { value, bound }| {
                let ends = intervals.and_then(|intervals| intervals[place]);
                figure(value, bound, ends.map(|ends| ends.map(|end| (value + end).clamp(0.0, 1.0))))
            })
        };
        PixelFigures {
            auroc: of(0),
            average_precision: of(1),
            best_f1: of(2),
            aupro_30: of(3),
            aupro_5: of(4),
            aupimo: of(5),
        }
    }
}
