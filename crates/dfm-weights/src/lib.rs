//! Where the weights of a network come from: inside the library, from a seed, from a file, from their official
//! home, or from a repository of a hub. What is fetched is checked.
//!
//! # How strong the check is
//!
//! Some publishers state only eight digits of the SHA-256 of a file, and some none. A hub states all 64.
//! [`Strength`] says what a file was compared with. The whole SHA-256 is pinned beside a file when it is fetched or used first, and
//! another file is refused from then on. The pin is as good as that first file was: a SHA-256 from
//! somebody whom you trust ([`PullOptions::sha256`]) is better. Whoever can replace a file and its
//! pin passes both checks.
//!
//! ```
//! use dfm_backbone::Layer;
//! use dfm_weights::{WeightStore, WeightsSpec};
//!
//! let spec = WeightsSpec { weights: Some("random".to_owned()), size: Some([64, 64]), ..WeightsSpec::default() };
//! let loaded = WeightStore::of_user().load(&spec, Layer::named("layer1"))?;
//! assert_eq!(loaded.weights.header().input.height, 64);
//! # Ok::<(), dfm_weights::WeightsStoreError>(())
//! ```

mod check;
mod download;
mod error;
mod hash;
mod http;
mod hub;
mod pin;
mod resolve;
mod store;
mod strength;
mod temporary;

pub use check::{FileCheck, PinState};
pub use dfm_backbone::{CatalogueEntry, Checksum, catalogue};
pub use download::{PullOptions, Pulled, pull};
pub use error::{DownloadError, WeightsStoreError};
pub use hash::{FileHash, InvalidHash};
pub use hub::{
    Commit, ConfigError, HubEntry, HubError, HubOptions, HubPulled, HubReference, InvalidReference, Token,
    hub_catalogue, pull_hub,
};
pub use pin::{Pin, PinError, PinOrigin};
pub use resolve::{DEFAULT_BACKBONE, Described, LoadedWeights, WeightsSpec};
pub use store::WeightStore;
pub use strength::Strength;
