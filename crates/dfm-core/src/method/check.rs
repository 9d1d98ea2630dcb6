//! The check of the parameters of a fit. Only checked parameters can fit.

use dfm_backbone::{
    BackboneError, BackboneWeights, Compute, FeatureExtractor, Levels, Region, Tap, TilingError,
};
use dfm_stats::{FitStatistic, Pca, PcaParams, ValidPcaParams, ValidStreamingParams};

use crate::error::DfmError;
use crate::method::aggregation::Aggregation;
use crate::method::calibration::check_false_alarm;
use crate::method::kinds::{CalibrationKind, MapKind, Robust, ScoreKind};
use crate::method::params::FitParams;
use crate::method::{CalibrationParams, MAX_BATCH, Method, ThresholdEstimate};

impl FitParams {
    /// Checks every parameter, and fills in the kinds of the calibration and of the map.
    ///
    /// # Errors
    ///
    /// The first parameter out of range, with the range.
    pub fn check(mut self) -> Result<ValidFitParams, DfmError> {
        let kind = self.method.calibration_kind();
        let is_usual = kind == Some(self.method.usual_calibration());
        if let Some(calibration) = &mut self.method.calibration {
            calibration.kind = kind;
            // What a proof rests on, and what was stated, no estimate changes.
            if !is_usual || calibration.false_alarm.is_some() || calibration.threshold.is_some() {
                calibration.estimate = ThresholdEstimate::Quantile;
            }
        }
        let (places, pca) = self.method.check_fields()?;
        self.method.map = Some(self.method.map_kind());
        if self.run.batch == 0 || self.run.batch > MAX_BATCH {
            return refused("batch", "1 to 1024 pictures", self.run.batch.to_string());
        }
        if kind == Some(CalibrationKind::JackknifePlus) && !self.keeping.fit_statistic {
            let expected = "leave-one-out or split for a model that keeps no fit statistic: jackknife+ asks all its \
                            pictures of each new one";
            return refused("calibration", expected, CalibrationKind::JackknifePlus.to_string());
        }
        if self.keeping.half_components && (self.keeping.fit_statistic || self.method.score != ScoreKind::Fre)
        {
            let expected = "single, unless the score is fre and the model keeps no fit statistic";
            return refused("precision of components", expected, "half".to_owned());
        }
        if self.run.robust == Robust::On && !self.method.can_be_robust() {
            let expected = "auto or off, unless the score is fre, pictures are held out one by one or not at all, and no \
                            other program is reproduced";
            return refused("robust", expected, Robust::On.to_string());
        }
        let memory = self.run.memory.check()?;
        Ok(ValidFitParams { params: self, places, pca, memory })
    }
}

impl Method {
    /// [`FitParams::check`] of this method, done and kept as is usual.
    ///
    /// # Errors
    ///
    /// Those of [`FitParams::check`].
    pub fn check(self) -> Result<ValidFitParams, DfmError> {
        FitParams::from(self).check()
    }

    /// How many places have statistics of their own, and how components are chosen.
    fn check_fields(&self) -> Result<(usize, ValidPcaParams), DfmError> {
        if self.taps.iter().any(|tap| tap.pool == 0) {
            return refused("pool", "1 cell or more", "0".to_owned());
        }
        Tap::deepest(&self.taps)?;
        self.check_rows()?;
        if self.taps.len() > 1 && self.score == ScoreKind::Nll {
            // A likelihood may be negative.
            let expected =
                "fre or mahalanobis, with several layers: there is no geometric mean of likelihoods";
            return refused("score", expected, self.score.name().to_owned());
        }
        if let Some((asked, kind)) = self.calibration.zip(self.calibration_kind()) {
            self.check_calibration(asked, kind)?;
        }
        if !self.aggregation.is_valid() {
            return refused("aggregation", Aggregation::EXPECTED, self.aggregation.to_string());
        }
        if self.score != ScoreKind::Fre && self.aggregation != Aggregation::Sum {
            let expected = "sum, unless the score is fre: no other is made of cells alone";
            return refused("aggregation", expected, self.aggregation.to_string());
        }
        if !self.levels.is_valid() {
            return refused("levels", Levels::EXPECTED, self.levels.to_string());
        }
        self.regions.check()?;
        if self.score == ScoreKind::Nll && !self.regions.is_empty() {
            let expected = "fre or mahalanobis, where regions are asked for: a likelihood has no map";
            return refused("score", expected, self.score.name().to_owned());
        }
        if self.map == Some(MapKind::Fine)
            && let Some((expected, got)) = self.fine_map_needs()
        {
            return refused("map", expected, got);
        }
        if let Some(compat) = self.compat {
            compat.check(self)?;
        }
        if let Some(tiling) = self.tiling {
            tiling.check().map_err(BackboneError::from)?;
            if self.region.as_ref().is_some_and(Region::is_mask) {
                return Err(BackboneError::from(TilingError::Mask).into());
            }
        }
        Ok((self.place_count()?, PcaParams { keep: self.keep }.check()?))
    }

