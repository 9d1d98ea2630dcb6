//! Figures over a list of scores.

use std::ops::AddAssign;

use serde::Serialize;

use crate::judge::map::AnomalyMap;

/// The area under the receiver operating characteristic: the chance that an
/// anomalous score is above a normal one, ties counting half (Mann–Whitney).
///
/// ```
/// use dfm_core::metrics::auroc;
///
/// assert_eq!(auroc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]), Some(0.75));
/// assert_eq!(auroc(&[1.0, 2.0], &[false, false]), None);
/// ```
///
/// # Panics
///
/// If there are more labels than scores, or fewer.
pub fn auroc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let mut below = 0.0;
    let mut normal_before = 0.0;
    let (mut anomalous, mut normal) = (0.0, 0.0);
    for (_, [positives, negatives]) in tied_groups(scores, labels) {
        // Every anomalous score of the group beats the normal ones before it,
        // and half of those it is tied with.
        below += positives * (normal_before + 0.5 * negatives);
        normal_before += negatives;
        anomalous += positives;
        normal += negatives;
    }
    (anomalous > 0.0 && normal > 0.0).then(|| below / (anomalous * normal))
}

/// Average precision: the mean of the precision at each threshold, weighted by
/// the recall gained there; tied scores share a threshold.
///
/// # Panics
///
/// If there are more labels than scores, or fewer.
pub fn average_precision(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let total = labels.iter().filter(|label| **label).count() as f64;
    if total == 0.0 || total == labels.len() as f64 {
        return None;
    }
    let (mut found, mut taken, mut sum) = (0.0, 0.0, 0.0);
    for (_, [positives, negatives]) in tied_groups(scores, labels).into_iter().rev() {
        found += positives;
        taken += positives + negatives;
        sum += positives / total * (found / taken);
    }
    Some(sum)
}

/// The threshold with the highest F1, and what it gives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BestF1 {
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// The lowest score called anomalous.
    pub threshold: f64,
    /// The share of anomalous ones among all that are called anomalous.
    pub precision: f64,
    /// The share of anomalous ones that are called anomalous.
    pub recall: f64,
}

/// The best F1 over every threshold. If several thresholds are equally good, it is the highest. It is
/// chosen with the labels in hand, so it bounds what a threshold could do, and does not say what the
/// model's own threshold does.
///
/// # Panics
///
/// If there are more labels than scores, or fewer.
pub fn best_f1(scores: &[f64], labels: &[bool]) -> Option<BestF1> {
    let total = labels.iter().filter(|label| **label).count() as f64;
    if total == 0.0 || total == labels.len() as f64 {
        return None;
    }
    let (mut found, mut taken) = (0.0, 0.0);
    let mut best: Option<BestF1> = None;
    for (threshold, [positives, negatives]) in tied_groups(scores, labels).into_iter().rev() {
        found += positives;
        taken += positives + negatives;
        let f1 = 2.0 * found / (taken + total);
        if best.is_none_or(|best| f1 > best.f1) {
            best = Some(BestF1 { f1, threshold, precision: found / taken, recall: found / total });
        }
    }
    best
}

/// What a threshold makes of each class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ConfusionMatrix {
    /// Anomalous, and called anomalous.
    pub true_positives: usize,
    /// Normal, but called anomalous.
    pub false_positives: usize,
    /// Normal, and called normal.
    pub true_negatives: usize,
    /// Anomalous, but called normal.
    pub false_negatives: usize,
}

impl ConfusionMatrix {
    /// At `threshold`: scores that reach it are called anomalous.
    pub fn at(scores: &[f64], labels: &[bool], threshold: f64) -> Self {
        let count = |anomalous: bool, called: bool| {
            let pairs = scores.iter().zip(labels);
            pairs.filter(|(score, label)| **label == anomalous && (**score >= threshold) == called).count()
        };
        Self {
            true_positives: count(true, true),
            false_positives: count(false, true),
            true_negatives: count(false, false),
            false_negatives: count(true, false),
        }
    }

