//! `dfm sweep`: every setting of a grid, each fitted and judged, features taken once a network.

mod features;
mod grid;
mod report;

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail};
use dfm_core::{BackboneWeights, Dfm, JudgeOptions, Layer, Piece, SaveOptions, Tap};

use super::judge::Judged;
use crate::evaluation::{Evaluated, Tally};
use crate::flags::{BackboneFlags, SweepFlags};
use crate::input::{Dataset, read_masks};
use crate::messages::Messages;
use crate::report::Progress;
use crate::report::scale::MapScale;
use crate::{Outcome, args, output};
use features::{Features, Reading, Seen};
use grid::{Fixed, Setting};
use report::{Row, Sweep};

/// Pictures, or tiles, whose features are scored together.
const BATCH: usize = 64;

/// Runs the command. What cannot be fitted or judged is a row that says why; the outcome is a
/// failure if there is nothing else.
pub(crate) fn run(flags: &SweepFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let networks = grid::networks(flags)?;
    let settings = Setting::all(flags);
    let fixed = Fixed::new(flags)?;
    let compute = args::device(&flags.compute)?;
    let mut dataset = Dataset::read_test(&flags.dataset, flags.layout, messages)?;
    if dataset.train.is_empty() {
        bail!("{}: expected good pictures to learn from, found none", flags.dataset.display());
    }
    let reading = Reading { compute: &compute, jobs: args::jobs(&flags.compute), fixed: &fixed, messages };
    let test = dataset.pictures.iter().map(|picture| &picture.path);
    let mut paths: Vec<(usize, PathBuf)> = dataset.train.iter().chain(test).cloned().enumerate().collect();
    let mut rows = Vec::with_capacity(networks.len() * settings.len());
    let mut progress =
        Progress::new("fitting and judging", networks.len() * settings.len(), messages.is_quiet());
    let mut masks_are_checked = false;
    for flags in &networks {
        let network = Network::new(flags, &settings, &paths, &reading);
        if let Ok(features) = &network.features {
            if !std::mem::replace(&mut masks_are_checked, true) {
                check_masks(&mut dataset, features, messages);
            }
            // Every network sees what the one before could use, and nothing is reported twice.
            let seen: HashSet<usize> = features.pictures.iter().map(|picture| picture.place).collect();
            paths.retain(|(place, _)| seen.contains(place));
        }
        let mut timed = None;
        for setting in &settings {
            let tried = network.tried(setting, &dataset, &reading, &mut timed);
            rows.push(Row::new(&network.name(), setting, tried));
            progress.step();
        }
    }
    drop(progress);
    let sweep = Sweep::new(flags, &fixed, &dataset, rows);
    sweep.write(flags.format, &mut output::stdout())?;
    Ok(if sweep.is_empty() { Outcome::Failed } else { messages.outcome(Outcome::Success) })
}

/// A mask that cannot be read is reported once, not for each setting.
fn check_masks(dataset: &mut Dataset, features: &Features, messages: &Messages) {
    let first = dataset.train.len();
    for seen in features.pictures.iter().filter(|seen| seen.place >= first) {
        let picture = &mut dataset.pictures[seen.place - first];
        if !picture.masks.is_empty()
            && let Err((path, error)) = read_masks(&picture.masks, seen.size)
        {
            messages.error(&path, format_args!("{error:#}"));
            picture.masks.clear();
        }
    }
}

/// What a setting came to.
pub(super) struct Tried {
    /// What it made of the pictures.
    evaluated: Evaluated,
    /// Seconds of the network for one picture.
    feature_seconds: f64,
    /// Seconds of the fit, once the features are there.
    fit_seconds: f64,
    components: usize,
    model_bytes: u64,
}

/// One network and the features of every picture.
struct Network<'n> {
    flags: &'n BackboneFlags,
    weights: Result<BackboneWeights, String>,
    features: Result<Features, String>,
}

/// What a reason is told as.
fn reason(error: impl Into<anyhow::Error>) -> String {
    format!("{:#}", error.into())
}

impl<'n> Network<'n> {
    /// Runs it over all pictures, to every layer that it has and `settings` ask for.
    fn new(
        flags: &'n BackboneFlags,
        settings: &[Setting],
        paths: &[(usize, PathBuf)],
        reading: &Reading<'_>,
    ) -> Self {
        let wanted: Vec<Tap> = settings.iter().filter_map(|setting| setting.taps().ok()).flatten().collect();
        let weights = weights(flags, &wanted);
        let features = weights.clone().and_then(|weights| {
            let deepest = weights.header().deepest;
            let there = |tap: &&Tap| tap.layer <= deepest && features::shape(&weights, **tap).is_ok();
            let taps: Vec<Tap> = wanted.iter().filter(there).copied().collect();
            let last =
                taps.iter().map(|tap| tap.layer).max().ok_or("no layer and pool is there".to_owned())?;
            let weights = weights.truncate(last).map_err(reason)?;
            Features::extract(weights, &taps, paths, reading).map_err(reason)
        });
        Self { flags, weights, features }
    }

