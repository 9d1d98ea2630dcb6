//! The part of the rows that a statistic dropped to stay within its memory.

use crate::error::{StatsError, check_values};

/// The part of the rows that a [`FitStatistic`](crate::FitStatistic) dropped because it kept only its
/// leading directions.
///
/// Such a statistic is the exact statistic of rows `x̂` near the given rows `x`: each merge dropped
/// the part of every row that lay outside of the leading directions. With `X` and `X̂` both centred,
/// `‖XᵀX − X̂ᵀX̂‖₂ ≤ error_bound`. By Weyl's inequality, no squared singular value is therefore off
/// by more than that. The bound is the sum, over all merges, of the largest squared singular value
/// that was dropped. It is the incremental SVD's counterpart of the bound of frequent directions
/// (Ghashami et al., arXiv 1501.01711, property 2).
#[derive(Debug, Clone, PartialEq)]
pub struct Compression {
    limit: usize,
    error_bound: f64,
    remainders: Vec<f64>,
}

impl Compression {
    /// Builds a compression from values that may come from a file: `remainders` `[N]`.
    ///
    /// # Errors
    ///
    /// If the limit is 0, or a number is negative or not finite.
    pub fn from_parts(limit: usize, error_bound: f64, remainders: Vec<f64>) -> Result<Self, StatsError> {
        check_values("remainders", &remainders, remainders.len())?;
        let least = remainders.iter().copied().fold(error_bound, f64::min);
        if limit == 0 || !error_bound.is_finite() || least < 0.0 {
            return Err(StatsError::Shape {
                what: "compression",
                expected: "1 direction or more, and what was dropped as finite numbers from 0".to_owned(),
                got: format!("{limit} directions, a bound of {error_bound} and a remainder of {least}"),
            });
        }
        Ok(Self { limit, error_bound, remainders })
    }

    /// The most directions that were kept.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The largest possible error of the sums of squares, in the spectral norm.
    pub fn error_bound(&self) -> f64 {
        self.error_bound
    }

    /// The squared length of the part that was dropped of each row `[N]`.
    pub fn remainders(&self) -> &[f64] {
        &self.remainders
    }

    /// The squared length of everything that was dropped.
    pub fn dropped(&self) -> f64 {
        self.remainders.iter().sum()
    }
}
