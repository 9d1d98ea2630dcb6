//! Where features are taken out of a network.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::BackboneError;
use crate::layer::Layer;

/// A layer whose output is taken, and the average pool behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tap {
    /// The layer.
    pub layer: Layer,
    /// Side and stride of the pool, in cells of the layer's map; 1 does not pool.
    pub pool: usize,
}

impl Layer {
    /// This layer's output behind an average pool of `pool` × `pool` cells.
    pub const fn pooled(self, pool: usize) -> Tap {
        Tap { layer: self, pool }
    }
}

impl fmt::Display for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, pool {}", self.layer, self.pool)
    }
}

impl Tap {
    /// The last of `taps`, which decides how far a network is run. If it is an average of layers, the last of
    /// them.
    ///
    /// # Errors
    ///
    /// If there is no tap, the taps are not in the order of their layers' names, or a layer is tapped twice.
    pub fn deepest(taps: &[Self]) -> Result<Self, BackboneError> {
        let rising = taps.windows(2).all(|pair| pair[0].layer < pair[1].layer);
        match taps.last() {
            Some(last) if rising => Ok(last.layer.reach().pooled(last.pool)),
            _ => Err(BackboneError::Taps { got: taps.iter().map(|tap| tap.layer).collect() }),
        }
    }
}
