//! Components in the precision in which they were fitted (`f64`) or read (`f32`).

use std::borrow::Cow;
use std::sync::OnceLock;

use rayon::prelude::*;

/// The number of values that one thread converts at a time.
const AT_ONCE: usize = 1 << 14;

/// Values in `f64`, or in `f32` until somebody asks for `f64`. Devices never ask, and converting all
/// values would take most of the time in which a model is read.
#[derive(Debug, Clone)]
pub(crate) enum Components {
    Fitted(Vec<f64>),
    Read { narrow: Vec<f32>, wide: OnceLock<Vec<f64>> },
}

impl Components {
    pub(crate) fn read(narrow: Vec<f32>) -> Self {
        Self::Read { narrow, wide: OnceLock::new() }
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
}

impl PartialEq for Components {
    /// Whether the values are the same, whatever their precision was.
    fn eq(&self, other: &Self) -> bool {
        self.as_f64() == other.as_f64()
    }
}
