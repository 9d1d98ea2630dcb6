//! Weights from a hub: repositories with a file of weights and a description of their network, as timm
//! writes them.

mod address;
mod catalogue;
mod client;
pub(crate) mod config;
mod error;
mod fetch;
mod files;
mod options;
mod reference;
mod transfer;

pub use catalogue::{HubEntry, hub_catalogue};
pub use config::ConfigError;
pub use error::HubError;
pub use fetch::{HubPulled, pull_hub};
pub use options::{HubOptions, Token};
pub use reference::{Commit, HubReference, InvalidReference};
