//! A fitted model and what it says of a picture.

use std::collections::{HashMap, HashSet};

use dfm_backbone::{Depth, FeatureExtractor, Preprocessor, hexadecimal};
use dfm_stats::FitStatistic;

use crate::decide::calibration::Calibration;
use crate::decide::conformal::HeldOutScores;
use crate::error::DfmError;
use crate::file::self_test::SelfTest;
use crate::judge::fine::FineMap;
use crate::judge::options::JudgeOptions;
use crate::judge::places::PlaceScorers;
use crate::judge::rule::ScoringRule;
use crate::learn::kept::Kept;
use crate::learn::record::FitRecord;
use crate::learn::sizes::SizeRange;
use crate::method::{CalibrationKind, MapKind, RegionRule, ScoreKind};

/// What a fit learnt from good pictures that it held out.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) calibration: Option<Calibration>,
    pub(crate) scores: Option<HeldOutScores>,
    pub(crate) cell_threshold: Option<f64>,
    /// The largest cells of fine maps of held-out pictures, from which the threshold of cells was found.
    pub(crate) peaks: Vec<f64>,
    /// The different pictures among them that the fit set aside, in rising order. Not known of a model
    /// that was read without its fit statistic.
    pub(crate) set_aside: Vec<[u8; 32]>,
}

/// The file that a model was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin {
    /// The program that wrote the file.
    pub program: String,
    /// Hex SHA-256 over the header and the tensors of the file.
    pub digest: String,
    /// Whether the weights are in the file.
    pub weights_included: bool,
}

/// A fitted model on a device. Nothing changes it: what a call may vary is in its
/// [`JudgeOptions`](crate::JudgeOptions), so that any number of threads can judge with one model,
/// each in its own way.
#[derive(Debug)]
pub struct Dfm {
    pub(crate) extractor: FeatureExtractor,
    pub(crate) rule: ScoringRule,
    /// The rule on the extractor's device.
    pub(crate) scorers: PlaceScorers,
    pub(crate) judged: Judged,
    /// What makes fine maps; `None` for a model with coarse ones.
    pub(crate) fine: Option<FineMap>,
    /// The rate of false alarms that p-values are compared with; `None` if scores are compared.
    pub(crate) decisive_rate: Option<f64>,
    pub(crate) record: FitRecord,
    pub(crate) self_test: SelfTest,
    pub(crate) kept: Option<Kept>,
    /// By content hash, of pictures that are kept.
    pub(crate) names: HashMap<[u8; 32], String>,
    /// `None` for a model that was just fitted.
    pub(crate) origin: Option<Origin>,
}

/// Fails to compile should a model stop being one that threads can share.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Dfm>();
};

impl Dfm {
    /// A model with coarse maps.
    pub(crate) fn assemble(
        extractor: FeatureExtractor,
        rule: ScoringRule,
        scorers: PlaceScorers,
        judged: Judged,
        record: FitRecord,
        self_test: SelfTest,
        kept: Option<Kept>,
    ) -> Self {
        let method = &record.params.method;
        let by_jackknife = method.calibration_kind() == Some(CalibrationKind::JackknifePlus);
        let decisive_rate = method.calibration.filter(|_| by_jackknife).and_then(|asked| asked.false_alarm);
        let names = HashMap::new();
        Self {
            extractor,
            rule,
            scorers,
            fine: None,
            judged,
            decisive_rate,
            record,
            self_test,
            kept,
            names,
            origin: None,
        }
    }

    /// Pieces of pictures that run through the network together: as many as at the fit, if
    /// their activations may all be held at once.
    pub fn batch(&self) -> usize {
        self.record.params.run.batch.min(self.extractor.largest_batch())
    }

    /// Prepares pictures as this model expects them.
    pub fn preprocessor(&self) -> Preprocessor {
        self.extractor.preprocessor()
    }

    /// The feature extractor.
    pub fn extractor(&self) -> &FeatureExtractor {
        &self.extractor
    }

    /// The file that the model was read from; `None` if it was fitted or merged since.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// How the model came to be.
    pub fn record(&self) -> &FitRecord {
        &self.record
    }

    /// Principal components that scoring uses, at all places and taps together.
    pub fn component_count(&self) -> usize {
        self.rule.statistics.iter().map(|statistics| statistics.pca().component_count()).sum()
    }

    /// The share of the variance that the components of each tap explain, place by place.
    pub fn explained_ratios(&self) -> Vec<f64> {
        self.rule.statistics.iter().map(|statistics| statistics.pca().explained_ratio()).collect()
    }

    /// The threshold and normalisation, if the model has them.
    pub fn calibration(&self) -> Option<Calibration> {
        self.judged.calibration
    }

    /// What maps are made of.
    pub fn map_kind(&self) -> MapKind {
        self.record.params.method.map_kind()
    }

    /// What a cell of a map reaches in about as few held-out good pictures as reach the threshold. It is
    /// found in their largest cells as the threshold is in their scores, and is an estimate. `None` if the model was fitted with a given
    /// threshold, has no maps, or had to drop what cells are made of and set no pictures aside. For a fine
    /// map, up to 64 good pictures say so, those with the smallest content hashes.
    pub fn cell_threshold(&self) -> Option<f64> {
        self.judged.cell_threshold
    }

    /// The value of a map from which on a pixel belongs to a region: what the
    /// [method](crate::Method::regions) asks for, or the [`cell_threshold`](Self::cell_threshold), if it
    /// is more than nothing.
    pub fn pixel_threshold(&self) -> Option<f64> {
        let found = self.judged.cell_threshold.filter(|threshold| *threshold > 0.0);
        self.record.params.method.regions.pixel_threshold.or(found)
    }

