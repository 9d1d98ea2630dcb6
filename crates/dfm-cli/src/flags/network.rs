//! Flags of what runs the network: where, which, and how fast.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use dfm_backbone::{Layer, NetworkPrecision, Resize};
use dfm_core::MAX_BATCH;

use crate::flags::{Format, ReportFormat};
use crate::values::{Size, count, parse_precision, parse_size};
use dfm_core::USUAL_POOL;

/// Where and how fast to compute.
#[derive(Debug, Args)]
pub(crate) struct ComputeFlags {
    /// Where to compute: cpu, flex, ndarray, wgpu, wgpu:N, cuda:N (see `dfm devices`)
    #[arg(long, default_value = "cpu")]
    pub(crate) device: String,
    /// Threads to compute with; all processors unless given
    #[arg(long, value_name = "N", value_parser = count(1..=1024))]
    pub(crate) threads: Option<usize>,
    /// Threads that decode pictures ahead of the network
    #[arg(long, value_name = "N", value_parser = count(1..=256))]
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
    /// The layers whose outputs are modelled, each with statistics of its own; scores and maps are
    /// geometric means. Unless given layer2,layer3; for nll, --compat and `dfm features` layer3
    #[arg(long, value_delimiter = ',')]
    pub(crate) layer: Vec<Layer>,
    /// Side of the average pool over that output, in cells; for several layers one or as many
    #[arg(long, default_values_t = [USUAL_POOL], value_delimiter = ',', value_parser = count(1..=usize::MAX))]
    pub(crate) pool: Vec<usize>,
    /// Size that pictures are resized to, as 256 or HEIGHTxWIDTH; the weights' own unless given
    #[arg(long, value_parser = parse_size)]
    pub(crate) size: Option<Size>,
    /// How pictures of another aspect come to that size: stretch, or their aspect kept, mirror
    /// (borders reflected), letterbox (filled with the mean) or crop (the middle alone). Unless
    /// given mirror; for --compat and `dfm features` the weights' own, usually stretch
    #[arg(long, value_name = "HOW")]
    pub(crate) resize: Option<Resize>,
    /// Seed of random weights, and of the defects of `dfm fit --val synthetic`
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
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
    #[arg(long, conflicts_with_all = ["backbone", "layer", "pool", "size", "resize", "seed"])]
    pub(crate) model: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) backbone: BackboneFlags,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
    /// Pictures that run through the network together
    #[arg(long, default_value_t = 16, value_parser = count(1..=MAX_BATCH))]
    pub(crate) batch: usize,
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
    /// Numbers that the network computes in: f32, or on the cpu int8
    #[arg(long, default_value = "f32", value_parser = parse_precision)]
    pub(crate) precision: NetworkPrecision,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
    /// How to write the results
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}
