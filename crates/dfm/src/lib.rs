//! Visual anomaly detection: learn what good parts look like from pictures of good parts alone, then
//! say of every new picture how abnormal it is, and where.
//!
//! This crate is what the program `dfm` does, as a library. It is Deep Feature Modeling: features of
//! a pretrained network, principal components of the features of good parts, and a score for what
//! those components cannot explain (Ahuja et al., arXiv 1909.11786; FRE, BMVC 2023).
//!
//! | To | Use |
//! |---|---|
//! | read pictures | a [`Source`]: [`Files`], [`Pictures`], or your own |
//! | learn | [`Learner`] |
//! | judge | [`Judge`]; in a server, [`Dfm::judging`] |
//! | open, save, merge, update, forget | [`ModelStore`] |
//! | measure | [`Evaluator`], [`compare`] |
//! | join several pictures of one part to one verdict | [`parts`] |
//! | fit and measure many products | [`ProductsLearner`], [`ProductsEvaluator`] |
//! | try a grid of settings | [`Sweeper`] |
//! | look for drift and for what stands out | [`drift`], [`Dfm::audit`] |
//! | make defects | [`DefectiveDataset`] |
//! | draw, and write maps as numbers | [`Heatmap`], [`MapScale`], [`MapsFolder`], [`RegionsTable`] |
//!
//! Nothing is printed: progress, notes and pictures that cannot be used go to an [`Observer`].
//! Threads are those of [`Workers`], never rayon's global pool.
//!
//! # Example
//!
//! ```
//! # #[cfg(all(feature = "embedded-weights", feature = "flex"))] {
//! use dfm::{Judge, JudgeOptions, Learner, Pictures, RgbImage, Silent};
//!
//! let picture = |k: u8| RgbImage::from_fn(64, 64, |x, y| [(u32::from(k) * x) as u8, y as u8, 90].into());
//! let good: Pictures = (1..9).map(|k| (k.to_string(), picture(k))).collect();
//! let model = Learner::default().fit(&good, &Silent)?;
//!
//! let new: Pictures = [("new", picture(40))].into_iter().collect();
//! for verdict in Judge::new(model).all(&new, &JudgeOptions::default())? {
//!     let verdict = verdict?;
//!     println!("{:.4} {:?}", verdict.score, verdict.label);
//! }
//! # }
//! # Ok::<(), dfm::Error>(())
//! ```

mod chain;
mod checkpoint;
mod checkpoint_error;
mod coarse_because;
mod drift;
mod error;
mod evaluate;
mod explanation_line;
mod features;
mod file_network;
mod files;
mod first_size;
mod held_out;
mod judge;
mod kind;
mod learn;
mod learning;
mod levels;
mod lines;
mod lock;
mod made;
mod maps;
mod network;
mod note;
mod npy;
mod numbers;
mod observer;
pub mod parts;
mod pieces;
mod products;
mod report;
mod source;
mod spent;
mod store;
mod sweep;
mod synthesise;
mod units;
mod update;
mod validate;
mod workers;

pub use burn::tensor::{Device, Tensor};
pub use chain::Chain;
pub use checkpoint::Checkpoint;
pub use checkpoint_error::CheckpointFileError;
pub use coarse_because::CoarseBecause;
pub use dfm_backbone::{
    BackboneError, CounterGenerator, InstructionSet, OnnxNode, OnnxNodes, StepTime, WeightsError, WeightsFile,
};
pub use dfm_core::*;
pub use dfm_data::{
    DataError, Dataset, GOOD, Labelled, Layout, LeftOut, Listing, MaskPixels, MaskReading, Problem,
    RelativeNames, Training, TruthMask, Why, counted, decode_picture, list, list_files, list_folder,
    list_good, open_mask, open_picture, open_region, path_list, picture_depth, read_masks, read_picture,
    training, training_on_all,
};
pub use dfm_render::{Heatmap, MapScale, legend};
pub use dfm_weights as weights;
pub use drift::{drift, scores_of_lines};
pub use error::{Error, FileError};
pub use evaluate::{
    Answers, Bootstrap, CONFIG, ClassEvaluation, Comparison, Contradictions, Curves, Evaluated,
    EvaluatedPicture, Evaluation, EvaluationRun, Evaluator, METRICS, MaskCounts, PREDICTIONS, PictureLine,
    ReviewFigures, Settings, compare,
};
pub use explanation_line::{
    ExplainedCell, ExplainedChannel, ExplainedLayer, ExplainedNearest, ExplanationLine,
};
pub use features::FeatureRows;
pub use files::{check_file, create_file, write_file};
pub use judge::{Judge, Judged};
pub use kind::FileKind;
pub use learn::Learner;
pub use lines::{Regions, VerdictLine};
pub use maps::{MapsFolder, PictureFiles};
pub use network::Network;
pub use note::Note;
pub use numbers::RegionsTable;
pub use observer::{Observer, Silent, Stage};
pub use products::{
    EvaluatedProduct, FitStatus, FittedProduct, MeanFigures, PRODUCTS, Product, ProductsEvaluation,
    ProductsEvaluator, ProductsLearner, Worst, WorstFigures, model_of, products,
};
pub use report::PAGE;
pub use source::{Content, Files, Pictures, Source};
pub use store::ModelStore;
pub use sweep::{Common, Grid, Setting, Sweeper, Trial, Tried, taps};
pub use synthesise::{DefectiveDataset, Made};
pub use units::bytes;
pub use update::{ModelChange, Updated};
pub use workers::Workers;

/// The README's example compiles as a test.
#[cfg(all(doctest, feature = "embedded-weights", feature = "flex"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