    /// Which pixels of a map belong to regions: what the call asks for, then what the fit asked for,
    /// then what its good pictures say. Without a pixel threshold there are no regions.
    ///
    /// # Errors
    ///
    /// [`DfmError::Parameter`] if the call asks for something out of its range, or for anything where
    /// the score has no map or there is no pixel threshold.
    pub fn region_rule(&self, options: &JudgeOptions) -> Result<RegionRule, DfmError> {
        let asked = options.region_rule;
        asked.check()?;
        let method = &self.record.params.method;
        let rule =
            asked.or(method.regions).or(RegionRule::default().with_pixel_threshold(self.pixel_threshold()));
        let refused =
            |expected, got: &str| Err(DfmError::Parameter { name: "regions", expected, got: got.to_owned() });
        match (asked.is_empty(), method.score, rule.pixel_threshold) {
            (false, ScoreKind::Nll, _) => refused("a model whose score has a map", "nll, which has none"),
            (false, _, None) => refused("a pixel threshold, of the model or asked for", "none"),
            _ => Ok(rule),
        }
    }

    /// Refuses an operation that takes the rows of the fit for pictures, if they are tiles.
    pub(crate) fn rows_are_pictures(&self) -> Result<(), DfmError> {
        let expected = "none for drift and audits, or statistics by position: tiles of one picture that share \
                        statistics are not independent";
        let method = &self.record.params.method;
        match method.tiling.filter(|_| method.rows_are_tiles()) {
            Some(tiling) => Err(DfmError::Parameter { name: "tiling", expected, got: tiling.to_string() }),
            None => Ok(()),
        }
    }

    /// What the model keeps so that it can be merged and updated: the statistic of its pictures at each
    /// tap (with statistics by position, at one place after the other), and their content hashes, row
    /// by row.
    pub fn fit_statistics(&self) -> Option<(&[FitStatistic], &[[u8; 32]])> {
        self.kept.as_ref().map(|kept| (kept.statistics.as_slice(), kept.content_hashes.as_slice()))
    }

    /// The content hashes of the pictures that the fit set aside, because memory did not suffice for an
    /// exact one, in rising order. They are not among those of [`fit_statistics`](Self::fit_statistics).
    /// Empty if there are none, and of a model that was read without its fit statistic.
    pub fn set_aside(&self) -> &[[u8; 32]] {
        &self.judged.set_aside
    }

    /// What the model keeps, for an `operation` that needs it.
    pub(crate) fn kept(&self, operation: &'static str) -> Result<&Kept, DfmError> {
        self.kept.as_ref().ok_or(DfmError::NoFitStatistic { operation })
    }

    /// Whether the threshold and the p-values rest on scores that are far too small. Such a model was
    /// fitted by an earlier version within a memory that did not suffice, and calls most good pictures
    /// anomalous.
    pub fn rests_on_small_scores(&self) -> bool {
        self.record.finds_threshold() && self.record.has_small_scores()
    }

    /// How good pictures were held out; `None` if the model was fitted with a given threshold.
    pub fn calibration_kind(&self) -> Option<CalibrationKind> {
        self.judged.scores.as_ref().map(HeldOutScores::kind)
    }

    /// The same model with names for pictures of the fit, by their content hash, so that
    /// [`audit`](Self::audit) can tell them. A picture that has a name keeps it. Names of other
    /// pictures are not taken, nor names that are empty, longer than 4096 bytes or hold a zero byte. A
    /// model that keeps no fit statistic has no names, except those of pictures that stand out or were
    /// left out as foreign.
    #[must_use]
    pub fn with_names(mut self, names: impl IntoIterator<Item = ([u8; 32], String)>) -> Self {
        let known: HashSet<&[u8; 32]> = self.kept.iter().flat_map(Kept::known).collect();
        let FitRecord { standing_out, foreign, .. } = &mut self.record;
        let standing_out = standing_out.iter_mut().flat_map(|record| &mut record.pictures);
        let foreign = foreign.iter_mut().flat_map(|record| &mut record.pictures);
        let mut unnamed: HashMap<String, &mut Option<String>> = standing_out
            .map(|picture| (picture.content_hash.clone(), &mut picture.name))
            .chain(foreign.map(|picture| (picture.content_hash.clone(), &mut picture.name)))
            .collect();
        for (hash, name) in names.into_iter().filter(|(_, name)| is_name(name)) {
            if let Some(unnamed) = unnamed.get_mut(&hexadecimal(&hash)) {
                unnamed.get_or_insert_with(|| name.clone());
            }
            if known.contains(&hash) {
                self.names.entry(hash).or_insert(name);
            }
        }
        self
    }

    /// The same model with the sizes of the pictures that it was fitted on, if they are known.
    #[must_use]
    pub fn with_sizes(mut self, sizes: Option<SizeRange>) -> Self {
        self.record.sizes = sizes;
        self
    }

    /// The same model with what the channels of its pictures are made of, if that is known and the same for all
    /// of them. 8 bits are not recorded.
    #[must_use]
    pub fn with_depth(mut self, depth: Option<Depth>) -> Self {
        self.record.depth = depth.filter(|depth| *depth != Depth::Bits8);
        self
    }

    /// The name of a picture of the fit.
    pub fn picture_name(&self, content_hash: &[u8; 32]) -> Option<&str> {
        self.names.get(content_hash).map(String::as_str)
    }
}

/// The most bytes of a picture's name: the longest path that systems take.
pub(crate) const MAX_NAME_BYTES: usize = 4096;

/// Whether a model can hold `name`.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.contains('\0')
}
