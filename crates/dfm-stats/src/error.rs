//! Why statistics could not be computed.

/// An error of this crate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StatsError {
    /// A value is not a finite number.
    #[error("row {row}, column {column}: expected a finite number, got {got}")]
    NotFinite {
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
        /// The value.
        got: f64,
    },
    /// Values do not have the shape that they should have.
    #[error("{what}: expected {expected}, got {got}")]
    Shape {
        /// What the values are.
        what: &'static str,
        /// The shape they should have.
        expected: String,
        /// The shape that they have.
        got: String,
    },
    /// A parameter is out of its range.
    #[error("parameter {name}: expected {expected}, got {got}")]
    Parameter {
        /// Its name.
        name: &'static str,
        /// The range.
        expected: String,
        /// The value.
        got: String,
    },
    /// There are fewer directions of any variance than components that were asked for.
    #[error(
        "{asked} components were asked for, but {rows} rows vary in only {rank} directions: ask for {rank} or \
         fewer, for a ratio, or give more rows"
    )]
    TooManyComponents {
        /// Components that were asked for.
        asked: usize,
        /// Directions that there are.
        rank: usize,
        /// Rows that were given.
        rows: usize,
    },
    /// All rows are the same, or there is only one.
    #[error("{operation} needs rows that vary, but all {rows} are the same")]
    NoVariation {
        /// What was to be computed.
        operation: &'static str,
        /// Rows that were given.
        rows: usize,
    },
    /// The components leave no variance in which a residual could be measured.
    #[error(
        "{components} components explain all the variance of {rows} rows, so that nothing is left to measure a \
         residual in: keep fewer components, or give more rows"
    )]
    NoResidual {
        /// Components that were kept.
        components: usize,
        /// Rows that were given.
        rows: usize,
    },
    /// The variances are beyond the range of `f64`.
    #[error("{operation}: values of about {scale:e} have variances beyond f64; rescale them")]
    Range {
        /// What was to be computed.
        operation: &'static str,
        /// Size of the largest standard deviation.
        scale: f64,
    },
    /// An iteration did not converge.
    #[error("the decomposition of {rows} rows of {columns} columns did not converge")]
    NotConverged {
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
    },
    /// The fit needs more memory than it may use.
    #[error(
        "fitting rows of {columns} values needs at least {} MiB, but {} MiB are allowed: allow more memory",
        needed.div_ceil(1 << 20),
        allowed >> 20
    )]
    Memory {
        /// Values of a row.
        columns: usize,
        /// Bytes that the fit needs.
        needed: u64,
        /// Bytes that it may use.
        allowed: u64,
    },
    /// Values could not be read back from a device.
    #[error("{operation}: the device failed: {reason}")]
    Device {
        /// What was being done.
        operation: &'static str,
        /// What the backend reported.
        reason: String,
    },
}

/// Checks that `values` has `expected` entries.
pub(crate) fn check_count<T>(what: &'static str, values: &[T], expected: usize) -> Result<(), StatsError> {
    if values.len() == expected {
        return Ok(());
    }
    Err(StatsError::Shape {
        what,
        expected: format!("{expected} values"),
        got: format!("{} values", values.len()),
    })
}

/// Checks that `values` has `expected` entries, all finite.
pub(crate) fn check_values<T: Copy + Into<f64>>(
    what: &'static str,
    values: &[T],
    expected: usize,
) -> Result<(), StatsError> {
    check_count(what, values, expected)?;
    // All values are looked at, since a compiler can do that with vectors.
    if values.iter().fold(true, |all, value| all & (*value).into().is_finite()) {
        return Ok(());
    }
    let got = values.iter().map(|value| (*value).into()).find(|value| !value.is_finite());
    let got = got.map_or_else(String::new, |value| value.to_string());
    Err(StatsError::Shape { what, expected: "finite values".to_owned(), got })
}
