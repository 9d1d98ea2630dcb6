//! The figures of random draws as Markdown.

use std::collections::BTreeSet;

use serde_json::Value;

/// What one model of drawn pictures found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) set: String,
    /// How many pictures were drawn.
    pub(super) count: usize,
    /// What was learnt beside them.
    pub(super) way: &'static str,
    /// What `dfm evaluate --format json` printed.
    pub(super) figures: Value,
}

impl Found {
    fn image_auroc(&self) -> Option<f64> {
        self.figures["image_auroc"].as_f64()
    }

    /// The share of the good pictures that the threshold rejects.
    fn rejected(&self) -> Option<f64> {
        self.share("false_positives", "true_negatives")
    }

    /// The share of the defects that the threshold finds.
    fn found(&self) -> Option<f64> {
        self.share("true_positives", "false_negatives")
    }

    fn share(&self, part: &str, rest: &str) -> Option<f64> {
        let count = |name: &str| self.figures["confusion"][name].as_f64();
        let (part, rest) = (count(part)?, count(rest)?);
        (part + rest > 0.0).then(|| part / (part + rest))
    }
}

/// One row for each number of pictures: means over the draws of each data set, then over the sets.
pub(super) fn by_count(found: &[Found], way: &str) -> String {
    let mut rows = vec![
        "| Pictures to learn | Data sets | Image AUROC | Defects found | Good pictures rejected |".to_owned(),
        "|--:|--:|--:|--:|--:|".to_owned(),
    ];
    for count in counts(found) {
        let sets = sets(found, count);
        let figures = [Found::image_auroc, Found::found, Found::rejected]
            .map(|figure| short(mean(sets.iter().filter_map(|set| of(found, set, count, way, figure)))));
        rows.push(format!("| {count} | {} | {} |", sets.len(), figures.join(" | ")));
    }
    rows.join("\n")
}

/// The share of good pictures that is rejected: a row for each data set, a column for each number of
/// pictures.
pub(super) fn rejected_by_set(found: &[Found], way: &str) -> String {
    let counts = counts(found);
    let names: BTreeSet<&str> = found.iter().map(|one| one.set.as_str()).collect();
    let head: String = counts.iter().map(|count| format!(" {count} |")).collect();
    let mut rows =
        vec![format!("| Pictures to learn |{head}"), format!("|---|{}", "--:|".repeat(counts.len()))];
    for set in names {
        let cells =
            counts.iter().map(|count| format!(" {} |", short(of(found, set, *count, way, Found::rejected))));
        rows.push(format!("| {set} |{}", cells.collect::<String>()));
    }
    rows.join("\n")
}

/// How much each of the later `ways` adds to the image AUROC of the first: a row for each way and
/// number of pictures, a column for each data set, then the mean.
pub(super) fn gains(found: &[Found], ways: &[&str]) -> String {
    let names: BTreeSet<&str> = found.iter().map(|one| one.set.as_str()).collect();
    let head: String = names.iter().map(|name| format!(" {name} |")).collect();
    let mut rows = vec![
        format!("| Learnt | Pictures |{head} Mean |"),
        format!("|---|--:|{}--:|", "--:|".repeat(names.len())),
    ];
    for way in &ways[1..] {
        for count in counts(found) {
            let gain = |set: &str| {
                let auroc = |way| of(found, set, count, way, Found::image_auroc);
                Some(auroc(way)? - auroc(ways[0])?)
            };
            let gains: Vec<Option<f64>> = names.iter().map(|set| gain(set)).collect();
            if gains.iter().all(Option::is_none) {
                continue;
            }
            let signed =
                |gain: Option<f64>| gain.map_or_else(|| "–".to_owned(), |gain| format!("{gain:+.3}"));
            let cells: String = gains.iter().map(|gain| format!(" {} |", signed(*gain))).collect();
            let mean = signed(mean(gains.into_iter().flatten()));
            rows.push(format!("| {way} | {count} |{cells} {mean} |"));
        }
    }
    rows.join("\n")
}

/// The numbers of pictures, in order.
fn counts(found: &[Found]) -> Vec<usize> {
    found.iter().map(|one| one.count).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The data sets from which so many pictures were drawn, by name.
fn sets(found: &[Found], count: usize) -> Vec<&str> {
    let sets = found.iter().filter(|one| one.count == count).map(|one| one.set.as_str());
    sets.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The mean of a figure over the draws of one data set.
fn of(
    found: &[Found],
    set: &str,
    count: usize,
    way: &str,
    figure: impl Fn(&Found) -> Option<f64>,
) -> Option<f64> {
    let draws = found.iter().filter(|one| one.set == set && one.count == count && one.way == way);
    mean(draws.filter_map(figure))
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0_usize, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / count as f64)
}

/// Three digits behind the point, or a dash if there is no figure.
fn short(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(set: &str, count: usize, way: &'static str, auroc: f64, alarms: u32) -> Found {
        let figures = json!({ "image_auroc": auroc, "confusion": {
            "true_positives": 3, "false_negatives": 1, "false_positives": alarms, "true_negatives": 4 - alarms,
        } });
        Found { set: set.to_owned(), count, way, figures }
    }

    #[test]
    fn draws_are_averaged_before_sets() {
        let all = [
            found("a", 5, "alone", 0.9, 0),
            found("a", 5, "alone", 0.7, 2),
            found("b", 5, "alone", 0.6, 4),
            found("a", 5, "turned", 0.9, 0),
        ];
        let table = by_count(&all, "alone");
        assert!(table.ends_with("| 5 | 2 | 0.700 | 0.750 | 0.625 |"), "{table}");
        let table = rejected_by_set(&all, "alone");
        assert!(table.ends_with("| a | 0.250 |\n| b | 1.000 |"), "{table}");
        let table = gains(&all, &["alone", "turned"]);
        assert!(table.ends_with("| turned | 5 | +0.100 | – | +0.100 |"), "{table}");
    }
}
