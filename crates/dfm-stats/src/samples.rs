//! Rows of numbers that have been checked.

use burn::tensor::Tensor;

use crate::blocks::copy;
use crate::error::StatsError;

/// Rows `[N, D]` of finite numbers, with at least one row and one column. They lie on the host, row by
/// row.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    values: Vec<f64>,
    columns: usize,
}

impl Samples {
    /// Rows from values that lie row by row.
    ///
    /// # Errors
    ///
    /// If there is no value, the values do not fill rows of `columns`, or a value is not finite.
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

    /// [`from_f64`](Self::from_f64) for values in `f32`.
    ///
    /// # Errors
    ///
    /// As for [`from_f64`](Self::from_f64).
    pub fn from_f32(values: &[f32], columns: usize) -> Result<Self, StatsError> {
        Self::from_f64(values.iter().copied().map(f64::from).collect(), columns)
    }

    /// Rows from a tensor `[N, D]`, which is read back from its device.
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

    /// `N`, the number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// `D`, the number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The row with this index.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn row(&self, index: usize) -> &[f64] {
        &self.values[index * self.columns..][..self.columns]
    }

    /// An iterator over the rows.
    pub fn iter(&self) -> std::slice::ChunksExact<'_, f64> {
        self.values.chunks_exact(self.columns)
    }

    /// All values, row by row.
    pub fn as_slice(&self) -> &[f64] {
        &self.values
    }

    /// A copy, made by all cores.
    pub(crate) fn copy(&self) -> Self {
        Self { values: copy(&self.values), columns: self.columns }
    }

    /// All values, row by row.
    pub(crate) fn into_values(self) -> Vec<f64> {
        self.values
    }

    /// The rows with these indices, in their order.
    ///
    /// # Panics
    ///
    /// If there is no such row, or `indices` is empty.
    pub fn select(&self, indices: &[usize]) -> Self {
        assert!(!indices.is_empty(), "a selection needs at least one row");
        let values = indices.iter().flat_map(|index| self.row(*index)).copied().collect();
        Self { values, columns: self.columns }
    }

    /// Checks that there are `expected` columns.
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
