//! Flags of `dfm sweep`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dfm::Resize;
use dfm::{Aggregation, Keep, MAX_BATCH, ScoreKind};

use crate::flags::{ComputeFlags, ReportFormat};
use crate::flags::layout::LayoutFlag;
use crate::values::{
    Layers, Memory, Pools, Size, count, parse_keep, parse_layers, parse_memory, parse_pools, parse_score,
    parse_size,
};

/// Flags of `dfm sweep`: those of a fit, of which several values are tried, each with each.
#[derive(Debug, Args)]
pub(crate) struct SweepFlags {
    /// A data set with good pictures to learn from and, their truth known, pictures to judge
    pub(crate) dataset: PathBuf,
    /// How it lies on disk; recognised unless given
    #[arg(long, value_enum)]
    pub(crate) layout: Option<LayoutFlag>,
    /// Networks, as resnet18,resnet50; what the weights say they are for unless given
    #[arg(long, value_delimiter = ',')]
    pub(crate) backbone: Vec<String>,
    /// Weights, as resnet18,embedded: one of each network, or one for all
    #[arg(long, value_delimiter = ',')]
    pub(crate) weights: Vec<String>,
    /// Layers, as layer2,layer3; those of one model are joined, as layer2+layer3
    #[arg(long, default_value = "layer2+layer3", value_delimiter = ',', value_parser = parse_layers)]
    pub(crate) layer: Vec<Layers>,
    /// Sides of the average pools, as 2,4; for joined layers one for all or, joined, one for each
    #[arg(long, default_value = "4", value_delimiter = ',', value_parser = parse_pools)]
    pub(crate) pool: Vec<Pools>,
    /// Shares of the variance to keep, or whole numbers of components, as 0.9,0.97
    #[arg(long, default_value = "0.97", value_delimiter = ',', value_parser = parse_keep)]
    pub(crate) pca: Vec<Keep>,
    /// Scores: fre, nll, mahalanobis
    #[arg(long, default_value = "fre", value_delimiter = ',', value_parser = parse_score)]
    pub(crate) score: Vec<ScoreKind>,
    /// How fre is made of the cells of its map: sum, relative, max, top:1%; other scores know
    /// sum alone
    #[arg(long, default_value = "relative", value_delimiter = ',', value_name = "HOW")]
    pub(crate) aggregate: Vec<Aggregation>,
    /// Size that pictures are resized to, as 256 or HEIGHTxWIDTH; the weights' own unless given
    #[arg(long, value_parser = parse_size)]
    pub(crate) size: Option<Size>,
    /// How pictures of another aspect come to that size: stretch, mirror, letterbox or crop
    #[arg(long, default_value = "mirror", value_name = "HOW")]
    pub(crate) resize: Resize,
    /// The part of every picture that counts, for every setting: X,Y,W,H in pixels, or a mask
    /// picture of the pictures' size, white inside
    #[arg(long, value_name = "X,Y,W,H|MASK.png")]
    pub(crate) roi: Option<String>,
    /// Cut pictures into tiles of so many pixels a side, for every setting, as `dfm fit` does
    #[arg(long, value_name = "PIXELS")]
    pub(crate) tile: Option<u32>,
    /// The most pixels from one tile to the next; three quarters of a tile unless given
    #[arg(long, value_name = "PIXELS", requires = "tile")]
    pub(crate) stride: Option<u32>,
    /// Seed of random weights
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
    /// Pictures that run through the network together
    #[arg(long, default_value_t = 16, value_parser = count(1..=MAX_BATCH))]
    pub(crate) batch: usize,
    /// Memory for the features of one network, all pictures and layers, which are held at once,
    /// and again for one fit; a quarter of the machine's unless given
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    pub(crate) max_memory: Option<Memory>,
    /// What the best is the best in
    #[arg(long, value_enum, default_value_t = RankBy::ImageAuroc)]
    pub(crate) rank_by: RankBy,
    /// How to write the results
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,
}

/// A figure that settings are ranked by.
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
