//! Every setting of a grid, each fitted and judged, with features taken once for each network. Maps are
//! coarse: the features that settings share have no details.

mod features;
mod grid;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use dfm_core::{BackboneWeights, Compute, Dfm, JudgeOptions, Layer, SaveOptions, Tap};
use dfm_data::{Dataset, read_masks};
use dfm_render::MapScale;

pub use grid::{Common, Grid, Setting, taps};

use crate::error::Error;
use crate::evaluate::{Evaluated, Seen, Tally};
use crate::first_size::in_pictures_of;
use crate::levels::FitLevels;
use crate::maps::PictureFiles;
use crate::network::{Network, compute_or_usual};
use crate::observer::{Observer, Reporter, Silent, Stage};
use crate::source::{Files, Source};
use crate::workers::Workers;
use features::{Features, Known, Reading};

/// Pieces of pictures whose features are scored together.
const BATCH: usize = 64;

/// Fits and judges with every setting of a grid, for every network. Whoever chooses a setting by these
/// figures selects on the test set: the chosen setting must be measured on other pictures.
#[derive(Debug, Clone, Default)]
pub struct Sweeper {
    networks: Vec<Network>,
    grid: Grid,
    common: Common,
    compute: Option<Compute>,
    workers: Workers,
}

impl Sweeper {
    /// Tries every setting of `grid` with the usual network.
    pub fn new(grid: Grid) -> Self {
        Self { networks: vec![Network::default()], grid, ..Self::default() }
    }

    /// Sets the networks.
    #[must_use]
    pub fn with_networks(self, networks: Vec<Network>) -> Self {
        Self { networks, ..self }
    }

    /// Sets what every setting has in common.
    #[must_use]
    pub fn with_common(self, common: Common) -> Self {
        Self { common, ..self }
    }

    /// Sets the device on which networks compute.
    #[must_use]
    pub fn with_compute(self, compute: impl Into<Compute>) -> Self {
        Self { compute: Some(compute.into()), ..self }
    }

    /// Sets the threads.
    #[must_use]
    pub fn with_workers(self, workers: Workers) -> Self {
        Self { workers, ..self }
    }

    /// Checks, before anything is read, that settings can be fitted with what all have in common.
    ///
    /// # Errors
    ///
    /// [`Error::Model`] with the parameter that is out of its range.
    pub fn check(&self) -> Result<(), Error> {
        self.common.params(dfm_core::Method::published()).check()?;
        Ok(())
    }

    /// Runs the sweep on a data set that has pictures to learn from and, with their truth, pictures
    /// to judge. The observer hears pictures and masks that cannot be used.
    ///
    /// # Errors
    ///
    /// If no setting can be fitted with what all have in common, or there is nothing to learn from.
    /// A single setting that cannot be tried says why in its [`Trial`].
    pub fn run(&self, dataset: &Dataset, observer: &dyn Observer) -> Result<Vec<Trial>, Error> {
        let reporter = Reporter::new(observer);
        self.workers.run(|| self.run_here(dataset, &reporter))?
    }

    fn run_here(&self, dataset: &Dataset, reporter: &Reporter<'_>) -> Result<Vec<Trial>, Error> {
        self.check()?;
        if dataset.train.is_empty() {
            let expected = "good pictures to learn from".to_owned();
            return Err(
                Error::Setting { name: "data set", expected, got: "none".to_owned() }.at(&dataset.root)
            );
        }
        let compute = compute_or_usual(self.compute.as_ref())?;
        let settings = self.grid.settings();
        let test = dataset.pictures.iter().map(|picture| &picture.path);
        let paths: Vec<PathBuf> = dataset.train.iter().chain(test).cloned().collect();
        let files = Files::new(dataset.folder(), paths);
        let learnt: Vec<usize> = (0..dataset.train.len()).collect();
        let levels = FitLevels::of(self.common.levels, &files, &learnt, &self.workers, reporter)?;
        let region = self.common.region.clone().map(|region| in_pictures_of(&files, levels, region));
        let common = self.common.clone().with_levels(levels.levels).with_region(region);
        let mut wanted: Vec<usize> = (0..files.count()).collect();
        let mut trials = Vec::with_capacity(self.networks.len() * settings.len());
        let progress = reporter.stage(Stage::Sweeping, Some(self.networks.len() * settings.len()));
        let mut dataset = Judgeable::new(dataset);
        for network in &self.networks {
            let reading = Reading {
                source: &files,
                wanted: &wanted,
                compute: &compute,
                workers: &self.workers,
                common: &common,
                levels,
                reporter,
            };
            let tapped = Tapped::new(network, &settings, reading);
            let mut timed = None;
            if let Ok(features) = &tapped.features {
                dataset.check_masks(features, reporter);
            }
            for setting in &settings {
                let tried = tapped.tried(setting, &dataset, reading, &mut timed);
                trials.push(Trial { network: tapped.name(), setting: setting.clone(), tried });
                progress.step();
            }
            // Every network sees what the one before could use, and nothing is told twice.
            if let Ok(features) = &tapped.features {
                let seen: HashSet<usize> = features.pictures.iter().map(|picture| picture.index).collect();
                wanted.retain(|index| seen.contains(index));
            }
        }
        Ok(trials)
    }
}

