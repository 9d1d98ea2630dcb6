//! Why an input contract, or a part of one, was refused.

use thiserror::Error;

/// An [`InputContract`](crate::InputContract), or a part of one, that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InputError {
    /// A field of an [`InputContract`](crate::InputContract) is out of bounds.
    #[error("input contract: {field} must be {expected}, got {got}; give another value")]
    Field {
        /// The field.
        field: &'static str,
        /// The values that are allowed.
        expected: &'static str,
        /// The value that was given.
        got: String,
    },
    /// No [`Resampling`](crate::Resampling) has this name.
    #[error("unknown arithmetic to resize in '{got}': expected floats or bytes")]
    UnknownResampling {
        /// The name as given.
        got: String,
    },
    /// No [`Normalisation`](crate::Normalisation) is written like this.
    #[error(
        "unknown normalisation '{got}': expected imagenet, half, unit, bytes, or a mean and a standard deviation of \
         pixels in 0–1, such as 0.48,0.46,0.41/0.27,0.26,0.28"
    )]
    UnknownNormalisation {
        /// The beginning of the text as given.
        got: String,
    },
    /// No [`Resize`](crate::Resize) has this name.
    #[error("unknown way to resize '{got}': expected stretch, mirror, letterbox or crop")]
    UnknownResize {
        /// The name as given.
        got: String,
    },
}