    /// The pixels of a picture, of which some are `marked`; `mask` is true where the picture is
    /// anomalous, `None` of a good picture.
    ///
    /// # Panics
    ///
    /// If the mask has another number of pixels.
    pub fn of_marked(marked: &[bool], mask: Option<&[bool]>) -> Self {
        assert!(mask.is_none_or(|mask| mask.len() == marked.len()), "one truth a pixel");
        Self::counted(marked.iter().copied(), mask)
    }

    /// Counts the pixels of a map at `threshold`. `mask` is true where the picture is anomalous; it is
    /// `None` for a good picture.
    ///
    /// # Panics
    ///
    /// If the mask has another number of pixels.
    pub fn of_pixels(map: &AnomalyMap, mask: Option<&[bool]>, threshold: f64) -> Self {
        assert!(mask.is_none_or(|mask| mask.len() == map.values.len()), "one truth a pixel");
        Self::counted(map.values.iter().map(|value| f64::from(*value) >= threshold), mask)
    }

    fn counted(marked: impl Iterator<Item = bool>, mask: Option<&[bool]>) -> Self {
        let (mut all, mut anomalous) = ([0, 0], [0, 0]);
        for (place, called) in marked.enumerate() {
            let called = usize::from(called);
            all[called] += 1;
            anomalous[called] += usize::from(mask.is_some_and(|mask| mask[place]));
        }
        Self {
            true_positives: anomalous[1],
            false_positives: all[1] - anomalous[1],
            true_negatives: all[0] - anomalous[0],
            false_negatives: anomalous[0],
        }
    }

    /// The harmonic mean of precision and recall; `None` if nothing is anomalous.
    pub fn f1(&self) -> Option<f64> {
        let found = self.true_positives as f64;
        let wrong = (self.false_positives + self.false_negatives) as f64;
        (self.true_positives + self.false_negatives > 0).then(|| 2.0 * found / (2.0 * found + wrong))
    }
}

impl AddAssign for ConfusionMatrix {
    fn add_assign(&mut self, other: Self) {
        self.true_positives += other.true_positives;
        self.false_positives += other.false_positives;
        self.true_negatives += other.true_negatives;
        self.false_negatives += other.false_negatives;
    }
}

/// Each different score, rising, and how many `[anomalous, normal]` have it.
pub(super) fn tied_groups(scores: &[f64], labels: &[bool]) -> Vec<(f64, [f64; 2])> {
    assert_eq!(scores.len(), labels.len(), "one label a score");
    let mut pairs: Vec<(f64, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let count = |pairs: &[(f64, bool)]| {
        let anomalous = pairs.iter().filter(|(_, label)| *label).count();
        (pairs[0].0, [anomalous as f64, (pairs.len() - anomalous) as f64])
    };
    pairs.chunk_by(|a, b| a.0 == b.0).map(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_counted_as_scores_are() {
        let values = vec![0.5_f32, 0.25, 1.0, 0.75, 0.5, 0.0];
        let mask = [true, true, false, true, false, false];
        let map = AnomalyMap { width: 3, height: 2, values: values.clone() };
        let scores: Vec<f64> = values.into_iter().map(f64::from).collect();
        for threshold in [0.0, 0.25, 0.5, 0.6, 2.0] {
            let expected = ConfusionMatrix::at(&scores, &mask, threshold);
            assert_eq!(ConfusionMatrix::of_pixels(&map, Some(&mask), threshold), expected);
            let marked: Vec<bool> = map.values.iter().map(|value| f64::from(*value) >= threshold).collect();
            assert_eq!(ConfusionMatrix::of_marked(&marked, Some(&mask)), expected);
            let good = ConfusionMatrix::at(&scores, &[false; 6], threshold);
            assert_eq!(ConfusionMatrix::of_pixels(&map, None, threshold), good);
            let mut both = expected;
            both += good;
            let sum = both.true_positives + both.false_positives + both.true_negatives + both.false_negatives;
            assert_eq!((sum, both.true_positives), (12, expected.true_positives));
        }
    }
}
