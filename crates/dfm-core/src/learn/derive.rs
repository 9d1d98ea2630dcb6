//! From the statistic of good pictures to a model. Fitting, merging, updating and forgetting all go this
//! way.

use std::borrow::Cow;

use dfm_backbone::FeatureExtractor;
use dfm_stats::{FitStatistic, Pca, ProbabilisticPca, Route, Row, Samples, SvdGaussian};

use crate::decide::calibration::Calibration;
use crate::decide::conformal::HeldOutScores;
use crate::decide::fine;
use crate::decide::held_out::different;
use crate::decide::left_out::{PlacesLeftOut, usual_scale};
use crate::decide::set_aside::ScoresAside;
use crate::decide::split::{self, calibrating};
use crate::error::DfmError;
use crate::file::self_test::SelfTest;
use crate::judge::fine::FineMap;
use crate::judge::places::PlaceScorers;
use crate::judge::rule::ScoringRule;
use crate::judge::scale::PlaceScale;
use crate::judge::statistics::Statistics;
use crate::learn::detail::Details;
use crate::learn::kept::Kept;
use crate::learn::record::{CompressionRecord, FitRecord, GaussianRecord, TapRecord};
use crate::method::{CalibrationKind, MapKind, ScoreKind, ValidFitParams};
use crate::model::{Dfm, Judged};

/// The most different pictures of a jackknife+. With as many directions, a new picture takes about 10⁹
/// operations, some tenths of a second.
const MAX_JACKKNIFE: usize = 1000;

/// The most good pictures whose maps decide the threshold of cells. Each map takes as many operations as
/// there are values in all directions.
const MOST_MAPS: usize = 256;

/// What a model judges by, and the record of its fit.
struct Found {
    rule: ScoringRule,
    judged: Judged,
    taps: Vec<TapRecord>,
    /// Pictures that were held out of the fit.
    held_out: usize,
}

impl ValidFitParams {
    /// The model of the pictures that are `kept`. Its maps are fine if the parameters ask for that, which
    /// takes the `details` of these pictures.
    ///
    /// # Errors
    ///
    /// If the pictures do not vary, are too few for the threshold, or the statistics
    /// refuse.
    pub(crate) fn derive(
        &self,
        mut extractor: FeatureExtractor,
        kept: Kept,
        details: Option<Details>,
    ) -> Result<Dfm, DfmError> {
        extractor.set_details(details.is_some())?;
        let Found { mut rule, judged, taps, held_out } = self.found(&extractor, &kept, details.as_ref())?;
        if self.params().keeping.half_components {
            rule.statistics = rule.statistics.map(Statistics::with_half_components);
        }
        let record = FitRecord {
            params: self.params().clone(),
            picture_count: kept.known().count(),
            held_out,
            set_aside: kept.set_aside.as_ref().map(|aside| aside.pictures().len()),
            taps,
            validation: None,
            sizes: None,
            standing_out: self.standing_out(&extractor, &kept, &rule, &judged),
            foreign: None,
            not_searched: None,
            depth: None,
        };
        let scorers = PlaceScorers::new(&rule, &extractor);
        let fine = details.map(|details| FineMap::new(details.statistics(), extractor.device()));
        let self_test = SelfTest::record(&extractor, &scorers, fine.as_ref())?;
        let kept = self.params().keeping.fit_statistic.then_some(kept);
        let mut model = Dfm::assemble(extractor, rule, scorers, judged, record, self_test, kept);
        model.fine = fine;
        Ok(model)
    }

    /// The same parameters for maps of the cells that scores are made of.
    pub(super) fn with_coarse_maps(&self) -> Result<Self, DfmError> {
        let mut params = self.params().clone();
        params.method.map = Some(MapKind::Coarse);
        params.check()
    }

    /// The threshold of the model of the pictures that are `kept`.
    ///
    /// # Errors
    ///
    /// Those of [`derive`](Self::derive).
    pub(super) fn threshold_of(
        &self,
        extractor: &FeatureExtractor,
        kept: &Kept,
    ) -> Result<Option<f64>, DfmError> {
        let calibration = self.found(extractor, kept, None)?.judged.calibration;
        Ok(calibration.map(|calibration| calibration.threshold()))
    }

