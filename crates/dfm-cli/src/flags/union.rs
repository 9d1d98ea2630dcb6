//! Flags of what makes models of models.

use std::path::PathBuf;

use clap::Args;

use crate::flags::{ComputeFlags, ModelFlags};
use crate::flags::layout::LayoutFlag;

/// Flags of `dfm merge`.
#[derive(Debug, Args)]
pub(crate) struct MergeFlags {
    /// Models of the same network and settings, two or more
    #[arg(required = true, num_args = 2.., value_name = "MODEL")]
    pub(crate) models: Vec<PathBuf>,
    /// Where to write the model of all their pictures
    #[arg(short, long, value_name = "MODEL")]
    pub(crate) output: PathBuf,
    /// Weights of models that were fitted with --slim: a pulled name or a file
    #[arg(long)]
    pub(crate) weights: Option<String>,
    /// Leave the backbone's weights out of the model, keeping their hash
    #[arg(long)]
    pub(crate) slim: bool,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
}

/// Which model is changed, and where the result goes.
#[derive(Debug, Args)]
pub(crate) struct RevisionFlags {
    #[command(flatten)]
    pub(crate) model: ModelFlags,
    /// Where to write the result; in the model's place unless given
    #[arg(short, long, value_name = "MODEL")]
    pub(crate) output: Option<PathBuf>,
}

/// Flags of `dfm update`.
#[derive(Debug, Args)]
pub(crate) struct UpdateFlags {
    #[command(flatten)]
    pub(crate) revision: RevisionFlags,
    /// Folder of more good pictures, or a data set; known ones count once
    pub(crate) folder: PathBuf,
    /// How the data set lies on disk; recognised unless given
    #[arg(long, value_enum)]
    pub(crate) layout: Option<LayoutFlag>,
    /// Do not count unreadable pictures as an error
    #[arg(long)]
    pub(crate) skip_bad: bool,
}

/// Flags of `dfm forget`.
#[derive(Debug, Args)]
pub(crate) struct ForgetFlags {
    #[command(flatten)]
    pub(crate) revision: RevisionFlags,
    /// Pictures that should not have been there: files, or names or content hashes as `dfm audit`
    /// lists them
    #[arg(required = true, value_name = "PICTURE")]
    pub(crate) pictures: Vec<String>,
}

impl UpdateFlags {
    /// The layout that was named.
    pub(crate) fn layout(&self) -> Option<dfm::Layout> {
        self.layout.map(|LayoutFlag(layout)| layout)
    }
}
