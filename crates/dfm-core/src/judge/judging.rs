//! Pictures through a model, with what one call asks for.

use std::time::{Duration, Instant};

use burn::tensor::Tensor;
use dfm_backbone::{Details, FeatureExtractor, Picture, PictureSize, Placement, PreparedPicture};
use dfm_stats::Samples;
use rayon::prelude::*;

use crate::decide::conformal::HeldOutScores;
use crate::decide::decision::{Decision, ReviewFrom};
use crate::decide::held_out::different;
use crate::decide::left_out::LayersLeftOut;
use crate::decide::support::Support;
use crate::error::DfmError;
use crate::host::to_host;
use crate::judge::explain::Explainer;
use crate::judge::fine::FineMap;
use crate::judge::map::AnomalyGrid;
use crate::judge::options::JudgeOptions;
use crate::judge::verdict::Verdict;
use crate::method::{CalibrationKind, MAX_BATCH, RegionRule};
use crate::model::Dfm;
use crate::pieces::{Assembly, Piece, Preparer, each_of, features};

/// A stream of pictures through a model. Pieces come picture by picture from the
/// [`preparer`](Self::preparer), and verdicts as soon as their pictures are complete.
#[derive(Debug)]
pub struct Judging<'m> {
    model: &'m Dfm,
    /// The extractor of the model, with the region that was asked for.
    extractor: FeatureExtractor,
    decision: Decision,
    /// Whether that is the model's own.
    is_own: bool,
    batch: usize,
    map: bool,
    /// Which pixels belong to regions.
    rule: RegionRule,
    /// The same, if regions are asked for.
    regions: Option<RegionRule>,
    /// The models without each picture, for a jackknife+.
    held_out: Option<LayersLeftOut<'m>>,
    explainer: Option<Explainer<'m>>,
    /// What makes fine maps, if maps are asked for and the model has fine ones.
    fine: Option<&'m FineMap>,
    pictures: Assembly<Seen>,
    /// What pieces took in the network so far.
    network_time: Duration,
}

/// What was found for a piece, or for several pieces of one picture.
#[derive(Debug)]
struct Seen {
    score: f64,
    p_value: Option<f64>,
    map: Option<AnomalyGrid>,
    /// For an explanation: the features of the piece with that score, and where it lies.
    row: Option<(Vec<f32>, Placement)>,
}

impl Seen {
    /// Joins another piece of the same picture. The score is that of the worst piece, and the maps of
    /// all stay.
    fn join(mut self, mut piece: Self) -> Self {
        let map = self.map.take().zip(piece.map.take()).map(|(mut map, other)| {
            map.join(other);
            map
        });
        let worst = if piece.score > self.score { piece } else { self };
        Self { map, ..worst }
    }
}

