//! Several pictures of one part, and one verdict: views from several cameras, or under several
//! lightings.
//!
//! A [`PartPattern`] or a list says which part each picture shows, and which view of it.
//! [`GroupedParts`] are pictures that are joined in this way. A [`PartsLearner`] makes a [`PartsModel`]:
//! a model for each view, and one threshold for the largest of the views' scores on one scale. This
//! threshold is calibrated with whole parts, so its rate of false alarms is that of parts, however the
//! views depend on each other. A part that lacks a view is not judged: it is an error of that part alone.
//!
//! ```no_run
//! use dfm::parts::{GroupedParts, PartPattern, PartsJudge, PartsLearner, PartsModel, PartsOptions};
//! use dfm::{CalibrationParams, Files, Learner, ModelStore, SaveOptions, Silent};
//! use std::path::Path;
//!
//! let pattern = PartPattern::new("(?<part>.+)_(?<view>top|side)")?;
//! let good = Files::in_folder(Path::new("good"), &Silent)?;
//! let parts = GroupedParts::by_pattern(&good, &pattern, None, &Silent);
//! let learner = PartsLearner::new(Learner::default(), CalibrationParams::default());
//! learner.fit_to(&parts, Path::new("part"), &SaveOptions::default(), false, &Silent)?;
//!
//! let model = PartsModel::open(Path::new("part"), &ModelStore::default())?;
//! let new = Files::in_folder(Path::new("new"), &Silent)?;
//! let parts = GroupedParts::by_pattern(&new, &pattern, Some(&model.view_names()), &Silent);
//! PartsJudge::new(&model, &PartsOptions::default())?.each(&parts, &Silent, |verdicts| {
//!     verdicts.iter().for_each(|part| println!("{}: {:?}", part.name, part.label));
//!     Ok(())
//! })?;
//! # Ok::<(), dfm::Error>(())
//! ```

mod error;
mod evaluate;
mod evaluation;
mod exact;
mod grouped;
mod images;
mod judge;
mod learn;
mod line;
mod model;
mod pattern;
mod record;
mod report;

pub use crate::lines::ViewLine;
pub use dfm_data::{PartOf, PartsList, read_parts};
pub use error::PartsError;
pub use evaluate::{PartsEvaluator, PartsRun};
pub use evaluation::{PartClass, PartsEvaluation, ViewEvaluation};
pub use grouped::{GroupedParts, Part};
pub use judge::{PartVerdict, PartsJudge, PartsOptions, ViewVerdict};
pub use learn::PartsLearner;
pub use line::PartLine;
#[doc(hidden)]
pub use model::check_record;
pub use model::{PartsInfo, PartsModel, View, ViewInfo};
pub use pattern::PartPattern;
pub(crate) use record::refuse_parts;
pub use record::{PARTS, holds_parts};
