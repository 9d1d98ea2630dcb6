//! Flags of the commands that fit models: `dfm fit` and `dfm demo`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dfm::parts::PartPattern;
use dfm::{
    Aggregation, CalibrationKind, Compat, Keep, Levels, MAX_BATCH, MapKind, NetworkPrecision, Robust, Rows,
    ScoreKind, TileStatisticsKind,
};

use crate::flags::layout::LayoutFlag;
use crate::flags::{BackboneFlags, ComputeFlags, RegionFlags};
use crate::values::{
    Memory, count, parse_compat, parse_false_alarm, parse_finite, parse_keep, parse_map, parse_memory,
    parse_precision, parse_rows, parse_score, tile_statistics,
};

/// Flags of `dfm fit`.
#[derive(Debug, Args)]
pub(crate) struct FitFlags {
    /// Folder of good pictures, or a data set; its good training pictures are learnt
    #[arg(required_unless_present = "list", conflicts_with = "list")]
    pub(crate) folder: Option<PathBuf>,
    /// File with the path of a good picture in each line, or before each NUL byte, instead of a
    /// folder; - reads the list from standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["layout", "all_folders"])]
    pub(crate) list: Option<PathBuf>,
    /// Layout of the data set (default: recognised)
    #[arg(long, value_enum)]
    pub(crate) layout: Option<LayoutFlag>,
    /// Learn from every folder, also those whose names say that they hold defects, and those beside a
    /// folder of good pictures
    #[arg(long, conflicts_with = "layout")]
    pub(crate) all_folders: bool,
    /// File to write the model to
    #[arg(short, long, value_name = "MODEL")]
    pub(crate) output: PathBuf,
    /// Join several pictures of one part to one verdict: a regular expression with the groups part and
    /// view, matched against the end of each path without its extension. The output is then a folder
    /// with a model for each view
    #[arg(long, value_name = "PATTERN")]
    pub(crate) part: Option<PartPattern>,
    #[command(flatten)]
    pub(crate) backbone: BackboneFlags,
    /// Set --layer, --pool, --rows, --pca and --aggregate as a published method does. What is stated beside
    /// it counts
    #[arg(long, value_name = "METHOD", value_enum, conflicts_with = "compat")]
    pub(crate) recipe: Option<Recipe>,
    /// What a row of the statistics is: picture (all cells side by side, for parts that lie alike) or
    /// cells (every cell a row of one statistic, wherever it lies; needs fre, takes no mask). Default:
    /// picture
    #[arg(long, value_name = "WHAT", value_parser = parse_rows)]
    pub(crate) rows: Option<Rows>,
    /// Share of the variance to keep, up to 1.0, or a whole number of components to keep (default: 0.97)
    #[arg(long, value_parser = parse_keep)]
    pub(crate) pca: Option<Keep>,
    /// Score: fre (with maps), nll (without maps) or mahalanobis (maps of the part outside the components)
    #[arg(long, default_value = "fre", value_parser = parse_score)]
    pub(crate) score: ScoreKind,
    /// How fre is computed from the cells of its map: sum, relative, max, top:1% or power:4 (default:
    /// power:4; with --rows cells: top:1%; with --calibrate jackknife+: relative; with --compat: sum)
    #[arg(long, value_name = "HOW")]
    pub(crate) aggregate: Option<Aggregation>,
    /// What maps are made of: coarse (the cells that make the score) or fine (also what pooling hides;
    /// shows where up to --pool times as finely). Scores are the same. Default: fine for fre, but
    /// coarse with --compat, --rows cells, --tile-statistics position and --pool 1, and if memory makes a fit set
    /// pictures aside
    #[arg(long, value_name = "KIND", value_parser = parse_map)]
    pub(crate) map: Option<MapKind>,
    /// Which values of pictures with 16 bits a channel are black and white: auto (a range around the
    /// values that the good pictures use), full (0 to 65535), or LOW..HIGH, which floating-point
    /// pictures need. Values outside are clamped and counted. Pictures with 8 bits use 0 to 255
    #[arg(long, value_name = "LEVELS", default_value_t = Levels::Auto, allow_hyphen_values = true)]
    pub(crate) levels: Levels,
    /// Region of interest, the part of every picture that counts: X,Y,W,H in pixels, or a mask
    /// picture of the pictures' size, zero outside. The model records it, with the pictures' size
    #[arg(long, value_name = "X,Y,W,H|MASK.png")]
    pub(crate) roi: Option<String>,
    /// Mask of pixels that are never judged, of the pictures' size, alone or beside --roi. Zero is
    /// outside the mask. The model records what is left as its region of interest. Not with --tile
    #[arg(long, value_name = "MASK.png")]
    pub(crate) ignore: Option<PathBuf>,
    /// Cut pictures into tiles with sides of this many pixels, for small defects in large
    /// pictures. Each tile is judged as a picture. The largest score of a tile is the picture's score
    #[arg(long, value_name = "PIXELS")]
    pub(crate) tile: Option<u32>,
    /// Largest distance from one tile to the next (default: three quarters of a tile)
    #[arg(long, value_name = "PIXELS", requires = "tile")]
    pub(crate) stride: Option<u32>,
    /// What a tile is compared with: all tiles of all pictures (shared, the default), or the tiles
    /// of its own place (position), for parts that always lie alike in pictures of one size
    #[arg(long, value_name = "HOW", requires = "tile")]
    #[arg(value_parser = tile_statistics())]
    pub(crate) tile_statistics: Option<TileStatisticsKind>,
    /// Reproduce the numbers of another program: anomalib (2.7.0, its fre)
    #[arg(long, value_parser = parse_compat, value_name = "PROGRAM")]
    pub(crate) compat: Option<Compat>,
    /// Numbers that the network computes in: f32, or int8 (on the cpu only; faster with VNNI)
    #[arg(long, default_value = "f32", value_parser = parse_precision)]
    pub(crate) precision: NetworkPrecision,
    /// What the model is validated on, and where its threshold comes from
    #[arg(long, value_enum, default_value_t = Validation::Train, value_name = "HOW")]
    pub(crate) val: Validation,
    /// Raw score from which a picture is anomalous (default: from held-out good pictures)
    #[arg(long, allow_hyphen_values = true, value_parser = parse_finite)]
    #[arg(conflicts_with_all = ["false_alarm", "calibrate"])]
    pub(crate) threshold: Option<f64>,
    /// Share of good pictures that may be called anomalous, for example 0.01 (default: the threshold
    /// comes from the tail of held-out scores, for about 1 %)
    #[arg(long, value_name = "SHARE", value_parser = parse_false_alarm)]
    pub(crate) false_alarm: Option<f64>,
    /// How good pictures are held out: leave-one-out (an estimate), split (the share is proved; a
    /// quarter of the pictures is not fitted on) or jackknife+ (twice the share is proved; slow to
    /// predict). Default: leave-one-out; split with --tile and shared statistics
    #[arg(long, value_name = "HOW")]
    pub(crate) calibrate: Option<CalibrationKind>,
    /// Whether pictures that the others call foreign are left out and named: auto (from 100 pictures
    /// on), on (from 8 on) or off. Not with other scores than fre, --calibrate split or jackknife+,
    /// --part, or tiles that share statistics: the fit then says that it looked at no picture
    #[arg(long, value_name = "HOW", default_value_t = Robust::Auto)]
    pub(crate) robust: Robust,
    #[command(flatten)]
    pub(crate) regions: RegionFlags,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
    /// Number of pictures that run through the network together
    #[arg(long, default_value_t = 16, value_parser = count(1..=MAX_BATCH))]
    pub(crate) batch: usize,
    /// Leave the network's weights out of the model and keep their hash only
    #[arg(long)]
    pub(crate) slim: bool,
    /// Leave out what is needed to merge and update the model
    #[arg(long)]
    pub(crate) no_update: bool,
    /// Keep components in half precision: a model of little more than half the size. Only with --no-update
    #[arg(long, requires = "no_update")]
    pub(crate) half: bool,
    /// Memory for features and statistics, for example 512MiB or 4GiB (default: a quarter of the
    /// machine's). Beyond it, or beyond two minutes of work, directions of the smallest variance are
    /// dropped, and up to a quarter of the pictures is not learnt but finds the threshold
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    pub(crate) max_memory: Option<Memory>,
    /// Drop no direction, however long it takes; too little memory is an error
    #[arg(long)]
    pub(crate) exact: bool,
    /// Resume an interrupted fit with this output; MODEL.partial holds what it learnt
    #[arg(long)]
    pub(crate) resume: bool,
    /// Do not count unreadable pictures as an error
    #[arg(long)]
    pub(crate) skip_bad: bool,
}

/// A published method, as flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Recipe {
    /// SubspaceAD: the average of a transformer's middle blocks, --pool 1 --rows cells --pca 0.99
    /// --aggregate top:1%
    SubspaceAd,
}

/// How a model is validated without pictures of defects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Validation {
    /// No validation: all pictures are fitted on, and there is no threshold unless one is given
    None,
    /// Good pictures, held out in the way that --calibrate names
    Train,
    /// A quarter of the good pictures, not fitted on, and copies of them with defects made from
    /// --seed. The model keeps their figures. Unless --threshold or --false-alarm is given, the
    /// threshold is the one with the best F1
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
