//! Flags of the commands that run the network: which network, on which device, with which threads.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use dfm::weights::FileHash;
use dfm::{Layer, MAX_BATCH, NetworkPrecision, Normalisation, Resampling, Resize};

use crate::flags::{Format, ReportFormat};
use crate::values::{Size, count, parse_precision, parse_size};

/// The device and the threads.
#[derive(Debug, Args)]
pub(crate) struct ComputeFlags {
    /// Device to compute on: cpu, flex, ndarray, wgpu, wgpu:N, cuda:N (see `dfm devices`)
    #[arg(long, default_value = "cpu")]
    pub(crate) device: String,
    /// Number of threads to compute with (default: all processors)
    #[arg(long, value_name = "N", value_parser = count(1..=1024))]
    pub(crate) threads: Option<usize>,
    /// Number of threads that decode pictures ahead of the network
    #[arg(long, value_name = "N", value_parser = count(1..=256))]
    pub(crate) jobs: Option<usize>,
}

/// Which network is used, and which of its layers.
#[derive(Debug, Args)]
pub(crate) struct BackboneFlags {
    /// The network: a name, or an ONNX file, which holds its weights (default: the network that the
    /// weights name, else resnet50_1by2)
    #[arg(long)]
    pub(crate) backbone: Option<String>,
    /// Weights of the network: embedded, random, the name of pulled weights, a repository of a hub
    /// (hf:OWNER/NAME or hf:OWNER/NAME@REVISION, fetched if it is not here), or a file. An ONNX file
    /// of a ResNet needs --backbone with its name; --backbone FILE.onnx takes any network, without --weights
    #[arg(long)]
    pub(crate) weights: Option<String>,
    /// Layers whose outputs are modelled. Each has statistics of its own; scores and maps are
    /// geometric means (default: layer2,layer3; for nll, --compat and `dfm features`: layer3).
    /// mean:blocks.3..blocks.8 models the average of blocks 3 to 8 as one layer,
    /// mean:blocks.3+blocks.8 that of two blocks
    #[arg(long, value_delimiter = ',')]
    pub(crate) layer: Vec<Layer>,
    /// Side of the average pool over that output, in cells: one for all layers, or one for each
    /// (default: 4)
    #[arg(long, value_delimiter = ',', value_parser = count(1..=usize::MAX))]
    pub(crate) pool: Vec<usize>,
    /// Size that pictures are resized to: 256 or HEIGHTxWIDTH (default: what the weights state)
    #[arg(long, value_parser = parse_size)]
    pub(crate) size: Option<Size>,
    /// How pictures of another aspect ratio get that size: stretch, or with their aspect ratio kept
    /// mirror (borders reflected), letterbox (filled with the mean) or crop (the middle only).
    /// Default: mirror; for --compat and `dfm features` what the weights state, usually stretch
    #[arg(long, value_name = "HOW")]
    pub(crate) resize: Option<Resize>,
    /// Arithmetic in which pictures are resized: floats (as torch does with tensors) or bytes (as
    /// PIL does). Default: floats; for --compat and `dfm features` what the weights state
    #[arg(long, value_name = "HOW")]
    pub(crate) resampling: Option<Resampling>,
    /// How pixels become numbers: imagenet, half (-1 to 1), unit (0 to 1), bytes (0 to 255), or the mean
    /// and the standard deviation of pixels in 0 to 1, R,G,B/R,G,B. Default: what the weights state; for
    /// an ONNX file imagenet, or unit or bytes if the file normalises pictures itself
    #[arg(long, value_name = "HOW")]
    pub(crate) normalise: Option<Normalisation>,
    /// Seed of random weights, and of the defects of `dfm fit --val synthetic`
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

/// Flags of `dfm features`.
#[derive(Debug, Args)]
pub(crate) struct FeaturesFlags {
    /// Pictures, folders, or patterns such as 'shots/*.png'
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// File to write the rows to, as safetensors
    #[arg(short, long)]
    pub(crate) output: PathBuf,
    /// Take network, layer, pool and size from this model; a slim model needs --weights
    #[arg(long, conflicts_with_all = ["backbone", "layer", "pool", "size", "resize", "resampling", "normalise", "seed"])]
    pub(crate) model: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) backbone: BackboneFlags,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
    /// Number of pictures that run through the network together
    #[arg(long, default_value_t = 16, value_parser = count(1..=MAX_BATCH))]
    pub(crate) batch: usize,
}

/// Flags of `dfm devices`.
#[derive(Debug, Args)]
pub(crate) struct DevicesFlags {
    /// Format of the list
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

/// Flags of `dfm weights`.
#[derive(Debug, Args)]
pub(crate) struct WeightsFlags {
    #[command(subcommand)]
    pub(crate) task: WeightsTask,
}

/// What the environment says about a hub.
const HUB: &str = "\
A repository of a hub has a file model.safetensors of a known network, and config.json as timm writes it.
HF_ENDPOINT names a mirror. HF_HUB_OFFLINE=1 forbids connections, and HF_TOKEN opens what is not open to
everybody. A download that ended early goes on where it ended.";

/// The commands of `dfm weights`.
#[derive(Debug, Subcommand)]
pub(crate) enum WeightsTask {
    /// List the weights that can be fetched, and how each is checked
    List,
    /// List the nodes of the network in an ONNX file that --layer can name
    Nodes {
        /// The file
        file: PathBuf,
        /// Size of the pictures: 256 or HEIGHTxWIDTH (default: that of the file; 224 if it takes any)
        #[arg(long, value_parser = parse_size)]
        size: Option<Size>,
    },
    /// Print the licences of the weights inside this program
    Notices,
    /// Fetch weights from their official home, or from a repository of a hub
    #[command(after_help = HUB)]
    Pull {
        /// Name that `dfm weights list` shows, or hf:OWNER/NAME or hf:OWNER/NAME@REVISION
        name: String,
        /// Mirror: URL of a folder to use instead of the official one (also DFM_WEIGHTS_ENDPOINT), or of
        /// a hub (also HF_ENDPOINT)
        #[arg(long)]
        endpoint: Option<String>,
        /// SHA-256 that the file must have, all 64 digits; without it, the digits that its publisher or
        /// the hub states are checked, and all digits of the first file at every later use
        #[arg(long, value_name = "HEX")]
        sha256: Option<FileHash>,
    },
}

/// Flags of `dfm bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchFlags {
    /// The network; see `dfm weights list`
    #[arg(long, default_value = "resnet50_1by2")]
    pub(crate) arch: String,
    /// Weights of the network: random, embedded, the name of pulled weights, hf:OWNER/NAME, or a file
    #[arg(long, default_value = "random")]
    pub(crate) weights: String,
    /// Layer up to which the network runs
    #[arg(long, default_value = "layer3")]
    pub(crate) layer: Layer,
    /// Size of the pictures: 256 or HEIGHTxWIDTH
    #[arg(long, default_value = "256", value_parser = parse_size)]
    pub(crate) size: Size,
    /// Number of pictures that run through the network together
    #[arg(long, default_value_t = 1)]
    pub(crate) batch: usize,
    /// Number of measured runs, after two runs that are not measured
    #[arg(long, default_value_t = 20)]
    pub(crate) rounds: usize,
    /// Numbers that the network computes in: f32, or int8 (on the cpu only)
    #[arg(long, default_value = "f32", value_parser = parse_precision)]
    pub(crate) precision: NetworkPrecision,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
    /// Format of the results
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}
