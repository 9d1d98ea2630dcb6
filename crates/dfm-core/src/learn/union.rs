//! Models with more or fewer pictures than a fit had, made without the pictures of the fit.

use std::collections::{BTreeSet, HashSet};

use dfm_backbone::{Depth, FeatureExtractor, NodeRanges, hexadecimal};
use serde_json::Value;

use crate::error::DfmError;
use crate::learn::detail::Details;
use crate::learn::fit::{Collected, Learnt, Skipped};
use crate::learn::foreign::{FEWEST_UNASKED, Searched};
use crate::learn::kept::Kept;
use crate::learn::not_searched::NotSearched;
use crate::learn::record::{ForeignRecord, OddPicture};
use crate::method::{FitParams, MapKind, Method, Robust};
use crate::model::Dfm;
use crate::pieces::Piece;

/// What may vary in an update of a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpdateOptions {
    /// Whether pictures that the fit had left out as foreign are learnt if they are given again.
    pub include_left_out: bool,
}

impl UpdateOptions {
    /// Sets whether pictures that the fit had left out as foreign are learnt if they are given again.
    #[must_use]
    pub fn with_left_out(self, include_left_out: bool) -> Self {
        Self { include_left_out }
    }
}

/// Models that become one model of all their pictures.
///
/// The result is the model of one fit to all of the pictures, except for the rounding of what files
/// hold (`f32`), and for two things about fine maps. Their pixel threshold is an estimate: it comes from
/// the largest cells that each model held out. And they become coarse if a model has coarse maps, or has
/// some pictures of another model and some of its own. A picture that several models were fitted on counts
/// once. The order of the models changes nothing beyond rounding. No picture is needed.
#[derive(Debug)]
pub struct ModelUnion {
    first: Dfm,
    /// The statistics of all pictures. `None` while there are only those of the first model.
    joined: Option<Kept>,
    /// The details of all pictures; `None` once they are not known of each.
    details: Option<Details>,
    /// Names of pictures of the other models.
    names: Vec<([u8; 32], String)>,
}

impl ModelUnion {
    /// Begins with the pictures of `first`.
    pub fn of(first: Dfm) -> Self {
        let details = first.details();
        Self { first, joined: None, details, names: Vec::new() }
    }

    /// Adds the pictures of another model.
    ///
    /// Cost: one decomposition of as many directions as both sides have together.
    ///
    /// # Errors
    ///
    /// If either keeps no fit statistic, they look at pictures with different networks or
    /// in different ways, or were fitted with different parameters. Then nothing changes.
    pub fn add(&mut self, other: &Dfm) -> Result<(), DfmError> {
        let (ours, theirs) = (&self.first.extractor, &other.extractor);
        let resampling = |model: &Dfm| model.extractor.weights().header().input.resampling;
        agree_in_words("resampling", resampling(&self.first), resampling(other))?;
        agree("backbone weights", &ours.weights().sha256(), &theirs.weights().sha256())?;
        agree("input", &ours.weights().header().input, &theirs.weights().header().input)?;
        let levels = |model: &Dfm| model.record.params.method.levels;
        agree_in_words("levels", levels(&self.first), levels(other))?;
        agree("feature shapes", &ours.feature_shapes(), &theirs.feature_shapes())?;
        // Coarse maps and fine ones make coarse ones.
        let method = &self.first.record.params.method;
        agree_methods(method, &other.record.params.method.clone().with_map(method.map))?;
        let steps = |extractor: &FeatureExtractor| extractor.ranges().map(NodeRanges::to_list);
        agree("steps of int8", &steps(ours), &steps(theirs))?;
        let depth = |model: &Dfm| model.record.depth.unwrap_or(Depth::Bits8);
        if self.first.record.depth.is_some() && other.record.depth.is_some() {
            agree_in_words("depth of pictures", depth(&self.first), depth(other))?;
        }
        let counts = [&self.first, other].map(|model| model.record.picture_count);
        self.join(other.kept("merging")?, || other.details())?;
        let record = &mut self.first.record;
        record.depth = record.depth.or(other.record.depth);
        let merged = self.joined.as_ref().map_or(0, |joined| joined.content_hashes.len());
        let grew = counts.iter().any(|count| *count < FEWEST_UNASKED) && merged >= FEWEST_UNASKED;
        let not_searched = record.not_searched.or(other.record.not_searched);
        record.not_searched = not_searched.or(grew.then_some(NotSearched::Merge));
        self.names.extend(other.names.clone());
        self.first.record.foreign = match (self.first.record.foreign.take(), other.record.foreign.clone()) {
            (Some(mut ours), Some(theirs)) => {
                let known: HashSet<String> =
                    ours.pictures.iter().map(|picture| picture.content_hash.clone()).collect();
                let new = |picture: &OddPicture| !known.contains(&picture.content_hash);
                ours.pictures.extend(theirs.pictures.into_iter().filter(new));
                Some(ours)
            }
            (ours, theirs) => ours.or(theirs),
        };
        Ok(())
    }

