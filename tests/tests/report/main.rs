//! What an evaluation says: figures, regions of maps, and the report's page.

mod browser;
mod evaluation;
mod map_regions;
mod page;
