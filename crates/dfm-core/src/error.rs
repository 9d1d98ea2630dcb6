//! Why fitting, predicting or loading failed.

use dfm_backbone::{BackboneError, PictureSize, PreprocessError, WeightsError};
use dfm_stats::StatsError;

use crate::device::DeviceError;
use crate::file::error::ModelFileError;
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
        /// Pictures among them that calibrate.
        calibrating: usize,
        /// Pictures that calibrate.
        got: usize,
    },
    /// No p-value without held-out scores.
    #[error(
        "a false-alarm rate takes held-out scores of good pictures, and the model has none: hold pictures out \
         when fitting, or give a threshold"
    )]
    NotCalibrated,
    /// More pictures than a jackknife+ can take.
    #[error(
        "jackknife+ compares every new picture with each picture of the fit, which may be {limit} different pictures at \
         most, got {got}: with so many, split calibration gives a stronger guarantee at no cost"
    )]
    TooManyForJackknife {
        /// The most.
        limit: usize,
        /// Different pictures there are.
        got: usize,
    },
    /// Memory that does not suffice even to set pictures aside.
    #[error(
        "memory does not suffice for two pictures, one to learn and one to find the threshold with: allow more memory, or \
         give the threshold"
    )]
    NothingToSetAside,
    /// A threshold that leading directions alone cannot tell.
    #[error(
        "{operation} takes scores of good pictures that were not fitted on, and the model has none: memory did not \
         suffice for an exact fit, so the scores of its own pictures are far too small; fit it again, with more memory \
         or with pictures held out, or with a threshold that is given"
    )]
    NoneSetAside {
        /// What was to be done.
        operation: &'static str,
    },
    /// A calibration that takes an exact fit.
    #[error(
        "{kind} calibration needs an exact fit, and memory does not suffice for one: allow more memory, or hold pictures \
         out in another way"
    )]
    TakesExactFit {
        /// How pictures were to be held out.
        kind: CalibrationKind,
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
    /// A region for a model of whole pictures.
    #[error(
        "the model was fitted to whole pictures, so it expects no region, got {got}: fit a model with this region"
    )]
    NoRegion {
        /// The region given.
        got: String,
    },
    /// A rectangle of another size than that of the fit.
    #[error(
        "the model was fitted to a rectangle of {}×{} pixels, got {got}: a rectangle may lie elsewhere, but its size \
         must stay; fit a model to a rectangle of another size",
        expected.width,
        expected.height
    )]
    OtherRectangle {
        /// The size of the model's rectangle.
        expected: PictureSize,
        /// The rectangle given.
        got: String,
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
    #[error("{operation} needs the statistic of the model's pictures, which it was saved without")]
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
        /// What the first model has.
        expected: String,
        /// What the other model has.
        got: String,
    },
    /// A picture that a model was not fitted on.
    #[error("the model was not fitted on it: none of its {pictures} pictures has the content {content_hash}")]
    UnknownPicture {
        /// The index in the given hashes.
        place: usize,
        /// In hexadecimal.
        content_hash: String,
        /// Pictures of the model.
        pictures: usize,
    },
    /// A picture that the fit left out.
    #[error(
        "the model never learnt it: the fit left it out as foreign to the others (content {content_hash}), so there is \
         nothing to take out"
    )]
    NeverLearnt {
        /// The index in the given hashes.
        place: usize,
        /// In hexadecimal.
        content_hash: String,
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
