//! Settings one after the other, for callers outside of this crate.

use dfm_backbone::{Levels, NetworkPrecision, Region, Tap, Tiling};
use dfm_stats::{Keep, StreamingParams};

use crate::method::aggregation::Aggregation;
use crate::method::kinds::{Compat, MapKind, Robust, Rows, ScoreKind, TileStatistics};
use crate::method::params::FitParams;
use crate::method::regions::RegionRule;
use crate::method::{CalibrationParams, Keeping, Method, Run};

impl Method {
    /// Sets where features are taken, in the order of the layers.
    #[must_use]
    pub fn with_taps(mut self, taps: impl IntoIterator<Item = Tap>) -> Self {
        self.taps = taps.into_iter().collect();
        self
    }

    /// Sets what a row of the statistics is, and nothing else: see [`of_cells`](Self::of_cells).
    #[must_use]
    pub fn with_rows(mut self, rows: Rows) -> Self {
        self.rows = rows;
        self
    }

    /// Sets how many principal components are kept.
    #[must_use]
    pub fn with_keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// Sets the score, and nothing else: see [`usual_for`](Self::usual_for).
    #[must_use]
    pub fn with_score(mut self, score: ScoreKind) -> Self {
        self.score = score;
        self
    }

    /// Sets how FRE is made of the cells of its map.
    #[must_use]
    pub fn with_aggregation(mut self, aggregation: Aggregation) -> Self {
        self.aggregation = aggregation;
        self
    }

    /// Sets which values of pictures are black and white.
    #[must_use]
    pub fn with_levels(mut self, levels: Levels) -> Self {
        self.levels = levels;
        self
    }

    /// Sets the part of every picture that counts.
    #[must_use]
    pub fn with_region(mut self, region: impl Into<Option<Region>>) -> Self {
        self.region = region.into();
        self
    }

    /// Sets how pictures are cut into tiles.
    #[must_use]
    pub fn with_tiling(mut self, tiling: impl Into<Option<Tiling>>) -> Self {
        self.tiling = tiling.into();
        self
    }

    /// Sets what a tile is compared with.
    #[must_use]
    pub fn with_tile_statistics(mut self, tile_statistics: TileStatistics) -> Self {
        self.tile_statistics = tile_statistics;
        self
    }

    /// Sets whose numbers are reproduced.
    #[must_use]
    pub fn with_compat(mut self, compat: impl Into<Option<Compat>>) -> Self {
        self.compat = compat.into();
        self
    }

    /// Sets how to find a threshold.
    #[must_use]
    pub fn with_calibration(mut self, calibration: impl Into<Option<CalibrationParams>>) -> Self {
        self.calibration = calibration.into();
        self
    }

    /// Sets what maps are made of.
    #[must_use]
    pub fn with_map(mut self, map: impl Into<Option<MapKind>>) -> Self {
        self.map = map.into();
        self
    }

    /// Sets which pixels of a map belong to regions.
    #[must_use]
    pub fn with_regions(mut self, regions: RegionRule) -> Self {
        self.regions = regions;
        self
    }

    /// Sets what numbers the network computes in.
    #[must_use]
    pub fn with_precision(mut self, precision: NetworkPrecision) -> Self {
        self.precision = precision;
        self
    }
}

impl Run {
    /// Sets how many pictures run through the network together.
    #[must_use]
    pub fn with_batch(mut self, batch: usize) -> Self {
        self.batch = batch;
        self
    }

    /// Sets how much memory a fit may take.
    #[must_use]
    pub fn with_memory(mut self, memory: StreamingParams) -> Self {
        self.memory = memory;
        self
    }

    /// Sets whether pictures that are foreign to the others are left out.
    #[must_use]
    pub fn with_robust(mut self, robust: Robust) -> Self {
        self.robust = robust;
        self
    }
}

impl Keeping {
    /// Sets whether the model can be merged, updated, audited and explained later.
    #[must_use]
    pub fn with_fit_statistic(mut self, fit_statistic: bool) -> Self {
        self.fit_statistic = fit_statistic;
        self
    }

    /// Sets whether components have half precision.
    #[must_use]
    pub fn with_half_components(mut self, half_components: bool) -> Self {
        self.half_components = half_components;
        self
    }
}

impl FitParams {
    /// Sets the method.
    #[must_use]
    pub fn with_method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Sets how the fit is done.
    #[must_use]
    pub fn with_run(mut self, run: Run) -> Self {
        self.run = run;
        self
    }

    /// Sets what the model keeps.
    #[must_use]
    pub fn with_keeping(mut self, keeping: Keeping) -> Self {
        self.keeping = keeping;
        self
    }
}
