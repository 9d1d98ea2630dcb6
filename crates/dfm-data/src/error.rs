//! What can be wrong with files and folders of pictures.

use std::io;
use std::path::PathBuf;

use dfm_image::{PreprocessError, RegionError};
use thiserror::Error;

/// Why a file, a folder or a list cannot be used. The message tells the cause, once.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// The system refused an operation on a path.
    #[error("cannot {operation} {}: {cause}", path.display())]
    Io {
        /// What was tried, such as `list` or `read`.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file of a picture cannot be read.
    #[error("cannot {operation} the picture: {cause}")]
    ReadPicture {
        /// `open` or `read`.
        operation: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// The file is no usable picture.
    #[error(transparent)]
    Picture(#[from] PreprocessError),
    /// A folder without pictures.
    #[error("expected pictures ({extensions}), found none in this folder{but}")]
    NoPictures {
        /// The extensions that pictures have.
        extensions: String,
        /// What is there in place of pictures, each part behind a semicolon.
        but: String,
    },
    /// A path that names nothing.
    #[error("expected a picture, a folder or a pattern, found nothing of that name")]
    Nothing,
    /// A pattern that cannot be read.
    #[error("not a pattern: {reason}")]
    Pattern {
        /// What is wrong with it.
        reason: String,
    },
    /// A pattern without a match.
    #[error("the pattern matches no file")]
    NoMatch,
    /// A file that a pattern matches cannot be looked at.
    #[error("{cause}")]
    Match {
        /// What the system said.
        cause: io::Error,
    },
    /// Something with the name of a picture that is no file.
    #[error("expected a file, found a device, a pipe or a socket")]
    NotAFile,
    /// Folders inside folders, too many.
    #[error("not listed: more than {limit} folders deep")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// A folder below the one that was asked for cannot be listed.
    #[error("cannot list this folder: {cause}")]
    Unlisted {
        /// What the system said.
        cause: io::Error,
    },
    /// A path that is no data set, or not one of the layout that was named.
    #[error("{}: expected {expected}, found {found}", path.display())]
    Layout {
        /// The data set.
        path: PathBuf,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A folder with several data sets.
    #[error("{}: expected one data set, found {}: {}; name one, as {}", path.display(), names.len(), names.join(", "), first.display())]
    SeveralDatasets {
        /// The folder.
        path: PathBuf,
        /// Its data sets.
        names: Vec<String>,
        /// The path of the first.
        first: PathBuf,
    },
    /// A data set without pictures to judge.
    #[error("{}: expected pictures to judge and their classes ({layout}), found none", path.display())]
    NothingToJudge {
        /// The data set.
        path: PathBuf,
        /// What it was read as.
        layout: &'static str,
    },
    /// A data set without pictures to learn from.
    #[error("expected good pictures to learn from ({layout}), found none")]
    NothingToLearn {
        /// What it was read as.
        layout: &'static str,
    },
    /// A name that is no layout.
    #[error("expected one of {expected}, got {got}")]
    UnknownLayout {
        /// The names of all layouts.
        expected: String,
        /// What was given.
        got: String,
    },
    /// A line of a list that is not what it should be.
    #[error("{}, line {line}: {reason}", path.display())]
    Line {
        /// The list.
        path: PathBuf,
        /// Number of the line, from 1.
        line: u64,
        /// What was expected and what is wrong.
        reason: String,
    },
    /// A table that cannot be read.
    #[error("{}: {cause}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: csv::Error,
    },
    /// A list that is too long.
    #[error("{}: expected a list of at most {limit} bytes, found {got}", path.display())]
    ListTooLong {
        /// The list.
        path: PathBuf,
        /// The limit.
        limit: u64,
        /// What it has.
        got: u64,
    },
    /// A list names a file that is not there.
    #[error("the list names it, but there is no such file")]
    ListedMissing,
    /// A list gives a picture no label.
    #[error("the list gives it no label: left out")]
    Unlabelled,
    /// A list of parts that does not say which part a picture shows.
    #[error("the list gives other pictures a part and a view, and this one not both: left out")]
    NoPart,
    /// A list puts a picture into a part that does not exist.
    #[error("the list puts it into '{got}': expected train, val or test")]
    UnknownSplit {
        /// What it says.
        got: String,
    },
    /// The mask that decides a picture's label cannot be used.
    #[error("no label for {}: {cause}", picture.display())]
    NoLabel {
        /// The picture.
        picture: PathBuf,
        /// Why not.
        cause: Box<DataError>,
    },
    /// A mask of another size than its picture.
    #[error("expected a mask of {}×{} pixels as its picture, found {}×{}", expected[0], expected[1], got[0], got[1])]
    MaskSize {
        /// Width and height of the picture.
        expected: [u32; 2],
        /// Width and height of the mask.
        got: [u32; 2],
    },
    /// A mask that is no region.
    #[error(transparent)]
    Region(#[from] RegionError),
}

/// A file or a folder that cannot be used, and why.
#[derive(Debug, Error)]
#[error("{}: {error}", path.display())]
pub struct Problem {
    /// What it is about.
    pub path: PathBuf,
    /// What is wrong.
    pub error: DataError,
}

impl Problem {
    pub(crate) fn new(path: impl Into<PathBuf>, error: DataError) -> Self {
        Self { path: path.into(), error }
    }
}
