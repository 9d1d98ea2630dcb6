//! Pictures as they lie on disk: folders, patterns, data sets in many layouts, lists, and the masks
//! that mark defects.
//!
//! The crate finds and reads files; it knows neither networks nor statistics. Nothing is printed: a
//! file that cannot be used becomes a [`Problem`], and the rest is returned.
//!
//! ```no_run
//! use dfm_data::Dataset;
//! use std::path::Path;
//!
//! let dataset = Dataset::read(Path::new("magnetic_tile"), None)?;
//! println!("{dataset}");
//! for problem in &dataset.problems {
//!     eprintln!("{problem}");
//! }
//! # Ok::<(), dfm_data::DataError>(())
//! ```

mod dataset;
mod error;
mod left_out;
mod lines;
mod listing;
mod names;
mod pages;
mod paths;
mod picture;
mod words;

pub use dataset::{
    Dataset, GOOD, Labelled, Layout, PartOf, PartsList, Training, TruthMask, is_dataset, read_masks,
    read_parts, says_defects, training, training_on_all,
};
pub use dfm_image::{MaskPixels, MaskReading};
pub use error::{DataError, Problem};
pub use left_out::{LeftOut, Why, counted};
pub use lines::json_lines;
pub use listing::{Listing, list, list_files, list_folder, list_good};
pub use names::{
    EXTENSIONS, HEATMAP, LEGEND, MAP_CHUNK, MAP_CHUNK_AT, MAPS_MARK, MAPS_MARK_TEXT, MASK, OVERLAY,
    RelativeNames, name_below,
};
pub use paths::path_list;
pub use picture::{decode_picture, open_mask, open_picture, open_region, picture_depth, read_picture};
