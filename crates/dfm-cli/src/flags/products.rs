//! Flags of the commands for many products: `dfm fit-all` and `dfm evaluate-all`.

use std::path::PathBuf;

use clap::Args;

use crate::flags::layout::LayoutFlag;
use crate::flags::{ComputeFlags, FitFlags, ReportFormat};
use crate::values::{parse_draws_or_none, parse_false_alarm};

/// Flags of `dfm fit-all`: those of `dfm fit`, which apply to every product.
#[derive(Debug, Args)]
#[command(mut_arg("folder", |arg| arg.value_name("ROOT").help(
    "Folder with a sub-folder for each product: a data set, or a folder of good pictures"
)))]
#[command(mut_arg("output", |arg| arg.value_name("MODELS").help(
    "Folder to write the models to, as NAME.dfm for each sub-folder"
)))]
#[command(mut_arg("resume", |arg| arg.help("Always on: interrupted fits go on from what they learnt")))]
pub(crate) struct FitAllFlags {
    #[command(flatten)]
    pub(crate) fit: FitFlags,
    /// Format of the results
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}

/// Flags of `dfm evaluate-all`.
#[derive(Debug, Args)]
pub(crate) struct EvaluateAllFlags {
    /// Folder of the models that `dfm fit-all` wrote
    pub(crate) models: PathBuf,
    /// Folder with a data set for each product, by the names of the models
    pub(crate) root: PathBuf,
    /// Layout of the data sets (default: recognised)
    #[arg(long, value_enum)]
    pub(crate) layout: Option<LayoutFlag>,
    /// Folder for products.json, and for metrics.json and predictions.jsonl of each product in a
    /// sub-folder of its name
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Share of good pictures that may be called anomalous, instead of the models' thresholds
    #[arg(long, value_name = "SHARE", value_parser = parse_false_alarm)]
    pub(crate) false_alarm: Option<f64>,
    /// Number of bootstrap draws for the intervals in metrics.json, 100 to 100000, or 0 for none
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = parse_draws_or_none)]
    pub(crate) bootstrap: usize,
    /// Weights for models that were fitted with --slim: the name of pulled weights, or a file
    #[arg(long)]
    pub(crate) weights: Option<String>,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
    /// Format of the results
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}

impl EvaluateAllFlags {
    /// The layout that was named.
    pub(crate) fn layout(&self) -> Option<dfm::Layout> {
        self.layout.map(|LayoutFlag(layout)| layout)
    }
}
