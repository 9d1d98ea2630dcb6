//! The figures as Markdown.

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::cases::Case;
use crate::process::Measured;
use crate::workspace;

/// The document that `--write` changes, between its markers.
const DOCUMENT: &str = "docs/benchmarks.md";

/// The table of our own cases.
pub(crate) fn own_table(cases: &[Case], runs: &[Vec<Measured>]) -> String {
    let mut table = "| What | Pictures | Runs | Fastest | Median | Pictures a second | Peak memory |\n\
                     |---|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for (case, runs) in
        cases.iter().zip(runs).filter(|(case, _)| case.peer_of.is_none() && case.pictures.is_some())
    {
        let (fastest, median) = (seconds(runs)[0], median(&seconds(runs)));
        let pictures = case.pictures.unwrap_or(0);
        table.push_str(&format!(
            "| `dfm` {} | {pictures} | {} | {fastest:.2} s | {median:.2} s | {:.1} | {} |\n",
            case.name,
            runs.len(),
            pictures as f64 / median,
            memory(runs)
        ));
    }
    table.trim_end().to_owned()
}

/// The table of peers, each beside our case that does the same. A ratio above 1 says that ours took
/// less time. The time that a peer takes to import its libraries is also shown separately, if the
/// peer tells it.
pub(crate) fn peer_table(cases: &[Case], runs: &[Vec<Measured>]) -> String {
    let mut table = "| What | DFM, median | Peer | Peer, median | of which imports | Peer / DFM | without imports | DFM, peak | Peer, peak |\n\
                     |---|--:|---|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for (case, theirs) in cases.iter().zip(runs) {
        let Some(place) = case.peer_of else { continue };
        let ours = &runs[place];
        let (our_median, their_median) = (median(&seconds(ours)), median(&seconds(theirs)));
        let imports: Vec<f64> = theirs.iter().filter_map(|run| import_seconds(&run.output)).collect();
        let (imports, without) = if imports.is_empty() {
            ("–".to_owned(), "–".to_owned())
        } else {
            let imports = median(&sorted(imports));
            (format!("{imports:.2} s"), format!("{:.2}", (their_median - imports) / our_median))
        };
        table.push_str(&format!(
            "| {} | {our_median:.2} s | {} | {their_median:.2} s | {imports} | {:.2} | {without} | {} | {} |\n",
            cases[place].name,
            case.name,
            their_median / our_median,
            memory(ours),
            memory(theirs)
        ));
    }
    table.trim_end().to_owned()
}

/// Puts each text between the markers of its name in the document.
///
/// # Errors
///
/// If the document cannot be read or written, or lacks one of the markers.
pub(crate) fn write(texts: &[(String, String)]) -> anyhow::Result<()> {
    write_to(DOCUMENT, texts)
}

/// Like [`write()`], but to another document.
///
/// # Errors
///
/// As for [`write()`].
pub(crate) fn write_to(document: &str, texts: &[(String, String)]) -> anyhow::Result<()> {
    let name = document;
    let path = workspace::root().join(name);
    let mut document = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    for (name, text) in texts {
        document = replace(&document, name, text)?;
    }
    std::fs::write(&path, document).with_context(|| path.display().to_string())?;
    println!("\nwritten: {name}");
    Ok(())
}

/// Returns `document` with the text between the markers of `name` replaced.
///
/// # Errors
///
/// If the markers do not occur once each and in order.
fn replace(document: &str, name: &str, text: &str) -> anyhow::Result<String> {
    let (begin, end) = (format!("<!-- bench:{name}:begin -->"), format!("<!-- bench:{name}:end -->"));
    for marker in [&begin, &end] {
        ensure!(document.matches(marker.as_str()).count() == 1, "expected the marker {marker} once");
    }
    let (before, rest) = document.split_once(&begin).context("no begin marker")?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("{end} stands before {begin}"))?;
    Ok(format!("{before}{begin}\n{text}\n{end}{after}"))
}

/// The seconds of each run, the fastest first.
pub(crate) fn seconds(runs: &[Measured]) -> Vec<f64> {
    sorted(runs.iter().map(|run| run.wall.as_secs_f64()).collect())
}

pub(crate) fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// The middle of `sorted` values, or the mean of the two in the middle.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// The largest peak of the runs.
pub(crate) fn memory(runs: &[Measured]) -> String {
    let peak = runs.iter().filter_map(|run| run.peak_bytes).max();
    peak.map_or_else(|| "–".to_owned(), mebibytes)
}

/// A size such as `123 MiB`.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20))
}

/// The seconds that a peer took for imports: `import_seconds` of the JSON object that it prints.
pub(crate) fn import_seconds(output: &str) -> Option<f64> {
    serde_json::from_str::<Value>(output).ok()?["import_seconds"].as_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median(&sorted(vec![3.0, 1.0, 2.0])), 2.0);
        assert_eq!(median(&sorted(vec![4.0, 1.0, 2.0, 3.0])), 2.5);
    }

    #[test]
    fn only_what_stands_between_the_markers_changes() {
        let document = "a\n<!-- bench:x:begin -->\nold\n<!-- bench:x:end -->\nb\n";
        let changed = replace(document, "x", "new").unwrap();
        assert_eq!(changed, "a\n<!-- bench:x:begin -->\nnew\n<!-- bench:x:end -->\nb\n");
        assert_eq!(replace(&changed, "x", "new").unwrap(), changed);
    }

    #[test]
    fn missing_or_doubled_markers_are_errors() {
        for document in [
            "",
            "<!-- bench:x:begin -->",
            "<!-- bench:x:end --><!-- bench:x:begin -->",
            "<!-- bench:x:begin --><!-- bench:x:begin --><!-- bench:x:end -->",
        ] {
            assert!(replace(document, "x", "new").is_err(), "{document}");
        }
    }

    #[test]
    fn a_peer_may_tell_of_its_imports() {
        assert_eq!(import_seconds("{\"import_seconds\": 1.5}"), Some(1.5));
        assert_eq!(import_seconds("fine"), None);
    }
}
