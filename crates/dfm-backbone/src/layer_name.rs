//! Parsing the name of a layer. This is a file of its own because the error names layers, too.

use std::str::FromStr;

use crate::error::BackboneError;
use crate::layer::Layer;

impl FromStr for Layer {
    type Err = BackboneError;

    /// Any legal name. That of an average must be one of layers in their order.
    fn from_str(name: &str) -> Result<Self, BackboneError> {
        let legal = Self::checked(name);
        let layer = legal.ok_or_else(|| BackboneError::LayerName { got: name.chars().take(64).collect() })?;
        layer.averaged().map(|_| layer)
    }
}