    /// The network and its weights, for people.
    fn name(&self) -> [String; 2] {
        let asked = |name: &Option<String>| name.clone().unwrap_or_else(|| "-".to_owned());
        let weights = match &self.flags.weights {
            None if self.flags.backbone.is_none() => "embedded".to_owned(),
            named => asked(named),
        };
        match &self.weights {
            Ok(found) => [found.header().architecture.name.clone(), weights],
            Err(_) => [asked(&self.flags.backbone), weights],
        }
    }

    /// Fits and judges with one `setting`. `timed` holds how long the network took to the taps
    /// that were timed last.
    fn tried(
        &self,
        setting: &Setting,
        dataset: &Dataset,
        reading: &Reading<'_>,
        timed: &mut Option<(Vec<Tap>, f64)>,
    ) -> Result<Tried, String> {
        let taps = setting.taps().map_err(reason)?;
        let weights = self.weights.clone()?;
        // Before what is said of all taps together: why this one cannot be.
        let deepest = Tap::deepest(&taps).map_err(reason)?;
        let weights = weights.truncate(deepest.layer).map_err(reason)?;
        for tap in &taps {
            features::shape(&weights, *tap).map_err(reason)?;
        }
        let params = setting.params(taps.clone(), reading.fixed).check().map_err(reason)?;
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
        let first = dataset.train.len();
        let learnt = features.pictures.iter().filter(|seen| seen.place < first);
        let learnt = learnt.flat_map(|seen| features.pieces(seen, &taps, seen.place));
        let begun = Instant::now();
        let model = params.fit_each(extractor, learnt, |_| Ok(())).map_err(reason)?;
        let fit_seconds = begun.elapsed().as_secs_f64();
        let sizes = model.write(&mut std::io::sink(), &SaveOptions { slim: false }).map_err(reason)?;
        Ok(Tried {
            evaluated: judged(&model, features, &taps, dataset).map_err(reason)?,
            feature_seconds,
            fit_seconds,
            components: model.component_count(),
            model_bytes: sizes.total,
        })
    }
}

/// The weights of a network to the deepest of the layers wanted that it has.
fn weights(flags: &BackboneFlags, wanted: &[Tap]) -> Result<BackboneWeights, String> {
    let mut layers: Vec<Layer> = wanted.iter().map(|tap| tap.layer).collect();
    layers.sort_unstable();
    layers.dedup();
    let mut first = None;
    while let Some(layer) = layers.pop() {
        match args::network(flags, None, layer) {
            Ok(weights) => return Ok(weights),
            Err(error) => {
                first.get_or_insert(reason(error));
            }
        }
    }
    Err(first.unwrap_or_else(|| "no layer is asked for".to_owned()))
}

/// What `model` makes of the pictures to judge, from their features.
fn judged(model: &Dfm, features: &Features, taps: &[Tap], dataset: &Dataset) -> anyhow::Result<Evaluated> {
    // What is to be said of masks has been said.
    let silent = Messages::new(true);
    let mut tally = Tally::new(dataset, MapScale::of(model));
    let mut judging = model.judging(&JudgeOptions::default().with_map(true))?;
    let first = dataset.train.len();
    let test: Vec<&Seen> = features.pictures.iter().filter(|seen| seen.place >= first).collect();
    let mut rest = test.as_slice();
    while !rest.is_empty() {
        let (batch, behind) = rest.split_at(together(rest));
        rest = behind;
        let pieces: Vec<Piece> =
            batch.iter().flat_map(|seen| features.pieces(seen, taps, seen.place - first)).collect();
        let mut judged = Vec::with_capacity(batch.len());
        for (index, verdict) in judging.push(pieces) {
            let prediction = verdict?;
            judged.push(Judged { index, size: prediction.size, prediction });
        }
        tally.push(&judged, &silent);
    }
    tally.finish(judging.threshold(), None, 0).context("figures")
}

/// How many of `pictures` are scored together: those of about [`BATCH`] rows, and one at least.
fn together(pictures: &[&Seen]) -> usize {
    let mut rows = 0;
    let fits = pictures.iter().take_while(|seen| {
        rows += seen.placements.len();
        rows <= BATCH
    });
    fits.count().max(1)
}
