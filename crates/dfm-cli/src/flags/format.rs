//! How results are written.

use clap::ValueEnum;

/// Format of results in rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs, as documented in docs/json-schema.md
    Json,
    /// For spreadsheets
    Csv,
}

/// Format of results that are not rows of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    Table,
    /// For programs, as documented in docs/json-schema.md
    Json,
}
