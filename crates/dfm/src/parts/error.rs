//! What can be wrong with parts, as data.

use std::path::PathBuf;

use thiserror::Error;

/// Why parts cannot be learnt or judged.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PartsError {
    /// A pattern that cannot be used.
    #[error("pattern {pattern}: expected {expected}, {found}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What it should be.
        expected: &'static str,
        /// What is wrong.
        found: String,
    },
    /// A picture whose name does not match.
    #[error("its name does not match the pattern {pattern}, so it belongs to no part: not used")]
    NoMatch {
        /// The pattern.
        pattern: String,
    },
    /// A picture for which the list names no part.
    #[error("no part is known for it: not used")]
    NoPart,
    /// A view whose name cannot be the name of a file.
    #[error(
        "view '{view}': expected a name of at most {limit} letters, digits, '-' and '_', which differs from others by \
         more than the case of its letters: not used"
    )]
    ViewName {
        /// The name.
        view: String,
        /// The most characters.
        limit: usize,
    },
    /// A view that the model does not have.
    #[error("view '{view}': the model has the views {}: not used", known.join(", "))]
    UnknownView {
        /// The view.
        view: String,
        /// The views of the model.
        known: Vec<String>,
    },
    /// A part that lacks views.
    #[error("view {} is missing: the part is not used", missing.join(", "))]
    MissingViews {
        /// The views that are missing.
        missing: Vec<String>,
    },
    /// Two pictures of one view.
    #[error("two pictures show view {view}, {} and {}: the part is not used", first.display(), second.display())]
    Twice {
        /// The view.
        view: String,
        /// One picture of the view.
        first: PathBuf,
        /// The other picture.
        second: PathBuf,
    },
    /// A part with a picture that cannot be judged.
    #[error("view {view} cannot be judged, so there is no verdict on the part")]
    NotJudged {
        /// The view.
        view: String,
    },
    /// Pictures of one part with different defects.
    #[error("its views are of the classes {first} and {second}: the part counts as {first}")]
    Classes {
        /// The class that counts.
        first: String,
        /// The other class.
        second: String,
    },
    /// Too few views, or too many.
    #[error("expected parts with 2 to {limit} views, found {got}: {}", views.join(", "))]
    ViewCount {
        /// The most.
        limit: usize,
        /// How many there are.
        got: usize,
        /// Views, with the number of their pictures.
        views: Vec<String>,
    },
    /// Too few parts with all their views.
    #[error("expected at least {expected} parts with all views, found {got}; there are {}", views.join(", "))]
    TooFewParts {
        /// How many are needed.
        expected: usize,
        /// How many there are.
        got: usize,
        /// Views, with the number of their pictures.
        views: Vec<String>,
    },
    /// A smaller rate of false alarms than the parts can support.
    #[error(
        "a false-alarm rate of {rate} takes {calibrating} good parts to calibrate with or more, got {got}: that is \
         {needed} different parts; add some, or allow a rate of {:.4}",
        (1e4 / (*got as f64 + 1.0)).ceil() / 1e4
    )]
    TooFewForRate {
        /// The rate asked for.
        rate: f64,
        /// How many different parts this rate needs in all.
        needed: usize,
        /// How many of these would calibrate.
        calibrating: usize,
        /// How many parts calibrate.
        got: usize,
    },
    /// A way to hold parts out that models of parts do not support.
    #[error("{name}: expected {expected}, got {got}")]
    Calibration {
        /// The parameter.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it was.
        got: String,
    },
    /// A file of parts that cannot be used.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was expected and found.
        reason: String,
    },
    /// The model of a view is not the one that was fitted with the other views.
    #[error(
        "{}: expected the model of view {view} that the parts were calibrated with ({expected}), found another ({got}); \
         put it back, or fit the parts anew",
        path.display()
    )]
    OtherModel {
        /// Its file.
        path: PathBuf,
        /// The view.
        view: String,
        /// The digest that it should have.
        expected: String,
        /// The digest that it has.
        got: String,
    },
    /// A model of parts where a model of pictures is needed.
    #[error(
        "{}: expected a model of pictures, found one of parts with the views {}; each of its views is such a model, \
         as {}",
        path.display(),
        views.join(", "),
        first.display()
    )]
    IsParts {
        /// The model of parts.
        path: PathBuf,
        /// Its views.
        views: Vec<String>,
        /// The model of the first.
        first: PathBuf,
    },
}
