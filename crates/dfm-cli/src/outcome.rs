//! How a command ended.

/// How a command ended; every command says what it means by `Anomalous`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Exit code 0.
    Success,
    /// Exit code 1: something anomalous was found, drift, or what stands out.
    Anomalous,
    /// Exit code 3: nothing anomalous was found, but a person should look at something.
    Review,
    /// Exit code 2: something went wrong, and has been reported.
    Failed,
}
