//! What is wrong with a file's content, in its own errors.

use crate::file::error::ModelFileError;

/// A tensor that is not what it should be.
pub(super) fn mismatch(tensor: &str, expected: &str, got: String) -> ModelFileError {
    ModelFileError::Tensor { tensor: tensor.to_owned(), expected: expected.to_owned(), got }
}

/// The values of a tensor, if it has the `expected` shape.
pub(super) fn shaped<T>(
    name: &str,
    (shape, values): (Vec<usize>, Vec<T>),
    expected: &[usize],
) -> Result<Vec<T>, ModelFileError> {
    if shape == expected {
        Ok(values)
    } else {
        Err(mismatch(name, &format!("{expected:?}"), format!("{shape:?}")))
    }
}

/// Refuses two values that should be the same and are not.
pub(super) fn consistent<T: PartialEq + std::fmt::Debug>(
    what: &'static str,
    expected: &T,
    got: &T,
) -> Result<(), ModelFileError> {
    if expected == got {
        return Ok(());
    }
    Err(inconsistent(what, expected, got))
}

/// Two values that should be the same.
pub(super) fn inconsistent<T: std::fmt::Debug>(what: &'static str, expected: &T, got: &T) -> ModelFileError {
    ModelFileError::Inconsistent { what, expected: format!("{expected:?}"), got: format!("{got:?}") }
}

/// What a library refused of the file's content, as an error of the file.
pub(super) fn content<E: std::fmt::Display>(part: &'static str) -> impl Fn(E) -> ModelFileError + Copy {
    move |error| ModelFileError::Content { part, reason: error.to_string() }
}
