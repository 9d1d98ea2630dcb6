//! Several views of one part: their scores on one scale, and the threshold of the largest.

use crate::decide::calibration::Calibration;
use crate::decide::conformal::HeldOutScores;
use crate::decide::held_out::different;
use crate::decide::split::calibrating;
use crate::error::DfmError;
use crate::judge::options::Threshold;
use crate::method::{CalibrationKind, CalibrationParams, ThresholdEstimate};
use crate::model::Dfm;

/// The share of held-out scores of a view that lie within its reach.
const WITHIN_REACH: f64 = 0.9;

/// The scale of the scores of one view. With the median `m` of its held-out scores and their 90 %
/// quantile `q`, a score `s` becomes `(s − m) / (q − m)`: 0 is usual, and 1 is as far out as one good
/// picture in ten.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ViewScale {
    median: f64,
    reach: f64,
}

impl ViewScale {
    /// From scores of held-out good pictures of the view. Where the scores are all alike, the reach is
    /// the size of their median, and 1 where that is nothing.
    ///
    /// # Errors
    ///
    /// If there is no score, or one is not finite.
    pub fn of(scores: &[f64]) -> Result<Self, DfmError> {
        let sorted = sorted(scores)?;
        Self::of_quantiles(|quantile| Order { sorted: &sorted, without: None }.quantile(quantile))
    }

    /// For each of the scores, in order, the scale of all the others. With its own scale, a part that
    /// calibrates meets the scale as a new part does: a scale that knows its score would make it look
    /// nearer than new parts look, and the threshold too low.
    ///
    /// Cost: sorts the scores once.
    ///
    /// # Errors
    ///
    /// If there are fewer than two scores, or one is not finite.
    pub fn without_each(scores: &[f64]) -> Result<Vec<Self>, DfmError> {
        if scores.len() < 2 {
            return Err(DfmError::TooFewPictures { expected: 2, got: scores.len() });
        }
        let sorted = sorted(scores)?;
        let scale = |score: &f64| {
            // Whichever of several equal scores is left out, the others are the same.
            let without = Some(sorted.partition_point(|other| other.total_cmp(score).is_lt()));
            Self::of_quantiles(|quantile| Order { sorted: &sorted, without }.quantile(quantile))
        };
        scores.iter().map(scale).collect()
    }

    fn of_quantiles(quantile: impl Fn(f64) -> f64) -> Result<Self, DfmError> {
        let median = quantile(0.5);
        let reach = quantile(WITHIN_REACH) - median;
        let reach = match median.abs() {
            size if reach > 1e-6 * size => reach,
            size if size.is_normal() => size,
            _ => 1.0,
        };
        Self::new(median, reach)
    }

    /// From its parts.
    ///
    /// # Errors
    ///
    /// If either is not finite, or the reach is not positive.
    pub fn new(median: f64, reach: f64) -> Result<Self, DfmError> {
        if median.is_finite() && reach.is_finite() && reach > 0.0 {
            return Ok(Self { median, reach });
        }
        let (name, expected) = ("scale of a view", "a finite median and a positive finite reach");
        Err(DfmError::Parameter { name, expected, got: format!("{median} and {reach}") })
    }

    /// The median of the view's held-out scores.
    pub fn median(&self) -> f64 {
        self.median
    }

    /// The distance from the median to the 90 % quantile.
    pub fn reach(&self) -> f64 {
        self.reach
    }

    /// A score of the view on the scale that all views share.
    pub fn of_score(&self, score: f64) -> f64 {
        (score - self.median) / self.reach
    }
}

/// Rising scores, perhaps without one of them.
struct Order<'s> {
    sorted: &'s [f64],
    without: Option<usize>,
}

impl Order<'_> {
    /// Linear between order statistics.
    fn quantile(&self, quantile: f64) -> f64 {
        let last = self.sorted.len() - 1 - usize::from(self.without.is_some());
        let at = |place: usize| match self.without {
            Some(without) if place >= without => self.sorted[place + 1],
            _ => self.sorted[place],
        };
        let position = quantile * last as f64;
        let below = position.floor() as usize;
        let share = position - below as f64;
        at(below) * (1.0 - share) + at((below + 1).min(last)) * share
    }
}