    /// The model of all pictures, with a new threshold.
    ///
    /// # Errors
    ///
    /// Those of a fit.
    pub fn finish(self) -> Result<Dfm, DfmError> {
        let model = match self.joined {
            Some(kept) => self.first.rederive(kept, self.details)?,
            None => self.first,
        };
        Ok(model.with_names(self.names))
    }

    /// Adds those pictures that are not known yet. The details of single pictures cannot be told apart once
    /// they are summed. So all details are lost if each side has pictures that the other lacks.
    fn join(&mut self, other: &Kept, details: impl FnOnce() -> Option<Details>) -> Result<(), DfmError> {
        let own = match &self.joined {
            Some(joined) => joined,
            None => self.first.kept("merging")?,
        };
        // What is exact comes first. Otherwise the order of the models would decide whether pictures that both
        // have count as exact.
        let is_swapped = own.is_compressed() && !other.is_compressed();
        let (own, other) = if is_swapped { (other, own) } else { (own, other) };
        // A model that set nothing aside and learns nothing new stays as it is.
        let has_aside = own.set_aside.is_some();
        let known: HashSet<&[u8; 32]> = own.content_hashes.iter().collect();
        let places = 0..other.content_hashes.len();
        let old: Vec<usize> = places.filter(|place| known.contains(&other.content_hashes[*place])).collect();
        if old.len() == other.content_hashes.len() {
            let set_aside = own.aside_with(other);
            if is_swapped || has_aside && set_aside != own.set_aside {
                self.joined = Some(Kept { set_aside, ..own.clone() });
            }
            return Ok(());
        }
        let union = match old.is_empty() {
            true => own.merge(other)?,
            false => own.merge(&other.without(&old)?)?,
        };
        let theirs: HashSet<&[u8; 32]> = other.content_hashes.iter().collect();
        let all_theirs = own.content_hashes.iter().all(|hash| theirs.contains(hash));
        let own = self.details.take();
        let details = match (old.is_empty(), all_theirs) {
            (true, _) => own.zip(details()).map(|(own, other)| own.merge(other)),
            (false, true) => details(),
            (false, false) => None,
        };
        // Copies of a picture may count differently in both.
        let is_whole = |details: &Details| details.count() == union.content_hashes.len();
        self.details = details.filter(|details| union.set_aside.is_none() && is_whole(details));
        self.joined = Some(union);
        Ok(())
    }
}

impl Dfm {
    /// The model of the pictures of both: a [`ModelUnion`] of two.
    ///
    /// # Errors
    ///
    /// Those of [`ModelUnion::add`] and [`ModelUnion::finish`].
    pub fn merge(self, other: &Self) -> Result<Self, DfmError> {
        let mut union = ModelUnion::of(self);
        union.add(other)?;
        union.finish()
    }

