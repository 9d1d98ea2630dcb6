//! From paths to pictures.

mod dataset;
mod lines;
mod paths;
mod pictures;
mod region;

pub(crate) use dataset::{Dataset, GOOD, Labelled, Layout, read_masks, training};
pub(crate) use lines::json_lines;
pub(crate) use paths::{HEATMAP, LEGEND, MAPS_MARK, OVERLAY, common_folder, expand, folder, name_below};
pub(crate) use pictures::{Give, Loaded, ahead, decode_bytes, decode_file, load, read_file};
pub(crate) use region::region;