fn sorted(scores: &[f64]) -> Result<Vec<f64>, DfmError> {
    if scores.is_empty() {
        return Err(DfmError::TooFewPictures { expected: 1, got: 0 });
    }
    if let Some(score) = scores.iter().find(|score| !score.is_finite()) {
        let (name, expected) = ("held-out scores", "finite numbers");
        return Err(DfmError::Parameter { name, expected, got: score.to_string() });
    }
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    Ok(sorted)
}

/// The threshold of parts: what their joint scores, the largest of their views' scores on one scale,
/// are compared with. A part is one observation, so the rate of false alarms is that of parts, however
/// its views depend on each other.
#[derive(Debug, Clone, PartialEq)]
pub struct JointCalibration {
    scores: HeldOutScores,
    calibration: Calibration,
}

impl JointCalibration {
    /// From the joint scores of good parts that were held out as `params` say: as a whole in every
    /// view. With a split, the threshold is always the quantile of the scores and never that of their tail,
    /// because the proof is about ranks.
    ///
    /// # Errors
    ///
    /// If there is no score, one is not finite, or they are too few for the rate of false alarms.
    pub fn new(params: CalibrationParams, scores: Vec<f64>) -> Result<Self, DfmError> {
        let kind = params.kind.unwrap_or_default();
        let estimate = match kind {
            CalibrationKind::LeaveOneOut => params.estimate,
            CalibrationKind::Split | CalibrationKind::JackknifePlus => ThresholdEstimate::Quantile,
        };
        let (params, scores) = (params.with_estimate(estimate), HeldOutScores::new(kind, scores)?);
        let calibration = Calibration::from_held_out(&scores, params)?;
        Ok(Self { scores, calibration })
    }

    /// How parts were held out.
    pub fn kind(&self) -> CalibrationKind {
        self.scores.kind()
    }

    /// The joint scores of the held-out parts.
    pub fn held_out(&self) -> &[f64] {
        self.scores.in_order()
    }

    /// The share of good parts that look as abnormal or more.
    pub fn p_value(&self, score: f64) -> f64 {
        self.scores.p_value(score)
    }

    /// The threshold and the normalisation, or those of another threshold.
    ///
    /// # Errors
    ///
    /// If the threshold is not finite, or the held-out parts are too few for the rate.
    pub fn decision(&self, threshold: Option<Threshold>) -> Result<Calibration, DfmError> {
        match threshold {
            None => Ok(self.calibration),
            Some(Threshold::Score(threshold)) => self.calibration.with_threshold(threshold),
            Some(Threshold::FalseAlarm(rate)) => {
                self.calibration.with_threshold(self.scores.threshold_at(rate)?)
            }
        }
    }
}

impl Dfm {
    /// The held-out score of each different good picture that calibrates the model, with its content
    /// hash. Empty if none was held out, or the model keeps no fit statistic.
    ///
    /// # Errors
    ///
    /// If there are fewer than two different pictures.
    pub fn held_out_scores(&self) -> Result<Vec<([u8; 32], f64)>, DfmError> {
        let Some((scores, kept)) = self.judged.scores.as_ref().zip(self.kept.as_ref()) else {
            return Ok(Vec::new());
        };
        let hashes = &kept.content_hashes;
        let different = different(hashes)?;
        if let Some(aside) = &kept.set_aside {
            return Ok(aside.pictures().into_iter().zip(scores.in_order().iter().copied()).collect());
        }
        let rows = match scores.kind() {
            CalibrationKind::Split => calibrating(&different, hashes)?,
            CalibrationKind::LeaveOneOut | CalibrationKind::JackknifePlus => different,
        };
        let found = rows.iter().zip(scores.in_order());
        Ok(found.map(|(row, score)| (hashes[row.place], *score)).collect())
    }

