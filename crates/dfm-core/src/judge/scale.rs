//! Scores of several places on one scale.
//!
//! A picture's score is the largest of its tiles'. Where good pictures differ much, as in grain,
//! scores are large, and where they hardly do they are small: on that scale alone the busiest
//! place would hide every other. What a place finds is therefore divided by what is usual there:
//! the median score of good pictures, each by a model of all others. The median did best in trials
//! on scenes of calm and busy places and on photographs: a large quantile or a spread, which few
//! pictures say little about, moved scores of one place against those of another at random.

use crate::judge::joined::{by_row, geometric_mean};

/// The least usual score of a place, as a share of the largest usual score of any place. A smaller
/// difference is noise at every place.
const LEAST_USUAL: f64 = 1e-3;

/// Makes scores of all places comparable. The scores of a place are divided by what is usual there, and
/// multiplied by what is usual anywhere, which is the geometric mean over all places.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct PlaceScale {
    /// The median score of good pictures at each place; empty for a model without places.
    usual: Vec<f64>,
}

impl PlaceScale {
    /// From the median score of good pictures at each place.
    pub(crate) fn of_usual(usual: Vec<f64>) -> Self {
        Self { usual }
    }

    /// From a file; `None` unless all are scores.
    pub(crate) fn from_usual(usual: Vec<f64>) -> Option<Self> {
        usual.iter().all(|score| score.is_finite() && *score >= 0.0).then_some(Self { usual })
    }

    /// The median score of good pictures at each place; empty for a model without places.
    pub(crate) fn usual(&self) -> &[f64] {
        &self.usual
    }

    /// The factor for the scores of each place.
    pub(crate) fn weights(&self) -> Vec<f64> {
        let most = self.usual.iter().copied().fold(0.0, f64::max);
        if most <= 0.0 {
            return vec![1.0; self.usual.len().max(1)];
        }
        let usual: Vec<f64> = self.usual.iter().map(|score| score.max(LEAST_USUAL * most)).collect();
        let mean = geometric_mean(usual.clone());
        usual.into_iter().map(|score| mean / score).collect()
    }

    /// The score of every picture at its worst place, from its scores at each place.
    pub(crate) fn worst(&self, places: Vec<Vec<f64>>) -> Vec<f64> {
        let weights = self.weights();
        let worst = |values: Vec<f64>| {
            let weighed = values.into_iter().zip(&weights).map(|(value, weight)| value * weight);
            weighed.fold(f64::NEG_INFINITY, f64::max)
        };
        by_row(places, worst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(usual: &[f64]) -> PlaceScale {
        PlaceScale::from_usual(usual.to_vec()).unwrap()
    }

    #[test]
    fn what_is_usual_is_the_same_everywhere() {
        let scale = scale(&[0.01, 0.04, 0.02]);
        // Two pictures as usual, one twice as bad at the second place, one at the calm first.
        let places = vec![vec![0.01, 0.01, 0.03], vec![0.04, 0.08, 0.04], vec![0.02, 0.02, 0.02]];
        let worst = scale.worst(places);
        for (got, expected) in worst.iter().zip([0.02, 0.04, 0.06]) {
            // Logarithms and their mean: some roundings.
            assert!((got - expected).abs() < 1e-14, "{worst:?}");
        }
    }

    #[test]
    fn of_one_place_and_of_none_nothing_changes() {
        let scores = vec![vec![0.1, 0.7, 0.3]];
        assert_eq!(scale(&[0.123]).worst(scores.clone()), scores[0]);
        assert_eq!(PlaceScale::default().worst(scores.clone()), scores[0]);
        assert_eq!(scale(&[0.0]).worst(scores.clone()), scores[0]);
    }

    #[test]
    fn a_place_where_nothing_ever_changes_does_not_drown_the_others() {
        let worst = scale(&[1.0, 0.0]).worst(vec![vec![1.0, 1.0], vec![0.0, 1e-9]]);
        assert_eq!(worst[0], worst[1]);
        assert!(scale(&[0.0, 0.0]).worst(vec![vec![1.0], vec![2.0]]) == [2.0]);
    }

    #[test]
    fn what_is_no_score_is_refused() {
        for usual in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(PlaceScale::from_usual(vec![1.0, usual]), None);
        }
    }
}
