//! Flags of what makes models.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dfm::{
    Aggregation, CalibrationKind, Compat, Keep, MAX_BATCH, NetworkPrecision, ScoreKind, TileStatisticsKind,
};

use crate::flags::{BackboneFlags, ComputeFlags};
use crate::flags::layout::LayoutFlag;
use crate::values::{
    Memory, count, parse_compat, parse_false_alarm, parse_finite, parse_keep, parse_memory, parse_precision,
    parse_score, tile_statistics,
};

/// Flags of `dfm fit`.
#[derive(Debug, Args)]
pub(crate) struct FitFlags {
    /// Folder of good pictures, or a data set, of which good training pictures are learnt
    pub(crate) folder: PathBuf,
    /// How the data set lies on disk; recognised unless given
    #[arg(long, value_enum)]
    pub(crate) layout: Option<LayoutFlag>,
    /// Where to write the model
    #[arg(short, long, value_name = "MODEL")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) backbone: BackboneFlags,
    /// Share of the variance to keep, up to 1.0, or a whole number of components
    #[arg(long, default_value = "0.97", value_parser = parse_keep)]
    pub(crate) pca: Keep,
    /// fre (with maps), nll or mahalanobis (maps of what lies outside the components)
    #[arg(long, default_value = "fre", value_parser = parse_score)]
    pub(crate) score: ScoreKind,
    /// How fre is made of the cells of its map: sum, relative, max or top:1%; relative unless
    /// given, and for --compat sum
    #[arg(long, value_name = "HOW")]
    pub(crate) aggregate: Option<Aggregation>,
    /// The part of every picture that counts: X,Y,W,H in pixels, or a mask picture of the
    /// pictures' size, white inside; the model keeps it
    #[arg(long, value_name = "X,Y,W,H|MASK.png")]
    pub(crate) roi: Option<String>,
    /// Cut pictures into tiles of so many pixels a side, each seen as a picture: for small
    /// defects in large pictures. The largest score of a tile is the picture's
    #[arg(long, value_name = "PIXELS")]
    pub(crate) tile: Option<u32>,
    /// The most pixels from one tile to the next; three quarters of a tile unless given
    #[arg(long, value_name = "PIXELS", requires = "tile")]
    pub(crate) stride: Option<u32>,
    /// What a tile is compared with: shared, all tiles of all pictures, or position, the tiles of
    /// its own place, for parts that always lie alike in pictures of one size; shared unless given
    #[arg(long, value_name = "HOW", requires = "tile")]
    #[arg(value_parser = tile_statistics())]
    pub(crate) tile_statistics: Option<TileStatisticsKind>,
    /// Reproduce another program's numbers: anomalib (2.7.0, its fre)
    #[arg(long, value_parser = parse_compat, value_name = "PROGRAM")]
    pub(crate) compat: Option<Compat>,
    /// Numbers that the network computes in: f32, or on the cpu int8, faster with VNNI
    #[arg(long, default_value = "f32", value_parser = parse_precision)]
    pub(crate) precision: NetworkPrecision,
    /// What the model is validated on, and its threshold comes from
    #[arg(long, value_enum, default_value_t = Validation::Train, value_name = "HOW")]
    pub(crate) val: Validation,
    /// Raw score from which a picture is anomalous; from held-out good pictures unless given
    #[arg(long, allow_hyphen_values = true, value_parser = parse_finite)]
    #[arg(conflicts_with_all = ["false_alarm", "calibrate"])]
    pub(crate) threshold: Option<f64>,
    /// Share of good pictures that may be called anomalous, as 0.01; unless given the threshold
    /// is the 99 % quantile of held-out scores
    #[arg(long, value_name = "SHARE", value_parser = parse_false_alarm)]
    pub(crate) false_alarm: Option<f64>,
    /// How good pictures are held out: leave-one-out (an estimate), split (a quarter is not
    /// fitted on: the share is proved) or jackknife+ (twice the share is; slow to predict);
    /// leave-one-out unless given, split with --tile and shared statistics
    #[arg(long, value_name = "HOW")]
    pub(crate) calibrate: Option<CalibrationKind>,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
    /// Pictures that run through the network together
    #[arg(long, default_value_t = 16, value_parser = count(1..=MAX_BATCH))]
    pub(crate) batch: usize,
    /// Leave the backbone's weights out of the model, keeping their hash
    #[arg(long)]
    pub(crate) slim: bool,
    /// Leave out what merging and updating the model would need
    #[arg(long)]
    pub(crate) no_update: bool,
    /// Memory for features and statistics, as 512MiB or 4GiB; a quarter of the machine's unless
    /// given. Beyond it, or two minutes of work, the least directions are dropped
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    pub(crate) max_memory: Option<Memory>,
    /// Drop nothing, however long it takes; an error where memory does not suffice
    #[arg(long)]
    pub(crate) exact: bool,
    /// Go on with a fit to this output that was interrupted: MODEL.partial holds what it learnt
    #[arg(long)]
    pub(crate) resume: bool,
    /// Do not count unreadable pictures as an error
    #[arg(long)]
    pub(crate) skip_bad: bool,
}

/// What says how good a model is, before there is a defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Validation {
    /// Nothing: all pictures are fitted on, and there is no threshold unless one is given
    None,
    /// Good pictures, held out as --calibrate says
    Train,
    /// A quarter of the good pictures, not fitted on, and copies of them with defects made from
    /// --seed: their figures are kept, and unless --threshold or --false-alarm is given the
    /// threshold is that of the best F1
    Synthetic,
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

impl FitFlags {
    /// The layout that was named.
    pub(crate) fn layout(&self) -> Option<dfm::Layout> {
        self.layout.map(|LayoutFlag(layout)| layout)
    }
}
