//! From paths to pictures.

mod dataset;
mod paths;
mod pictures;
mod region;

pub(crate) use dataset::{Dataset, GOOD, Labelled, read_masks};
pub(crate) use paths::{HEATMAP, MAPS_MARK, OVERLAY, expand, folder};
pub(crate) use pictures::{decode_file, load};
pub(crate) use region::region;
