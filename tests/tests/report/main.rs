//! What an evaluation says: figures, regions of maps, and the report's page.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a suite")]

mod browser;
mod evaluation;
mod map_regions;
mod page;
