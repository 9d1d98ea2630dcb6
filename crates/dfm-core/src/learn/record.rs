//! How a model came to be, as its file tells it.

use dfm_backbone::Depth;
use serde::{Deserialize, Serialize};

use crate::learn::kept::NEGLIGIBLE;
use crate::learn::not_searched::NotSearched;
use crate::learn::sizes::SizeRange;
use crate::method::{CalibrationKind, FitParams};

/// How a model came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitRecord {
    /// The parameters of the fit.
    pub params: FitParams,
    /// Pictures that it was given; where tiles share statistics, tiles.
    pub picture_count: usize,
    /// Pictures among them that calibrate and were not fitted on; 0 unless
    /// [`Split`](crate::CalibrationKind::Split), or unless some were `set_aside`.
    pub held_out: usize,
    /// Different pictures that were set aside because memory did not suffice for an exact fit. They
    /// calibrate as a [`Split`](crate::CalibrationKind::Split), whatever was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<usize>,
    /// What was found at each tap, in the order of the parameters' taps; with statistics by position,
    /// at the taps of one place after the other.
    pub taps: Vec<TapRecord>,
    /// The figures of the model on synthetic defects, if they were asked for. They belong to exactly
    /// the pictures of this model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<ValidationRecord>,
    /// The sizes of the pictures, if they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sizes: Option<SizeRange>,
    /// Pictures that look unlike the others, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing_out: Option<StandingOutRecord>,
    /// Pictures that a robust fit left out as foreign to the others, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign: Option<ForeignRecord>,
    /// Why no picture was looked at for being foreign to the others. `None` if pictures were looked at, if
    /// they were few, and in models of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_searched: Option<NotSearched>,
    /// What the channels of the pictures are made of. `None` for 8 bits, for pictures of several kinds, and
    /// in models of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "depth")]
    pub depth: Option<Depth>,
}

/// Pictures that a [`Robust`](crate::Robust) fit left out. They are not in the model: learning them later
/// brings them in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ForeignRecord {
    /// Different pictures that the fit was given.
    pub of: usize,
    /// Those left out, worst first.
    pub pictures: Vec<OddPicture>,
}

impl ForeignRecord {
    /// The content hashes of the pictures, in hexadecimal.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = String> {
        self.pictures.iter().map(|picture| picture.content_hash.clone())
    }

    /// How many pictures were left out, copies included.
    pub fn count(&self) -> usize {
        self.pictures.iter().fold(0, |count, picture| count.saturating_add(picture.copies))
    }
}

/// Pictures of a fit that look unlike all others: each scored by the model of all others, as
/// [`Dfm::audit`](crate::Dfm::audit) does. They are learnt like the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StandingOutRecord {
    /// How many there are.
    pub count: usize,
    /// Different pictures of the fit.
    pub of: usize,
    /// The score beyond which a picture stands out.
    pub fence: f64,
    /// The threshold of a fit without them; `None` if there would be none, or where it would take
    /// long to find.
    pub threshold_without: Option<f64>,
    /// The first of them, worst first, 20 at most.
    pub pictures: Vec<OddPicture>,
}

/// A picture that is unlike the others, as a model of the others scores it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OddPicture {
    /// Relative to the folder that was fitted; `None` where names are not known.
    pub name: Option<String>,
    /// In hexadecimal.
    pub content_hash: String,
    /// Its score by that model: of all others if it stands out, of the learnt ones if it was left out.
    pub score: f64,
    /// How often the fit was given it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub copies: usize,
}

fn one() -> usize {
    1
}

fn is_one(copies: &usize) -> bool {
    *copies == 1
}

/// How a [`Depth`] is written: `dfm-image` knows no model files.
mod depth {
    use dfm_backbone::Depth;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    const NAMES: [(&str, Depth); 2] = [("16-bit", Depth::Bits16), ("float", Depth::Float32)];

