//! The settings that a sweep tries.

use dfm_core::{
    Aggregation, CalibrationParams, FitParams, Keep, Layer, Method, Region, Run, ScoreKind, StreamingParams,
    Tap, Tiling,
};

use crate::error::Error;

/// What every setting has in common.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Common {
    /// The part of every picture that counts.
    pub region: Option<Region>,
    /// How pictures are cut into tiles.
    pub tiling: Option<Tiling>,
    /// Pieces of pictures that run through the network together.
    pub batch: usize,
    /// The most bytes of features, and the most bytes of a fit.
    pub memory: u64,
}

impl Default for Common {
    fn default() -> Self {
        let run = Run::default();
        Self { region: None, tiling: None, batch: run.batch, memory: run.memory.max_bytes }
    }
}

impl Common {
    /// Sets the part of every picture that counts.
    #[must_use]
    pub fn with_region(self, region: Option<Region>) -> Self {
        Self { region, ..self }
    }

    /// Sets how pictures are cut into tiles.
    #[must_use]
    pub fn with_tiling(self, tiling: Option<Tiling>) -> Self {
        Self { tiling, ..self }
    }

    /// Sets how many pieces of pictures run through the network together.
    #[must_use]
    pub fn with_batch(self, batch: usize) -> Self {
        Self { batch, ..self }
    }

    /// Sets the most bytes of features, and the most bytes of a fit.
    #[must_use]
    pub fn with_memory(self, memory: u64) -> Self {
        Self { memory, ..self }
    }

    /// The parameters of a fit by `method`.
    pub(super) fn params(&self, method: Method) -> FitParams {
        let method = method
            .with_region(self.region.clone())
            .with_tiling(self.tiling)
            .with_calibration(CalibrationParams::default());
        let memory = StreamingParams { max_bytes: self.memory, exact: false };
        FitParams::from(method).with_run(Run::default().with_batch(self.batch).with_memory(memory))
    }
}

/// One setting of the statistics, for any network.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Setting {
    /// Layers of one model.
    pub layers: Vec<Layer>,
    /// Sides of their pools, in cells: one for all, or one for each.
    pub pools: Vec<usize>,
    /// How many principal components are kept.
    pub keep: Keep,
    /// The score.
    pub score: ScoreKind,
    /// How FRE is made of the cells of its map.
    pub aggregation: Aggregation,
}

impl Setting {
    /// Where features are taken, in the order of the layers.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if there is neither one pool nor one for each layer.
    pub fn taps(&self) -> Result<Vec<Tap>, Error> {
        taps(&self.layers, &self.pools)
    }

    /// The method of its fit.
    pub(super) fn method(&self, taps: Vec<Tap>) -> Method {
        Method::published()
            .with_taps(taps)
            .with_keep(self.keep)
            .with_score(self.score)
            .with_aggregation(self.aggregation)
    }
}

/// Puts each of `layers` behind its pool, or behind the one pool of all, in the order of the layers.
///
/// # Errors
///
/// [`Error::Setting`] if there is neither one pool nor one for each layer.
pub fn taps(layers: &[Layer], pools: &[usize]) -> Result<Vec<Tap>, Error> {
    if pools.len() != 1 && pools.len() != layers.len() {
        return Err(Error::Setting {
            name: "pool",
            expected: format!("one for all layers or one for each of {}", layers.len()),
            got: pools.len().to_string(),
        });
    }
    let pairs = layers.iter().zip(pools.iter().cycle());
    let mut taps: Vec<Tap> = pairs.map(|(layer, pool)| layer.pooled(*pool)).collect();
    taps.sort_by_key(|tap| tap.layer);
    Ok(taps)
}

/// Values to try. Every combination of them is a setting.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Grid {
    /// Layers of one model, several times.
    pub layers: Vec<Vec<Layer>>,
    /// Pools of one model, several times.
    pub pools: Vec<Vec<usize>>,
    /// How many principal components are kept.
    pub keep: Vec<Keep>,
    /// The scores.
    pub scores: Vec<ScoreKind>,
    /// How FRE is made of its cells; other scores have one way.
    pub aggregations: Vec<Aggregation>,
}

impl Default for Grid {
    /// What a fit does by default, and nothing else.
    fn default() -> Self {
        let Method { taps, keep, score, aggregation, .. } = Method::default();
        Self {
            layers: vec![taps.iter().map(|tap| tap.layer).collect()],
            pools: vec![taps.iter().map(|tap| tap.pool).collect()],
            keep: vec![keep],
            scores: vec![score],
            aggregations: vec![aggregation],
        }
    }
}

impl Grid {
    /// Sets the layers of one model, several times.
    #[must_use]
    pub fn with_layers(self, layers: Vec<Vec<Layer>>) -> Self {
        Self { layers, ..self }
    }

    /// Sets the pools of one model, several times.
    #[must_use]
    pub fn with_pools(self, pools: Vec<Vec<usize>>) -> Self {
        Self { pools, ..self }
    }

    /// Sets how many principal components are kept.
    #[must_use]
    pub fn with_keep(self, keep: Vec<Keep>) -> Self {
        Self { keep, ..self }
    }

    /// Sets the scores.
    #[must_use]
    pub fn with_scores(self, scores: Vec<ScoreKind>) -> Self {
        Self { scores, ..self }
    }

    /// Sets how FRE is made of its cells.
    #[must_use]
    pub fn with_aggregations(self, aggregations: Vec<Aggregation>) -> Self {
        Self { aggregations, ..self }
    }

    /// Every setting of the grid; those with the same taps stand together.
    pub fn settings(&self) -> Vec<Setting> {
        let mut all = Vec::new();
        for layers in &self.layers {
            for pools in &self.pools {
                for keep in &self.keep {
                    for score in &self.scores {
                        // Cells make up no other score.
                        let aggregations = match score {
                            ScoreKind::Fre => self.aggregations.as_slice(),
                            ScoreKind::Nll | ScoreKind::Mahalanobis => &[Aggregation::Sum],
                        };
                        all.extend(aggregations.iter().map(|aggregation| Setting {
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
}
