//! What a model says of a picture.

use dfm_backbone::PictureSize;

use crate::decide::calibration::Label;
use crate::judge::explain::Explanation;
use crate::judge::map::{AnomalyGrid, AnomalyMap};
use crate::judge::marked::RegionRule;
use crate::judge::regions::MapRegion;

/// What a model says of one picture.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Verdict {
    /// Size of the picture.
    pub size: PictureSize,
    /// The raw score, as [`Method::score`](crate::Method::score) and
    /// [`Method::aggregation`](crate::Method::aggregation) say, of several
    /// taps the geometric mean, of several tiles the largest; without upper limit, and larger is
    /// more abnormal.
    pub score: f64,
    /// The score in (0, 1), ½ at the threshold; `None` without a threshold.
    pub normalized_score: Option<f64>,
    /// The share of good pictures that look as abnormal or more, never below `1 / (N + 1)`
    /// for `N` that calibrate; `None` of a model that was fitted with a threshold given. What
    /// is proved of it says [`CalibrationKind::guarantee`](crate::CalibrationKind::guarantee).
    pub p_value: Option<f64>,
    /// Whether the picture is good; `None` without a threshold. Whether the score reaches the
    /// threshold, but for a jackknife+ with a stated rate of false alarms: then whether `p_value`
    /// is at most that.
    pub label: Option<Label>,
    /// Where the map reaches the pixel threshold, by falling peak; `None` unless
    /// [asked for](crate::JudgeOptions::regions), without a map or a pixel threshold.
    pub regions: Option<Vec<MapRegion>>,
    /// Which pixels belong to those; `None` without them.
    pub region_rule: Option<RegionRule>,
    /// Where the score comes from, cell by cell; `None` unless
    /// [asked for](crate::JudgeOptions::map), or if the score has no map. Of one tap
    /// [`Aggregation::of`](crate::Aggregation::of) gives the score again (for a Mahalanobis
    /// distance, its residual part); of several each cell is the geometric mean of theirs.
    pub grid: Option<AnomalyGrid>,
    /// What the score is made of; `None` unless [asked for](crate::JudgeOptions::explain).
    pub explanation: Option<Explanation>,
}

impl Verdict {
    /// The map of the picture's size, if there is a [`grid`](Self::grid). Cost: a few operations a
    /// pixel, at every call.
    pub fn map(&self) -> Option<AnomalyMap> {
        self.grid.as_ref().map(|grid| grid.upsample(self.size))
    }
}
