//! What an evaluation looks like: one self-contained HTML page, and its plots as SVG.
//!
//! Plain data in, text out. A [`Report`] says what was measured; [`Report::write`] turns it
//! into a page that needs no network and no other file, and [`Report::plots`] into pictures
//! that can be pasted elsewhere. Nothing is measured here but what the threshold makes of
//! the scores, since the reader moves it. Pixels are asked for one picture at a time, so a
//! gallery of thousands needs the memory of one.
//!
//! Every text that is handed in counts as hostile: it is shown, never obeyed. It stands in
//! markup only, never in a script, and the page allows no style and no script but its own,
//! whose hashes it names.
//!
//! ```
//! use dfm_report::{Images, Picture, Report, Truth};
//!
//! let picture = |path: &str, truth, score| Picture {
//!     path: path.to_owned(),
//!     class: "tile".to_owned(),
//!     truth,
//!     score,
//!     p_value: None,
//!     regions: Vec::new(),
//! };
//! let report = Report {
//!     title: "Tiles".to_owned(),
//!     threshold: Some(2.0),
//!     pictures: vec![picture("a.png", Truth::Good, 1.0), picture("b.png", Truth::Defect, 3.0)],
//!     ..Report::default()
//! };
//! let mut page = Vec::new();
//! report.write(&mut page, |_| Ok(Images::default()))?;
//! assert!(String::from_utf8(page)?.contains("1 of 1 defects found"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod base64;
mod confusion;
mod error;
mod figures;
mod gallery;
mod number;
mod page;
mod plot;
mod report;
mod template;
mod text;
mod threshold;

pub use error::ReportError;
pub use report::{
    Class, Curve, Figure, Group, Image, ImageFormat, Images, Limit, MapScale, Measured, Overlap, Picture,
    PixelCounts, Region, Report, Tick, Truth,
};
