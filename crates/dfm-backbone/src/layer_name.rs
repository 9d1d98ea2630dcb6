//! Layers by name. This is a file of its own because the error names layers, too.

use std::str::FromStr;

use crate::error::BackboneError;
use crate::layer::Layer;

impl FromStr for Layer {
    type Err = BackboneError;

    fn from_str(name: &str) -> Result<Self, BackboneError> {
        Self::ALL
            .into_iter()
            .find(|layer| layer.name() == name)
            .ok_or_else(|| BackboneError::UnknownLayer { got: name.to_owned() })
    }
}
