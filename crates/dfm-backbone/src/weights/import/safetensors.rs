//! Safetensors with torchvision's or timm's names.

use safetensors::tensor::SafeTensors;

use super::named::NamedTensors;
use super::names::widen;
use crate::weights::error::WeightsError;
use crate::weights::format;

/// A parsed file.
pub(super) struct SafeTensorsFile<'a>(SafeTensors<'a>);

pub(super) fn open(bytes: &[u8]) -> Result<SafeTensorsFile<'_>, WeightsError> {
    format::parse(bytes).map(|(_, tensors)| SafeTensorsFile(tensors))
}

impl NamedTensors for SafeTensorsFile<'_> {
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.0.names().into_iter().map(str::to_owned).collect();
        names.sort();
        names
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.0.tensor(name).ok().map(|view| view.shape().to_vec())
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let failed = |error: safetensors::SafeTensorError| WeightsError::Container {
            format: "safetensors",
            reason: error.to_string(),
        };
        widen(name, &self.0.tensor(name).map_err(failed)?)
    }
}