    pub(super) fn serialize<S: Serializer>(depth: &Option<Depth>, serializer: S) -> Result<S::Ok, S::Error> {
        let name = NAMES.into_iter().find(|(_, known)| Some(*known) == *depth).map(|(name, _)| name);
        name.serialize(serializer)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Option<Depth>, D::Error> {
        let Some(name) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        match NAMES.into_iter().find(|(known, _)| *known == name) {
            Some((_, depth)) => Ok(Some(depth)),
            None => Err(D::Error::custom(format!("depth: expected 16-bit or float, found {name}"))),
        }
    }
}

impl FitRecord {
    /// How good pictures were held out; `None` if the model was fitted with a given threshold. Where
    /// pictures were set aside, this is not what the parameters ask for.
    pub fn calibration_kind(&self) -> Option<CalibrationKind> {
        let asked = self.params.method.calibration_kind();
        if self.set_aside.is_some() { asked.map(|_| CalibrationKind::Split) } else { asked }
    }

    /// Whether held-out scores are far too small: they are those of pictures of a compressed fit that set
    /// nothing aside, as fits once were.
    pub(crate) fn has_small_scores(&self) -> bool {
        let compressions = self.taps.iter().filter_map(|tap| tap.compression.as_ref());
        self.set_aside.is_none() && compressions.into_iter().any(|one| one.dropped_share > NEGLIGIBLE)
    }

    /// Whether the threshold was found in scores of held-out pictures, as the calibration asks.
    pub(crate) fn finds_threshold(&self) -> bool {
        let is_chosen = self.params.method.calibration.is_none_or(|asked| asked.threshold.is_some());
        let is_by_defects = self.validation.as_ref().is_some_and(|validation| validation.decides);
        !is_chosen && !is_by_defects
    }
}

/// How the statistics of the features of a tap came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TapRecord {
    /// Directions in which pictures differ at all.
    pub rank: usize,
    /// How those were found: `gram`, `scatter` or `thin SVD`.
    pub route: String,
    /// The share of the largest variance up to which a direction counted as absent.
    pub rank_cut: f64,
    /// Principal components that scoring uses.
    pub components: usize,
    /// The record of the Gaussian, for a likelihood.
    pub gaussian: Option<GaussianRecord>,
    /// What was left out to save memory; `None` for an exact fit.
    pub compression: Option<CompressionRecord>,
}

/// What a fit left out so that it stayed within its memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompressionRecord {
    /// The most directions that were kept.
    pub limit: usize,
    /// How far sums of squares can be off, in the spectral norm: no variance is off by
    /// more than this over `N − 1`.
    pub error_bound: f64,
    /// The share of the variance that lies in no direction that was kept.
    pub dropped_share: f64,
}

/// How the Gaussian of a likelihood came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianRecord {
    /// Directions in which the reduced rows vary.
    pub rank: usize,
    /// How those were found: `gram`, `scatter` or `thin SVD`.
    pub route: String,
    /// Intensity of the shrinkage of its variances.
    pub shrinkage: f64,
}

/// Figures of a model on good pictures that it was not fitted on, and on copies of these pictures with
/// synthetic defects. Real defects are different. The figures can compare settings and find a model
/// that sees nothing, and no more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationRecord {
    /// Seed of the defects.
    pub seed: u64,
    /// Good pictures.
    pub good: usize,
    /// Pictures with a defect.
    pub defective: usize,
    /// AUROC of the pictures.
    pub image_auroc: f64,
    /// AUROC of the pixels; `None` without maps. Fine maps know what is usual of the good pictures, too.
    pub pixel_auroc: Option<f64>,
    /// The best F1 that any threshold gives.
    pub best_f1: f64,
    /// The share of pictures with a defect that reach the model's threshold.
    pub found: f64,
    /// The share of good pictures that do.
    pub false_alarms: f64,
    /// Whether that threshold is the one of the best F1.
    pub decides: bool,
}

impl ValidationRecord {
    /// Whether these figures are possible.
    pub(crate) fn is_sound(&self) -> bool {
        let shares = [self.image_auroc, self.best_f1, self.found, self.false_alarms];
        let all = shares.into_iter().chain(self.pixel_auroc);
        self.good > 0 && self.defective > 0 && all.into_iter().all(|share| (0.0..=1.0).contains(&share))
    }
}