/// One network and one setting.
#[derive(Debug)]
#[non_exhaustive]
pub struct Trial {
    /// The network and its weights, as they are called.
    pub network: [String; 2],
    /// The setting.
    pub setting: Setting,
    /// What came out, or why it cannot be.
    pub tried: Result<Tried, Arc<Error>>,
}

/// What a setting came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Tried {
    /// What it made of the pictures.
    pub evaluated: Evaluated,
    /// Seconds of the network for one picture.
    pub feature_seconds: f64,
    /// Seconds of the fit, once the features are there.
    pub fit_seconds: f64,
    /// Principal components at all taps.
    pub components: usize,
    /// Bytes of the model file.
    pub model_bytes: u64,
}

/// A data set. Its unusable masks were reported and taken away.
struct Judgeable<'d> {
    dataset: &'d Dataset,
    /// The data set without them.
    usable: Option<Dataset>,
}

impl<'d> Judgeable<'d> {
    fn new(dataset: &'d Dataset) -> Self {
        Self { dataset, usable: None }
    }

    fn get(&self) -> &Dataset {
        self.usable.as_ref().unwrap_or(self.dataset)
    }

    /// Reports masks that cannot be read once, not for each setting.
    fn check_masks(&mut self, features: &Features, reporter: &Reporter<'_>) {
        if self.usable.is_some() {
            return;
        }
        let mut usable = self.dataset.without_problems();
        let first = usable.train.len();
        for known in features.pictures.iter().filter(|known| known.index >= first) {
            let picture = &mut usable.pictures[known.index - first];
            if !picture.masks.is_empty()
                && let Err(problem) = read_masks(&picture.masks, known.size())
            {
                reporter.problem(&problem.path, problem.error);
                picture.masks.clear();
            }
        }
        self.usable = Some(usable);
    }
}

/// One network and the features of every picture.
struct Tapped<'n> {
    network: &'n Network,
    weights: Result<BackboneWeights, Arc<Error>>,
    features: Result<Features, Arc<Error>>,
}

/// The reason why several settings cannot be tried.
fn reason(error: impl Into<Error>) -> Arc<Error> {
    Arc::new(error.into())
}

impl<'n> Tapped<'n> {
    /// Runs the network over all pictures, to every layer that it has and `settings` ask for.
    fn new(network: &'n Network, settings: &[Setting], reading: Reading<'_>) -> Self {
        let wanted: Vec<Tap> = settings.iter().filter_map(|setting| setting.taps().ok()).flatten().collect();
        let fetched = network.fetch(reading.reporter).map_err(reason);
        let weights = fetched.and_then(|()| weights(network, &wanted));
        let features = weights.clone().and_then(|weights| {
            let there = |tap: &&Tap| features::shape(&weights, **tap).is_ok();
            let taps: Vec<Tap> = wanted.iter().filter(there).copied().collect();
            let last = taps.iter().map(|tap| tap.layer).max().ok_or_else(|| reason(no_tap()))?;
            let weights = weights.truncate(last).map_err(|error| reason(dfm_core::DfmError::from(error)))?;
            Features::extract(weights, &taps, reading).map_err(reason)
        });
        Self { network, weights, features }
    }

    /// The network and its weights, for people.
    fn name(&self) -> [String; 2] {
        let [backbone, weights] = self.network.names();
        match &self.weights {
            Ok(found) => [found.header().architecture.name().to_owned(), weights],
            Err(_) => [backbone, weights],
        }
    }

