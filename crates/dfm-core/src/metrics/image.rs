//! Figures over pictures, with intervals.

use serde::Serialize;

use super::Figure;
use super::bootstrap::{ValidBootstrapParams, can_draw, figure, interval};

/// Figures over pictures: exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ImageFigures {
    /// AUROC.
    pub auroc: Option<Figure>,
    /// Average precision.
    pub average_precision: Option<Figure>,
    /// The best F1 over every threshold, chosen anew in each replicate.
    pub best_f1: Option<Figure>,
    /// F1 at the model's threshold; also where nothing is good.
    pub f1: Option<Figure>,
}

/// Figures of all pictures, and of each defect with all good pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageEvaluation {
    /// Figures of all pictures.
    pub figures: ImageFigures,
    /// By defect.
    pub defects: Vec<ImageFigures>,
}

/// The figures of pictures with these `scores`; `kinds` are `None` for good ones, or the
/// number of the defect, below `defects`. Intervals are made if `bootstrap` says how:
/// pictures are drawn with replacement, as many of each kind as there are.
///
/// Cost: a few operations for each picture, defect and replicate, on the threads of the pool.
///
/// # Panics
///
/// If there are more kinds than scores, or fewer, or a defect of a higher number.
pub fn evaluate_images(
    scores: &[f64],
    kinds: &[Option<usize>],
    defects: usize,
    threshold: Option<f64>,
    bootstrap: Option<&ValidBootstrapParams>,
) -> ImageEvaluation {
    assert_eq!(scores.len(), kinds.len(), "one kind a score");
    assert!(kinds.iter().flatten().all(|defect| *defect < defects), "defects are numbered");
    let ranked = Ranked::new(scores, threshold);
    // The first group holds all pictures.
    let count = |wanted: &dyn Fn(&Option<usize>) -> bool| kinds.iter().filter(|kind| wanted(kind)).count();
    let good = count(&|kind| kind.is_none());
    let groups: Vec<Option<usize>> = std::iter::once(None).chain((0..defects).map(Some)).collect();
    let figures =
        |weights: &[u32], group: Option<usize>| ranked.figures(kinds, group, |place| weights[place]);
    let plain = vec![1; scores.len()];
    let values: Vec<[Option<f64>; 4]> = groups.iter().map(|group| figures(&plain, *group)).collect();
    let mut found: Vec<[Vec<f64>; 4]> = vec![Default::default(); groups.len()];
    if let Some(params) = bootstrap {
        let of_draw = |weights: &[u32]| groups.iter().map(|group| figures(weights, *group)).collect();
        params.draw(kinds, of_draw, |drawn: Vec<[Option<f64>; 4]>| {
            for (found, values) in found.iter_mut().zip(drawn) {
                found.iter_mut().zip(values).for_each(|(found, value)| found.extend(value));
            }
        });
    }
    let mut each = groups.into_iter().zip(values).zip(found).map(|((group, values), found)| {
        let anomalous = group.map_or(kinds.len() - good, |_| count(&|kind| *kind == group));
        let mut found = found.into_iter();
        let [auroc, average_precision, best_f1, f1] = values.map(|value| {
            let ends = found.next().filter(|_| can_draw(good, anomalous)).and_then(interval);
            value.map(|value| figure(value, 0.0, ends))
        });
        ImageFigures { auroc, average_precision, best_f1, f1 }
    });
    let figures = each.next().unwrap_or_default();
    ImageEvaluation { figures, defects: each.collect() }
}

/// Scores in falling order.
pub(super) struct Ranked {
    /// Indices in the list, and whether a score is the last of those that are equal.
    order: Vec<(usize, bool)>,
    /// How many of `order` reach the threshold.
    called: Option<usize>,
}

impl Ranked {
    pub(super) fn new(scores: &[f64], threshold: Option<f64>) -> Self {
        let mut places: Vec<usize> = (0..scores.len()).collect();
        places.sort_by(|one, other| scores[*other].total_cmp(&scores[*one]));
        let called =
            threshold.map(|threshold| places.iter().take_while(|place| scores[**place] >= threshold).count());
        let last = |at: usize| places.get(at + 1).is_none_or(|next| scores[*next] != scores[places[at]]);
        Self { order: places.iter().enumerate().map(|(at, place)| (*place, last(at))).collect(), called }
    }

    /// AUROC, average precision, best F1 and F1 at the threshold of pictures that count as
    /// often as `weight` says; of one defect and the good ones if `group` is one.
    pub(super) fn figures(
        &self,
        kinds: &[Option<usize>],
        group: Option<usize>,
        weight: impl Fn(usize) -> u32,
    ) -> [Option<f64>; 4] {
        let counted = |place: usize| match kinds[place] {
            None => [0.0, f64::from(weight(place))],
            kind if group.is_none() || kind == group => [f64::from(weight(place)), 0.0],
            Some(_) => [0.0, 0.0],
        };
        let mut total = [0.0, 0.0];
        for (place, _) in &self.order {
            let [anomalous, normal] = counted(*place);
            total = [total[0] + anomalous, total[1] + normal];
        }
        let [anomalous, normal] = total;
        let (mut found, mut wrong) = (0.0, 0.0);
        let (mut found_before, mut wrong_before) = (0.0, 0.0);
        let (mut above, mut precisions, mut best) = (0.0, 0.0, 0.0_f64);
        let mut at_threshold = self.called.map(|_| 0.0);
        for (at, (place, last)) in self.order.iter().enumerate() {
            let [one, other] = counted(*place);
            (found, wrong) = (found + one, wrong + other);
            if self.called == Some(at + 1) {
                at_threshold = Some(2.0 * found / (found + wrong + anomalous));
            }
            if *last && found + wrong > found_before + wrong_before {
                let (positives, negatives) = (found - found_before, wrong - wrong_before);
                above += negatives * (found_before + 0.5 * positives);
                precisions += positives * found / (found + wrong);
                best = best.max(2.0 * found / (found + wrong + anomalous));
                (found_before, wrong_before) = (found, wrong);
            }
        }
        let both = |value: f64| (anomalous > 0.0 && normal > 0.0).then_some(value);
        [
            both(above / (anomalous * normal)),
            both(precisions / anomalous),
            both(best),
            at_threshold.filter(|_| anomalous > 0.0),
        ]
    }
}
