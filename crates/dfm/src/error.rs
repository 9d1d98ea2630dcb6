//! What can go wrong, as data. Messages tell each cause once; they name no flag and no command.

use std::io;
use std::path::{Path, PathBuf};

use dfm_core::{Depth, DfmError, Layer, Levels};
use dfm_data::DataError;
use dfm_weights::{HubError, WeightsStoreError};
use thiserror::Error;

use crate::checkpoint_error::CheckpointFileError;
use crate::units::bytes;

/// Why an operation failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// Something about a path: a model, a data set, a picture.
    #[error("{}: {cause}", path.display())]
    At {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        cause: Box<Error>,
    },
    /// The content of a file cannot be written.
    #[error("cannot write {}: {cause}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: Box<Error>,
    },
    /// A model, a fit or a judgement.
    #[error(transparent)]
    Model(#[from] DfmError),
    /// A file that is no model.
    #[error("expected a model that dfm wrote, found {found}")]
    NotAModel {
        /// What it is.
        found: &'static str,
    },
    /// Pictures and data sets on the disk.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file that is written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The weights of a network.
    #[error(transparent)]
    Weights(#[from] WeightsStoreError),
    /// What is named as the file of a network is not there.
    #[error("{}: no such file", path.display())]
    NoFile {
        /// The file.
        path: PathBuf,
    },
    /// Layers of a network that do not follow each other.
    #[error("the layers {0:?} lie side by side in the network: expected one of them behind all others")]
    LayersApart(Vec<Layer>),
    /// Weights that cannot be fetched from a hub.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// A checkpoint that cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointFileError),
    /// A page that cannot be made.
    #[error("the report cannot be made: {0}")]
    Report(#[from] dfm_report::ReportError),
    /// A picture that cannot be encoded.
    #[error("a picture cannot be encoded: {0}")]
    Encode(#[from] image::ImageError),
    /// Rows that cannot be written as safetensors.
    #[error("rows cannot be written: {0}")]
    Rows(#[from] safetensors::SafeTensorError),
    /// A value that cannot be written as JSON.
    #[error("a result cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The system refused to read or write a stream.
    #[error("{0}")]
    Stream(#[from] io::Error),
    /// The system refused a temporary file.
    #[error("cannot {operation} a temporary file for the report's pictures: {cause}")]
    Temporary {
        /// `create`, `read` or `write`.
        operation: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// Synthetic defects that cannot be made.
    #[error(transparent)]
    Synthetic(#[from] dfm_synthetic::SyntheticError),
    /// Reading or decoding a picture panicked: a bug, which costs that picture alone.
    #[error("the decoder panicked: {words}")]
    Panicked {
        /// What the panic said.
        words: String,
    },
    /// The system gives no threads.
    #[error("no threads to compute with: {reason}")]
    Threads {
        /// What the system said.
        reason: String,
    },
    /// A picture whose features cannot be used.
    #[error("its features are not finite: the weights or the picture are unusable")]
    NotFinite,
    /// A picture that is made of other numbers than the first one of the fit.
    #[error(
        "expected a picture with {expected}, as the others of the fit have, found {got}: give pictures of one kind, or \
         fit with the levels `full`, where 255 of 8 bits and 65535 of 16 bits are white"
    )]
    OtherDepth {
        /// What the other pictures are made of.
        expected: Depth,
        /// What this one is made of.
        got: Depth,
    },
    /// Pictures that the levels make black or white everywhere.
    #[error(
        "all values of the {pictures} pictures lie outside of the levels {levels}: the pictures hold values from {low} to \
         {high}, and each becomes black or white; state levels around these values"
    )]
    AllOutsideLevels {
        /// The levels.
        levels: Levels,
        /// The number of pictures.
        pictures: usize,
        /// The smallest value of the pictures.
        low: f64,
        /// The largest value of the pictures.
        high: f64,
    },
    /// A picture that was read twice and differed.
    #[error("the picture has changed since it was read first")]
    Changed,
    /// The picture that lends the texture of a synthetic defect cannot be used.
    #[error("its defect takes the texture of {}: {cause}", path.display())]
    Lender {
        /// The picture that lends.
        path: PathBuf,
        /// Why it cannot be used.
        cause: Box<Error>,
    },
    /// Too few good pictures to hold a quarter out.
    #[error("a quarter is held out: {0}")]
    HeldOut(DfmError),
    /// No picture could be used, so that nothing is written.
    #[error("{what}")]
    NoPicture {
        /// The sentence that says so.
        what: &'static str,
    },
    /// An output that would lie among the pictures that it is made from.
    #[error(
        "{}: lies among the good pictures of {}, where defects would be learnt as good; choose another place",
        path.display(),
        pictures.display()
    )]
    AmongPictures {
        /// The output.
        path: PathBuf,
        /// The folder of the pictures.
        pictures: PathBuf,
    },
    /// Features that would take more memory than allowed.
    #[error("{}", feature_memory(*rows, *pictures, *taps, *got, *limit))]
    FeatureMemory {
        /// Rows of features.
        rows: usize,
        /// For rows of tiles: how many pictures the rows belong to, and how many pictures there are.
        pictures: Option<[usize; 2]>,
        /// Taps of the network.
        taps: usize,
        /// Bytes that they take.
        got: u64,
        /// Bytes that are allowed.
        limit: u64,
    },
    /// Settings of a sweep that contradict each other.
    #[error("{name}: expected {expected}, got {got}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// A picture of a model by a name that several have.
    #[error("several pictures of the model have this name: the content hash tells them apart")]
    SeveralNamed,
    /// A folder without an evaluation.
    #[error("{}: expected a folder with predictions.jsonl, as an evaluation leaves it, found none", path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// Parts that cannot be learnt or judged.
    #[error(transparent)]
    Parts(#[from] crate::parts::PartsError),
    /// A folder that has no products.
    #[error("{}: expected a folder with a sub-folder for each product, found {found}", path.display())]
    Products {
        /// The folder.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// A product whose name says that its pictures are defects.
    #[error(
        "{}: its name says that it holds defects, which would be learnt as good: not fitted; rename it if it is a \
         product",
        path.display()
    )]
    SaysDefects {
        /// The folder.
        path: PathBuf,
    },
    /// A model that something else made or changed.
    #[error(
        "{}: expected a model as the fit of all products left it, found one that something else made or changed; \
         move it elsewhere to fit this product anew",
        path.display()
    )]
    NotMadeHere {
        /// The model.
        path: PathBuf,
    },
    /// Something else is in the place of the record of a product's model.
    #[error("{}: expected a record of what a model was made of, found {found}; move it elsewhere", path.display())]
    Made {
        /// The record.
        path: PathBuf,
        /// What is there.
        found: String,
    },
    /// A product without a model, or a model without a product.
    #[error("expected {expected} at {}, found none", path.display())]
    Unmatched {
        /// What should be there.
        expected: &'static str,
        /// Where.
        path: PathBuf,
    },
    /// Two runs that cannot be compared.
    #[error("{reason}")]
    Runs {
        /// What was expected and found.
        reason: String,
    },
}

