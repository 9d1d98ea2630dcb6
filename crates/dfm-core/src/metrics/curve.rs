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

fn totals(groups: &[(f64, [f64; 2])]) -> [f64; 2] {
    groups.iter().fold([0.0, 0.0], |sum, (_, group)| [sum[0] + group[0], sum[1] + group[1]])
}
