//! What is asked of a fit: the method, how it is done, and what the file keeps.

mod aggregation;
mod calibration;
mod check;
mod compat;
pub(crate) mod kinds;
mod params;
mod places;
mod regions;
mod setters;

use dfm_backbone::{Layer, Levels, NetworkPrecision, Region, Resampling, Resize, Tap, Tiling};
use dfm_stats::{Keep, StreamingParams};

pub use aggregation::Aggregation;
pub(crate) use calibration::check_false_alarm;
pub use calibration::{CalibrationParams, ThresholdEstimate};
pub use check::ValidFitParams;
pub use kinds::{
    CalibrationKind, Compat, MapKind, Robust, Rows, ScoreKind, TileStatistics, TileStatisticsKind,
};
pub use params::FitParams;
pub use regions::RegionRule;

/// The most pictures that may run through the network together.
pub const MAX_BATCH: usize = 1024;

/// Side of the average pool behind every layer, in cells, unless another is asked for.
pub const USUAL_POOL: usize = 4;

/// Exponent of the power mean by which cells make the usual score: docs/accuracy.md compares others on
/// many data sets.
const USUAL_EXPONENT: f64 = 4.0;

/// Per cent of the cells, the largest ones, whose mean is the usual score where cells are rows.
const USUAL_PERCENT: f64 = 1.0;

/// What a model looks at and how it scores: models of the same method can be merged.
///
/// [`default`](Self::default) is what the `dfm` program does by default;
/// [`published`](Self::published) is the method as it was published, and
/// [`anomalib`](Self::anomalib) what anomalib's `Dfm` computes.
///
/// # Example
///
/// ```
/// use dfm_core::{FitParams, Method, ScoreKind};
///
/// let method = Method::published().with_score(ScoreKind::Nll);
/// assert!(FitParams::from(method.clone()).check().is_ok());
/// assert!(FitParams::from(method.with_taps([])).check().is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Method {
    /// Where features are taken, in the order of the layers. Each tap has statistics of its own. Scores
    /// and maps are the geometric means of those of the taps.
    pub taps: Vec<Tap>,
    /// What a row of the statistics is.
    pub rows: Rows,
    /// How many principal components are kept.
    pub keep: Keep,
    /// Which score the model gives.
    pub score: ScoreKind,
    /// How FRE is made of the cells of its map.
    pub aggregation: Aggregation,
    /// Which values of pictures are black and white. A fit of the program takes them from the good
    /// pictures where they are [`Auto`](Levels::Auto).
    pub levels: Levels,
    /// The part of every picture that counts; `None` for all of it.
    pub region: Option<Region>,
    /// Every picture in tiles, each a row of its own; `None` for pictures in one piece.
    pub tiling: Option<Tiling>,
    /// What a tile is compared with.
    pub tile_statistics: TileStatistics,
    /// Another program whose numbers are reproduced where they differ from ours.
    pub compat: Option<Compat>,
    /// How to find a threshold; `None` leaves scores without label or
    /// normalisation.
    pub calibration: Option<CalibrationParams>,
    /// What maps are made of; `None` for the kind that is usual for the method
    /// ([`usual_map`](Self::usual_map)). Checked parameters have a kind.
    pub map: Option<MapKind>,
    /// Which pixels of a map belong to regions, where that is not left to the good pictures.
    pub regions: RegionRule,
    /// What numbers the network computes in: int8 is faster and differs by some per cent.
    pub precision: NetworkPrecision,
}

impl Default for Method {
    /// What the program does by default, the best all round of the settings in
    /// docs/accuracy.md: `layer2` and `layer3` behind pools of 4, 97 % of the variance, FRE by the
    /// power mean of the cells with exponent 4.
    fn default() -> Self {
        Self::usual_for(ScoreKind::Fre, None)
    }
}

impl Method {
    /// The method's own settings, as they were published: `layer3` behind a pool of 4, 97 % of
    /// the variance, FRE as the sum of the cells.
    pub fn published() -> Self {
        Self {
            taps: vec![Layer::named("layer3").pooled(USUAL_POOL)],
            rows: Rows::Picture,
            keep: Keep::Ratio(0.97),
            score: ScoreKind::Fre,
            aggregation: Aggregation::Sum,
            levels: Levels::Auto,
            region: None,
            tiling: None,
            tile_statistics: TileStatistics::Shared,
            compat: None,
            calibration: Some(CalibrationParams::default()),
            map: Some(MapKind::Coarse),
            regions: RegionRule::default(),
            precision: NetworkPrecision::F32,
        }
    }

    /// What anomalib 2.7.0's `Dfm` computes.
    pub fn anomalib() -> Self {
        Self::usual_for(ScoreKind::Fre, Some(Compat::Anomalib))
    }

    /// The same method with cells as rows, and the score that is usual for it: FRE as the mean of the largest
    /// hundredth of the cells.
    #[must_use]
    pub fn of_cells(self) -> Self {
        Self { rows: Rows::Cells, aggregation: Aggregation::Top { percent: USUAL_PERCENT }, ..self }
    }

    /// SubspaceAD (arXiv 2602.23013) with features of `layer`, usually an average of a transformer's middle
    /// blocks ([`Architecture::middle_blocks`](dfm_backbone::Architecture::middle_blocks)): every cell a row,
    /// 99 % of the variance, FRE as the mean of the largest hundredth of the cells.
    ///
    /// ```
    /// use dfm_core::{Layer, Method};
    ///
    /// let method = Method::subspace_ad(Layer::named("mean:blocks.4..blocks.7"));
    /// assert_eq!(method.aggregation.to_string(), "top:1%");
    /// assert!(method.check().is_ok());
    /// ```
    pub fn subspace_ad(layer: Layer) -> Self {
        Self { taps: vec![layer.pooled(1)], keep: Keep::Ratio(0.99), map: None, ..Self::published() }
            .of_cells()
    }