fn feature_memory(rows: usize, pictures: Option<[usize; 2]>, taps: usize, got: u64, limit: u64) -> String {
    let (got, limit) = (bytes(got), bytes(limit));
    match pictures {
        None => format!(
            "features of {rows} pictures at {taps} taps take {got}, and {limit} are allowed: take fewer layers or \
             larger pools"
        ),
        Some([seen, all]) => format!(
            "features of {rows} tiles of {seen} of {all} pictures take {got} already, and {limit} are allowed: take \
             fewer layers, larger pools or larger tiles"
        ),
    }
}

impl Error {
    /// Says that the error is about `path`.
    #[must_use]
    pub fn at(self, path: &Path) -> Self {
        Self::At { path: path.to_owned(), cause: Box::new(self) }
    }

    /// The error itself, without the paths that it is about.
    pub fn root(&self) -> &Self {
        match self {
            Self::At { cause, .. } | Self::Write { cause, .. } => cause.root(),
            other => other,
        }
    }
}

impl From<dfm_core::device::DeviceError> for Error {
    fn from(error: dfm_core::device::DeviceError) -> Self {
        Self::Model(error.into())
    }
}

/// Adds the path that an error is about.
pub(crate) trait At<T> {
    /// Says that an error is about `path`.
    fn at(self, path: &Path) -> Result<T, Error>;
}

impl<T, E: Into<Error>> At<T> for Result<T, E> {
    fn at(self, path: &Path) -> Result<T, Error> {
        self.map_err(|error| error.into().at(path))
    }
}

/// Why a file cannot be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// The system refused.
    #[error("cannot write {}: {cause}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A folder cannot be made.
    #[error("cannot create the folder {}: {cause}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Something is there that must stay.
    #[error("{}: expected nothing there, found something", path.display())]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// A file of another kind is there, which must stay.
    #[error(
        "{}: expected {expected} or nothing there, found {found}, which stays as it is; choose another place, or move \
         that file away",
        path.display()
    )]
    OtherKind {
        /// The file.
        path: PathBuf,
        /// What would be written.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A file is there that cannot be read, so that nobody knows what it is.
    #[error(
        "{}: expected {expected} or nothing there, found a file that cannot be read ({cause}), which stays as it is; \
         choose another place, or move that file away",
        path.display()
    )]
    Unknown {
        /// The file.
        path: PathBuf,
        /// What would be written.
        expected: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// It cannot be made sure that nobody else writes the file meanwhile.
    #[error("cannot lock {} against other writers: {cause}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Something is where a new folder should be.
    #[error("{}: expected an empty folder or nothing there, found {found}; choose another place", path.display())]
    FolderTaken {
        /// The folder.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// The folder of the file is not there.
    #[error(
        "cannot write {}: expected a folder at {}, found none; create it or choose another place",
        path.display(),
        folder.display()
    )]
    NoFolder {
        /// The file.
        path: PathBuf,
        /// Where it should lie.
        folder: PathBuf,
    },
    /// Something is there that is no file.
    #[error("cannot write {}: expected a file or nothing there, found {found}", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// Links that lead to each other.
    #[error("cannot write {}: its links lead in a circle", path.display())]
    Circle {
        /// The path.
        path: PathBuf,
    },
}
