//! Rows of numbers, checked once.

use burn::tensor::Tensor;

use crate::blocks::copy;
use crate::error::StatsError;

/// Rows `[N, D]` of finite numbers, at least one of each; row by row, on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    values: Vec<f64>,
    columns: usize,
}

impl Samples {
    /// From values row by row.
    ///
    /// # Errors
    ///
    /// If there is no value, they do not fill rows of `columns`, or one is not
    /// finite.
    pub fn from_f64(values: Vec<f64>, columns: usize) -> Result<Self, StatsError> {
        if columns == 0 || values.is_empty() || !values.len().is_multiple_of(columns) {
            return Err(StatsError::Shape {
                what: "rows",
                expected: format!("one row or more of {} values", columns.max(1)),
                got: format!("{} values in rows of {columns}", values.len()),
            });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => {
                Err(StatsError::NotFinite { row: at / columns, column: at % columns, got: values[at] })
            }
            None => Ok(Self { values, columns }),
        }
    }

    /// [`from_f64`](Self::from_f64), widened.
    ///
    /// # Errors
    ///
    /// As for [`from_f64`](Self::from_f64).
    pub fn from_f32(values: &[f32], columns: usize) -> Result<Self, StatsError> {
        Self::from_f64(values.iter().copied().map(f64::from).collect(), columns)
    }

    /// From a tensor `[N, D]`, read back from its device.
    ///
    /// # Errors
    ///
    /// As for [`from_f64`](Self::from_f64), or if the device fails.
    pub fn from_tensor(rows: Tensor<2>) -> Result<Self, StatsError> {
        let columns = rows.dims()[1];
        let values = rows.try_into_vec_as::<f32>().map_err(|error| StatsError::Device {
            operation: "reading rows back",
            reason: error.to_string(),
        })?;
        Self::from_f32(&values, columns)
    }

    /// `N`.
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// `D`.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Row `index`.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn row(&self, index: usize) -> &[f64] {
        &self.values[index * self.columns..][..self.columns]
    }

    /// Every row in turn.
    pub fn iter(&self) -> std::slice::ChunksExact<'_, f64> {
        self.values.chunks_exact(self.columns)
    }

    /// All values, row by row.
    pub fn as_slice(&self) -> &[f64] {
        &self.values
    }

    /// Every row once more, copied by all cores.
    pub(crate) fn copy(&self) -> Self {
        Self { values: copy(&self.values), columns: self.columns }
    }

    /// All values, row by row, without the table.
    pub(crate) fn into_values(self) -> Vec<f64> {
        self.values
    }

    /// The rows at `indices`, in that order.
    ///
    /// # Panics
    ///
    /// If there is no such row, or no index.
    pub fn select(&self, indices: &[usize]) -> Self {
        assert!(!indices.is_empty(), "a selection needs at least one row");
        let values = indices.iter().flat_map(|index| self.row(*index)).copied().collect();
        Self { values, columns: self.columns }
    }

    /// Whether the columns are `expected`.
    pub(crate) fn check_columns(&self, expected: usize) -> Result<(), StatsError> {
        if self.columns == expected {
            return Ok(());
        }
        Err(StatsError::Shape {
            what: "rows",
            expected: format!("{expected} columns"),
            got: format!("{} columns", self.columns),
        })
    }
}
