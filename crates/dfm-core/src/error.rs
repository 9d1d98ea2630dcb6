//! Why fitting, predicting or loading failed.

use dfm_backbone::{BackboneError, PreprocessError, WeightsError};
use dfm_stats::StatsError;

use crate::device::DeviceError;
use crate::method::kinds::CalibrationKind;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum DfmError {
    /// A parameter is out of its range.
    #[error("parameter {name}: expected {expected}, got {got}")]
    Parameter {
        /// Its name.
        name: &'static str,
        /// The range.
        expected: &'static str,
        /// The value.
        got: String,
    },
    /// Too few pictures to learn from.
    #[error(
        "fitting needs at least {expected} different good pictures, got {got}: add pictures of good parts"
    )]
    TooFewPictures {
        /// How many are needed.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// Too few pictures for the threshold of a likelihood.
    #[error(
        "a threshold for the likelihood of {components} components needs at least {needed} different pictures, got \
         {got}: without one of them, the rest vary in {rank} directions; add pictures, keep fewer components, \
         or give the threshold"
    )]
    TooFewToCalibrate {
        /// Components of the model.
        components: usize,
        /// Directions in which the pictures vary without one of them.
        rank: usize,
        /// Different pictures there are.
        got: usize,
        /// Different pictures it takes.
        needed: usize,
    },
    /// A smaller rate of false alarms than the pictures can support.
    #[error(
        "a false-alarm rate of {false_alarm} takes {calibrating} good pictures to calibrate with or more, got {got}: \
         with {kind} calibration that is {needed} different pictures; add some, or allow a rate of {:.4}",
        (1e4 / (*got as f64 + 1.0)).ceil() / 1e4
    )]
    TooFewForFalseAlarm {
        /// The rate asked for.
        false_alarm: f64,
        /// How pictures are held out.
        kind: CalibrationKind,
        /// Different pictures it takes in all.
        needed: usize,
        /// Of them, such that calibrate.
        calibrating: usize,
        /// Pictures that calibrate.
        got: usize,
    },
    /// No p-value without held-out scores.
    #[error(
        "a false-alarm rate takes held-out scores of good pictures, and the model has none: fit without --threshold \
         and --val none, or give a threshold"
    )]
    NotCalibrated,
    /// More pictures than a jackknife+ asks of each new one.
    #[error(
        "jackknife+ asks each of the pictures of the fit of every new one, which is meant for {limit} different \
         pictures at most, got {got}: with so many, split calibration gives a stronger guarantee at no cost"
    )]
    TooManyForJackknife {
        /// The most.
        limit: usize,
        /// Different pictures there are.
        got: usize,
    },
    /// A map that its type cannot hold.
    #[error(
        "picture {picture} of the batch: its score is {score:e}, beyond what a map can hold; ask for no map"
    )]
    MapRange {
        /// Position within the pictures given.
        picture: usize,
        /// The raw score.
        score: f64,
    },
    /// A region that a fitted model cannot be given.
    #[error(
        "the model was fitted to the cells of region {expected}, and region {got} has others: give a rectangle to a \
         model without a mask, or fit one with this mask"
    )]
    OtherCells {
        /// The model's region.
        expected: String,
        /// The region given.
        got: String,
    },
    /// The pictures do not differ in what the network sees.
    #[error(
        "all {pictures} pictures have the same features: a model of normal needs pictures that vary; check that the \
         folder holds different photographs"
    )]
    NoVariation {
        /// How many pictures were given.
        pictures: usize,
    },
    /// The network gave a feature that is not a number.
    #[error(
        "picture {picture} of the batch has features that are not finite: the weights or the picture are unusable"
    )]
    NonFiniteFeatures {
        /// Position within the pictures given.
        picture: usize,
    },
    /// A model without what it would take.
    #[error(
        "{operation} needs the statistic of the model's pictures, which it was saved without: fit without --no-update"
    )]
    NoFitStatistic {
        /// What was to be done.
        operation: &'static str,
    },
    /// No picture of today.
    #[error("looking for drift needs at least one picture or score of today, got none")]
    NothingToCompare,
    /// A score that is a share of nothing.
    #[error(
        "picture {picture} of the batch has features that are all zero, and the relative score is a share of their \
         squared norm: leave the picture out, or fit with another aggregation"
    )]
    NoFeatures {
        /// Position within the pictures given.
        picture: usize,
    },
    /// Models that cannot become one.
    #[error(
        "the models differ in their {what}: expected {expected}, got {got}; only models that look at pictures in the \
         same way can be merged"
    )]
    DifferentModels {
        /// What differs.
        what: &'static str,
        /// Of the first model.
        expected: String,
        /// Of the other.
        got: String,
    },
    /// A threshold that takes what compression dropped.
    #[error(
        "the threshold of max and top:P% takes every direction of the features, but memory made the fit drop some: \
         allow more memory, take sum or relative, or give the threshold"
    )]
    CompressedCells,
    /// A picture that a model was not fitted on.
    #[error("the model was not fitted on it: none of its {pictures} pictures has the content {content_hash}")]
    UnknownPicture {
        /// Position within the hashes given.
        place: usize,
        /// In hexadecimal.
        content_hash: String,
        /// Of the model.
        pictures: usize,
    },
    /// Features of another shape in place of a picture.
    #[error(
        "picture {picture} of the batch comes as {got} features computed before, expected {expected}: they are of \
         another extractor"
    )]
    ComputedFeatures {
        /// Position within the batch.
        picture: usize,
        /// Columns of the extractor.
        expected: usize,
        /// Values given.
        got: usize,
    },
    /// A picture in one piece for a model of tiles, or the other way round.
    #[error(
        "the model looks at {}: prepare pictures for it in the same way",
        if *expected { "the tiles of pictures, got one in one piece" } else { "whole pictures, got a tile" }
    )]
    Tiles {
        /// Whether the model looks at tiles.
        expected: bool,
    },
    /// A picture without one of its tiles.
    #[error(
        "tile {expected} of the picture is missing: expected all of them one after the other, got tile {got}"
    )]
    MissingTile {
        /// The tile that should have come.
        expected: usize,
        /// The tile that came.
        got: usize,
    },
    /// Features of a picture whose size is not known.
    #[error(
        "the size of the picture is not known: a verdict takes it, also where its features were computed before"
    )]
    UnknownSize,
    /// A picture for a fit that was prepared for judging.
    #[error("the picture was prepared without its content hash, which a fit tells pictures apart by")]
    NoContentHash,
    /// A device could not be read back.
    #[error("{operation}: the device failed: {reason}")]
    Device {
        /// What was being done.
        operation: &'static str,
        /// What the backend said.
        reason: String,
    },
    /// A device name could not be used.
    #[error(transparent)]
    DeviceName(#[from] DeviceError),
    /// From the backbone.
    #[error(transparent)]
    Backbone(#[from] BackboneError),
    /// From the weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// From the preprocessing.
    #[error(transparent)]
    Preprocess(#[from] PreprocessError),
    /// From the statistics.
    #[error(transparent)]
    Stats(#[from] StatsError),
    /// From a model file.
    #[error(transparent)]
    Model(#[from] ModelFileError),
}

/// Why the checkpoint of a fit was refused.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Reading failed.
    #[error("reading the checkpoint: {0}")]
    Io(#[from] std::io::Error),
    /// Something else.
    #[error("not a checkpoint: expected what an interrupted `dfm fit` leaves; move the file elsewhere")]
    NotOne,
    /// Written by another version of the format.
    #[error(
        "checkpoint version {got}: this program reads version {expected}; go on with the program that wrote it, or \
         delete it to start over"
    )]
    Version {
        /// What this program reads.
        expected: u32,
        /// What the file says.
        got: u32,
    },
    /// Shorter than its header.
    #[error(
        "the checkpoint is cut short: expected {expected} bytes before the first picture, found {got}; delete it to \
         start over"
    )]
    Truncated {
        /// Bytes that should be there.
        expected: usize,
        /// Bytes there are.
        got: usize,
    },
    /// The header does not have its hash, or says nothing that can be understood.
    #[error("the checkpoint's header is damaged: delete it to start over")]
    DamagedHeader,
    /// A record does not have its hash, and one behind it does.
    #[error("the checkpoint is damaged in its record {record}: copy it again, or delete it to start over")]
    Damaged {
        /// Counted from 0.
        record: usize,
    },
    /// Of features that would differ.
    #[error(
        "the checkpoint is of another fit: expected {what} {expected}, found {got}; go on as that fit began, or \
         delete the checkpoint to start over"
    )]
    OtherFeatures {
        /// What decides features and differs.
        what: String,
        /// Of this fit.
        expected: String,
        /// Of the checkpoint.
        got: String,
    },
}

