//! An evaluation as one self-contained HTML page, and its plots as SVG.
//!
//! Plain data goes in, text comes out. A [`Report`] is the data that was measured.
//! [`Report::write`] turns it into a page that needs no network and no other file.
//! [`Report::plots`] turns it into plots that can be used elsewhere. The crate measures nothing
//! except the verdicts at the threshold, because the reader moves the threshold. Pixels are
//! requested for one picture at a time, so a gallery of thousands of pictures needs the memory of
//! one.
//!
//! Every text from outside counts as hostile. It is shown in markup, and never stands in a script.
//! The page allows its own style and its own script only, and names their hashes.
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
//!     remark: None,
//!     views: Vec::new(),
//!     regions: Vec::new(),
//! };
//! let report = Report {
//!     title: "Tiles".to_owned(),
//!     threshold: Some(2.0),
//!     pictures: vec![picture("a.png", Truth::Good, 1.0), picture("b.png", Truth::Defect, 3.0)],
//!     ..Report::default()
//! };
//! let mut page = Vec::new();
//! report.write(&mut page, |_, _| Ok(Images::default()))?;
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