    /// Checks that the rows can be what is asked for.
    fn check_rows(&self) -> Result<(), DfmError> {
        if self.rows.is_picture() {
            return Ok(());
        }
        let got = || self.rows.to_string();
        if let Some(compat) = self.compat {
            let expected = "none: no other program makes cells the rows of its statistics, so there are no numbers to reproduce";
            return refused("compat", expected, compat.to_string());
        }
        if self.score != ScoreKind::Fre {
            let expected = "fre, where cells are rows: only residuals of cells make a score of a picture";
            return refused("score", expected, self.score.to_string());
        }
        if self.calibration_kind() == Some(CalibrationKind::JackknifePlus) {
            let expected = "leave-one-out or split, where cells are rows: a new picture would be scored by a \
                            model without each picture, each of which is a decomposition of its own";
            return refused("calibration", expected, CalibrationKind::JackknifePlus.to_string());
        }
        match &self.region {
            Some(region) if region.is_mask() => {
                let expected = "picture, for a region that is a mask: cells outside of it have no features, and \
                                would be learnt as rows of zeros";
                refused("rows", expected, got())
            }
            _ => Ok(()),
        }
    }

    /// Checks that good pictures can be held out in this way in a fit with this method.
    fn check_calibration(&self, asked: CalibrationParams, kind: CalibrationKind) -> Result<(), DfmError> {
        if !(asked.quantile > 0.0 && asked.quantile <= 1.0) {
            return refused("threshold quantile", "a share in (0, 1]", asked.quantile.to_string());
        }
        if let Some(false_alarm) = asked.false_alarm {
            check_false_alarm(false_alarm)?;
        }
        if let Some(threshold) = asked.threshold
            && (!threshold.is_finite() || asked.false_alarm.is_some())
        {
            let expected = "a finite number, and no false-alarm rate beside it";
            return refused("threshold", expected, threshold.to_string());
        }
        if self.rows_are_tiles() && kind != self.usual_calibration() {
            let expected = "split for pictures in tiles that share statistics: they are held out together";
            return refused("calibration", expected, kind.to_string());
        }
        if kind != CalibrationKind::JackknifePlus {
            return Ok(());
        }
        if self.tiling.is_some() {
            let expected = "leave-one-out or split for pictures in tiles, which are judged one by one";
            return refused("calibration", expected, kind.to_string());
        }
        if let Some(compat) = self.compat {
            let expected = "none with jackknife+, whose models count their components";
            return refused("compat", expected, compat.to_string());
        }
        match (self.score, self.aggregation) {
            (ScoreKind::Fre, Aggregation::Sum | Aggregation::Relative) => Ok(()),
            (score, aggregation) => {
                let expected = "fre, sum or relative, with jackknife+: models without each picture share the \
                                shrinkage of other scores, and cells would take each model's own map";
                refused("score", expected, format!("{score}, {aggregation}"))
            }
        }
    }
}

fn refused<T>(name: &'static str, expected: &'static str, got: String) -> Result<T, DfmError> {
    Err(DfmError::Parameter { name, expected, got })
}

/// Checked [`FitParams`]: the only ones that can fit.
#[derive(Debug, Clone)]
pub struct ValidFitParams {
    params: FitParams,
    places: usize,
    pca: ValidPcaParams,
    memory: ValidStreamingParams,
}

impl ValidFitParams {
    /// The parameters as given, the kind of the calibration filled in.
    pub fn params(&self) -> &FitParams {
        &self.params
    }

    /// The method as given, the kind of the calibration filled in.
    pub fn method(&self) -> &Method {
        &self.params.method
    }

    /// The feature extractor that these parameters ask for, on `compute`: a device, or what
    /// [`device::parse`](crate::device::parse) gives.
    ///
    /// # Errors
    ///
    /// If the weights do not reach the layer, the pool is larger than the layer's
    /// output, or the other program of [`Method::compat`] could not use the weights.
    pub fn extractor(
        &self,
        weights: BackboneWeights,
        compute: impl Into<Compute>,
    ) -> Result<FeatureExtractor, DfmError> {
        let method = self.method();
        let weights = match method.compat {
            Some(compat) => compat.weights(weights)?,
            None => weights,
        };
        let mut extractor = FeatureExtractor::new(weights, &method.taps, compute)?;
        extractor.set_region(method.region.clone())?;
        extractor.set_tiling(method.tiling, method.tile_statistics.picture_size());
        extractor.set_levels(method.levels);
        extractor.set_details(method.map_kind() == MapKind::Fine)?;
        Ok(extractor)
    }

    /// Places that have statistics of their own.
    pub(crate) fn places(&self) -> usize {
        self.places
    }

    /// The fit of features within the memory that these parameters allow.
    pub(crate) fn memory(&self) -> ValidStreamingParams {
        self.memory
    }

    /// The components of `statistic` that these parameters ask for.
    pub(crate) fn truncate(&self, statistic: &FitStatistic) -> Result<Pca, DfmError> {
        let pca = self.pca.truncate(statistic)?;
        match self.method().compat {
            Some(compat) => compat.truncate(self.method().keep, statistic, pca),
            None => Ok(pca),
        }
    }
}

