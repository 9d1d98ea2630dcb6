//! Why a checkpoint cannot be used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a checkpoint cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckpointFileError {
    /// A checkpoint is there, and the fit should not go on from it.
    #[error("{}: a fit to this output has not ended: go on with it, or delete the file to start over", path.display())]
    Taken {
        /// The checkpoint.
        path: PathBuf,
    },
    /// Something else lies at the path of the checkpoint.
    #[error("expected a checkpoint or nothing there, found something that is no file; move it elsewhere")]
    NotAFile,
    /// It is of other pictures.
    #[error(
        "expected the checkpoint of a fit on these pictures, found the features of {found} others and of none of these \
         {pictures}; it stays as it is: choose another output, or go on with the fit that it belongs to"
    )]
    OtherPictures {
        /// Pictures, or tiles of them, that it holds.
        found: usize,
        /// Pictures of this fit.
        pictures: usize,
    },
    /// Another fit has it.
    #[error("another fit is writing it: wait for that, or choose another output")]
    InUse,
    /// It cannot be read.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// It is damaged or of another fit.
    #[error(transparent)]
    Content(#[from] dfm_core::CheckpointError),
}
