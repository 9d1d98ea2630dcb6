//! Anomaly maps as pictures: one colour scale for each model, heat maps, contours and boxes around the
//! regions that reach the pixel threshold, and a legend.
//!
//! ```
//! use dfm_core::{AnomalyGrid, PictureSize, RgbImage};
//! use dfm_render::{Heatmap, MapScale};
//!
//! let grid = AnomalyGrid::new(1, 2, vec![0.0, 2.0]);
//! let rule = dfm_core::RegionRule::default().with_pixel_threshold(1.0);
//! let scale = MapScale { rule, middle: Some(1.0) };
//! let heatmap = Heatmap::new(&grid, PictureSize { width: 40, height: 20 }, &scale);
//! let overlay = heatmap.over(&RgbImage::new(40, 20));
//! assert_eq!(overlay.dimensions(), (40, 20));
//! ```

mod glyphs;
mod heatmap;
mod legend;
mod marks;
mod scale;

pub use glyphs::short;
pub use heatmap::Heatmap;
pub use legend::legend;
pub use marks::LINE;
pub use scale::{INFERNO, MapScale, Tick};
