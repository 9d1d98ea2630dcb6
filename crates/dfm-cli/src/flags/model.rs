//! Flags of the commands that use a model.

use std::path::PathBuf;

use clap::Args;
use dfm::Review;
use dfm::parts::PartPattern;

use crate::flags::layout::LayoutFlag;
use crate::flags::{ComputeFlags, Format, MapFlags, RegionFlags, ReportFormat};
use crate::values::{parse_draws, parse_draws_or_none, parse_false_alarm, parse_finite, parse_review};

/// Which model is used, and how it is opened.
#[derive(Debug, Args)]
pub(crate) struct ModelFlags {
    /// The model that `dfm fit` wrote
    #[arg(id = "model", value_name = "MODEL")]
    pub(crate) path: PathBuf,
    /// Weights for a model that was fitted with --slim: the name of pulled weights, or a file.
    /// Embedded and random weights are found without this flag
    #[arg(long)]
    pub(crate) weights: Option<String>,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
}

/// How a model judges.
#[derive(Debug, Args)]
pub(crate) struct JudgeFlags {
    #[command(flatten)]
    pub(crate) model: ModelFlags,
    /// Raw score from which a picture is anomalous (default: the threshold of the model)
    #[arg(long, allow_hyphen_values = true, value_parser = parse_finite, conflicts_with = "false_alarm")]
    pub(crate) threshold: Option<f64>,
    /// Share of good pictures that may be called anomalous, instead of a threshold
    #[arg(long, value_name = "SHARE", value_parser = parse_false_alarm)]
    pub(crate) false_alarm: Option<f64>,
    /// Third answer, review, for scores from LOW up to HIGH, where anomalous begins. In p-values:
    /// p:LOW..HIGH, for example p:0.01..0.05
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true, value_parser = parse_review)]
    #[arg(conflicts_with_all = ["threshold", "false_alarm"])]
    pub(crate) review: Option<Review>,
    /// Region of interest instead of the model's own: X,Y,W,H in pixels, with the width and height
    /// of the fit, or a mask picture if the model was fitted with a mask that covers the same cells
    #[arg(long, value_name = "X,Y,W,H|MASK.png")]
    pub(crate) roi: Option<String>,
    /// Mask of pixels that are never judged, of the pictures' size, beside --roi. A model that was
    /// fitted with --ignore knows its own
    #[arg(long, value_name = "MASK.png", requires = "roi")]
    pub(crate) ignore: Option<PathBuf>,
}

/// Flags of `dfm predict`.
#[derive(Debug, Args)]
pub(crate) struct PredictFlags {
    #[command(flatten)]
    pub(crate) judge: JudgeFlags,
    /// Pictures, folders, or patterns such as 'shots/*.png'; - reads one picture from standard input
    #[arg(required_unless_present = "list", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// File with the path of a picture in each line, or before each NUL byte; - reads the list from
    /// standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) list: Option<PathBuf>,
    /// For a model of parts, the pattern that joins pictures to parts, instead of the model's own
    #[arg(long, value_name = "PATTERN")]
    pub(crate) part: Option<PartPattern>,
    /// Format of the results
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) maps: MapFlags,
    #[command(flatten)]
    pub(crate) regions: RegionFlags,
    /// Show below the table what each score is made of, as `dfm explain` does
    #[arg(long)]
    pub(crate) explain: bool,
}

/// Flags of `dfm evaluate`.
#[derive(Debug, Args)]
pub(crate) struct EvaluateFlags {
    #[command(flatten)]
    pub(crate) judge: JudgeFlags,
    /// A data set: a folder in the layout of MVTec AD or others, or a list of pictures
    pub(crate) dataset: PathBuf,
    /// Layout of the data set (default: recognised)
    #[arg(long, value_enum)]
    pub(crate) layout: Option<LayoutFlag>,
    /// For a model of parts, the pattern that joins pictures to parts, instead of the model's own
    #[arg(long, value_name = "PATTERN")]
    pub(crate) part: Option<PartPattern>,
    #[command(flatten)]
    pub(crate) maps: MapFlags,
    #[command(flatten)]
    pub(crate) regions: RegionFlags,
    /// Folder for metrics.json and predictions.jsonl, which `dfm compare` reads
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Folder for index.html, a page with every figure and picture that needs no network
    /// connection, for its plots as SVG, and for the files of --output
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
    /// Number of bootstrap draws for intervals, 100 to 100000, or 0 for no intervals
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = parse_draws_or_none)]
    pub(crate) bootstrap: usize,
    /// Format of the results
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}

/// Flags of `dfm compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareFlags {
    /// Folder that `dfm evaluate --output` wrote, or the metrics.json in it
    pub(crate) first: PathBuf,
    /// Another such folder or file, of the same pictures
    pub(crate) second: PathBuf,
    /// Number of bootstrap draws for intervals, 100 to 100000
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = parse_draws)]
    pub(crate) bootstrap: usize,
    /// Format of the results
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}

/// Flags of `dfm info`.
#[derive(Debug, Args)]
pub(crate) struct InfoFlags {
    /// The model file
    pub(crate) model: PathBuf,
    /// Format of the output
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}

impl EvaluateFlags {
    /// The layout that was named.
    pub(crate) fn layout(&self) -> Option<dfm::Layout> {
        self.layout.map(|LayoutFlag(layout)| layout)
    }
}
