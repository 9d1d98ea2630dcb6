//! Names of settings as people type them.

use std::fmt;

/// A name that is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, got {got}")]
pub struct NameError {
    /// The names that there are.
    pub expected: &'static str,
    /// What was given.
    pub got: String,
}

/// The one of `all` whose name is `text`.
pub(crate) fn parse<T: fmt::Display>(
    text: &str,
    all: impl IntoIterator<Item = T>,
    expected: &'static str,
) -> Result<T, NameError> {
    let found = all.into_iter().find(|value| value.to_string() == text);
    found.ok_or_else(|| NameError { expected, got: text.to_owned() })
}

/// Gives an enum of plain variants its `name`, and [`FromStr`](std::str::FromStr) and
/// [`Display`](std::fmt::Display) by it.
macro_rules! named {
    ($kind:ident, $expected:literal, $($variant:ident => $name:literal),+) => {
        impl $kind {
            /// Every variant.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name, as it is typed and written.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }

        impl std::fmt::Display for $kind {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(self.name())
            }
        }

        impl std::str::FromStr for $kind {
            type Err = $crate::names::NameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::names::parse(text, Self::ALL.iter().copied(), $expected)
            }
        }
    };
}

pub(crate) use named;

#[cfg(test)]
mod tests {
    use crate::{CalibrationKind, Compat, NameError, ScoreKind, TileStatisticsKind};

    #[test]
    fn every_name_is_read_as_it_is_written() {
        for kind in ScoreKind::ALL {
            assert_eq!(kind.name().parse(), Ok(*kind));
        }
        for kind in CalibrationKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(*kind));
        }
        for kind in TileStatisticsKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(*kind));
        }
        assert_eq!("anomalib".parse(), Ok(Compat::Anomalib));
        assert!("jackknife".parse::<CalibrationKind>().is_err());
        let refused = "other".parse::<ScoreKind>().unwrap_err();
        assert_eq!(refused, NameError { expected: "fre, nll or mahalanobis", got: "other".to_owned() });
        assert_eq!(format!("{:>5}", ScoreKind::Fre), "  fre");
    }
}
