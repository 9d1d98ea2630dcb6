//! What a model makes of synthetic defects on good pictures that it was not fitted on.

use crate::decide::calibration::Calibration;
use crate::error::DfmError;
use crate::learn::record::ValidationRecord;
use crate::method::{CalibrationKind, CalibrationParams};
use crate::metrics::{ConfusionMatrix, MapCounts, PixelTally, auroc, best_f1};
use crate::model::Dfm;

/// Scores of good and of defective pictures, and the pixels of their maps, as they come.
#[derive(Debug)]
pub struct SyntheticTally {
    seed: u64,
    scores: Vec<f64>,
    defective: Vec<bool>,
    pixels: PixelTally,
    has_maps: bool,
}

impl SyntheticTally {
    /// An empty tally; the defects are those of `seed`.
    pub fn new(seed: u64) -> Self {
        let pixels = PixelTally::new(1);
        Self { seed, scores: Vec::new(), defective: Vec::new(), pixels, has_maps: false }
    }

    /// Adds the score of a picture, and the pixels of its map if there is one.
    pub fn push(&mut self, score: f64, is_defective: bool, pixels: Option<&MapCounts>) {
        self.scores.push(score);
        self.defective.push(is_defective);
        if let Some(pixels) = pixels {
            self.pixels.push(is_defective.then_some(0), pixels);
            self.has_maps = true;
        }
    }
}

impl Dfm {
    /// The same model with a record of what it makes of synthetic defects. Its threshold becomes that
    /// of the best F1 between good and defective pictures, unless the fit was told a threshold or a rate of
    /// false alarms.
    ///
    /// # Errors
    ///
    /// If the model was fitted on the good pictures, which it was unless its calibration is a
    /// [split](CalibrationKind::Split), or either kind of pictures is missing.
    pub fn validated(mut self, tally: &SyntheticTally) -> Result<Self, DfmError> {
        let refused = |expected, got: String| DfmError::Parameter { name: "validation", expected, got };
        let method = &self.record.params.method;
        let is_split = method.calibration_kind() == Some(CalibrationKind::Split);
        let asked = method.calibration.filter(|_| is_split);
        let (Some(asked), Some(held_out)) = (asked, &self.judged.scores) else {
            let kind = self.calibration_kind().map_or("none", CalibrationKind::name);
            return Err(refused("a model whose calibration is split", kind.to_owned()));
        };
        let (scores, labels) = (&tally.scores, &tally.defective);
        let defective = labels.iter().filter(|defective| **defective).count();
        let good = labels.len() - defective;
        let (Some(image_auroc), Some(best)) = (auroc(scores, labels), best_f1(scores, labels)) else {
            let expected = "a good picture and one with a defect, or more";
            return Err(refused(expected, format!("{good} and {defective}")));
        };
        let decides = asked.threshold.is_none() && asked.false_alarm.is_none();
        let calibration = match decides {
            true => {
                let threshold = within_gap(scores, best.threshold);
                let asked = CalibrationParams { threshold: Some(threshold), ..asked };
                Calibration::from_held_out(held_out, asked)?
            }
            false => Calibration::from_held_out(held_out, asked)?,
        };
        let confusion = ConfusionMatrix::at(scores, labels, calibration.threshold());
        let pixels = tally.has_maps.then(|| tally.pixels.finish(None).figures.auroc).flatten();
        self.judged.calibration = Some(calibration);
        if decides && let Some(standing_out) = &mut self.record.standing_out {
            // What was found without them is no threshold of defects.
            standing_out.threshold_without = None;
        }
        self.record.validation = Some(ValidationRecord {
            seed: tally.seed,
            good,
            defective,
            image_auroc,
            pixel_auroc: pixels.map(|figure| figure.value),
            best_f1: best.f1,
            found: confusion.true_positives as f64 / defective as f64,
            false_alarms: confusion.false_positives as f64 / good as f64,
            decides,
        });
        Ok(self)
    }
}

/// The middle between `threshold`, which is one of the `scores`, and the next smaller score. It
/// separates the scores as `threshold` does, and treats new scores on both sides alike.
fn within_gap(scores: &[f64], threshold: f64) -> f64 {
    let below = scores.iter().copied().filter(|score| *score < threshold).fold(f64::NEG_INFINITY, f64::max);
    let middle = below.midpoint(threshold);
    // Two neighbouring numbers have no middle, and no score is below the smallest.
    if middle > below && middle.is_finite() { middle } else { threshold }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_stands_in_the_middle_of_its_gap() {
        assert_eq!(within_gap(&[1.0, 4.0, 2.0, 8.0], 4.0), 3.0);
        assert_eq!(within_gap(&[4.0, 8.0], 4.0), 4.0);
        let next = 1.0_f64.next_up();
        assert_eq!(within_gap(&[1.0, next], next), next);
    }
}
