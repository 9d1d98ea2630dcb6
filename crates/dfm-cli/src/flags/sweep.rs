//! Flags of `dfm sweep`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dfm::{Aggregation, Keep, Levels, MAX_BATCH, Resampling, Resize, ScoreKind};

use crate::flags::layout::LayoutFlag;
use crate::flags::{ComputeFlags, ReportFormat};
use crate::values::{
    Layers, Memory, Pools, Size, count, parse_keep, parse_layers, parse_memory, parse_pools, parse_score,
    parse_size,
};

/// Flags of `dfm sweep`: flags of a fit that take several values, of which every combination is tried.
#[derive(Debug, Args)]
pub(crate) struct SweepFlags {
    /// A data set with good pictures to learn from and labelled pictures to judge
    pub(crate) dataset: PathBuf,
    /// Layout of the data set (default: recognised)
    #[arg(long, value_enum)]
    pub(crate) layout: Option<LayoutFlag>,
    /// Networks, for example resnet18,resnet50 (default: the networks that the weights name)
    #[arg(long, value_delimiter = ',')]
    pub(crate) backbone: Vec<String>,
    /// Weights, for example resnet18,embedded: one for each network, or one for all
    #[arg(long, value_delimiter = ',')]
    pub(crate) weights: Vec<String>,
    /// Layers, for example layer2,layer3; layers of one model are joined, as layer2+layer3
    #[arg(long, default_value = "layer2+layer3", value_delimiter = ',', value_parser = parse_layers)]
    pub(crate) layer: Vec<Layers>,
    /// Sides of the average pools, for example 2,4; joined layers take one, or one for each, as 8+4
    #[arg(long, default_value = "4", value_delimiter = ',', value_parser = parse_pools)]
    pub(crate) pool: Vec<Pools>,
    /// Shares of the variance to keep, or whole numbers of components, for example 0.9,0.97
    #[arg(long, default_value = "0.97", value_delimiter = ',', value_parser = parse_keep)]
    pub(crate) pca: Vec<Keep>,
    /// Scores: fre, nll, mahalanobis
    #[arg(long, default_value = "fre", value_delimiter = ',', value_parser = parse_score)]
    pub(crate) score: Vec<ScoreKind>,
    /// How fre is computed from the cells of its map: sum, relative, max, top:1%, power:4. Other scores take
    /// sum only
    #[arg(long, default_value = "power:4", value_delimiter = ',', value_name = "HOW")]
    pub(crate) aggregate: Vec<Aggregation>,
    /// Size that pictures are resized to: 256 or HEIGHTxWIDTH (default: what the weights state)
    #[arg(long, value_parser = parse_size)]
    pub(crate) size: Option<Size>,
    /// How pictures of another aspect ratio get that size: stretch, mirror, letterbox or crop
    #[arg(long, default_value = "mirror", value_name = "HOW")]
    pub(crate) resize: Resize,
    /// Arithmetic in which pictures are resized: floats or bytes
    #[arg(long, default_value = "floats", value_name = "HOW")]
    pub(crate) resampling: Resampling,
    /// Which values of pictures with 16 bits a channel are black and white, for every setting: auto,
    /// full or LOW..HIGH, as for `dfm fit`
    #[arg(long, value_name = "LEVELS", default_value_t = Levels::Auto, allow_hyphen_values = true)]
    pub(crate) levels: Levels,
    /// Region of interest, the part of every picture that counts, for every setting: X,Y,W,H in
    /// pixels, or a mask picture of the pictures' size, zero outside
    #[arg(long, value_name = "X,Y,W,H|MASK.png")]
    pub(crate) roi: Option<String>,
    /// Mask of pixels that are never judged, of the pictures' size, alone or beside --roi. Zero is
    /// outside the mask. For every setting
    #[arg(long, value_name = "MASK.png")]
    pub(crate) ignore: Option<PathBuf>,
    /// Cut pictures into tiles with sides of this many pixels, for every setting, as `dfm fit` does
    #[arg(long, value_name = "PIXELS")]
    pub(crate) tile: Option<u32>,
    /// Largest distance from one tile to the next (default: three quarters of a tile)
    #[arg(long, value_name = "PIXELS", requires = "tile")]
    pub(crate) stride: Option<u32>,
    /// Seed of random weights
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
    /// Number of pictures that run through the network together
    #[arg(long, default_value_t = 16, value_parser = count(1..=MAX_BATCH))]
    pub(crate) batch: usize,
    /// Memory for the features of one network, which are held for all pictures and layers at once,
    /// and the same memory again for one fit (default: a quarter of the machine's)
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    pub(crate) max_memory: Option<Memory>,
    /// Figure to rank by
    #[arg(long, value_enum, default_value_t = RankBy::ImageAuroc)]
    pub(crate) rank_by: RankBy,
    /// Format of the results
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}

/// A figure to rank settings by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RankBy {
    /// AUROC of the pictures
    ImageAuroc,
    /// AUROC of the pixels
    PixelAuroc,
    /// Overlap of regions, up to 30 % of false positives
    Aupro,
}

impl SweepFlags {
    /// The layout that was named.
    pub(crate) fn layout(&self) -> Option<dfm::Layout> {
        self.layout.map(|LayoutFlag(layout)| layout)
    }
}
