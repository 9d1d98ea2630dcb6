//! Areas under curves that are known at the edges of bins.

use super::pool::Mass;

/// A figure, and how far the order of pixels within bins can move it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub(super) value: f64,
    pub(super) bound: f64,
}

/// How the horizontal axis is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    Logarithmic,
}

impl Scale {
    fn between(self, from: f64, to: f64) -> f64 {
        match self {
            Self::Linear => to - from,
            Self::Logarithmic => (to / from).ln(),
        }
    }
}

/// The mean height, over `window` of the horizontal axis, of the curve that `steps` draw,
/// from the largest scores down: each adds `[across, up]`, and both ends are 1. Straight
/// lines lead from edge to edge.
///
/// Within a bin the true curve only rises, between the corners of the rectangle that the
/// line divides. `None` where there is nothing on either axis.
pub(super) fn area(
    steps: impl Iterator<Item = [f64; 2]> + Clone,
    window: [f64; 2],
    scale: Scale,
) -> Option<Estimate> {
    let total = steps.clone().fold([0.0, 0.0], |sum, step| [sum[0] + step[0], sum[1] + step[1]]);
    if total[0] <= 0.0 || total[1] <= 0.0 {
        return None;
    }
    let [from, to] = window;
    let (mut sum, mut bound) = (0.0, 0.0);
    let (mut across, mut up) = (0.0, 0.0);
    for [width, height] in steps {
        let (left, low) = (across / total[0], up / total[1]);
        across += width;
        up += height;
        let (right, high) = (across / total[0], up / total[1]);
        let (start, end) = (left.max(from), right.min(to));
        if start >= end {
            if left >= to {
                break;
            }
            continue;
        }
        let at = |position: f64| low + (high - low) * (position - left) / (right - left);
        let middle = (at(start) + at(end)) / 2.0;
        let length = scale.between(start, end);
        sum += length * middle;
        bound += length * (middle - low).max(high - middle);
    }
    let length = scale.between(from, to);
    Some(Estimate { value: (sum / length).clamp(0.0, 1.0), bound: bound / length })
}

/// [`average_precision`](super::average_precision) of pixels, those of a bin tied.
pub(super) fn average_precision(steps: &[(u32, Mass)]) -> Option<Estimate> {
    let [normal, anomalous] = totals(steps)?;
    debug_assert!(normal > 0.0);
    let (mut found, mut taken, mut sum, mut bound) = (0.0, 0.0, 0.0, 0.0);
    for (_, mass) in steps.iter().filter(|(_, mass)| mass.anomalous > 0.0 || mass.normal > 0.0) {
        let before = [found, taken];
        found += mass.anomalous;
        taken += mass.anomalous + mass.normal;
        if mass.anomalous > 0.0 {
            let share = mass.anomalous / anomalous;
            let tied = found / taken;
            // All of the bin's normal pixels first, or all of them last.
            let lowest = (before[0] + 1.0).min(found) / (before[1] + mass.normal + 1.0).min(taken);
            let highest = found / (before[1] + mass.anomalous);
            sum += share * tied;
            bound += share * (tied - lowest).max(highest - tied);
        }
    }
    Some(Estimate { value: sum, bound })
}

/// The best F1 of pixels: the place in `steps` of the lowest bin called anomalous, and the
/// figure.
pub(super) fn best_f1(steps: &[(u32, Mass)]) -> Option<(usize, Estimate)> {
    let [_, anomalous] = totals(steps)?;
    let (mut found, mut taken) = (0.0, 0.0);
    let (mut best, mut place, mut reachable) = (-1.0, 0, 0.0_f64);
    for (at, (_, mass)) in steps.iter().enumerate() {
        // No threshold within the bin finds more, or takes fewer beside.
        reachable = reachable.max(2.0 * (found + mass.anomalous) / (taken + mass.anomalous + anomalous));
        found += mass.anomalous;
        taken += mass.anomalous + mass.normal;
        let f1 = 2.0 * found / (taken + anomalous);
        if f1 > best {
            (best, place) = (f1, at);
        }
    }
    Some((place, Estimate { value: best, bound: (reachable - best).max(0.0) }))
}

/// Normal and anomalous pixels, if there are both.
fn totals(steps: &[(u32, Mass)]) -> Option<[f64; 2]> {
    let sum = |of: fn(&Mass) -> f64| steps.iter().map(|(_, mass)| of(mass)).sum::<f64>();
    let totals = [sum(|mass| mass.normal), sum(|mass| mass.anomalous)];
    (totals[0] > 0.0 && totals[1] > 0.0).then_some(totals)
}
