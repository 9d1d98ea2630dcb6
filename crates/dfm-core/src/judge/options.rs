//! What one call asks of a model.

use dfm_backbone::Region;

use crate::method::RegionRule;

/// The limit from which a picture is anomalous.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// A raw score.
    Score(f64),
    /// A rate of false alarms. A picture whose p-value is at most this rate is anomalous.
    FalseAlarm(f64),
}

/// Scores between good and anomalous, which a person should look at. The band also says from where on
/// a picture is anomalous.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Review {
    /// Raw scores from `low` on; from `high` on a picture is anomalous.
    Scores {
        /// The smallest score of the band.
        low: f64,
        /// The smallest score above it.
        high: f64,
    },
    /// P-values above `low`, up to `high`; at `low` and below a picture is anomalous.
    PValues {
        /// The largest p-value below the band.
        low: f64,
        /// The largest p-value of the band.
        high: f64,
    },
}

impl Review {
    /// Raw scores from `low` on, up to `high`, where anomalous begins.
    pub fn scores(low: f64, high: f64) -> Self {
        Self::Scores { low, high }
    }

    /// P-values above `low`, where anomalous ends, up to `high`.
    pub fn p_values(low: f64, high: f64) -> Self {
        Self::PValues { low, high }
    }
}

/// What one call asks of a model; none of it changes the model.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct JudgeOptions {
    /// The limit from which a picture is anomalous; `None` for the model's own threshold.
    pub threshold: Option<Threshold>,
    /// Which pictures a person should look at; `None` for no third answer. In place of `threshold`.
    pub review: Option<Review>,
    /// Another part of every picture that counts; `None` for the model's own. A rectangle can
    /// move, as parts do under a camera, but keeps its size; a mask is part of the fit.
    pub region: Option<Region>,
    /// Whether verdicts have a [`grid`](crate::Verdict::grid), where the score has a map.
    pub map: bool,
    /// Whether verdicts have [`regions`](crate::Verdict::regions), where there is a map and a pixel
    /// threshold.
    pub regions: bool,
    /// Which pixels belong to regions, where that is not as the model has it.
    pub region_rule: RegionRule,
    /// Whether verdicts have an [`explanation`](crate::Verdict::explanation). The call then begins with
    /// the held-out scores of all pictures of the fit, and with `128 · N · R` operations for `N`
    /// pictures that differ in `R` directions.
    pub explain: bool,
    /// Pieces of pictures that run through the network together, from 1 to 1024; `None` for as
    /// many as at the fit. Fewer if their activations cannot all be held at once.
    pub batch: Option<usize>,
}

impl JudgeOptions {
    /// Sets the limit from which a picture is anomalous.
    #[must_use]
    pub fn with_threshold(mut self, threshold: impl Into<Option<Threshold>>) -> Self {
        self.threshold = threshold.into();
        self
    }

    /// Sets which pictures a person should look at.
    #[must_use]
    pub fn with_review(mut self, review: impl Into<Option<Review>>) -> Self {
        self.review = review.into();
        self
    }

    /// Sets another part of every picture that counts.
    #[must_use]
    pub fn with_region(mut self, region: impl Into<Option<Region>>) -> Self {
        self.region = region.into();
        self
    }

    /// Sets whether verdicts have a grid.
    #[must_use]
    pub fn with_map(mut self, map: bool) -> Self {
        self.map = map;
        self
    }

    /// Sets whether verdicts have regions.
    #[must_use]
    pub fn with_regions(mut self, regions: bool) -> Self {
        self.regions = regions;
        self
    }

    /// Sets which pixels belong to regions.
    #[must_use]
    pub fn with_region_rule(mut self, rule: RegionRule) -> Self {
        self.region_rule = rule;
        self
    }

    /// Sets whether verdicts have an explanation.
    #[must_use]
    pub fn with_explain(mut self, explain: bool) -> Self {
        self.explain = explain;
        self
    }

    /// Sets how many pieces of pictures run through the network together.
    #[must_use]
    pub fn with_batch(mut self, batch: impl Into<Option<usize>>) -> Self {
        self.batch = batch.into();
        self
    }
}
