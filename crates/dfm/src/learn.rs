//! Learning: from good pictures to a model.

use dfm_core::{Compute, Dfm, FitParams, Method, TileStatistics, ValidFitParams};

use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::first_size::{in_pictures_of, sizes};
use crate::learning::{Fitted, Learning};
use crate::levels::FitLevels;
use crate::network::{Network, compute_or_usual};
use crate::observer::{Observer, Reporter};
use crate::source::Source;
use crate::validate::validate;
use crate::workers::Workers;

/// Learns what good looks like. `Learner::default()` does what the `dfm` program does by default.
///
/// ```
/// # #[cfg(all(feature = "embedded-weights", feature = "flex"))] {
/// use dfm::{Learner, Pictures, RgbImage, Silent};
///
/// let good: Pictures = (1..9_u8)
///     .map(|k| (k.to_string(), RgbImage::from_fn(64, 64, |x, y| [(u32::from(k) * x) as u8, y as u8, 90].into())))
///     .collect();
/// let model = Learner::default().fit(&good, &Silent)?;
/// assert_eq!(model.record().picture_count, 8);
/// # }
/// # Ok::<(), dfm::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Learner {
    params: FitParams,
    network: Network,
    compute: Option<Compute>,
    workers: Workers,
    by_position: bool,
    synthetic: Option<u64>,
    threshold: Option<f64>,
}

impl Default for Learner {
    fn default() -> Self {
        Self::new(Method::default())
    }
}

impl Learner {
    /// Learns by `method`, with the usual network for it.
    pub fn new(method: Method) -> Self {
        Self {
            network: Network::default()
                .with_resize(method.usual_resize())
                .with_resampling(method.usual_resampling()),
            params: method.into(),
            compute: None,
            workers: Workers::new(),
            by_position: false,
            synthetic: None,
            threshold: None,
        }
    }

    /// The method as it was published: one layer, the plain sum, pictures stretched and resized in
    /// bytes.
    pub fn published() -> Self {
        Self::new(Method::published()).with_network(Network::default())
    }

    /// The numbers of anomalib's `Dfm`.
    pub fn anomalib() -> Self {
        Self::new(Method::anomalib())
    }

    /// Sets every parameter of the fit: its method, how it is done, what the model keeps.
    #[must_use]
    pub fn with_params(self, params: FitParams) -> Self {
        Self { params, ..self }
    }

    /// Sets the network.
    #[must_use]
    pub fn with_network(self, network: Network) -> Self {
        Self { network, ..self }
    }

    /// Sets the device on which the network computes: our own kernels on the processor, unless
    /// this is set.
    #[must_use]
    pub fn with_compute(self, compute: impl Into<Compute>) -> Self {
        Self { compute: Some(compute.into()), ..self }
    }

    /// Sets the threads.
    #[must_use]
    pub fn with_workers(self, workers: Workers) -> Self {
        Self { workers, ..self }
    }

    /// Compares each tile with the tiles of its own position only, in pictures that all have the size
    /// of the first. The method must have tiles.
    #[must_use]
    pub fn with_tiles_by_position(self, by_position: bool) -> Self {
        Self { by_position, ..self }
    }

    /// Judges held-out good pictures, and copies of them with synthetic defects of this seed. The model
    /// records the figures. Its threshold becomes the one with the best F1, unless a threshold or a
    /// rate is stated. The method must calibrate by split.
    #[must_use]
    pub fn with_synthetic_defects(self, seed: Option<u64>) -> Self {
        Self { synthetic: seed, ..self }
    }

    /// Sets the raw score from which the model calls pictures anomalous.
    #[must_use]
    pub fn with_threshold(self, threshold: Option<f64>) -> Self {
        Self { threshold, ..self }
    }

    /// The threads.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// Every parameter of the fit.
    pub fn params(&self) -> &FitParams {
        &self.params
    }

