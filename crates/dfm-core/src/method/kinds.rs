//! The choices that a method is made of.

use dfm_backbone::PictureSize;
use serde::{Deserialize, Serialize};

use crate::names::{NameError, named};

/// Which score a model gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreKind {
    /// Feature reconstruction error: the squared norm of what the principal
    /// components cannot reconstruct. Has an anomaly map.
    #[default]
    Fre,
    /// Negative log-likelihood of the reduced features under a Gaussian whose variances
    /// are shrunk ([`Shrinkage`](dfm_stats::Shrinkage)). Has no map: it belongs to the
    /// picture as a whole.
    Nll,
    /// Squared Mahalanobis distance under probabilistic PCA: the distance within the
    /// components, and the reconstruction error over the variance of what they leave
    /// out, both shrunk ([`ProbabilisticPca`](dfm_stats::ProbabilisticPca)). Its map is
    /// that of the second part alone.
    Mahalanobis,
}

named!(ScoreKind, "fre, nll or mahalanobis", Fre => "fre", Nll => "nll", Mahalanobis => "mahalanobis");

/// What a row of the statistics is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rows {
    /// A picture, or a tile of it, with the features of all of its cells side by side. The statistics know
    /// where in the picture a cell lies.
    #[default]
    Picture,
    /// A cell. All cells of a layer are rows of one statistic, wherever they lie, so the statistics do not
    /// know where a cell lies. The score is FRE: the residual of a cell is its value in the map.
    Cells,
}

named!(Rows, "picture or cells", Picture => "picture", Cells => "cells");

impl Rows {
    pub(crate) fn is_picture(&self) -> bool {
        *self == Self::Picture
    }
}

/// Whose numbers are reproduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Compat {
    /// anomalib 2.7.0's `Dfm`: its scores and anomaly maps to 1e-4, relative.
    ///
    /// - At a ratio it keeps as many components as the index of the one that reaches
    ///   it: one fewer than needed.
    /// - It resizes pictures of floating-point numbers, so that nothing is rounded to
    ///   bytes, and normalises as ImageNet's weights expect, whatever the backbone.
    Anomalib,
}

named!(Compat, "anomalib", Anomalib => "anomalib");

/// How good pictures come to be held out, and what is therefore proved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CalibrationKind {
    /// Each is scored by a model of all others. Nothing is wasted and nothing proved: new
    /// pictures are scored by the model of all, which differs by one picture.
    #[default]
    LeaveOneOut,
    /// The quarter of the pictures with the smallest content hashes calibrates, and the model is not
    /// fitted on it. `P(p ≤ α) ≤ α` for a new picture that is exchangeable with them.
    Split,
    /// Each is scored by a model of all others, and a new picture by each of those models
    /// (Barber, Candès, Ramdas and Tibshirani, *Predictive inference with the jackknife+*,
    /// 2021). `P(p ≤ α) ≤ 2α` is proved under exchangeability, about `α` is usual. A new
    /// picture costs as much as holding out all of those of the fit.
    JackknifePlus,
}

named!(
    CalibrationKind,
    "leave-one-out, split or jackknife+",
    LeaveOneOut => "leave-one-out",
    Split => "split",
    JackknifePlus => "jackknife+"
);

impl CalibrationKind {
    /// What is proved of p-values.
    pub fn guarantee(self) -> &'static str {
        match self {
            Self::LeaveOneOut => "none: an estimate",
            Self::Split => "P(p_value <= a) <= a",
            Self::JackknifePlus => "P(p_value <= a) <= 2a",
        }
    }

    /// How many different pictures it takes for `calibrating` of them to calibrate.
    pub(crate) fn pictures_for(self, calibrating: usize) -> usize {
        match self {
            Self::LeaveOneOut | Self::JackknifePlus => calibrating,
            // The quarter is rounded up.
            Self::Split => 4 * (calibrating - 1) + 1,
        }
    }
}

impl TryFrom<String> for CalibrationKind {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<CalibrationKind> for String {
    fn from(kind: CalibrationKind) -> Self {
        kind.name().to_owned()
    }
}

/// What the map of a picture is made of. Scores do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MapKind {
    /// The cells that the score is made of.
    Coarse,
    /// Those cells, and what pooling hides: at each position of the layers' own outputs, how far the
    /// output is from the pooled cells around it, compared with good pictures. It shows where, up to
    /// [`pool`](dfm_backbone::Tap::pool) times as finely along each side. docs/accuracy.md has figures.
    Fine,
}

named!(MapKind, "coarse or fine", Coarse => "coarse", Fine => "fine");

/// Whether a fit leaves out pictures that are foreign to the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Robust {
    /// From 100 pictures on, where pictures are held out one by one and scored by FRE.
    #[default]
    Auto,
    /// However few there are.
    On,
    /// Every picture is learnt.
    Off,
}

named!(Robust, "auto, on or off", Auto => "auto", On => "on", Off => "off");

/// What a tile of a picture is compared with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TileStatistics {
    /// All tiles of all pictures.
    #[default]
    Shared,
    /// The tiles of all pictures at its own place. Every picture has this size, so that tiles
    /// lie in the same places.
    Position(PictureSize),
}

impl TileStatistics {
    pub(crate) fn is_shared(&self) -> bool {
        *self == Self::Shared
    }

    /// Which of the two it is.
    pub fn kind(self) -> TileStatisticsKind {
        match self {
            Self::Shared => TileStatisticsKind::Shared,
            Self::Position(_) => TileStatisticsKind::Position,
        }
    }

    /// The size that every picture must have, if they must have one.
    pub fn picture_size(self) -> Option<PictureSize> {
        match self {
            Self::Shared => None,
            Self::Position(size) => Some(size),
        }
    }
}

/// [`TileStatistics`] without the size of the pictures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TileStatisticsKind {
    /// All tiles of all pictures.
    #[default]
    Shared,
    /// The tiles of all pictures at the same place.
    Position,
}

named!(TileStatisticsKind, "shared or position", Shared => "shared", Position => "position");
