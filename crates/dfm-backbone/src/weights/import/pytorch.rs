//! PyTorch checkpoints, in both of their formats. The reader interprets the few pickle
//! instructions that state dicts are made of. It never imports or calls what a pickle names.

use std::io::Write;

use half::{bf16, f16};
use pytorch_reader::{DType, PickleValue, PytorchReader};
use tempfile::NamedTempFile;

use super::named::NamedTensors;
use super::names::not_floating_point;
use crate::weights::error::WeightsError;

/// A checkpoint whose tensors are read when they are asked for.
pub(super) struct Checkpoint {
    reader: PytorchReader,
    /// The copy that `reader` reads, which is removed when this is dropped.
    _copy: NamedTempFile,
}

/// Opens the checkpoint in `bytes`. One that holds anything except tensors, numbers and text is
/// refused, because such objects exist only once code has run.
///
/// The reader takes only paths, and opens them more than once. It is given a copy of `bytes` that only
/// this user can open, and not the file that `bytes` came from, because somebody may have replaced that
/// file meanwhile.
pub(super) fn open(bytes: &[u8]) -> Result<Checkpoint, WeightsError> {
    let failed = |source| WeightsError::Io { operation: "copying the weights to a temporary file", source };
    let mut copy = NamedTempFile::new().map_err(failed)?;
    copy.write_all(bytes).and_then(|()| copy.flush()).map_err(failed)?;
    let path = copy.path();
    let values = PytorchReader::read_pickle_data(path, None).map_err(refused)?;
    if let Some((name, kind)) = foreign_object(&values, "") {
        return Err(refused(format!(
            "entry '{name}' is a '{kind}', which only running code could make: save the state dict alone"
        )));
    }
    match PytorchReader::new(path) {
        Ok(reader) if reader.is_empty() => Err(refused("it holds no tensor")),
        Ok(reader) => Ok(Checkpoint { reader, _copy: copy }),
        Err(error) => Err(refused(error)),
    }
}

/// The name and the type of the first object that is neither a tensor nor plain data. The reader limits
/// the depth of what it returns.
fn foreign_object(value: &PickleValue, name: &str) -> Option<(String, String)> {
    let inside = |key: &dyn ToString| match name {
        "" => key.to_string(),
        _ => format!("{name}.{}", key.to_string()),
    };
    match value {
        PickleValue::Unsupported(kind) if kind == "torch.Tensor" => None,
        PickleValue::Unsupported(kind) => Some((name.to_owned(), kind.clone())),
        PickleValue::Dict(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            entries.into_iter().find_map(|(key, value)| foreign_object(value, &inside(key)))
        }
        PickleValue::List(items) => {
            items.iter().enumerate().find_map(|(index, value)| foreign_object(value, &inside(&index)))
        }
        _ => None,
    }
}

fn refused(reason: impl ToString) -> WeightsError {
    WeightsError::Container { format: "PyTorch", reason: reason.to_string() }
}

impl NamedTensors for Checkpoint {
    fn names(&self) -> Vec<String> {
        let mut names = self.reader.keys();
        names.sort();
        names
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.reader.get(name).map(|tensor| tensor.shape().to_vec())
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let tensor = self.reader.get(name).ok_or_else(|| refused(format!("tensor '{name}' is gone")))?;
        let bytes = tensor.read().map_err(refused)?;
        // The reader gives bytes in the order of this machine.
        Ok(match tensor.dtype() {
            DType::F32 => bytes.as_chunks().0.iter().map(|bytes| f32::from_ne_bytes(*bytes)).collect(),
            DType::F16 => {
                bytes.as_chunks().0.iter().map(|bytes| f16::from_ne_bytes(*bytes).to_f32()).collect()
            }
            DType::BF16 => {
                bytes.as_chunks().0.iter().map(|bytes| bf16::from_ne_bytes(*bytes).to_f32()).collect()
            }
            DType::F64 => bytes.as_chunks().0.iter().map(|bytes| f64::from_ne_bytes(*bytes) as f32).collect(),
            other => return Err(not_floating_point(name, other)),
        })
    }
}