    /// The settings that decide which model given pictures make. These are the parameters of the fit, except
    /// those that say only how it runs, and the hash of the network's weights.
    ///
    /// # Errors
    ///
    /// If a parameter is out of its range or the weights cannot be had.
    pub(crate) fn settings(&self, observer: &dyn Observer) -> Result<serde_json::Value, Error> {
        // Every field is named here, so whoever adds one must decide whether it is a setting.
        let Self { params, network, compute, workers: _, by_position, synthetic, threshold } = self;
        network.fetch(observer)?;
        let mut params = params.clone();
        params.method.taps = network.in_order(&params.method.taps)?;
        let params = params.check()?;
        let exact = params.params().run.memory.exact;
        let extractor = network.extractor(&params, compute_or_usual(compute.as_ref())?)?;
        let header = extractor.weights().header();
        let mut method = serde_json::to_value(params.params())?;
        if let Some(fields) = method.as_object_mut() {
            fields.remove("batch");
        }
        Ok(serde_json::json!({
            "params": method,
            "exact": exact,
            "by_position": by_position,
            "synthetic": synthetic,
            "threshold": threshold,
            "levels": params.params().method.levels,
            "resampling": header.input.resampling,
            "architecture": header.architecture.name(),
            "input": header.input,
            "weights": extractor.weights().sha256(),
        }))
    }

    /// Fits a model to the pictures of `source`. The observer hears pictures that cannot be read or
    /// have no finite features; they are left out.
    ///
    /// # Errors
    ///
    /// If a parameter is out of its range, the weights cannot be had, fewer than two different
    /// pictures can be used, or they do not vary.
    pub fn fit(&self, source: &dyn Source, observer: &dyn Observer) -> Result<Dfm, Error> {
        let reporter = Reporter::new(observer);
        self.workers.run(|| self.fit_with(source, None, &reporter))?
    }

    /// Does the same as [`fit`](Self::fit), and keeps what is learnt in `checkpoint` until the model is
    /// finished. `finish` takes the model. Once it has returned, the checkpoint is removed.
    ///
    /// # Errors
    ///
    /// Those of [`fit`](Self::fit); [`Error::Checkpoint`] if the checkpoint belongs to another fit;
    /// whatever `finish` returns.
    pub fn fit_resumable<T>(
        &self,
        source: &dyn Source,
        checkpoint: &Checkpoint,
        observer: &dyn Observer,
        finish: impl FnOnce(Dfm) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let reporter = Reporter::new(observer);
        let fitted = self.workers.run(|| self.fit_with(source, Some(checkpoint), &reporter))?;
        let finished = fitted.and_then(finish).inspect_err(|_| checkpoint.leave(&reporter))?;
        checkpoint.remove(&reporter);
        Ok(finished)
    }

    fn fit_with(
        &self,
        source: &dyn Source,
        checkpoint: Option<&Checkpoint>,
        reporter: &Reporter<'_>,
    ) -> Result<Dfm, Error> {
        self.network.fetch(reporter)?;
        let indices: Vec<usize> = (0..source.count()).collect();
        let asked = self.params.method.levels;
        let levels = FitLevels::of(asked, source, &indices, &self.workers, reporter)?;
        let params = self.checked(source, levels)?;
        let compute = compute_or_usual(self.compute.as_ref())?;
        let extractor = self.network.extractor(&params, compute)?;
        self.network.tell_pixels(&extractor, reporter);
        let learning = Learning { source, levels, workers: &self.workers, reporter };
        let Fitted { mut model, pictures, .. } = learning.fit(&params, extractor, checkpoint)?;
        if asked.is_auto() {
            levels.tell_without_foreign(&model, &pictures, (source, &self.workers, reporter));
        }
        if let Some(seed) = self.synthetic {
            model = validate(model, source, pictures, seed, &self.workers, reporter)?;
        }
        if let Some(threshold) = self.threshold {
            model = model.with_threshold(threshold)?;
        }
        Ok(model)
    }

    /// Checks the parameters. With statistics by position, the size of the first picture that can be read
    /// becomes one of them.
    fn checked(&self, source: &dyn Source, levels: FitLevels) -> Result<ValidFitParams, Error> {
        let mut params = self.params.clone();
        params.method.taps = self.network.in_order(&params.method.taps)?;
        params.method.levels = levels.levels;
        if let Some(region) = params.method.region.take() {
            let region = in_pictures_of(source, levels, region);
            params.method = params.method.with_region(region);
        }
        if self.by_position
            && let Some(size) = sizes(source, levels, |sizes| sizes.next())
        {
            let method = params.method.clone().with_tile_statistics(TileStatistics::Position(size));
            params = params.with_method(method);
        }
        Ok(params.check()?)
    }
}
