//! Curves to be drawn.

use serde::Serialize;

use super::pool::Mass;
use super::ranking::tied_groups;

/// Steps of a thinned curve along each axis.
const STEPS: f64 = 256.0;

/// What a threshold does, for the receiver operating characteristic.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RocPoint {
    /// Scores that reach it are called anomalous; `None` where nothing is.
    pub threshold: Option<f64>,
    /// The share of normal ones called anomalous.
    pub false_positive_rate: f64,
    /// The share of anomalous ones called so.
    pub true_positive_rate: f64,
}

/// Every point of the curve, one for each different score, from (0, 0) to (1, 1); empty where
/// a class is missing.
///
/// # Panics
///
/// If there are more labels than scores, or fewer.
pub fn roc_curve(scores: &[f64], labels: &[bool]) -> Vec<RocPoint> {
    let groups = tied_groups(scores, labels);
    let [anomalous, normal] = totals(&groups);
    if anomalous == 0.0 || normal == 0.0 {
        return Vec::new();
    }
    let mut sum = [0.0, 0.0];
    let start = RocPoint { threshold: None, false_positive_rate: 0.0, true_positive_rate: 0.0 };
    let rest = groups.into_iter().rev().map(|(threshold, [positives, negatives])| {
        sum = [sum[0] + positives, sum[1] + negatives];
        RocPoint {
            threshold: Some(threshold),
            false_positive_rate: sum[1] / normal,
            true_positive_rate: sum[0] / anomalous,
        }
    });
    std::iter::once(start).chain(rest).collect()
}

/// What a threshold does, for precision and recall.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PrecisionRecallPoint {
    /// Scores that reach it are called anomalous.
    pub threshold: f64,
    /// Share of those called anomalous that are.
    pub precision: f64,
    /// Share of the anomalous that are called so.
    pub recall: f64,
}

/// Every point of the curve, one for each different score, recall rising; empty where a class
/// is missing.
///
/// # Panics
///
/// If there are more labels than scores, or fewer.
pub fn precision_recall_curve(scores: &[f64], labels: &[bool]) -> Vec<PrecisionRecallPoint> {
    let groups = tied_groups(scores, labels);
    let [anomalous, normal] = totals(&groups);
    if anomalous == 0.0 || normal == 0.0 {
        return Vec::new();
    }
    let (mut found, mut taken) = (0.0, 0.0);
    let points = groups.into_iter().rev().map(|(threshold, [positives, negatives])| {
        found += positives;
        taken += positives + negatives;
        PrecisionRecallPoint { threshold, precision: found / taken, recall: found / anomalous }
    });
    points.collect()
}

/// The curve that `steps` draw, from (0, 0) to (1, 1), with a point wherever it has gone a
/// 256th of its way along either axis; empty where there is nothing on one.
pub(super) fn thinned(steps: &[(u32, Mass)], of: fn(&Mass) -> [f64; 2]) -> Vec<[f64; 2]> {
    let plus = |sum: [f64; 2], step: [f64; 2]| [sum[0] + step[0], sum[1] + step[1]];
    let total = steps.iter().fold([0.0, 0.0], |sum, (_, mass)| plus(sum, of(mass)));
    if total[0] <= 0.0 || total[1] <= 0.0 {
        return Vec::new();
    }
    let mut points = vec![[0.0, 0.0]];
    let mut sum = [0.0, 0.0];
    let mut last = [0.0, 0.0];
    for (_, mass) in steps {
        sum = plus(sum, of(mass));
        let point = [sum[0] / total[0], sum[1] / total[1]];
        if (point[0] - last[0]).max(point[1] - last[1]) >= 1.0 / STEPS {
            points.push(point);
            last = point;
        }
    }
    if last != [1.0, 1.0] {
        points.push([1.0, 1.0]);
    }
    points
}

/// The `[recall, precision]` that `steps` reach, recall rising, from the largest scores down, with
/// a point wherever either has gone a 256th of its way; empty where a class is missing.
///
/// Precision moves by no more than the share that is new among the pixels taken, so that points
/// grow with the logarithm of the pixels and not with the bins.
pub(super) fn thinned_precision_recall(steps: &[(u32, Mass)]) -> Vec<[f64; 2]> {
    let sum = |of: fn(&Mass) -> f64| steps.iter().map(|(_, mass)| of(mass)).sum::<f64>();
    let (anomalous, normal) = (sum(|mass| mass.anomalous), sum(|mass| mass.normal));
    if anomalous <= 0.0 || normal <= 0.0 {
        return Vec::new();
    }
    let (mut found, mut taken) = (0.0, 0.0);
    let mut points: Vec<[f64; 2]> = Vec::new();
    for (place, (_, mass)) in steps.iter().enumerate() {
        found += mass.anomalous;
        taken += mass.anomalous + mass.normal;
        let point = [found / anomalous, found / taken];
        let far = |last: &[f64; 2]| {
            (point[0] - last[0]).max((point[1] - last[1]).abs()) >= 1.0 / STEPS || place + 1 == steps.len()
        };
        if points.last().is_none_or(far) {
            points.push(point);
        }
    }
    points
}

fn totals(groups: &[(f64, [f64; 2])]) -> [f64; 2] {
    groups.iter().fold([0.0, 0.0], |sum, (_, group)| [sum[0] + group[0], sum[1] + group[1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_and_recall_are_thinned_without_a_leap() {
        // One pixel a bin; the first thousand are anomalous, then every second, every third, ….
        let anomalous = |place: u32| place.is_multiple_of(1 + place / 1000);
        let pixel = |place: u32| Mass {
            normal: f64::from(u8::from(!anomalous(place))),
            anomalous: f64::from(u8::from(anomalous(place))),
            ..Mass::default()
        };
        let count = 40_000;
        let steps: Vec<(u32, Mass)> = (0..count).map(|place| (count - place, pixel(place))).collect();
        let scores: Vec<f64> = steps.iter().map(|(bin, _)| f64::from(*bin)).collect();
        let labels: Vec<bool> = (0..count).map(anomalous).collect();
        let exact = precision_recall_curve(&scores, &labels);
        let thinned = thinned_precision_recall(&steps);
        let mut kept = thinned.iter();
        let mut last = [f64::NAN; 2];
        for point in exact {
            let point = [point.recall, point.precision];
            // The same whole numbers, divided.
            if kept.as_slice().first() == Some(&point) {
                kept.next();
                last = point;
            }
            assert!(point[0] - last[0] < 1.0 / STEPS && (point[1] - last[1]).abs() < 1.0 / STEPS);
        }
        assert_eq!(kept.len(), 0, "points that the curve does not have");
        assert_eq!(thinned.last().map(|point| point[0]), Some(1.0));
        assert!(thinned.len() < 1500, "{} points", thinned.len());
        assert!(
            thinned_precision_recall(&steps[..900]).is_empty() && thinned_precision_recall(&[]).is_empty()
        );
    }
}