    /// The same model without what merging and updating need.
    #[must_use]
    pub fn without_fit_statistic(mut self) -> Self {
        self.kept = None;
        self.names.clear();
        self.record.params.keeping.fit_statistic = false;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in (0, 1) from a seed.
    struct Draws(u64);

    impl Draws {
        fn uniform(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 + f64::EPSILON
        }

        fn normal(&mut self) -> f64 {
            let (radius, angle) = (self.uniform(), self.uniform());
            (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
        }

        /// The scores of the views of a good part: skewed, on scales far apart, and dependent by
        /// `shared`, from independent at 0 to one the mirror of the other below.
        fn part(&mut self, shared: f64) -> [f64; 3] {
            let common = self.normal();
            let own = (1.0 - shared * shared).sqrt();
            let mut view = |sign: f64| sign * shared * common + own * self.normal();
            let [one, other, third] = [view(1.0), view(-1.0), view(1.0)];
            [1e-3 * (0.4 * one).exp(), 500.0 + 30.0 * other, -1e4 + 1e3 * third.abs()]
        }
    }

    /// The joint scores of parts that are held out one by one.
    fn left_out(parts: &[[f64; 3]]) -> Vec<f64> {
        let view = |view: usize| parts.iter().map(|part| part[view]).collect::<Vec<_>>();
        let scales = [0, 1, 2].map(|number| ViewScale::without_each(&view(number)).unwrap());
        let own = |place: usize| [0, 1, 2].map(|view: usize| scales[view][place]);
        parts.iter().enumerate().map(|(place, part)| joint(&own(place), part)).collect()
    }

    fn joint(scales: &[ViewScale], part: &[f64; 3]) -> f64 {
        let scaled = scales.iter().zip(part).map(|(scale, score)| scale.of_score(*score));
        scaled.fold(f64::MIN, f64::max)
    }

    fn scales(parts: &[[f64; 3]]) -> Vec<ViewScale> {
        let view = |view: usize| parts.iter().map(|part| part[view]).collect::<Vec<_>>();
        (0..3).map(|number| ViewScale::of(&view(number)).unwrap()).collect()
    }

    /// The law: whatever the dependence between views, the share of good parts rejected is at most
    /// the rate that was stated, within three standard errors.
    #[test]
    fn good_parts_are_rejected_at_the_stated_rate_at_most() {
        const DRAWS: usize = 1500;
        for (kind, parts) in [(CalibrationKind::Split, 60), (CalibrationKind::LeaveOneOut, 80)] {
            for shared in [0.0, 0.6, 1.0] {
                for rate in [0.05, 0.2] {
                    let mut draws = Draws(parts as u64 + (100.0 * (shared + 10.0 * rate)) as u64);
                    let (mut rejected, mut seen) = (0.0, 0.0);
                    let mut squares = 0.0;
                    for _ in 0..DRAWS {
                        let good: Vec<_> = (0..parts).map(|_| draws.part(shared)).collect();
                        // Split: scales are of parts that do not calibrate.
                        let others: Vec<_> = match kind {
                            CalibrationKind::Split => (0..20).map(|_| draws.part(shared)).collect(),
                            _ => good.clone(),
                        };
                        let scales = scales(&others);
                        let scores = match kind {
                            CalibrationKind::Split => good.iter().map(|part| joint(&scales, part)).collect(),
                            _ => left_out(&good),
                        };
                        let params = CalibrationParams::from(kind).with_false_alarm(rate);
                        let found = JointCalibration::new(params, scores).unwrap();
                        let threshold = found.decision(None).unwrap().threshold();
                        let wrong = (0..20)
                            .filter(|_| joint(&scales, &draws.part(shared)) >= threshold)
                            .count() as f64;
                        rejected += wrong / 20.0;
                        squares += (wrong / 20.0).powi(2);
                        seen += 1.0;
                    }
                    let share = rejected / seen;
                    let error = ((squares / seen - share * share) / seen).sqrt();
                    assert!(share <= rate + 3.0 * error, "{kind} {shared} {rate}: {share} ± {error}");
                    // A threshold that rejects nothing would be lawful and useless.
                    assert!(share >= 0.6 * rate, "{kind} {shared} {rate}: {share}");
                }
            }
        }
    }

    /// What the joint calibration is for: each view at the rate by itself rejects more parts.
    #[test]
    fn views_decided_one_by_one_would_reject_more_than_the_rate() {
        let (mut draws, rate) = (Draws(5), 0.1);
        let good: Vec<_> = (0..400).map(|_| draws.part(0.0)).collect();
        let scales = scales(&good);
        let alone: Vec<f64> = (0..3)
            .map(|view| {
                let scores = good.iter().map(|part| scales[view].of_score(part[view])).collect();
                let params = CalibrationParams::default().with_false_alarm(rate);
                JointCalibration::new(params, scores).unwrap().decision(None).unwrap().threshold()
            })
            .collect();
        let new: Vec<_> = (0..4000).map(|_| draws.part(0.0)).collect();
        let any = |part: &&[f64; 3]| (0..3).any(|view| scales[view].of_score(part[view]) >= alone[view]);
        assert!(new.iter().filter(any).count() > 800);
    }

    #[test]
    fn a_scale_puts_the_median_at_nothing_and_the_quantile_at_one() {
        let scores: Vec<f64> = (0..=100).map(|score| -50.0 + f64::from(score)).collect();
        let scale = ViewScale::of(&scores).unwrap();
        assert_eq!((scale.of_score(0.0), scale.of_score(40.0), scale.of_score(-40.0)), (0.0, 1.0, -1.0));
        for (value, reach) in [(0.0, 1.0), (5.0, 5.0), (-5.0, 5.0)] {
            assert_eq!(ViewScale::of(&[value; 4]).unwrap().reach(), reach);
        }
        let without = ViewScale::without_each(&scores).unwrap();
        for place in [0, 1, 49, 50, 51, 89, 90, 91, 100] {
            let others: Vec<f64> = scores.iter().copied().filter(|score| *score != scores[place]).collect();
            assert_eq!(without[place], ViewScale::of(&others).unwrap(), "{place}");
        }
        // One of several equal scores is left out.
        let alike = ViewScale::without_each(&[1.0, 3.0, 1.0, 2.0]).unwrap();
        assert_eq!(alike[0], ViewScale::of(&[1.0, 2.0, 3.0]).unwrap());
        assert_eq!((alike[2], ViewScale::without_each(&[1.0]).is_err()), (alike[0], true));
        assert!(ViewScale::of(&[]).is_err() && ViewScale::of(&[1.0, f64::NAN]).is_err());
        assert!(ViewScale::new(0.0, 0.0).is_err() && ViewScale::new(f64::INFINITY, 1.0).is_err());
    }

    /// A split proves rates of ranks, and a tail is no rank.
    #[test]
    fn a_split_of_parts_never_takes_the_tail() {
        let scores: Vec<f64> = (0..20).map(|k| (0.1 * f64::from(k)).exp()).collect();
        let threshold = |params: CalibrationParams| {
            JointCalibration::new(params, scores.clone()).unwrap().decision(None).unwrap().threshold()
        };
        let split = CalibrationParams::from(CalibrationKind::Split);
        let quantile = threshold(split.with_estimate(ThresholdEstimate::Quantile));
        assert_eq!(threshold(split), quantile);
        assert!(threshold(CalibrationParams::default()) > quantile, "leave-one-out takes the tail");
    }

    #[test]
    fn a_verdict_of_parts_is_one_of_ranks() {
        let scores: Vec<f64> = (0..99).map(f64::from).collect();
        let found =
            JointCalibration::new(CalibrationParams::default().with_false_alarm(0.1), scores).unwrap();
        let calibration = found.decision(None).unwrap();
        for half in 0..220 {
            let score = f64::from(half) / 2.0;
            assert_eq!(score >= calibration.threshold(), found.p_value(score) <= 0.1, "{score}");
        }
        assert_eq!(found.decision(Some(Threshold::Score(3.0))).unwrap().threshold(), 3.0);
        let few = found.decision(Some(Threshold::FalseAlarm(0.001)));
        assert!(matches!(few, Err(DfmError::TooFewForFalseAlarm { needed: 999, got: 99, .. })));
    }
}