    fn found(
        &self,
        extractor: &FeatureExtractor,
        kept: &Kept,
        details: Option<&Details>,
    ) -> Result<Found, DfmError> {
        kept.check_variation()?;
        let different = different(&kept.content_hashes)?;
        let kind = self.method().calibration_kind();
        let aside = match kind {
            Some(_) => kept.needed_aside("finding the threshold")?,
            None => kept.set_aside.as_ref(),
        };
        let held_out = match kind {
            Some(kind @ CalibrationKind::JackknifePlus) if aside.is_some() => {
                return Err(DfmError::TakesExactFit { kind });
            }
            _ if aside.is_some() => Vec::new(),
            Some(CalibrationKind::Split) => calibrating(&different, &kept.content_hashes)?,
            Some(CalibrationKind::JackknifePlus) if different.len() > MAX_JACKKNIFE => {
                return Err(DfmError::TooManyForJackknife { limit: MAX_JACKKNIFE, got: different.len() });
            }
            _ => Vec::new(),
        };
        let fitted = fitted(kept, &held_out)?;
        fitted.check_variation()?;
        let mut rule = self.rule(extractor, &fitted)?;
        let by_position = !self.method().tile_statistics.is_shared();
        let judged = match aside {
            Some(aside) => {
                let scores = ScoresAside::of(aside, &rule, extractor.device())?;
                if by_position {
                    rule.scale = scores.usual_scale();
                }
                let (scores, peaks) = scores.of_pictures(aside, &rule.scale);
                self.judged(CalibrationKind::Split, scores, peaks, aside.pictures())?
            }
            None => {
                if by_position {
                    rule.scale = usual_scale(&fitted, &rule)?;
                }
                let rows = if held_out.is_empty() { &different } else { &held_out };
                self.hold_out(kept, rows, &rule, extractor, details)?
            }
        };
        let taps = fitted.statistics.iter().zip(rule.statistics.iter());
        let taps = taps.map(|(fitted, model)| TapRecord::of(fitted, model)).collect();
        let held_out = kept.known().count() - fitted.content_hashes.len();
        Ok(Found { rule, judged, taps, held_out })
    }

    /// The rule by which the model of the pictures that are `fitted` scores, before places are brought to one
    /// scale.
    ///
    /// # Errors
    ///
    /// If the statistics refuse.
    pub(super) fn rule(&self, extractor: &FeatureExtractor, fitted: &Kept) -> Result<ScoringRule, DfmError> {
        Ok(ScoringRule {
            statistics: fitted.statistics.each_ref().try_map(|statistic| self.statistics(statistic))?,
            scale: PlaceScale::default(),
            aggregation: self.method().aggregation,
            rows: self.method().rows,
            shapes: extractor.feature_shapes().to_vec(),
        })
    }

    /// The statistics that scores are computed from, for the pictures of `statistic`.
    pub(crate) fn statistics(&self, statistic: &FitStatistic) -> Result<Statistics, DfmError> {
        let pca = self.truncate(statistic)?;
        Ok(match self.method().score {
            ScoreKind::Fre => Statistics::Fre(pca),
            ScoreKind::Nll => {
                let gaussian = SvdGaussian::fit_shrunk(&reduced_rows(statistic, &pca)?)?;
                Statistics::Nll(pca, gaussian)
            }
            ScoreKind::Mahalanobis => {
                Statistics::Mahalanobis(Box::new(ProbabilisticPca::of(statistic, pca)?))
            }
        })
    }

