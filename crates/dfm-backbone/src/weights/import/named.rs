//! A file whose tensors have names.

use crate::weights::error::WeightsError;

/// A file of named tensors, read one at a time.
pub(super) trait NamedTensors {
    /// Every name.
    fn names(&self) -> Vec<String>;
    /// The shape of the tensor `name`; `None` if there is no such tensor.
    fn shape(&self, name: &str) -> Option<Vec<usize>>;
    /// The values of the tensor `name`. It is called only once the shape is known to be right.
    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError>;
}
