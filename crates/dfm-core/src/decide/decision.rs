//! From scores and p-values to verdicts.

use crate::decide::calibration::{Calibration, Label};
use crate::error::DfmError;
use crate::judge::options::{Review, Threshold};
use crate::method::CalibrationKind;
use crate::model::Dfm;

/// The limit from which a picture is anomalous, and how scores are normalised.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decision {
    pub(crate) calibration: Option<Calibration>,
    /// The rate of false alarms that p-values are compared with; `None` if scores are compared.
    pub(crate) decisive_rate: Option<f64>,
    /// The rate of false alarms that was asked for in this call.
    pub(crate) asked_rate: Option<f64>,
    pub(crate) review: Option<ReviewFrom>,
}

/// From where on a person should look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ReviewFrom {
    /// The raw score.
    score: f64,
    /// The p-value up to which, where p-values decide.
    rate: Option<f64>,
}

impl ReviewFrom {
    pub(crate) fn score(self) -> f64 {
        self.score
    }
}

impl Decision {
    pub(crate) fn label(self, score: f64, p_value: Option<f64>) -> Option<Label> {
        let label = match (self.decisive_rate, p_value) {
            (Some(rate), Some(p_value)) if p_value <= rate => Some(Label::Anomalous),
            (Some(_), Some(_)) => Some(Label::Normal),
            _ => self.calibration.map(|calibration| calibration.label(score)),
        };
        let is_in_band = self.review.is_some_and(|band| match (band.rate, p_value) {
            (Some(rate), Some(p_value)) => p_value <= rate,
            _ => score >= band.score,
        });
        if label == Some(Label::Normal) && is_in_band { Some(Label::Review) } else { label }
    }
}

impl Dfm {
    /// The same model with another threshold, keeping the spread that normalisation uses.
    ///
    /// # Errors
    ///
    /// If it is not finite.
    pub fn with_threshold(mut self, threshold: f64) -> Result<Self, DfmError> {
        let decision = self.decision(Some(Threshold::Score(threshold)), None)?;
        (self.judged.calibration, self.decisive_rate) = (decision.calibration, decision.decisive_rate);
        Ok(self)
    }

    /// The model's decision, or that of another threshold or a review band.
    pub(crate) fn decision(
        &self,
        threshold: Option<Threshold>,
        review: Option<Review>,
    ) -> Result<Decision, DfmError> {
        let Some(band) = review else { return self.decision_at(threshold) };
        if let Some(threshold) = threshold {
            let (name, expected) =
                ("review", "no threshold and no rate beside a review band, which has both ends");
            return Err(DfmError::Parameter { name, expected, got: format!("{threshold:?}") });
        }
        match band {
            Review::Scores { low, high } => {
                if !(low.is_finite() && high.is_finite() && low < high) {
                    let (name, expected) = ("review", "two finite scores, the smaller one first");
                    return Err(DfmError::Parameter { name, expected, got: format!("{low} and {high}") });
                }
                let review = Some(ReviewFrom { score: low, rate: None });
                Ok(Decision { review, ..self.decision_at(Some(Threshold::Score(high)))? })
            }
            Review::PValues { low, high } => {
                if low >= high {
                    let (name, expected) = ("review", "two p-values, the smaller one first");
                    return Err(DfmError::Parameter { name, expected, got: format!("{low} and {high}") });
                }
                let decision = self.decision_at(Some(Threshold::FalseAlarm(low)))?;
                let wide = self.decision_at(Some(Threshold::FalseAlarm(high)))?;
                let score = wide.calibration.map_or(f64::INFINITY, |calibration| calibration.threshold());
                let review = Some(ReviewFrom { score, rate: wide.decisive_rate });
                Ok(Decision { review, ..decision })
            }
        }
    }

    fn decision_at(&self, threshold: Option<Threshold>) -> Result<Decision, DfmError> {
        let at = |threshold: f64, decisive_rate, asked_rate| {
            let calibration = match self.judged.calibration {
                Some(calibration) => calibration.with_threshold(threshold)?,
                None => Calibration::at(threshold)?,
            };
            Ok(Decision { calibration: Some(calibration), decisive_rate, asked_rate, review: None })
        };
        match threshold {
            None => Ok(Decision {
                calibration: self.judged.calibration,
                decisive_rate: self.decisive_rate,
                asked_rate: None,
                review: None,
            }),
            Some(Threshold::Score(threshold)) => at(threshold, None, None),
            Some(Threshold::FalseAlarm(rate)) => {
                let scores = self.judged.scores.as_ref().ok_or(DfmError::NotCalibrated)?;
                let decides = scores.kind() == CalibrationKind::JackknifePlus;
                at(scores.threshold_at(rate)?, decides.then_some(rate), Some(rate))
            }
        }
    }
}