impl Dfm {
    /// Starts to judge pictures as `options` say, and checks those.
    ///
    /// # Errors
    ///
    /// If the threshold is not finite; a review band is empty, or given beside a threshold; a rate of false alarms is no share, smaller than the
    /// pictures that calibrate can support, or none were held out; the model was fitted to no region,
    /// a rectangle has another size than that of the fit, or scores of the region would be made of
    /// other cells than those that the model was fitted to; the batch is out of its
    /// range; or an explanation is asked for and the statistics of the fit cannot be held out.
    pub fn judging(&self, options: &JudgeOptions) -> Result<Judging<'_>, DfmError> {
        let extractor = match &options.region {
            Some(region) => self.looking_at(region)?,
            None => self.extractor.clone(),
        };
        let batch = match options.batch {
            Some(batch) if batch == 0 || batch > MAX_BATCH => {
                let expected = "1 to 1024 pictures";
                return Err(DfmError::Parameter { name: "batch", expected, got: batch.to_string() });
            }
            asked => asked.unwrap_or(self.record.params.run.batch).min(extractor.largest_batch()),
        };
        let rule = self.region_rule(options)?;
        let by_jackknife = |scores: &&HeldOutScores| scores.kind() == CalibrationKind::JackknifePlus;
        let regions = Some(rule).filter(|rule| options.regions && rule.pixel_threshold.is_some());
        Ok(Judging {
            model: self,
            fine: self.fine.as_ref().filter(|_| options.map || regions.is_some()),
            decision: self.decision(options.threshold, options.review)?,
            is_own: options.threshold.is_none() && options.review.is_none(),
            batch,
            map: options.map,
            rule,
            regions,
            held_out: match self.judged.scores.as_ref().filter(by_jackknife) {
                Some(_) => Some(self.models_without()?),
                None => None,
            },
            explainer: options.explain.then(|| Explainer::new(self)).transpose()?,
            pictures: Assembly::new(),
            network_time: Duration::ZERO,
            extractor,
        })
    }

    /// Judges `pictures` as `options` say: a verdict or an error for each, in their order.
    ///
    /// # Errors
    ///
    /// Those of [`judging`](Self::judging).
    ///
    /// # Example
    ///
    /// See the [crate's](crate#example).
    pub fn judge<'p>(
        &self,
        pictures: impl IntoIterator<Item: Into<Picture<'p>>>,
        options: &JudgeOptions,
    ) -> Result<Vec<Result<Verdict, DfmError>>, DfmError> {
        let mut judging = self.judging(options)?;
        let preparer = judging.preparer();
        let (mut verdicts, mut batch) = (Vec::new(), Vec::with_capacity(judging.batch()));
        let put = |verdicts: &mut Vec<_>, judging: &mut Judging<'_>, batch: &mut Vec<Piece>| {
            for (number, verdict) in judging.push(std::mem::take(batch)) {
                verdicts.push((number, verdict));
            }
        };
        for (number, picture) in pictures.into_iter().enumerate() {
            let prepare = || -> Result<(), DfmError> {
                for piece in preparer.pieces(number, picture)? {
                    batch.push(piece?);
                    if batch.len() == judging.batch() {
                        put(&mut verdicts, &mut judging, &mut batch);
                    }
                }
                Ok(())
            };
            if let Err(error) = prepare() {
                verdicts.push((number, Err(error)));
            }
        }
        put(&mut verdicts, &mut judging, &mut batch);
        // An error is known before the verdicts of the batch that it was prepared for.
        verdicts.sort_by_key(|(number, _)| *number);
        Ok(verdicts.into_iter().map(|(_, verdict)| verdict).collect())
    }

    /// Judges pictures that the [`preprocessor`](Self::preprocessor) of this model prepared, in one
    /// piece each. Either all of them are judged, or none. The region in `options` must be the one that
    /// the pictures were prepared with.
    ///
    /// # Errors
    ///
    /// If the model looks at tiles ([`DfmError::Tiles`]), a picture was prepared for another
    /// input size, its features are not finite, or all zero where the score is relative to them,
    /// a map was asked for that `f32` cannot hold, or the device fails; and those of
    /// [`judging`](Self::judging).
    pub fn predict(
        &self,
        pictures: &[PreparedPicture],
        options: &JudgeOptions,
    ) -> Result<Vec<Verdict>, DfmError> {
        if self.record.params.method.tiling.is_some() {
            return Err(DfmError::Tiles { expected: true });
        }
        let judging = self.judging(options)?;
        let mut verdicts = Vec::with_capacity(pictures.len());
        for batch in pictures.chunks(judging.batch) {
            let features = match judging.fine {
                Some(_) => judging.extractor.extract_with_details(batch)?,
                None => (judging.extractor.extract(batch)?, Details::known(Vec::new())),
            };
            let placements: Vec<&Placement> = batch.iter().map(|picture| &picture.placement).collect();
            let seen = judging.see(features, &placements).map_err(|error| error.behind(verdicts.len()))?;
            for (seen, picture) in seen.into_iter().zip(batch) {
                let outside = share(picture.outside, picture.original);
                verdicts.push(judging.verdict(seen, picture.original, outside)?);
            }
        }
        Ok(verdicts)
    }

    /// The models without each of the pictures of the fit.
    fn models_without(&self) -> Result<LayersLeftOut<'_>, DfmError> {
        let kept = self.kept("jackknife+")?;
        // By position there is no jackknife+.
        let (place, ratio) = (0, self.record.params.method.own_ratio());
        LayersLeftOut::new(kept.statistics.place(place), self.rule.layers(place), ratio)
    }
}