    /// The model of its own pictures and of more pictures. The new pictures come in pieces from a
    /// [`Preparer::for_fit`](crate::Preparer::for_fit) with its [`extractor`](Self::extractor).
    /// Pictures that the model knows already count once and do not go through the network, so that a
    /// folder can be given again. `each` is told of every picture, as in
    /// [`fit_each`](crate::ValidFitParams::fit_each).
    ///
    /// Pictures that the fit had left out as foreign stay left out, unless the options say otherwise. If there
    /// are as many pictures as a fit needs to look for foreign ones, the update looks for them among the new
    /// pictures, by the same rule. It leaves them out and records them.
    ///
    /// Cost: that of the new pictures, and of a fit's statistics of all.
    ///
    /// # Errors
    ///
    /// If the model keeps no fit statistic, and those of a fit.
    pub fn update_each(
        self,
        pieces: impl IntoIterator<Item = Piece>,
        options: UpdateOptions,
        each: impl FnMut(Learnt<'_>) -> Result<(), DfmError>,
    ) -> Result<Self, DfmError> {
        self.update_each_rereading(pieces, options, each, |_| Vec::new())
    }

    /// [`update_each`](Self::update_each), with a fine map also where foreign pictures are left out, as in
    /// [`fit_each_rereading`](crate::ValidFitParams::fit_each_rereading).
    ///
    /// # Errors
    ///
    /// Those of [`update_each`](Self::update_each).
    pub fn update_each_rereading(
        self,
        pieces: impl IntoIterator<Item = Piece>,
        options: UpdateOptions,
        mut each: impl FnMut(Learnt<'_>) -> Result<(), DfmError>,
        mut again: impl FnMut(&[[u8; 32]]) -> Vec<Piece>,
    ) -> Result<Self, DfmError> {
        let kept = self.kept("updating")?;
        let left_out: HashSet<String> = self.record.foreign.iter().flat_map(ForeignRecord::hashes).collect();
        let out = if options.include_left_out { HashSet::new() } else { left_out.clone() };
        let skipped = Skipped { known: kept.known().copied().collect(), out };
        let params = self.record.params.clone().check()?;
        let mut has_old = false;
        // If pictures are set aside already, all new ones are learnt.
        let gathering = params.gathering(&self.extractor, kept.set_aside.is_none())?;
        let Collected { gathering, details } =
            params.collect_features(&self.extractor, gathering, &skipped, pieces.into_iter(), |learnt| {
                has_old |= matches!(learnt, Learnt::Known(_) | Learnt::StaysOut(_));
                each(learnt)
            })?;
        let (features, hashes, set_aside) = gathering.finish();
        match hashes.is_empty() {
            true if has_old => Ok(self),
            true => Err(DfmError::TooFewPictures { expected: 1, got: 0 }),
            false => {
                let given = hashes.clone();
                let new: HashSet<[u8; 32]> = hashes.iter().copied().collect();
                let may_go = |hash: &[u8; 32]| new.contains(hash) && !left_out.contains(&hexadecimal(hash));
                let mut union = ModelUnion::of(self);
                let own_details = union.details.take();
                union.join(&Kept::of(features, hashes, set_aside)?, || None)?;
                let ModelUnion { first, joined, .. } = union;
                let Some(kept) = joined else { return Ok(first) };
                let robust = match first.record.not_searched {
                    Some(NotSearched::Off) => Robust::Off,
                    _ => Robust::Auto,
                };
                let (kept, searched) = params.without_foreign(&first.extractor, kept, robust, may_go)?;
                let details = match own_details.zip(details) {
                    Some((own, added)) => {
                        params.details_after(&first.extractor, own, added, &given, &kept, &mut again)?
                    }
                    None => None,
                };
                first.updated(kept, searched, details)
            }
        }
    }

    /// The model without the pictures with these content hashes. It is the model of a fit to the
    /// others, but for its maps: what a fine map knows of the pictures that leave cannot be told from the
    /// rest, so the maps of the result are coarse.
    ///
    /// # Errors
    ///
    /// If the model keeps no fit statistic, or was not fitted on one of the pictures; and those of a
    /// fit to the others.
    pub fn forget(self, content_hashes: &[[u8; 32]]) -> Result<Self, DfmError> {
        let kept = self.kept("forgetting")?;
        let known: HashSet<&[u8; 32]> = kept.known().collect();
        if let Some(place) = content_hashes.iter().position(|hash| !known.contains(hash)) {
            let content_hash = hexadecimal(&content_hashes[place]);
            if self.record.foreign.iter().flat_map(ForeignRecord::hashes).any(|out| out == content_hash) {
                return Err(DfmError::NeverLearnt { place, content_hash });
            }
            return Err(DfmError::UnknownPicture { place, content_hash, pictures: kept.known().count() });
        }
        let gone: HashSet<&[u8; 32]> = content_hashes.iter().collect();
        let places = kept.rows_of(&gone);
        match kept.content_hashes.len() - places.len() {
            got @ 0..2 => Err(DfmError::TooFewPictures { expected: 2, got }),
            _ => {
                let mut left = if places.is_empty() { kept.clone() } else { kept.without(&places)? };
                left.set_aside = left.set_aside.and_then(|aside| aside.filtered(|hash| !gone.contains(hash)));
                self.rederive(left, None)
            }
        }
    }

    /// The model of the pictures that are `kept` after an update, with what the search among the new ones found.
    fn updated(mut self, kept: Kept, searched: Searched, details: Option<Details>) -> Result<Self, DfmError> {
        self.record.not_searched = searched.not_searched.or(self.record.not_searched);
        if let Some(found) = searched.foreign {
            let own =
                self.record.foreign.get_or_insert_with(|| ForeignRecord { of: 0, pictures: Vec::new() });
            own.pictures.extend(found.pictures);
            own.pictures.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        self.rederive(kept, details)
    }

    /// What the model knows of details; `None` if its maps are coarse.
    fn details(&self) -> Option<Details> {
        let fine = self.fine.as_ref()?;
        Some(Details::of_model(&fine.statistics, self.judged.peaks.clone()))
    }

    fn rederive(self, kept: Kept, details: Option<Details>) -> Result<Self, DfmError> {
        let mut params = self.record.params.clone();
        if details.is_none() {
            params.method.map = Some(MapKind::Coarse);
        }
        let mut model = params.check()?.derive(self.extractor, kept, details)?;
        model.record.foreign = still_out(self.record.foreign, model.kept.as_ref());
        model.record.not_searched = self.record.not_searched;
        model.record.depth = self.record.depth;
        // A threshold that was given does not follow from the pictures, so it stays.
        model.judged.calibration = model.judged.calibration.or(self.judged.calibration);
        Ok(model.with_names(self.names))
    }
}

/// The pictures that a robust fit left out and that were not learnt since.
fn still_out(foreign: Option<ForeignRecord>, kept: Option<&Kept>) -> Option<ForeignRecord> {
    let learnt: HashSet<String> =
        kept.iter().flat_map(|kept| kept.known()).map(|hash| hexadecimal(hash)).collect();
    let mut foreign = foreign?;
    foreign.pictures.retain(|picture| !learnt.contains(&picture.content_hash));
    foreign.of = learnt.len() + foreign.pictures.len();
    (!foreign.pictures.is_empty()).then_some(foreign)
}

/// Refuses two methods that differ, and names the fields that differ and no others.
fn agree_methods(expected: &Method, got: &Method) -> Result<(), DfmError> {
    // The rule of the first model decides the threshold of the union, so this field may differ.
    let mut got = got.clone();
    if let Some((expected, got)) = expected.calibration.zip(got.calibration.as_mut()) {
        got.estimate = expected.estimate;
    }
    let got = &got;
    if expected == got {
        return Ok(());
    }
    let written = |method: &Method| serde_json::to_value(FitParams::from(method.clone())).unwrap_or_default();
    let sides = [written(expected), written(got)];
    let names: BTreeSet<&String> =
        sides.iter().filter_map(|side| side.as_object()).flat_map(|side| side.keys()).collect();
    let differing: Vec<&String> =
        names.into_iter().filter(|name| sides[0].get(*name) != sides[1].get(*name)).collect();
    let [expected, got] = sides.each_ref().map(|side| {
        let told = |name: &&String| match side.get(*name) {
            None | Some(Value::Null) => format!("no {name}"),
            Some(Value::String(text)) => format!("{name} {text}"),
            Some(value) => format!("{name} {value}"),
        };
        differing.iter().map(told).collect::<Vec<_>>().join(", ")
    });
    Err(DfmError::DifferentModels { what: "parameters", expected, got })
}

/// As [`agree`], for what users write.
fn agree_in_words<T: PartialEq + std::fmt::Display>(
    what: &'static str,
    expected: T,
    got: T,
) -> Result<(), DfmError> {
    if expected == got {
        return Ok(());
    }
    Err(DfmError::DifferentModels { what, expected: expected.to_string(), got: got.to_string() })
}

fn agree<T: PartialEq + std::fmt::Debug>(what: &'static str, expected: &T, got: &T) -> Result<(), DfmError> {
    if expected == got {
        return Ok(());
    }
    Err(DfmError::DifferentModels { what, expected: format!("{expected:?}"), got: format!("{got:?}") })
}
