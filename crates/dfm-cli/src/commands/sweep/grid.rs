//! The settings that a sweep tries.

use dfm_core::{Aggregation, FitParams, Keep, Method, Region, Run, ScoreKind, StreamingParams, Tap, Tiling};

use crate::flags::{BackboneFlags, SweepFlags};
use crate::values::{Layers, Memory, Pools};
use crate::{args, input};

/// What every setting has in common.
#[derive(Debug, Clone)]
pub(super) struct Fixed {
    pub(super) region: Option<Region>,
    pub(super) tiling: Option<Tiling>,
    pub(super) batch: usize,
    /// The most bytes of features, and again of a fit.
    pub(super) memory: u64,
}

impl Fixed {
    /// As the flags say.
    ///
    /// # Errors
    ///
    /// If they give no region, or such that no setting can be fitted with them.
    pub(super) fn new(flags: &SweepFlags) -> anyhow::Result<Self> {
        let fixed = Self {
            region: flags.roi.as_deref().map(input::region).transpose()?,
            tiling: args::tiling(flags.tile, flags.stride),
            batch: flags.batch,
            memory: flags.max_memory.map_or_else(args::memory, |Memory(bytes)| bytes),
        };
        fixed.params().check()?;
        Ok(fixed)
    }

    fn params(&self) -> FitParams {
        let method = Method::published().with_region(self.region.clone()).with_tiling(self.tiling);
        let memory = StreamingParams { max_bytes: self.memory, exact: false };
        FitParams::from(method).with_run(Run::default().with_batch(self.batch).with_memory(memory))
    }
}

/// One setting of the statistics, for whichever network.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) layers: Layers,
    pub(super) pools: Pools,
    pub(super) keep: Keep,
    pub(super) score: ScoreKind,
    pub(super) aggregation: Aggregation,
}

impl Setting {
    /// Every setting of the grid; those of the same taps stand together.
    pub(super) fn all(flags: &SweepFlags) -> Vec<Self> {
        let mut all = Vec::new();
        for layers in &flags.layer {
            for pools in &flags.pool {
                for keep in &flags.pca {
                    for score in &flags.score {
                        // Cells make up no other score.
                        let aggregations = match score {
                            ScoreKind::Fre => flags.aggregate.as_slice(),
                            ScoreKind::Nll | ScoreKind::Mahalanobis => &[Aggregation::Sum],
                        };
                        all.extend(aggregations.iter().map(|aggregation| Self {
                            layers: layers.clone(),
                            pools: pools.clone(),
                            keep: *keep,
                            score: *score,
                            aggregation: *aggregation,
                        }));
                    }
                }
            }
        }
        all
    }

    /// Where its features are taken.
    ///
    /// # Errors
    ///
    /// If there are as many pools as neither one nor the layers.
    pub(super) fn taps(&self) -> anyhow::Result<Vec<Tap>> {
        args::pooled(&self.layers.0, &self.pools.0)
    }

    /// The parameters of its fit.
    pub(super) fn params(&self, taps: Vec<Tap>, fixed: &Fixed) -> FitParams {
        let mut params = fixed.params();
        params.method = params
            .method
            .with_taps(taps)
            .with_keep(self.keep)
            .with_score(self.score)
            .with_aggregation(self.aggregation);
        params
    }

    /// The components, as `--pca` takes them.
    pub(super) fn pca(&self) -> String {
        match self.keep {
            // 1.0 is a share and 1 a number.
            Keep::Ratio(ratio) => format!("{ratio:?}"),
            Keep::Components(count) => count.to_string(),
        }
    }

    /// What `dfm fit` is told to make this model, but for the network and what is fixed.
    pub(super) fn flags(&self) -> String {
        let joined = |text: String| text.replace('+', ",");
        format!(
            "--layer {} --pool {} --pca {} --score {} --aggregate {}",
            joined(self.layers.to_string()),
            joined(self.pools.to_string()),
            self.pca(),
            self.score.name(),
            self.aggregation
        )
    }
}

/// The networks that a sweep tries, without layers.
///
/// # Errors
///
/// If there are as many weights as neither one nor the networks.
pub(super) fn networks(flags: &SweepFlags) -> anyhow::Result<Vec<BackboneFlags>> {
    let count = flags.backbone.len().max(flags.weights.len()).max(1);
    for (name, given) in [("backbone", flags.backbone.len()), ("weights", flags.weights.len())] {
        if given > 1 && given != count {
            anyhow::bail!("--{name}: expected one for all networks or one for each of {count}, got {given}");
        }
    }
    let pick = |names: &[String], place: usize| match names {
        [one] => Some(one.clone()),
        names => names.get(place).cloned(),
    };
    let network = |place| BackboneFlags {
        backbone: pick(&flags.backbone, place),
        weights: pick(&flags.weights, place),
        layer: Vec::new(),
        pool: Vec::new(),
        size: flags.size,
        resize: Some(flags.resize),
        seed: flags.seed,
    };
    Ok((0..count).map(network).collect())
}