/// Why a model file was refused or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    /// Reading or writing failed.
    #[error("{operation} the model: {source}")]
    Io {
        /// "reading" or "writing".
        operation: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// Shorter than it says.
    #[error(
        "model file is cut short: expected {expected} bytes of {part}, found {got}; copy or fit it again"
    )]
    Truncated {
        /// Which part.
        part: &'static str,
        /// Bytes it should hold.
        expected: u64,
        /// Bytes there are.
        got: u64,
    },
    /// A declared size is beyond the limit.
    #[error(
        "model file declares {got} bytes of {part}, the limit is {limit}: this is not a model that dfm wrote"
    )]
    TooLarge {
        /// Which part.
        part: &'static str,
        /// The limit in bytes.
        limit: u64,
        /// What the file declares.
        got: u64,
    },
    /// Not a safetensors file, or one with bad offsets.
    #[error("not a dfm model: {reason}; expected a file that `dfm fit` wrote")]
    Container {
        /// What the parser found.
        reason: String,
    },
    /// A safetensors file without our header, or with one that cannot be read.
    #[error("not a dfm model: its header cannot be read: {reason}; expected a file that `dfm fit` wrote")]
    Header {
        /// What is wrong.
        reason: String,
    },
    /// Written by another version of the format.
    #[error(
        "model format version {got}: this program reads version {expected}; fit again or use a matching program"
    )]
    Version {
        /// What this program reads.
        expected: u32,
        /// What the file says.
        got: u32,
    },
    /// The content does not have the recorded hash.
    #[error("model file is damaged: expected SHA-256 {expected}, found {got}; copy or fit it again")]
    Digest {
        /// From the header.
        expected: String,
        /// Computed.
        got: String,
    },
    /// A tensor is missing or misshaped.
    #[error("model file: tensor '{tensor}': expected {expected}, found {got}")]
    Tensor {
        /// Its name.
        tensor: String,
        /// Type and shape it should have.
        expected: String,
        /// What there is.
        got: String,
    },
    /// The header contradicts itself or the tensors.
    #[error("model file: {what}: expected {expected}, found {got}")]
    Inconsistent {
        /// Which entry.
        what: &'static str,
        /// What the rest of the file implies.
        expected: String,
        /// What it says.
        got: String,
    },
    /// The content is not what a fit gives.
    #[error("model file: {part}: {reason}")]
    Content {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor or an entry that no model has.
    #[error("model file: {what} '{name}' is not part of the format: expected what `dfm fit` writes")]
    Unknown {
        /// What it is.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A slim model needs its weights from outside.
    #[error(
        "this model was saved without its backbone: give the {name} weights with SHA-256 {sha256} (--weights)"
    )]
    WeightsNeeded {
        /// Architecture.
        name: String,
        /// Hash of the weights it was fitted with.
        sha256: String,
    },
    /// Weights were given, but not those of the fit.
    #[error("this model was fitted with weights of SHA-256 {expected}, those given have {got}")]
    OtherWeights {
        /// Of the fit.
        expected: String,
        /// Given.
        got: String,
    },
    /// The stored probe does not come out as it did when the model was fitted.
    #[error(
        "the model's self-test failed on this device: {quantity} differs by {got:.3e} (relative), the limit is \
         {limit:.0e}; try --device flex, and report the device"
    )]
    SelfTest {
        /// "features" or "score".
        quantity: &'static str,
        /// The limit.
        limit: f64,
        /// What was found.
        got: f64,
    },
}