    /// Fits and judges with one `setting`. `timed` holds the taps that were timed last, and how long
    /// the network took.
    fn tried(
        &self,
        setting: &Setting,
        dataset: &Judgeable<'_>,
        reading: Reading<'_>,
        timed: &mut Option<(Vec<Tap>, f64)>,
    ) -> Result<Tried, Arc<Error>> {
        let backbone = |error| reason(dfm_core::DfmError::from(error));
        let taps = setting.taps().map_err(reason)?;
        let weights = self.weights.clone()?;
        // The reason why this setting is impossible comes before any reason for all taps together.
        let deepest = Tap::deepest(&taps).map_err(backbone)?;
        let weights =
            weights.truncate(deepest.layer).map_err(|error| reason(dfm_core::DfmError::from(error)))?;
        for tap in &taps {
            features::shape(&weights, *tap).map_err(reason)?;
        }
        let params = reading.common.params(setting.method(taps.clone())).check().map_err(reason)?;
        let features = self.features.as_ref().map_err(Clone::clone)?;
        let extractor = params.extractor(weights, reading.compute.clone()).map_err(reason)?;
        let feature_seconds = match timed {
            Some((known, seconds)) if *known == taps => *seconds,
            _ => {
                let seconds = features.seconds(&extractor).map_err(reason)?;
                *timed = Some((taps.clone(), seconds));
                seconds
            }
        };
        let first = dataset.get().train.len();
        let learnt = features.pictures.iter().filter(|known| known.index < first);
        let learnt = learnt.enumerate().flat_map(|(number, known)| features.pieces(number, known, &taps));
        let begun = Instant::now();
        let model = params.fit_each(extractor, learnt, |_| Ok(())).map_err(reason)?;
        let fit_seconds = begun.elapsed().as_secs_f64();
        let sizes = model.write(&mut std::io::sink(), &SaveOptions { slim: false }).map_err(reason)?;
        Ok(Tried {
            evaluated: judged(&model, features, &taps, dataset.get()).map_err(reason)?,
            feature_seconds,
            fit_seconds,
            components: model.component_count(),
            model_bytes: sizes.total,
        })
    }
}

fn no_tap() -> Error {
    let (expected, got) = ("one that the network has".to_owned(), "none".to_owned());
    Error::Setting { name: "layer and pool", expected, got }
}

/// The weights of a network to the deepest of the layers wanted that it has.
fn weights(network: &Network, wanted: &[Tap]) -> Result<BackboneWeights, Arc<Error>> {
    let mut layers: Vec<Layer> = wanted.iter().map(|tap| tap.layer).collect();
    layers.sort_unstable();
    layers.dedup();
    let mut first = None;
    while let Some(layer) = layers.pop() {
        match network.weights(layer) {
            Ok(weights) => return Ok(weights),
            Err(error) => {
                first.get_or_insert(reason(error));
            }
        }
    }
    Err(first.unwrap_or_else(|| reason(no_tap())))
}

/// What `model` makes of the pictures to judge, from their features.
fn judged(model: &Dfm, features: &Features, taps: &[Tap], dataset: &Dataset) -> Result<Evaluated, Error> {
    // Problems with masks were reported before.
    let silent = Reporter::new(&Silent);
    let mut tally = Tally::new(dataset, MapScale::of(model));
    let first = dataset.train.len();
    let mut judging = model.judging(&JudgeOptions::default().with_map(true).with_batch(BATCH))?;
    let threshold = judging.threshold();
    let test: Vec<&Known> = features.pictures.iter().filter(|known| known.index >= first).collect();
    let mut rest = test.as_slice();
    while !rest.is_empty() {
        let (batch, behind) = rest.split_at(together(rest));
        rest = behind;
        let pieces = batch.iter().flat_map(|known| features.pieces(known.index - first, known, taps));
        let judged = judging.push(pieces.collect());
        let mut verdicts = Vec::with_capacity(judged.len());
        for (index, verdict) in judged {
            verdicts.push((index, verdict?));
        }
        let seen: Vec<Seen<'_>> =
            verdicts.iter().map(|(index, verdict)| Seen { index: *index, verdict }).collect();
        tally.push(&seen, &silent, |_, _, _| (PictureFiles::default(), ()));
    }
    tally.finish(threshold, None, 0)
}

/// How many of `pictures` are scored together: those of about [`BATCH`] rows, and one at least.
fn together(pictures: &[&Known]) -> usize {
    let mut rows = 0;
    let fits = pictures.iter().take_while(|known| {
        rows += known.piece_count();
        rows <= BATCH
    });
    fits.count().max(1)
}