impl Judging<'_> {
    /// Makes pieces of pictures for this stream, on any thread.
    pub fn preparer(&self) -> Preparer {
        Preparer::for_judging(&self.extractor)
    }

    /// Pieces that run through the network together.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The raw score from which on a picture is anomalous, if there is one.
    pub fn threshold(&self) -> Option<f64> {
        self.decision.calibration.map(|calibration| calibration.threshold())
    }

    /// The raw score from which on a person should look at a picture, if that was asked for. Where
    /// p-values decide, it is the score that usually has such a p-value.
    pub fn review_from(&self) -> Option<f64> {
        self.decision.review.map(ReviewFrom::score)
    }

    /// What the pictures that calibrate can say of the rate of false alarms at the
    /// [`threshold`](Self::threshold); `None` without held-out scores or a threshold.
    pub fn support(&self) -> Option<Support> {
        if self.is_own {
            return self.model.support();
        }
        let scores = self.model.judged.scores.as_ref()?.in_order();
        let threshold = self.threshold()?;
        let reaching = scores.iter().filter(|score| **score >= threshold).count();
        Support::new(scores.len(), reaching, self.decision.asked_rate)
    }

    /// The value of a map from which on a pixel belongs to a region, if there is one.
    pub fn pixel_threshold(&self) -> Option<f64> {
        self.rule.pixel_threshold
    }

    /// How long the network has computed for what was [pushed](Self::push) so far. A device of its own may
    /// compute longer than that, because nobody waits for it.
    pub fn network_time(&self) -> Duration {
        self.network_time
    }

    /// Judges `pieces`, [`batch`](Self::batch) of them at a time, and tells the verdicts on pictures
    /// that are now complete, with their numbers. The pieces of a picture come one after the other. If
    /// the last piece of a picture never comes, its other pieces are forgotten. A piece that cannot be
    /// judged spoils only its own picture.
    ///
    /// Errors of a picture: it was prepared for another input size, or not in the tiles that the
    /// model looks at; its features are not finite, or all zero where the score is relative to
    /// them; a map was asked for that `f32` cannot hold; or the device fails.
    pub fn push(&mut self, pieces: Vec<Piece>) -> Vec<(usize, Result<Verdict, DfmError>)> {
        let mut network_time = Duration::ZERO;
        let seen = each_of(&pieces, self.batch, |batch| {
            let placements: Vec<&Placement> = batch.iter().map(Piece::placement).collect();
            let begun = Instant::now();
            let features = features(&self.extractor, batch, self.fine.is_some());
            network_time += begun.elapsed();
            self.see(features?, &placements)
        });
        self.network_time += network_time;
        let mut complete = Vec::new();
        for (piece, seen) in pieces.iter().zip(seen) {
            if let Some(found) = self.pictures.push(&piece.id(), seen, Seen::join) {
                let outside = piece.size().and_then(|size| share(piece.outside(), size));
                complete.push((piece.number(), piece.size(), outside, found));
            }
        }
        drop(pieces);
        let judging = &*self;
        type Complete = (usize, Option<PictureSize>, Option<f64>, Result<Seen, DfmError>);
        let verdict = |(number, size, outside, found): Complete| {
            let size = size.ok_or(DfmError::UnknownSize);
            (number, size.and_then(|size| judging.verdict(found?, size, outside)))
        };
        complete.into_par_iter().map(verdict).collect()
    }

    /// Forgets what was pushed of a picture whose other pieces will not come.
    pub fn skip(&mut self, number: usize) {
        self.pictures.skip(number);
    }

    /// What the model finds in rows `[N, D]` of features, and for fine maps in the details of each layer.
    /// Each row belongs to the piece with the placement of the same index.
    fn see(
        &self,
        (rows, details): (Tensor<2>, Details),
        placements: &[&Placement],
    ) -> Result<Vec<Seen>, DfmError> {
        let model = self.model;
        let tiles: Vec<usize> = placements.iter().map(|placement| placement.tile).collect();
        let scores = model.scorers.score(rows.clone(), &tiles)?;
        let p_values = self.p_values(&scores.values, rows.clone())?;
        let values = match self.explainer {
            Some(_) => to_host(rows)?,
            None => Vec::new(),
        };
        let mut rows = values.chunks_exact(self.extractor.row_len());
        let maps = match self.fine {
            Some(fine) => fine.refine(scores.maps, &details)?,
            None => scores.maps,
        };
        let mut maps = maps.into_iter();
        let mut seen = Vec::with_capacity(placements.len());
        for (index, (score, placement)) in scores.values.into_iter().zip(placements).enumerate() {
            let map = maps.next().filter(|_| self.map || self.regions.is_some());
            let map = map.map(|map| AnomalyGrid { placements: vec![(*placement).clone()], ..map });
            if map.as_ref().is_some_and(|map| map.values.iter().any(|cell| !cell.is_finite())) {
                return Err(DfmError::MapRange { picture: index, score });
            }
            let row = rows.next().map(|row| (row.to_vec(), (*placement).clone()));
            seen.push(Seen { score, p_value: p_values.get(index).copied(), map, row });
        }
        Ok(seen)
    }

    /// The p-value of each score; empty without held-out scores.
    fn p_values(&self, scores: &[f64], features: Tensor<2>) -> Result<Vec<f64>, DfmError> {
        match (&self.model.judged.scores, &self.held_out) {
            (None, _) => Ok(Vec::new()),
            (Some(held_out), None) => Ok(scores.iter().map(|score| held_out.p_value(*score)).collect()),
            (Some(held_out), Some(models)) => self.jackknife_plus(held_out, models, features),
        }
    }

    /// The p-values by the models without each of the pictures of the fit.
    fn jackknife_plus(
        &self,
        held_out: &HeldOutScores,
        models: &LayersLeftOut<'_>,
        features: Tensor<2>,
    ) -> Result<Vec<f64>, DfmError> {
        let kept = self.model.kept("jackknife+")?;
        let rows = Samples::from_tensor(features)?;
        let mut as_high = vec![0; rows.rows()];
        let new = models.scores_of(rows, &different(&kept.content_hashes)?)?;
        for (own, scores) in held_out.in_order().iter().zip(new) {
            as_high.iter_mut().zip(scores).for_each(|(count, new)| *count += usize::from(*own >= new));
        }
        Ok(as_high.into_iter().map(|as_high| held_out.p_value_of(as_high)).collect())
    }

    /// The verdict on a picture of `size`.
    fn verdict(
        &self,
        seen: Seen,
        size: PictureSize,
        outside_levels: Option<f64>,
    ) -> Result<Verdict, DfmError> {
        let Seen { score, p_value, map, row } = seen;
        let explanation = match (&self.explainer, row) {
            (Some(explainer), Some((row, placement))) => Some(explainer.explain(&row, &placement, size)?),
            _ => None,
        };
        let regions = map.as_ref().zip(self.regions).and_then(|(map, rule)| map.regions_by(size, &rule));
        Ok(Verdict {
            size,
            score,
            normalized_score: self.decision.calibration.map(|calibration| calibration.normalize(score)),
            p_value,
            label: self.decision.label(score, p_value),
            region_rule: self.regions.filter(|_| regions.is_some()),
            regions,
            grid: map.filter(|_| self.map),
            explanation,
            outside_levels,
        })
    }
}

/// So many pixels as a share of a picture.
fn share(pixels: Option<u64>, size: PictureSize) -> Option<f64> {
    Some(pixels? as f64 / (f64::from(size.width) * f64::from(size.height)))
}
