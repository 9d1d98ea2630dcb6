//! Models of more pictures or fewer, without a picture of the fit.

use std::collections::HashSet;

use dfm_stats::{Compression, FitStatistic};

use crate::error::DfmError;
use crate::fit::{FitPicture, Learnt};
use crate::model::Dfm;
use crate::params::DfmParams;

impl Dfm {
    /// The model of the pictures of both: that of one fit to all of them, but for the
    /// rounding of what the files hold (`f32`). A picture that both were fitted on counts
    /// once. Which comes first changes nothing beyond rounding.
    ///
    /// Cost: one decomposition of as many directions as both have together, and the
    /// threshold anew; no picture is needed.
    ///
    /// # Errors
    ///
    /// If either keeps no fit statistic, they look at pictures with different networks or
    /// in different ways, or were fitted with different parameters; and those of a fit.
    pub fn merge(self, other: &Self) -> Result<Self, DfmError> {
        let (ours, theirs) = (&self.extractor, &other.extractor);
        agree("backbone weights", &ours.weights().sha256(), &theirs.weights().sha256())?;
        agree("input", &ours.weights().header().input, &theirs.weights().header().input)?;
        agree("feature shape", &ours.feature_shape(), &theirs.feature_shape())?;
        // The batch, what is kept and the memory change no number.
        let comparable = |params: &DfmParams| {
            let DfmParams { batch, keep_fit_statistic, memory, .. } = DfmParams::default();
            DfmParams { batch, keep_fit_statistic, memory, ..params.clone() }
        };
        agree("parameters", &comparable(&self.record.params), &comparable(&other.record.params))?;
        agree("steps of int8", &ours.ranges(), &theirs.ranges())?;
        let (statistic, hashes) = other.kept_statistic("merging")?;
        self.join(statistic, hashes)
    }

    /// The model of its own pictures and of more, prepared by its
    /// [`preprocessor`](Self::preprocessor). Those that it knows already count once and do
    /// not go through the network, so that a folder can be given again. `each` is told of
    /// every picture, as in [`fit_each`](crate::ValidDfmParams::fit_each).
    ///
    /// # Errors
    ///
    /// If the model keeps no fit statistic, and those of a fit.
    pub fn update_each(
        self,
        pictures: impl IntoIterator<Item = impl Into<FitPicture>>,
        mut each: impl FnMut(usize, Learnt<'_>) -> Result<(), DfmError>,
    ) -> Result<Self, DfmError> {
        let known = self.kept_statistic("updating")?.1.iter().copied().collect();
        let params = self.record.params.clone().check()?;
        let mut again = false;
        let (features, hashes) = params.collect_features(
            &self.extractor,
            &known,
            pictures.into_iter().map(Into::into),
            |place, learnt| {
                again |= learnt == Learnt::Known;
                each(place, learnt)
            },
        )?;
        match hashes.is_empty() {
            true if again => Ok(self),
            true => Err(DfmError::TooFewPictures { expected: 1, got: 0 }),
            false => self.join(&features.finish()?, &hashes),
        }
    }

    /// The model without the pictures of these content hashes: that of a fit to the
    /// others.
    ///
    /// # Errors
    ///
    /// If the model keeps no fit statistic or was not fitted on one of them, and those of
    /// a fit to what is left.
    pub fn forget(self, content_hashes: &[[u8; 32]]) -> Result<Self, DfmError> {
        let (statistic, hashes) = self.kept_statistic("forgetting")?;
        if let Some(unknown) = content_hashes.iter().find(|hash| !hashes.contains(hash)) {
            let content_hash = unknown.iter().map(|byte| format!("{byte:02x}")).collect();
            return Err(DfmError::UnknownPicture { content_hash, pictures: hashes.len() });
        }
        let gone: HashSet<&[u8; 32]> = content_hashes.iter().collect();
        let places: Vec<usize> = (0..hashes.len()).filter(|place| gone.contains(&hashes[*place])).collect();
        let left: Vec<[u8; 32]> = hashes.iter().filter(|hash| !gone.contains(hash)).copied().collect();
        if left.len() < 2 {
            return Err(DfmError::TooFewPictures { expected: 2, got: left.len() });
        }
        let statistic = statistic.without(&places)?;
        self.rederive(statistic, left)
    }

    /// With the pictures of another statistic that this model does not know yet.
    fn join(self, statistic: &FitStatistic, hashes: &[[u8; 32]]) -> Result<Self, DfmError> {
        let (own, known) = self.kept_statistic("merging")?;
        let known_set: HashSet<&[u8; 32]> = known.iter().collect();
        let (old, new): (Vec<usize>, Vec<usize>) =
            (0..hashes.len()).partition(|place| known_set.contains(&hashes[*place]));
        if new.is_empty() {
            return Ok(self);
        }
        let all = known.iter().copied().chain(new.iter().map(|place| hashes[*place])).collect();
        // Compressed models stay as small as they are.
        let limits = [own, statistic].map(FitStatistic::compression).into_iter().flatten();
        let limit = limits.map(Compression::limit).min();
        let union = match old.is_empty() {
            true => own.merge(statistic, limit)?,
            false => own.merge(&statistic.without(&old)?, limit)?,
        };
        self.rederive(union, all)
    }

    /// What the model keeps, for an `operation` that needs it.
    pub(crate) fn kept_statistic(
        &self,
        operation: &'static str,
    ) -> Result<(&FitStatistic, &[[u8; 32]]), DfmError> {
        self.fit_statistic().ok_or(DfmError::NoFitStatistic { operation })
    }

    fn rederive(self, statistic: FitStatistic, content_hashes: Vec<[u8; 32]>) -> Result<Self, DfmError> {
        let params = self.record.params.clone().check()?;
        let mut model = params.derive(self.extractor, statistic, content_hashes)?;
        // A threshold that was given is no finding of the pictures, and stays.
        model.calibration = model.calibration.or(self.calibration);
        Ok(model)
    }
}

fn agree<T: PartialEq + std::fmt::Debug>(what: &'static str, expected: &T, got: &T) -> Result<(), DfmError> {
    if expected == got {
        return Ok(());
    }
    Err(DfmError::DifferentModels { what, expected: format!("{expected:?}"), got: format!("{got:?}") })
}
