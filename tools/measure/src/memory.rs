//! `cargo xtask bench memory`: measures fits of many rows, by the number of rows.

use std::process::Command;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use dfm_backbone::CounterGenerator;
use dfm_stats::{Keep, PcaParams, Samples, StreamingParams};
use serde_json::Value;

use crate::{machine, process, report};

/// Number of rows in a batch.
const BATCH: usize = 8;
/// Number of components whose variances are compared between sizes.
const COMPONENTS: usize = 100;

/// Memory in bytes that this program takes before it fits, and that its allocator keeps of what was
/// freed. That is 6 MiB, and up to 24 MiB where pieces are smaller than 32 MiB, the size from which
/// on glibc returns each at once.
const PROGRAM: u64 = 32 << 20;

/// Flags of `cargo xtask bench memory`.
#[derive(Debug, Args)]
pub(crate) struct MemoryFlags {
    /// Numbers of rows
    #[arg(long, num_args = 1.., value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000])]
    rows: Vec<usize>,
    /// Values in a row; 16384 are the default features
    #[arg(long, default_value_t = 16_384)]
    columns: usize,
    /// Memory that a fit may take, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 6144)]
    max_memory: u64,
    /// Number of threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Write the table into docs/benchmarks.md
    #[arg(long)]
    write: bool,
}

/// Flags of `cargo xtask bench alone stream`.
#[derive(Debug, Args)]
pub(crate) struct StreamFlags {
    #[arg(long)]
    rows: usize,
    #[arg(long)]
    columns: usize,
    /// Memory in MiB
    #[arg(long)]
    max_memory: u64,
}

/// Fits every number of rows in a process of its own and prints the table.
///
/// # Errors
///
/// If a fit fails.
pub(crate) fn run(flags: &MemoryFlags) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir().context("a scratch folder")?;
    let mut table = "| Rows | Time | Peak memory | Directions kept | Variance dropped | Error bound, of the largest variance |\n\
                     |--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for rows in &flags.rows {
        eprintln!("{rows} rows");
        let mut command = Command::new(std::env::current_exe().context("the path of this program")?);
        command.args(["alone", "stream", "--rows", &rows.to_string()]);
        command.args(["--columns", &flags.columns.to_string()]);
        command.args(["--max-memory", &flags.max_memory.to_string()]);
        let measured = process::measure(command, &[0], scratch.path(), flags.threads)?;
        let found: Value = serde_json::from_str(&measured.output).context("what the fit alone printed")?;
        let figure = |name: &str| found[name].as_f64().unwrap_or(f64::NAN);
        let peak = measured.peak_bytes.map_or_else(|| "–".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
        table.push_str(&format!(
            "| {rows} | {:.1} s | {peak} | {} | {:.2} % | {:.2} % |\n",
            figure("seconds"),
            found["rank"],
            100.0 * figure("dropped_share"),
            100.0 * figure("bound_share"),
        ));
    }
    let (setting, columns, allowed) =
        (machine::describe(flags.threads, None)?, flags.columns, flags.max_memory);
    let text = format!("{setting} Rows of {columns} values, {allowed} MiB allowed.\n\n{}", table.trim_end());
    println!("{text}");
    if flags.write { report::write(&[("memory".to_owned(), text)]) } else { Ok(()) }
}

/// Fits seeded rows in batches and prints the result. The time to make the rows is not counted.
///
/// # Errors
///
/// If the fit fails.
pub(crate) fn stream(flags: &StreamFlags) -> anyhow::Result<()> {
    let params = StreamingParams { max_bytes: flags.max_memory << 20, exact: false };
    let mut fit = params.check()?.beside(PROGRAM).start(flags.columns)?;
    let generator = CounterGenerator::new(0);
    let mut seconds = 0.0;
    for first in (0..flags.rows).step_by(BATCH) {
        let rows = BATCH.min(flags.rows - first);
        let rows = Samples::from_f64(noise(&generator, first, rows, flags.columns), flags.columns)?;
        let begun = Instant::now();
        fit.push(rows)?;
        seconds += begun.elapsed().as_secs_f64();
    }
    let begun = Instant::now();
    let statistic = fit.finish()?;
    let keep = Keep::Components(COMPONENTS.min(statistic.rank()));
    let pca = PcaParams { keep }.check()?.truncate(&statistic)?;
    seconds += begun.elapsed().as_secs_f64();
    let largest = statistic.singular_values().first().map_or(f64::NAN, |value| value * value);
    let total = pca.total_variance() * (flags.rows - 1) as f64;
    let (dropped, bound) =
        statistic.compression().map_or((0.0, 0.0), |found| (found.dropped(), found.error_bound()));
    println!(
        "{}",
        serde_json::json!({
            "seconds": seconds,
            "rank": statistic.rank(),
            "dropped_share": dropped / total,
            "bound_share": bound / largest,
        })
    );
    Ok(())
}

/// Uniform noise whose scale falls from column to column. The variances therefore fall as those of
/// features do, for any number of rows.
fn noise(generator: &CounterGenerator, first: usize, rows: usize, columns: usize) -> Vec<f64> {
    let value = |index: usize| {
        let column = index % columns;
        f64::from(generator.unit_f32((first * columns + index) as u64)) / (1.0 + column as f64)
    };
    (0..rows * columns).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_parts_of_one_table() {
        let generator = CounterGenerator::new(0);
        let whole = noise(&generator, 0, 5, 7);
        let parts = [noise(&generator, 0, 2, 7), noise(&generator, 2, 3, 7)].concat();
        assert_eq!(parts, whole);
        assert!(whole.windows(2).any(|pair| pair[0] != pair[1]), "noise varies");
    }
}
