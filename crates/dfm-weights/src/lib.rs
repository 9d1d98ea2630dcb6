//! Where the weights of a network come from: inside the library, from a seed, from a file, or from
//! their official home by a download that is checked.
//!
//! ```
//! use dfm_backbone::Layer;
//! use dfm_weights::{WeightStore, WeightsSpec};
//!
//! let spec = WeightsSpec { weights: Some("random".to_owned()), size: Some([64, 64]), ..WeightsSpec::default() };
//! let weights = WeightStore::of_user().load(&spec, Layer::Layer1)?;
//! assert_eq!(weights.header().input.height, 64);
//! # Ok::<(), dfm_weights::WeightsStoreError>(())
//! ```

mod download;
mod error;
mod resolve;
mod store;

pub use dfm_backbone::{CatalogueEntry, Checksum, catalogue};
pub use download::{PullOptions, pull};
pub use error::{DownloadError, WeightsStoreError};
pub use resolve::{DEFAULT_BACKBONE, Described, WeightsSpec};
pub use store::WeightStore;
