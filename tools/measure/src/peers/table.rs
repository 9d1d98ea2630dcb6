//! The contest as Markdown.

use super::contest::{Contest, Outcome};
use crate::report::{mebibytes, median, sorted};

/// The contests of one network. `operations` is the number of operations for one picture.
pub(crate) fn table(contests: &[Contest], operations: f64) -> String {
    let mut table = "| Batch | | Fastest, ms | Median, ms | DFM / it | GFLOP/s | Of the peak | Peak memory | Relative L2 |\n\
                     |--:|---|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for contest in contests {
        let ours = contest.outcomes.get(contest.ours).map_or(f64::NAN, middle);
        for outcome in &contest.outcomes {
            let median = middle(outcome);
            let fastest = outcome.times.iter().copied().fold(f64::INFINITY, f64::min);
            let rate = operations / median / 1e6;
            table.push_str(&format!(
                "| {} | {} | {fastest:.2} | {median:.2} | {:.2} | {rate:.0} | {:.0} % | {} | {} |\n",
                contest.batch,
                outcome.name,
                ours / median,
                100.0 * rate / contest.peak_rate,
                outcome.peak_bytes.map_or_else(|| "–".to_owned(), mebibytes),
                difference(outcome)
            ));
        }
    }
    for contest in contests {
        table.push_str(&verdict(contest));
    }
    table.trim_end().to_owned()
}

/// Our time against that of the best peer, the peak of the machine, and who is missing.
fn verdict(contest: &Contest) -> String {
    let Some(ours) = contest.outcomes.get(contest.ours) else { return String::new() };
    let peers = contest.outcomes.iter().filter(|outcome| !outcome.is_ours());
    let mut text = format!("\nBatch {}: ", contest.batch);
    if let Some(best) = peers.min_by(|a, b| middle(a).total_cmp(&middle(b))) {
        let ratio = middle(ours) / middle(best);
        text.push_str(&format!("ours / best peer = **{ratio:.2}** ({}); ", best.name));
    }
    text.push_str(&format!("measured peak {:.0} GFLOP/s.", contest.peak_rate));
    for (name, reason) in &contest.absent {
        let reason = reason.lines().last().unwrap_or_default();
        text.push_str(&format!(" Not run: {name} ({reason})."));
    }
    text + "\n"
}

/// The difference from the features of the first contestant; empty for itself.
fn difference(outcome: &Outcome) -> String {
    if outcome.difference > 0.0 { format!("{:.1e}", outcome.difference) } else { "–".to_owned() }
}

/// The median of the times.
fn middle(outcome: &Outcome) -> f64 {
    median(&sorted(outcome.times.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &'static str, times: &[f64]) -> Outcome {
        let times = times.to_vec();
        Outcome { name, version: "1".to_owned(), times, peak_bytes: Some(5 << 20), difference: 1e-7 }
    }

    #[test]
    fn the_best_peer_is_the_one_with_the_least_median() {
        let outcomes = vec![
            outcome("DFM", &[9.0, 10.0, 30.0]),
            outcome("slow at times", &[1.0, 25.0, 26.0]),
            outcome("steady", &[20.0, 20.0, 20.0]),
        ];
        let absent = vec![("late", "why\nit has no compiler".to_owned())];
        let contest = Contest { batch: 1, ours: 0, outcomes, absent, peak_rate: 400.0 };
        let table = table(&[contest], 2e9);
        assert!(table.contains("| 1 | DFM | 9.00 | 10.00 | 1.00 | 200 | 50 % | 5 MiB | 1.0e-7 |"), "{table}");
        assert!(table.contains("ours / best peer = **0.50** (steady)"), "{table}");
        assert!(table.contains("Not run: late (it has no compiler)"), "{table}");
    }

    #[test]
    fn peers_of_small_numbers_are_compared_with_ours_in_small_numbers() {
        let outcomes = vec![outcome("DFM", &[10.0]), outcome("DFM int8", &[4.0]), outcome("other", &[5.0])];
        let contest = Contest { batch: 8, ours: 1, outcomes, absent: Vec::new(), peak_rate: 400.0 };
        let table = table(&[contest], 2e9);
        assert!(table.contains("| 8 | DFM | 10.00 | 10.00 | 0.40 |"), "{table}");
        assert!(table.contains("| 8 | other | 5.00 | 5.00 | 0.80 |"), "{table}");
        assert!(table.contains("ours / best peer = **0.80** (other)"), "{table}");
    }
}
