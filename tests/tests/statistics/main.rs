//! Statistics against scikit-learn, NumPy and SciPy, and the laws that hold whatever the
//! numbers.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a suite")]

mod agreement;
mod leave_one_out;
mod limits;
mod merge;
mod scores;
mod small_variances;
mod tail;
