//! The command line, as typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use dfm_backbone::Layer;
use dfm_core::{Keep, ScoreKind};

use crate::values::{Size, parse_keep, parse_score, parse_size};

/// Visual anomaly detection: learn what good looks like, then judge new pictures.
#[derive(Debug, Parser)]
#[command(name = "dfm", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Flags {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Say more; twice for more still
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing but errors and results
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

/// One command each.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Learn from a folder of pictures of good parts
    Fit(FitFlags),
    /// Judge pictures: exit code 0 all normal, 1 something anomalous, 2 any error
    Predict(PredictFlags),
    /// Measure a model on pictures whose truth is known
    Evaluate(EvaluateFlags),
    /// Write the feature rows of pictures, before any statistics
    Features(FeaturesFlags),
    /// Say what is in a model file
    Info(InfoFlags),
    /// List the devices that this program can compute on
    Devices(DevicesFlags),
    /// List and fetch backbone weights
    Weights(WeightsFlags),
    /// Measure the network on this machine
    Bench(BenchFlags),
    /// Watch it work on bundled pictures: no arguments, no network
    Demo(DemoFlags),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs: see docs/json-schema.md
    Json,
    /// For spreadsheets
    Csv,
}

/// How a result that is no table of equal rows is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    Table,
    /// For programs: see docs/json-schema.md
    Json,
}

/// Where and how fast to compute.
#[derive(Debug, Args)]
pub(crate) struct ComputeFlags {
    /// Where to compute: cpu, flex, ndarray, wgpu, wgpu:N, cuda:N (see `dfm devices`)
    #[arg(long, default_value = "cpu")]
    pub(crate) device: String,
    /// Threads to compute with; all processors unless given
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Threads that decode pictures ahead of the network
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
}

/// Which network, and where it is tapped.
#[derive(Debug, Args)]
pub(crate) struct BackboneFlags {
    /// The network; what the weights say they are for unless given, else resnet50_1by2
    #[arg(long)]
    pub(crate) backbone: Option<String>,
    /// embedded, random, the name of pulled weights, or a file
    #[arg(long)]
    pub(crate) weights: Option<String>,
    /// The layer whose output is modelled
    #[arg(long, default_value = "layer3")]
    pub(crate) layer: Layer,
    /// Side of the average pool over that output, in cells
    #[arg(long, default_value_t = 4)]
    pub(crate) pool: usize,
    /// Size that pictures are resized to, as 256 or HEIGHTxWIDTH; the weights' own unless given
    #[arg(long, value_parser = parse_size)]
    pub(crate) size: Option<Size>,
    /// Seed of random weights
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

/// Flags of `dfm fit`.
#[derive(Debug, Args)]
pub(crate) struct FitFlags {
    /// Folder of good pictures, or one that holds train/good
    pub(crate) folder: PathBuf,
    /// Where to write the model
    #[arg(short, long, value_name = "MODEL")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) backbone: BackboneFlags,
    /// Share of the variance to keep, up to 1.0, or a whole number of components
    #[arg(long, default_value = "0.97", value_parser = parse_keep)]
    pub(crate) pca: Keep,
    /// fre (with maps) or nll
    #[arg(long, default_value = "fre", value_parser = parse_score)]
    pub(crate) score: ScoreKind,
    /// Raw score from which a picture is anomalous; from held-out good pictures unless given
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) threshold: Option<f64>,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
    /// Pictures that run through the network together
    #[arg(long, default_value_t = 8)]
    pub(crate) batch: usize,
    /// Leave the backbone's weights out of the model, keeping their hash
    #[arg(long)]
    pub(crate) slim: bool,
    /// Leave out what merging and updating the model would need
    #[arg(long)]
    pub(crate) no_update: bool,
    /// Do not count unreadable pictures as an error
    #[arg(long)]
    pub(crate) skip_bad: bool,
}

/// How a model is opened.
#[derive(Debug, Args)]
pub(crate) struct ModelFlags {
    /// The model, as `dfm fit` wrote it
    pub(crate) model: PathBuf,
    /// Weights of a model that was fitted with --slim: a pulled name or a file; embedded and
    /// random ones are found without
    #[arg(long)]
    pub(crate) weights: Option<String>,
    /// Raw score from which a picture is anomalous; the model's own unless given
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) threshold: Option<f64>,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
}

/// Flags of `dfm predict`.
#[derive(Debug, Args)]
pub(crate) struct PredictFlags {
    #[command(flatten)]
    pub(crate) model: ModelFlags,
    /// Pictures, folders or patterns such as 'shots/*.png'
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// How to write the results
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Folder for a heat map and an overlay of each picture; later runs leave them out
    #[arg(long, value_name = "DIR")]
    pub(crate) maps: Option<PathBuf>,
}

/// Flags of `dfm evaluate`.
#[derive(Debug, Args)]
pub(crate) struct EvaluateFlags {
    #[command(flatten)]
    pub(crate) model: ModelFlags,
    /// A folder with test/good, test/DEFECT and ground_truth/DEFECT, as MVTec AD
    pub(crate) dataset: PathBuf,
    /// How to write the results
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}

/// Flags of `dfm features`.
#[derive(Debug, Args)]
pub(crate) struct FeaturesFlags {
    /// Pictures, folders or patterns such as 'shots/*.png'
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Where to write the rows, as safetensors
    #[arg(short, long)]
    pub(crate) output: PathBuf,
    /// Take network, layer, pool and size from this model; with --weights if it is slim
    #[arg(long, conflicts_with_all = ["backbone", "layer", "pool", "size", "seed"])]
    pub(crate) model: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) backbone: BackboneFlags,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
    /// Pictures that run through the network together
    #[arg(long, default_value_t = 8)]
    pub(crate) batch: usize,
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

/// Flags of `dfm devices`.
#[derive(Debug, Args)]
pub(crate) struct DevicesFlags {
    /// How to write them
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

/// Flags of `dfm weights`.
#[derive(Debug, Args)]
pub(crate) struct WeightsFlags {
    #[command(subcommand)]
    pub(crate) task: WeightsTask,
}

/// What `dfm weights` does.
#[derive(Debug, Subcommand)]
pub(crate) enum WeightsTask {
    /// List the weights that can be fetched, and how each is checked
    List,
    /// Print the licences of the weights inside this program
    Notices,
    /// Fetch weights from their official home
    Pull {
        /// A name that `dfm weights list` shows
        name: String,
        /// A mirror: the folder's URL in place of the official one; also DFM_WEIGHTS_ENDPOINT
        #[arg(long)]
        endpoint: Option<String>,
    },
}

/// Flags of `dfm bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchFlags {
    /// The network; see `dfm weights list`
    #[arg(long, default_value = "resnet50_1by2")]
    pub(crate) arch: String,
    /// random, embedded, the name of pulled weights, or a file
    #[arg(long, default_value = "random")]
    pub(crate) weights: String,
    /// The layer to run to
    #[arg(long, default_value = "layer3")]
    pub(crate) layer: Layer,
    /// Size of the pictures, as 256 or HEIGHTxWIDTH
    #[arg(long, default_value = "256", value_parser = parse_size)]
    pub(crate) size: Size,
    /// Pictures that run through the network together
    #[arg(long, default_value_t = 1)]
    pub(crate) batch: usize,
    /// Measured runs, after two that are not
    #[arg(long, default_value_t = 20)]
    pub(crate) rounds: usize,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
    /// How to write the results
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}

/// Flags of `dfm demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoFlags {
    /// Folder for the model and the overlays
    #[arg(short, long, default_value = "dfm-demo")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
}
