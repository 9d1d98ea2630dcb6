//! Learning: from good pictures to a model.

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use dfm_core::{
    Compute, Dfm, DfmError, FeatureExtractor, FitParams, Learnt, MapKind, Method, PictureSize, Piece,
    Preparer, SizeRange, TileStatistics, ValidFitParams,
};
use tracing::info;

use crate::checkpoint::{Checkpoint, first_keys};
use crate::error::Error;
use crate::first_size::{in_pictures_of, sizes};
use crate::levels::{FitLevels, LevelsWatch};
use crate::network::{Network, compute_or_usual};
use crate::note::{CoarseBecause, Note};
use crate::observer::{Observer, Reporter, Stage};
use crate::pieces::{Ready, prepare};
use crate::source::{Give, Loaded, Source, ahead};
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
    pub(crate) fn settings(&self) -> Result<serde_json::Value, Error> {
        // Every field is named here, so whoever adds one must decide whether it is a setting.
        let Self { params, network, compute, workers: _, by_position, synthetic, threshold } = self;
        let params = params.clone().check()?;
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
            "architecture": header.architecture.name,
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
        let indices: Vec<usize> = (0..source.count()).collect();
        let asked = self.params.method.levels;
        let levels = FitLevels::of(asked, source, &indices, &self.workers, reporter)?;
        let params = self.checked(source, levels)?;
        let compute = compute_or_usual(self.compute.as_ref())?;
        let extractor = self.network.extractor(&params, compute)?;
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

/// The source of pictures, and the observer of a fit.
#[derive(Clone, Copy)]
pub(crate) struct Learning<'l> {
    pub(crate) source: &'l dyn Source,
    /// The levels, and the depth that the pictures must have.
    pub(crate) levels: FitLevels,
    pub(crate) workers: &'l Workers,
    pub(crate) reporter: &'l Reporter<'l>,
}

