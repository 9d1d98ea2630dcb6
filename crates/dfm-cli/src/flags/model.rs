//! Flags of what asks models.

use std::path::PathBuf;

use clap::Args;

use crate::flags::{ComputeFlags, Format, ReportFormat};
use crate::flags::layout::LayoutFlag;
use crate::values::{parse_draws, parse_draws_or_none, parse_false_alarm, parse_finite};

/// Which model, and how it is opened.
#[derive(Debug, Args)]
pub(crate) struct ModelFlags {
    /// The model, as `dfm fit` wrote it
    #[arg(id = "model", value_name = "MODEL")]
    pub(crate) path: PathBuf,
    /// Weights of a model that was fitted with --slim: a pulled name or a file; embedded and
    /// random ones are found without
    #[arg(long)]
    pub(crate) weights: Option<String>,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
}

/// What a model judges by.
#[derive(Debug, Args)]
pub(crate) struct JudgeFlags {
    #[command(flatten)]
    pub(crate) model: ModelFlags,
    /// Raw score from which a picture is anomalous; the model's own unless given
    #[arg(long, allow_hyphen_values = true, value_parser = parse_finite, conflicts_with = "false_alarm")]
    pub(crate) threshold: Option<f64>,
    /// Share of good pictures that may be called anomalous, in place of the threshold
    #[arg(long, value_name = "SHARE", value_parser = parse_false_alarm)]
    pub(crate) false_alarm: Option<f64>,
    /// The part of every picture that counts, as X,Y,W,H in pixels, in place of the model's own;
    /// a mask only if the model was fitted with one of the same cells
    #[arg(long, value_name = "X,Y,W,H|MASK.png")]
    pub(crate) roi: Option<String>,
}

/// Flags of `dfm predict`.
#[derive(Debug, Args)]
pub(crate) struct PredictFlags {
    #[command(flatten)]
    pub(crate) judge: JudgeFlags,
    /// Pictures, folders or patterns such as 'shots/*.png'
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// How to write the results
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Folder for a heat map and an overlay of each picture; later runs leave them out
    #[arg(long, value_name = "DIR")]
    pub(crate) maps: Option<PathBuf>,
    /// Say below the table what each score is made of, as `dfm explain` does
    #[arg(long)]
    pub(crate) explain: bool,
}

/// Flags of `dfm evaluate`.
#[derive(Debug, Args)]
pub(crate) struct EvaluateFlags {
    #[command(flatten)]
    pub(crate) judge: JudgeFlags,
    /// A data set: a folder as MVTec AD and others have it, or a list of pictures
    pub(crate) dataset: PathBuf,
    /// How it lies on disk; recognised unless given
    #[arg(long, value_enum)]
    pub(crate) layout: Option<LayoutFlag>,
    /// Folder for metrics.json and predictions.jsonl, what `dfm compare` reads
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Folder for index.html, a page that shows every figure and picture and needs no network,
    /// its plots as SVG, and what --output leaves
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
    /// Draws of pictures that intervals are made of, 100 to 100000; 0 for none
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = parse_draws_or_none)]
    pub(crate) bootstrap: usize,
    /// How to write the results
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}

/// Flags of `dfm compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareFlags {
    /// A folder that `dfm evaluate --output` wrote, or the metrics.json in it
    pub(crate) first: PathBuf,
    /// Another, of the same pictures
    pub(crate) second: PathBuf,
    /// Draws of pictures that intervals are made of, 100 to 100000
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = parse_draws)]
    pub(crate) bootstrap: usize,
    /// How to write the results
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}

/// Flags of `dfm info`.
#[derive(Debug, Args)]
pub(crate) struct InfoFlags {
    /// The model
    pub(crate) model: PathBuf,
    /// How to write it
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}

impl EvaluateFlags {
    /// The layout that was named.
    pub(crate) fn layout(&self) -> Option<dfm::Layout> {
        self.layout.map(|LayoutFlag(layout)| layout)
    }
}
