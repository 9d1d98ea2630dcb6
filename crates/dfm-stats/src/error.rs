//! Why statistics could not be computed.

/// An error of this crate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StatsError {
    /// A value that is no number, or no finite one.
    #[error("row {row}, column {column}: expected a finite number, got {got}")]
    NotFinite {
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
        /// The value.
        got: f64,
    },
    /// Values that do not fill a table.
    #[error("{what}: expected {expected}, got {got}")]
    Shape {
        /// Which values.
        what: &'static str,
        /// The shape they should have.
        expected: String,
        /// What there is.
        got: String,
    },
    /// A parameter out of its range.
    #[error("parameter {name}: expected {expected}, got {got}")]
    Parameter {
        /// Its name.
        name: &'static str,
        /// The range.
        expected: String,
        /// The value.
        got: String,
    },
    /// More components than there are directions of any variance.
    #[error(
        "{asked} components were asked for, but {rows} rows vary in only {rank} directions: ask for {rank} or \
         fewer, for a ratio, or give more rows"
    )]
    TooManyComponents {
        /// Asked for.
        asked: usize,
        /// Directions there are.
        rank: usize,
        /// Rows given.
        rows: usize,
    },
    /// Rows that are all the same, or only one.
    #[error("{operation} needs rows that vary, but all {rows} are the same")]
    NoVariation {
        /// What was to be computed.
        operation: &'static str,
        /// Rows given.
        rows: usize,
    },
    /// Components that leave nothing over to measure a residual in.
    #[error(
        "{components} components explain all the variance of {rows} rows, so that nothing is left to measure a \
         residual in: keep fewer components, or give more rows"
    )]
    NoResidual {
        /// Components kept.
        components: usize,
        /// Rows given.
        rows: usize,
    },
    /// Variances that `f64` cannot hold.
    #[error("{operation}: values of about {scale:e} have variances beyond f64; rescale them")]
    Range {
        /// What was to be computed.
        operation: &'static str,
        /// Size of the largest standard deviation.
        scale: f64,
    },
    /// An iteration that did not end.
    #[error("the decomposition of {rows} rows of {columns} columns did not converge")]
    NotConverged {
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
    },
    /// More memory than was allowed.
    #[error(
        "fitting rows of {columns} values needs at least {} MiB, but {} MiB are allowed: allow more memory",
        needed.div_ceil(1 << 20),
        allowed >> 20
    )]
    Memory {
        /// Values of a row.
        columns: usize,
        /// Bytes that it takes.
        needed: u64,
        /// Bytes that it may take.
        allowed: u64,
    },
    /// A device could not be read back.
    #[error("{operation}: the device failed: {reason}")]
    Device {
        /// What was being done.
        operation: &'static str,
        /// What the backend said.
        reason: String,
    },
}

/// Checks that `values` has `expected` entries, all finite.
pub(crate) fn check_values<T: Copy + Into<f64>>(
    what: &'static str,
    values: &[T],
    expected: usize,
) -> Result<(), StatsError> {
    if values.len() != expected {
        return Err(StatsError::Shape {
            what,
            expected: format!("{expected} values"),
            got: format!("{} values", values.len()),
        });
    }
    // Not as soon as one is found: a compiler can do all with vectors.
    if values.iter().fold(true, |all, value| all & (*value).into().is_finite()) {
        return Ok(());
    }
    let got = values.iter().map(|value| (*value).into()).find(|value| !value.is_finite());
    let got = got.map_or_else(String::new, |value| value.to_string());
    Err(StatsError::Shape { what, expected: "finite values".to_owned(), got })
}
