//! Flags of `dfm synthesise`.

use std::path::PathBuf;

use clap::Args;

use crate::flags::layout::LayoutFlag;
use crate::values::count;

/// Flags of `dfm synthesise`.
#[derive(Debug, Args)]
pub(crate) struct SynthesiseFlags {
    /// Folder of good pictures, or a data set; its good training pictures are taken
    pub(crate) folder: PathBuf,
    /// Layout of the data set (default: recognised)
    #[arg(long, value_enum)]
    pub(crate) layout: Option<LayoutFlag>,
    /// Folder for the new data set, in the layout of MVTec AD; it must be empty or must not exist
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Seed of the defects
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Number of copies with a defect of each good picture that is not to be learnt
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count(1..=1000))]
    pub(crate) per_picture: usize,
    /// The part of every picture where defects may be: X,Y,W,H in pixels, or a mask picture of
    /// the pictures' size, zero outside
    #[arg(long, value_name = "X,Y,W,H|MASK.png")]
    pub(crate) roi: Option<String>,
    /// Mask of pixels that are never given a defect, of the pictures' size, alone or beside --roi. Zero is
    /// outside the mask
    #[arg(long, value_name = "MASK.png")]
    pub(crate) ignore: Option<PathBuf>,
    /// Number of threads that read pictures and make defects
    #[arg(long, value_name = "N", value_parser = count(1..=256))]
    pub(crate) jobs: Option<usize>,
}

impl SynthesiseFlags {
    /// The layout that was named.
    pub(crate) fn layout(&self) -> Option<dfm::Layout> {
        self.layout.map(|LayoutFlag(layout)| layout)
    }
}
