//! Components in the precision in which they were fitted (`f64`) or read (`f32`).

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use burn::tensor::{AllocationProperty, Bytes, DType, Device, Tensor, TensorData};
use rayon::prelude::*;

/// The number of values that one thread converts at a time.
const AT_ONCE: usize = 1 << 14;

/// Values in `f64`, or in `f32` until `f64` is asked for. Devices never ask, and converting all
/// values would take most of the time in which a model is read.
#[derive(Debug, Clone)]
pub(crate) enum Components {
    Fitted(Vec<f64>),
    Read { narrow: Arc<Vec<f32>>, wide: OnceLock<Vec<f64>> },
}

impl Components {
    pub(crate) fn read(narrow: Vec<f32>) -> Self {
        Self::Read { narrow: Arc::new(narrow), wide: OnceLock::new() }
    }

    pub(crate) fn as_f64(&self) -> &[f64] {
        match self {
            Self::Fitted(values) => values,
            Self::Read { narrow, wide } => wide.get_or_init(|| {
                narrow.par_iter().with_min_len(AT_ONCE).map(|value| f64::from(*value)).collect()
            }),
        }
    }

    pub(crate) fn as_f32(&self) -> Cow<'_, [f32]> {
        match self {
            Self::Fitted(values) => {
                Cow::Owned(values.par_iter().with_min_len(AT_ONCE).map(|value| *value as f32).collect())
            }
            Self::Read { narrow, .. } => Cow::Borrowed(narrow),
        }
    }

    /// The values in `f32` as a tensor `[rows, columns]`. A processor shares the memory of values that
    /// were read: a copy would cost a tenth of the time in which a model is read.
    pub(crate) fn on_device(&self, shape: [usize; 2], device: &Device) -> Tensor<2> {
        let data = match self {
            Self::Fitted(_) => TensorData::new(self.as_f32().into_owned(), shape),
            Self::Read { narrow, .. } => {
                let shared = bytes::Bytes::from_owner(SharedValues(Arc::clone(narrow)));
                let shared = Bytes::from_shared(shared, AllocationProperty::Native);
                TensorData::from_bytes(shared, shape, DType::F32)
            }
        };
        Tensor::from_data(data, device)
    }
}

impl PartialEq for Components {
    /// Whether the values are the same, whatever their precision was.
    fn eq(&self, other: &Self) -> bool {
        self.as_f64() == other.as_f64()
    }
}

/// Values whose memory a tensor shares.
struct SharedValues(Arc<Vec<f32>>);

impl AsRef<[u8]> for SharedValues {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}
