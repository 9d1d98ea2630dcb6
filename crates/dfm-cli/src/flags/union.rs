//! Flags of the commands that make a model from models: `merge`, `update` and `forget`.

use std::path::PathBuf;

use clap::Args;

use crate::flags::layout::LayoutFlag;
use crate::flags::{ComputeFlags, ModelFlags};

/// Flags of `dfm merge`.
#[derive(Debug, Args)]
pub(crate) struct MergeFlags {
    /// Two or more models of the same network and settings
    #[arg(required = true, num_args = 2.., value_name = "MODEL")]
    pub(crate) models: Vec<PathBuf>,
    /// File to write the model of all their pictures to
    #[arg(short, long, value_name = "MODEL")]
    pub(crate) output: PathBuf,
    /// Weights for models that were fitted with --slim: the name of pulled weights, or a file
    #[arg(long)]
    pub(crate) weights: Option<String>,
    /// Leave the network's weights out of the model and keep their hash only
    #[arg(long)]
    pub(crate) slim: bool,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
}

/// Which model is changed, and where the result is written.
#[derive(Debug, Args)]
pub(crate) struct RevisionFlags {
    #[command(flatten)]
    pub(crate) model: ModelFlags,
    /// File to write the result to (default: replace the model)
    #[arg(short, long, value_name = "MODEL")]
    pub(crate) output: Option<PathBuf>,
}

/// Flags of `dfm update`.
#[derive(Debug, Args)]
pub(crate) struct UpdateFlags {
    #[command(flatten)]
    pub(crate) revision: RevisionFlags,
    /// Folder of more good pictures, or a data set; pictures that the model knows count once
    pub(crate) folder: PathBuf,
    /// Layout of the data set (default: recognised)
    #[arg(long, value_enum)]
    pub(crate) layout: Option<LayoutFlag>,
    /// Learn from every folder, also those whose names say that they hold defects, and those beside a
    /// folder of good pictures
    #[arg(long, conflicts_with = "layout")]
    pub(crate) all_folders: bool,
    /// Learn also pictures that the fit had left out as foreign to the others. Without it they stay left out
    #[arg(long)]
    pub(crate) include_left_out: bool,
    /// Do not count unreadable pictures as an error
    #[arg(long)]
    pub(crate) skip_bad: bool,
}

/// Flags of `dfm forget`.
#[derive(Debug, Args)]
pub(crate) struct ForgetFlags {
    #[command(flatten)]
    pub(crate) revision: RevisionFlags,
    /// Pictures to take out: files, or names or content hashes that `dfm audit` lists
    #[arg(required = true, value_name = "PICTURE")]
    pub(crate) pictures: Vec<String>,
}

impl UpdateFlags {
    /// The layout that was named.
    pub(crate) fn layout(&self) -> Option<dfm::Layout> {
        self.layout.map(|LayoutFlag(layout)| layout)
    }
}
