//! What a model says of a picture.

use dfm_backbone::PictureSize;
use serde::{Deserialize, Serialize};

use crate::decide::calibration::Label;
use crate::judge::explain::Explanation;
use crate::judge::map::{AnomalyGrid, AnomalyMap};
use crate::judge::regions::MapRegion;
use crate::method::RegionRule;

/// What a model says of one picture.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Verdict {
    /// Size of the picture.
    pub size: PictureSize,
    /// The raw score. [`Method::score`](crate::Method::score) and
    /// [`Method::aggregation`](crate::Method::aggregation) say which. With several taps it is the
    /// geometric mean of their scores, with several tiles the largest. It has no upper limit, and
    /// larger is more abnormal.
    pub score: f64,
    /// The score in (0, 1), ½ at the threshold; `None` without a threshold.
    pub normalized_score: Option<f64>,
    /// The share of good pictures that look as abnormal or more, never below `1 / (N + 1)` if `N`
    /// pictures calibrate; `None` if the model was fitted with a given threshold.
    /// [`CalibrationKind::guarantee`](crate::CalibrationKind::guarantee) says what is proved of it.
    pub p_value: Option<f64>,
    /// Whether the picture is good, anomalous, or for a person to
    /// [review](crate::JudgeOptions::review); `None` without a threshold. A picture is anomalous if its
    /// score reaches the threshold. There is one exception, a jackknife+ with a stated rate of false
    /// alarms: there it is anomalous if `p_value` is at most that rate.
    pub label: Option<Label>,
    /// Where the map reaches the pixel threshold, by falling peak; `None` unless
    /// [asked for](crate::JudgeOptions::regions), without a map or a pixel threshold.
    pub regions: Option<Vec<MapRegion>>,
    /// Which pixels belong to those; `None` without them.
    pub region_rule: Option<RegionRule>,
    /// Where the score comes from, cell by cell; `None` unless [asked for](crate::JudgeOptions::map),
    /// or if the score has no map. In a model with coarse maps and one tap,
    /// [`Aggregation::of`](crate::Aggregation::of) gives the score again (for a Mahalanobis distance, its
    /// residual part). With several taps, each cell is the geometric mean of the taps' cells. The cells of a
    /// fine map make no score.
    pub grid: Option<AnomalyGrid>,
    /// What the score is made of; `None` unless [asked for](crate::JudgeOptions::explain).
    pub explanation: Option<Explanation>,
    /// The share of pixels with a channel outside of the model's [levels](crate::Method::levels),
    /// where it is clamped; `None` unless those are a range.
    pub outside_levels: Option<f64>,
}

/// How the label of a picture and the regions of its map disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Contradiction {
    /// The label is normal, but the map reaches the pixel threshold.
    NormalWithRegions,
    /// The label is anomalous, but the map reaches the pixel threshold nowhere.
    AnomalousWithoutRegions,
}

impl Contradiction {
    /// How a label and so many regions disagree, if they do. A picture to review is open either way.
    pub fn of(label: Option<Label>, regions: Option<usize>) -> Option<Self> {
        match (label?, regions?) {
            (Label::Normal, 1..) => Some(Self::NormalWithRegions),
            (Label::Anomalous, 0) => Some(Self::AnomalousWithoutRegions),
            _ => None,
        }
    }
}

impl Verdict {
    /// How the label and the [`regions`](Self::regions) disagree; `None` if they agree, or either is
    /// not known.
    pub fn contradiction(&self) -> Option<Contradiction> {
        Contradiction::of(self.label, self.regions.as_ref().map(Vec::len))
    }

    /// The map of the picture's size, if there is a [`grid`](Self::grid). Cost: a few operations a
    /// pixel, at every call.
    pub fn map(&self) -> Option<AnomalyMap> {
        self.grid.as_ref().map(|grid| grid.upsample(self.size))
    }
}
