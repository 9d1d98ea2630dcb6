//! Pulled weights: where they lie, and how they come.

mod cache;
mod download;

pub use cache::Cache;
pub use download::{DownloadError, PullOptions, pull};