/// Is told what becomes of each picture.
pub(crate) type Each<'a> = &'a mut dyn FnMut(Learnt<'_>) -> Result<(), DfmError>;

/// Gives pictures that were learnt once more, by their content hashes, except those that cannot be read
/// again.
pub(crate) type Again<'a> = &'a mut dyn FnMut(&[[u8; 32]]) -> Vec<Piece>;

/// A model, and the pictures that it has just learnt.
pub(crate) struct Fitted {
    pub(crate) model: Dfm,
    /// The content hash of each picture, and its index in the source.
    pub(crate) pictures: Vec<([u8; 32], usize)>,
    /// The indices of pictures that stay left out as foreign.
    pub(crate) stay_out: Vec<usize>,
}

impl Learning<'_> {
    fn fit(
        self,
        params: &ValidFitParams,
        extractor: FeatureExtractor,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<Fitted, Error> {
        let preparer = Preparer::for_fit(&extractor);
        let batch = params.params().run.batch.min(extractor.largest_batch());
        let fitted = self.learn(&preparer, batch, checkpoint, |mut pieces, each, again| {
            let (extractor, first) = params.in_precision(extractor, &mut pieces)?;
            if let Some(checkpoint) = checkpoint {
                let mut keys = first_keys(self.source, preparer.makes_tiles());
                checkpoint.open(&extractor, batch, &mut keys, self.reporter)?;
            }
            Ok(params.fit_each_rereading(extractor, first.into_iter().chain(pieces), each, again)?)
        })?;
        let map = fitted.model.map_kind();
        if params.method().map_kind() == MapKind::Fine && map == MapKind::Coarse {
            let why = match fitted.model.record().set_aside {
                Some(_) => CoarseBecause::SetAside,
                None => CoarseBecause::NotReadAgain,
            };
            self.reporter.note(Note::FitCoarse { why });
        }
        Ok(fitted)
    }

    /// Lets `learn` make a model of the pictures. What is learnt goes into the checkpoint. Pictures that the
    /// checkpoint holds already are not learnt again. Pictures that cannot be used are reported.
    pub(crate) fn learn(
        self,
        preparer: &Preparer,
        batch: usize,
        checkpoint: Option<&Checkpoint>,
        learn: impl FnOnce(&mut dyn Iterator<Item = Piece>, Each<'_>, Again<'_>) -> Result<Dfm, Error>,
    ) -> Result<Fitted, Error> {
        let Self { source, levels, workers, reporter } = self;
        let watch = LevelsWatch::new(preparer.preprocessor().levels());
        let begun = Instant::now();
        let progress = RefCell::new(Some(reporter.stage(Stage::Learning, Some(source.count()))));
        let step = || progress.borrow().iter().for_each(|progress| progress.step());
        let statistics = RefCell::new(None);
        // The checkpoint's keys of pieces that were given to `learn` and are not reported yet.
        let keys = RefCell::new(std::collections::VecDeque::new());
        let sizes = Mutex::new(None);
        let see = |size: PictureSize| {
            let mut sizes = sizes.lock().unwrap_or_else(PoisonError::into_inner);
            let one = SizeRange::of(size);
            *sizes = Some(sizes.map_or(one, |range: SizeRange| range.with(one)));
        };
        let prepare = |index: usize, give: Give<'_, Ready>| {
            let seen = (&levels, &watch);
            prepare(source, index, preparer, seen, checkpoint, &see, give)
        };
        let learnt_now: RefCell<Vec<([u8; 32], usize)>> = RefCell::new(Vec::with_capacity(source.count()));
        let mut stay_out = Vec::new();
        let mut each = |learnt: Learnt<'_>| {
            match learnt {
                Learnt::Features(_, row) | Learnt::NotFinite(_, row) => {
                    let key: Option<[u8; 32]> = keys.borrow_mut().pop_front().flatten();
                    if let (Some(key), Some(checkpoint)) = (key, checkpoint) {
                        checkpoint.keep(&key, row, reporter);
                    }
                }
                Learnt::Picture(index, hash) => {
                    step();
                    learnt_now.borrow_mut().push((hash, index));
                }
                Learnt::LeftOut(index) => {
                    step();
                    reporter.problem(&source.path(index), Error::NotFinite);
                }
                Learnt::Known(_) => step(),
                Learnt::StaysOut(index) => {
                    step();
                    stay_out.push(index);
                }
                _ => {}
            }
            Ok(())
        };
        let model = ahead(source.count(), workers.jobs(), batch, prepare, |loaded| {
            let ready = loaded.filter_map(|Loaded { index, found, .. }| match found {
                Ok((key, piece)) => {
                    if checkpoint.is_some() {
                        keys.borrow_mut().push_back(key);
                    }
                    Some(piece)
                }
                Err(error) => {
                    reporter.problem(&source.path(index), error);
                    step();
                    None
                }
            });
            // When the fit asks for a picture after the last one, it is about to compute the components.
            let end = std::iter::from_fn(|| {
                progress.replace(None);
                statistics.borrow_mut().get_or_insert_with(|| reporter.stage(Stage::Statistics, None));
                None
            });
            let mut again = |hashes: &[[u8; 32]]| self.again(preparer, hashes, &learnt_now.borrow());
            learn(&mut ready.chain(end), &mut each, &mut again)
        });
        let model = model.map_err(|error| watch.explain(error, source))?;
        watch.tell(reporter);
        let learnt_now = learnt_now.into_inner();
        let names = learnt_now.iter().map(|(hash, index)| (*hash, source.name(*index)));
        let model = model
            .with_names(names)
            .with_sizes(sizes.into_inner().unwrap_or_else(PoisonError::into_inner))
            .with_depth(levels.depth());
        info!(
            "{} of {} pictures learnt in {:.1?}; the model: {} pictures, {} components of {} directions",
            learnt_now.len(),
            source.count(),
            begun.elapsed(),
            model.record().picture_count,
            model.component_count(),
            model.record().taps.iter().map(|tap| tap.rank).sum::<usize>()
        );
        Ok(Fitted { model, pictures: learnt_now, stay_out })
    }

    /// Reads pictures that were learnt once more, those that still can be read. Each was learnt in one
    /// piece.
    fn again(self, preparer: &Preparer, hashes: &[[u8; 32]], learnt: &[([u8; 32], usize)]) -> Vec<Piece> {
        let index_of = |hash: &[u8; 32]| learnt.iter().find(|(other, _)| other == hash).map(|found| found.1);
        let indices: Vec<usize> = hashes.iter().filter_map(index_of).collect();
        // What is clamped in a picture was counted when it was learnt.
        let watch = LevelsWatch::default();
        let prepare = |number: usize, give: Give<'_, Ready>| {
            prepare(self.source, indices[number], preparer, (&self.levels, &watch), None, &|_| (), give)
        };
        ahead(indices.len(), self.workers.jobs(), hashes.len(), prepare, |loaded| {
            loaded.filter_map(|loaded| loaded.found.ok()).map(|(_, piece)| piece).collect()
        })
    }
}
