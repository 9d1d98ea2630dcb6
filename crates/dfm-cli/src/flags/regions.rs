//! Flags that say which pixels of a map belong to regions, and which files are written of maps.

use std::path::PathBuf;

use clap::Args;

use crate::values::{parse_area, parse_gap, parse_positive};

/// Which pixels belong to regions.
#[derive(Debug, Args)]
pub(crate) struct RegionFlags {
    /// Value of the map from which a pixel belongs to a region (default: from good pictures)
    #[arg(long, value_name = "VALUE", value_parser = parse_positive)]
    pub(crate) pixel_threshold: Option<f64>,
    /// Close gaps of up to so many pixels between pixels of regions
    #[arg(long, value_name = "PIXELS", value_parser = parse_gap)]
    pub(crate) close: Option<u32>,
    /// Smallest region: in pixels, or in mm² if --pixel-size is given beside it
    #[arg(long, value_name = "AREA", value_parser = parse_area)]
    pub(crate) min_area: Option<f64>,
    /// Side of a pixel on the part in mm; areas are then told in mm² too
    #[arg(long, value_name = "MM", value_parser = parse_positive)]
    pub(crate) pixel_size: Option<f64>,
}

/// Which files are written of maps.
#[derive(Debug, Args)]
pub(crate) struct MapFlags {
    /// Folder for a heat map and an overlay of each picture; later runs do not judge what is in it
    #[arg(long, value_name = "DIR")]
    pub(crate) maps: Option<PathBuf>,
    /// Folder for the map of each picture as a NumPy array of f32, in the size of the picture
    #[arg(long, value_name = "DIR")]
    pub(crate) raw_maps: Option<PathBuf>,
    /// Write the cells of maps into --raw-maps instead, in the size of the grid
    #[arg(long, requires = "raw_maps")]
    pub(crate) grid: bool,
    /// Folder for a mask of each picture: white where pixels belong to regions, black elsewhere
    #[arg(long, value_name = "DIR")]
    pub(crate) masks: Option<PathBuf>,
    /// File for a table of all regions as CSV, with one row for each
    #[arg(long, value_name = "FILE")]
    pub(crate) regions: Option<PathBuf>,
}

impl MapFlags {
    /// The same with a folder of this name inside each folder.
    pub(crate) fn below(&self, name: &str) -> Self {
        let inside = |folder: &Option<PathBuf>| folder.as_ref().map(|folder| folder.join(name));
        let [maps, raw_maps, masks] = [&self.maps, &self.raw_maps, &self.masks].map(inside);
        Self { maps, raw_maps, masks, grid: self.grid, regions: self.regions.clone() }
    }
}