    /// Scores the pictures that calibrate by models without them. They are in these `rows`.
    fn hold_out(
        &self,
        kept: &Kept,
        rows: &[Row],
        rule: &ScoringRule,
        extractor: &FeatureExtractor,
        details: Option<&Details>,
    ) -> Result<Judged, DfmError> {
        let method = self.method();
        let Some(kind) = method.calibration_kind() else { return Ok(Judged::default()) };
        let (scores, peaks) = match kind {
            CalibrationKind::Split if method.rows_are_tiles() => {
                split::scores_of_tiles(kept, rows, rule, extractor.device())?
            }
            CalibrationKind::Split => split::scores(&kept.statistics, rows, rule, extractor.device())?,
            CalibrationKind::LeaveOneOut | CalibrationKind::JackknifePlus => {
                let models = PlacesLeftOut::new(&kept.statistics, rule, method.own_ratio())?;
                (models.scores(rows)?, models.peaks(&first_by_hash(rows, &kept.content_hashes))?)
            }
        };
        let (peaks, fine_peaks) = match details {
            Some(details) if !peaks.is_empty() => {
                let new = fine::peaks(method, kept, rows, rule, details, extractor.device())?;
                let all = [details.peaks(), &new].concat();
                (all.clone(), all)
            }
            Some(_) | None => (peaks, Vec::new()),
        };
        let compressed = kept.statistics.iter().any(|statistic| statistic.compression().is_some());
        let peaks = if compressed { Vec::new() } else { peaks };
        let judged = self.judged(kind, scores, peaks, Vec::new())?;
        Ok(Judged { peaks: if compressed { Vec::new() } else { fine_peaks }, ..judged })
    }

    /// The thresholds for scores and for cells, from the scores of held-out pictures and the largest cells of
    /// their maps.
    fn judged(
        &self,
        kind: CalibrationKind,
        scores: Vec<f64>,
        peaks: Vec<f64>,
        set_aside: Vec<[u8; 32]>,
    ) -> Result<Judged, DfmError> {
        let Some(calibration) = self.method().calibration else {
            return Ok(Judged { set_aside, ..Judged::default() });
        };
        let scores = HeldOutScores::new(kind, scores)?;
        Ok(Judged {
            calibration: Some(Calibration::from_held_out(&scores, calibration)?),
            cell_threshold: match peaks.is_empty() {
                true => None,
                false => Some(HeldOutScores::new(kind, peaks)?.estimate(calibration)),
            },
            scores: Some(scores),
            peaks: Vec::new(),
            set_aside,
        })
    }
}

impl TapRecord {
    fn of(fitted: &FitStatistic, statistics: &Statistics) -> Self {
        Self {
            rank: fitted.rank(),
            route: fitted.route().map_or("read", Route::name).to_owned(),
            rank_cut: fitted.rank_cut().unwrap_or(0.0),
            components: statistics.pca().component_count(),
            gaussian: statistics.gaussian().map(|gaussian| GaussianRecord {
                rank: gaussian.rank(),
                route: gaussian.route().map_or("read", Route::name).to_owned(),
                shrinkage: gaussian.shrinkage_intensity().unwrap_or(0.0),
            }),
            compression: fitted.compression().map(|compression| CompressionRecord {
                limit: compression.limit(),
                error_bound: compression.error_bound(),
                dropped_share: {
                    let total = statistics.pca().total_variance() * (fitted.sample_count() - 1) as f64;
                    compression.dropped() / total
                },
            }),
        }
    }
}

/// The pictures that are neither `held_out` nor copies of such pictures.
pub(super) fn fitted<'a>(kept: &'a Kept, held_out: &[Row]) -> Result<Cow<'a, Kept>, DfmError> {
    if held_out.is_empty() {
        return Ok(Cow::Borrowed(kept));
    }
    let hashes = held_out.iter().map(|row| &kept.content_hashes[row.place]).collect();
    Ok(Cow::Owned(kept.without(&kept.rows_of(&hashes))?))
}

/// Some of the `different` pictures: those with the smallest content hashes. The choice does not depend
/// on what the pictures show.
fn first_by_hash(different: &[Row], content_hashes: &[[u8; 32]]) -> Vec<Row> {
    let mut rows = different.to_vec();
    rows.sort_by_key(|row| content_hashes[row.place]);
    rows.truncate(MOST_MAPS);
    rows
}

/// The coordinates of the training pictures in the components that were kept.
fn reduced_rows(statistic: &FitStatistic, pca: &Pca) -> Result<Samples, DfmError> {
    let kept = pca.component_count();
    let rows =
        statistic.coordinates().chunks(statistic.rank()).flat_map(|row| &row[..kept]).copied().collect();
    Ok(Samples::from_f64(rows, kept)?)
}