    /// What the program does by default for models of this score.
    pub fn usual_for(score: ScoreKind, compat: Option<Compat>) -> Self {
        let pooled = |layers: &[Layer]| layers.iter().map(|layer| layer.pooled(USUAL_POOL)).collect();
        let published = Self { score, compat, map: None, ..Self::published() };
        match (compat, score) {
            // A likelihood takes one layer.
            (Some(Compat::Anomalib), _) | (None, ScoreKind::Nll) => published,
            (None, ScoreKind::Mahalanobis) => {
                Self { taps: pooled(&[Layer::named("layer2"), Layer::named("layer3")]), ..published }
            }
            (None, ScoreKind::Fre) => Self {
                taps: pooled(&[Layer::named("layer2"), Layer::named("layer3")]),
                aggregation: Aggregation::Power { exponent: USUAL_EXPONENT },
                ..published
            },
        }
    }

    /// How the program brings pictures to the network's size by default; `None` for the way
    /// that comes with the weights. A method does not say: the weights' input contract does.
    pub fn usual_resize(&self) -> Option<Resize> {
        match self.compat {
            Some(Compat::Anomalib) => None,
            None => Some(Resize::Mirror),
        }
    }

    /// The arithmetic in which the program resizes pictures by default; `None` for the one that
    /// comes with the weights. A method does not say: the weights' input contract does.
    pub fn usual_resampling(&self) -> Option<Resampling> {
        match self.compat {
            // It takes floats, whatever the weights say.
            Some(Compat::Anomalib) => None,
            None => Some(Resampling::Floats),
        }
    }

    /// How good pictures are usually held out: leave-one-out, but split where tiles share
    /// statistics, since the tiles of a picture have to be held out together.
    pub fn usual_calibration(&self) -> CalibrationKind {
        match self.rows_are_tiles() {
            true => CalibrationKind::Split,
            false => CalibrationKind::LeaveOneOut,
        }
    }

    /// How good pictures are held out, if they are: as asked, or as is usual.
    pub fn calibration_kind(&self) -> Option<CalibrationKind> {
        self.calibration.map(|asked| asked.kind.unwrap_or_else(|| self.usual_calibration()))
    }

    /// What maps are usually made of: fine ones for FRE, unless the numbers of another program are asked
    /// for, tiles are compared by position, or no tap has a pool that hides anything.
    pub fn usual_map(&self) -> MapKind {
        match self.fine_map_needs() {
            None => MapKind::Fine,
            Some(_) => MapKind::Coarse,
        }
    }

    /// What maps are made of: as asked, or as is usual.
    pub fn map_kind(&self) -> MapKind {
        self.map.unwrap_or_else(|| self.usual_map())
    }

    /// What a fine map would need and the method does not have: what was expected, and what it has.
    pub(crate) fn fine_map_needs(&self) -> Option<(&'static str, String)> {
        if self.score != ScoreKind::Fre {
            return Some(("coarse, unless the score is fre", self.score.to_string()));
        }
        if let Some(compat) = self.compat {
            return Some(("coarse, to compute as another program", compat.to_string()));
        }
        if !self.tile_statistics.is_shared() {
            return Some(("coarse for tiles that are compared by position", "fine".to_owned()));
        }
        if !self.rows.is_picture() {
            return Some(("coarse, where cells are rows: their residuals are the map", "fine".to_owned()));
        }
        let hides = self.taps.iter().any(|tap| tap.pool > 1);
        (!hides).then(|| ("coarse, unless a tap has a pool of 2 or more", "fine".to_owned()))
    }

    /// Whether the rows of a statistic are tiles, several for each picture.
    pub(crate) fn rows_are_tiles(&self) -> bool {
        self.tiling.is_some() && self.tile_statistics.is_shared()
    }

    /// The share of its own variance up to which a model without a picture keeps components; `None` if
    /// it keeps as many as the model of all pictures. What is proved of a jackknife+ holds only for
    /// models that know nothing of the picture that they are without.
    pub(crate) fn own_ratio(&self) -> Option<f64> {
        match (self.calibration_kind()?, self.keep) {
            // A ratio of 1 keeps all directions of every model.
            (CalibrationKind::JackknifePlus, Keep::Ratio(ratio)) if ratio < 1.0 => Some(ratio),
            _ => None,
        }
    }
}

/// How a fit is done. This changes speed and memory, not scores, with two exceptions: if memory does not
/// suffice for an exact fit, and the fit need not be exact, directions are left out; and a robust fit leaves
/// out pictures that are foreign to the others.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Run {
    /// Pictures that run through the network together, and whose scores are one product.
    pub batch: usize,
    /// How much memory features and statistics may take, and whether the fit must be
    /// exact. Not part of the model, which says what it cost.
    pub memory: StreamingParams,
    /// Whether pictures that are foreign to the others are left out.
    pub robust: Robust,
}

impl Default for Run {
    /// 16 pictures together, and 4 GiB: exact for some five thousand pictures of default
    /// features.
    fn default() -> Self {
        let memory = StreamingParams { max_bytes: 4 << 30, exact: false };
        Self { batch: 16, memory, robust: Robust::default() }
    }
}

/// What a model keeps beside what it judges by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keeping {
    /// What the model needs to be merged, updated, audited and explained later: every direction
    /// and each picture's coordinates.
    pub fit_statistic: bool,
    /// Whether components have half precision. The file of a model without the fit statistic is then
    /// little more than half as large. Scores change by less than a thousandth.
    pub half_components: bool,
}

impl Default for Keeping {
    /// All of it, in `f32`.
    fn default() -> Self {
        Self { fit_statistic: true, half_components: false }
    }
}
