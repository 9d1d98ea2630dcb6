//! Where features are taken out of a network.

use std::collections::HashSet;
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
    /// If there is no tap, or a layer is tapped twice. Whether the taps are in the order of the network is known
    /// once the network is, and names do not tell it.
    pub fn deepest(taps: &[Self]) -> Result<Self, BackboneError> {
        let mut layers = HashSet::with_capacity(taps.len());
        let once = taps.iter().all(|tap| layers.insert(tap.layer));
        match taps.last() {
            Some(last) if once => Ok(last.layer.reach().pooled(last.pool)),
            _ => Err(BackboneError::Taps { got: taps.iter().map(|tap| tap.layer).collect() }),
        }
    }
}
