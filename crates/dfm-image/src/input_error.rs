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
    /// No [`Resize`](crate::Resize) has this name.
    #[error("unknown way to resize '{got}': expected stretch, mirror, letterbox or crop")]
    UnknownResize {
        /// The name as given.
        got: String,
    },
}
