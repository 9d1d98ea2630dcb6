//! The settings that a sweep tries.

use dfm_core::{Aggregation, DfmParams, Keep, ScoreKind, StreamingParams, Tap};

use crate::args;
use crate::flags::{BackboneFlags, SweepFlags};
use crate::values::{Layers, Pools};

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
    pub(super) fn params(&self, taps: Vec<Tap>, batch: usize, memory: u64) -> DfmParams {
        DfmParams {
            taps,
            keep: self.keep,
            score: self.score,
            aggregation: self.aggregation,
            batch,
            memory: StreamingParams { max_bytes: memory, exact: false },
            ..DfmParams::default()
        }
    }

    /// The components, as `--pca` takes them.
    pub(super) fn pca(&self) -> String {
        match self.keep {
            // 1.0 is a share and 1 a number.
            Keep::Ratio(ratio) => format!("{ratio:?}"),
            Keep::Components(count) => count.to_string(),
        }
    }

    /// What `dfm fit` is told to make this model, but for the network.
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