#[cfg(test)]
mod tests {
    use dfm_backbone::Layer;
    use dfm_stats::Keep;

    use super::*;
    use crate::method::kinds::{Compat, Rows};
    use crate::method::{Keeping, Run};

    fn refused(params: impl Into<FitParams>) -> &'static str {
        match params.into().check() {
            Err(DfmError::Parameter { name, .. }) => name,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_parameter_out_of_range_is_named() {
        let good = Method::published();
        assert!(good.clone().check().is_ok());
        let batch = |batch| FitParams::from(good.clone()).with_run(Run::default().with_batch(batch));
        let taps = vec![Layer::named("layer3").pooled(0)];
        assert_eq!(refused(good.clone().with_taps(taps)), "pool");
        let several =
            good.clone().with_taps(vec![Layer::named("layer2").pooled(4), Layer::named("layer3").pooled(4)]);
        assert!(several.clone().check().is_ok());
        assert_eq!(refused(several.clone().with_score(ScoreKind::Nll)), "score");
        assert_eq!(refused(several.with_compat(Some(Compat::Anomalib))), "layers");
        assert_eq!(refused(batch(0)), "batch");
        assert_eq!(refused(batch(MAX_BATCH + 1)), "batch");
        for quantile in [0.0, -0.1, 1.1, f64::NAN] {
            let calibration = Some(CalibrationParams::default().with_quantile(quantile));
            assert_eq!(refused(good.clone().with_calibration(calibration)), "threshold quantile");
        }
        for rate in [0.0, -0.1, 0.6, f64::NAN] {
            let calibration = CalibrationParams::default().with_false_alarm(Some(rate));
            let asked = good.clone().with_calibration(Some(calibration));
            assert_eq!(refused(asked), "false alarm rate");
        }
        let kind = CalibrationKind::JackknifePlus;
        let calibration = Some(CalibrationParams::default().with_kind(kind));
        let jackknife = good.clone().with_calibration(calibration);
        assert!(jackknife.clone().check().is_ok());
        let lean =
            FitParams::from(jackknife.clone()).with_keeping(Keeping::default().with_fit_statistic(false));
        assert_eq!(refused(lean), "calibration");
        assert_eq!(refused(jackknife.clone().with_aggregation(Aggregation::Max)), "score");
        assert_eq!(refused(jackknife.with_score(ScoreKind::Nll)), "score");
        for score in [ScoreKind::Nll, ScoreKind::Mahalanobis] {
            let asked = good.clone().with_score(score);
            assert!(asked.clone().check().is_ok());
            assert_eq!(refused(asked.clone().with_aggregation(Aggregation::Max)), "aggregation");
            assert_eq!(refused(asked.with_compat(Some(Compat::Anomalib))), "score");
        }
        for (low, high) in [(1.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            assert_eq!(refused(good.clone().with_levels(Levels::Range { low, high })), "levels");
        }
        for percent in [0.0, -1.0, 100.1, f64::NAN] {
            let aggregation = Aggregation::Top { percent };
            assert_eq!(refused(good.clone().with_aggregation(aggregation)), "aggregation");
        }
        let fine = Method::default().with_map(MapKind::Fine);
        assert!(fine.clone().check().is_ok());
        assert_eq!(refused(fine.clone().with_taps([Layer::named("layer3").pooled(1)])), "map");
        assert_eq!(
            refused(fine.with_aggregation(Aggregation::Sum).with_score(ScoreKind::Mahalanobis)),
            "map"
        );
        let compat = good.clone().with_compat(Some(Compat::Anomalib));
        assert!(compat.clone().check().is_ok());
        assert_eq!(refused(compat.clone().with_aggregation(Aggregation::Max)), "aggregation");
        let cells = good.clone().of_cells();
        assert!(cells.clone().check().is_ok());
        assert_eq!(
            refused(good.clone().with_rows(Rows::Cells).with_compat(Some(Compat::Anomalib))),
            "compat"
        );
        for score in [ScoreKind::Nll, ScoreKind::Mahalanobis] {
            assert_eq!(refused(good.clone().with_rows(Rows::Cells).with_score(score)), "score");
        }
        let summed = good.clone().with_rows(Rows::Cells);
        let jackknife = CalibrationParams::default().with_kind(CalibrationKind::JackknifePlus);
        assert_eq!(refused(summed.with_calibration(jackknife)), "calibration");
        assert_eq!(refused(cells.with_map(MapKind::Fine)), "map");
        for keep in [Keep::Ratio(1.0), Keep::Components(1)] {
            assert_eq!(refused(compat.clone().with_keep(keep)), "principal components");
        }
        for keep in [Keep::Ratio(0.0), Keep::Ratio(1.5), Keep::Ratio(f64::NAN), Keep::Components(0)] {
            assert!(good.clone().with_keep(keep).check().is_err(), "{keep:?}");
        }
    }
}
