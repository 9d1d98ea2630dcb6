//! The figures of data sets as Markdown.

use super::figures::{Figures, MEASURES, Measure};

/// One row for each data set, with every figure of one way.
pub(super) fn one_way(sets: &[&str], found: &[Figures]) -> String {
    let mut head = "| Data set | Learnt | Good | Defective |".to_owned();
    let mut rule = "|---|--:|--:|--:|".to_owned();
    for measure in MEASURES {
        head += &format!(" {} |", measure.name);
        rule += "--:|";
    }
    let mut rows = vec![head, rule];
    for (set, figures) in sets.iter().zip(found) {
        let Figures { learnt, good, defective, .. } = figures;
        let values = MEASURES.iter().map(|measure| format!(" {} |", short((measure.of)(figures))));
        let values: String = values.collect();
        rows.push(format!("| {set} | {learnt} | {good} | {defective} |{values}"));
    }
    rows.join("\n")
}

/// One table for each figure: a row for each way, a column for each data set, then the mean, the
/// worst, and the mean rank over the sets.
pub(super) fn every_way(sets: &[&str], ways: &[&str], found: &[Vec<Figures>]) -> String {
    let tables = MEASURES.iter().map(|measure| matrix(*measure, sets, ways, found));
    tables.collect::<Vec<_>>().join("\n\n")
}

fn matrix(measure: Measure, sets: &[&str], ways: &[&str], found: &[Vec<Figures>]) -> String {
    let values: Vec<Vec<Option<f64>>> =
        found.iter().map(|of_way| of_way.iter().map(measure.of).collect()).collect();
    let measured: Vec<usize> =
        (0..sets.len()).filter(|set| values.iter().any(|of_way| of_way[*set].is_some())).collect();
    let names: String = measured.iter().map(|set| format!(" {} |", sets[*set])).collect();
    let mut rows = vec![
        format!("{}:\n", measure.name),
        format!("| |{names} Mean | Worst | Mean rank |"),
        format!("|---|{}--:|--:|--:|", "--:|".repeat(measured.len())),
    ];
    for (way, of_way) in ways.iter().zip(&values) {
        let row: Vec<Option<f64>> = measured.iter().map(|set| of_way[*set]).collect();
        let cells: String = row.iter().map(|value| format!(" {} |", short(*value))).collect();
        let whole: Vec<f64> = row.iter().flatten().copied().collect();
        let count = whole.len() as f64;
        let mean = (!whole.is_empty()).then(|| whole.iter().sum::<f64>() / count);
        let worst = whole.iter().copied().reduce(if measure.larger_is_better { f64::min } else { f64::max });
        let ranks = measured.iter().filter_map(|set| {
            let column: Vec<f64> = values.iter().filter_map(|of_way| of_way[*set]).collect();
            Some(rank(of_way[*set]?, &column, measure.larger_is_better))
        });
        let rank = (!whole.is_empty()).then(|| ranks.sum::<f64>() / count);
        let rank = rank.map_or_else(|| "–".to_owned(), |rank| format!("{rank:.1}"));
        rows.push(format!("| {way} |{cells} {} | {} | {rank} |", short(mean), short(worst)));
    }
    rows.join("\n")
}

/// The rank of `value` among all values of a column, 1 for the best; equal values share the mean of
/// their ranks.
fn rank(value: f64, column: &[f64], larger_is_better: bool) -> f64 {
    let better = |other: &&f64| if larger_is_better { **other > value } else { **other < value };
    let better_count = column.iter().filter(better).count() as f64;
    let equal_count = column.iter().filter(|other| **other == value).count() as f64;
    better_count + (equal_count + 1.0) / 2.0
}

/// Three digits behind the point, or a dash if there is no figure.
fn short(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_their_ranks() {
        let column = [0.9, 0.8, 0.9, 0.7];
        assert_eq!(column.map(|value| rank(value, &column, true)), [1.5, 3.0, 1.5, 4.0]);
        assert_eq!(column.map(|value| rank(value, &column, false)), [3.5, 2.0, 3.5, 1.0]);
    }
}
