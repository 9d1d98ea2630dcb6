//! Weights of a network, and everything that must travel with them.

mod catalogue;
#[cfg(feature = "embedded-weights")]
mod embedded;
mod error;
mod fold;
mod format;
mod generator;
mod header;
mod import;
mod network;
mod random;

pub use catalogue::{CatalogueEntry, Checksum, catalogue};
pub use error::WeightsError;
pub use generator::CounterGenerator;
pub use header::{Precision, WeightsHeader};
pub use import::{ImportOptions, OnnxNode, OnnxNodes, WeightsFile, import_weights};
pub use network::BackboneWeights;
