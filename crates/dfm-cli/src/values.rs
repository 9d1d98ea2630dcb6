//! What single values on the command line mean.

use dfm_core::{Compat, Keep, NetworkPrecision, ScoreKind};

/// Height and width in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// Rows.
    pub(crate) height: usize,
    /// Pixels in a row.
    pub(crate) width: usize,
}

/// `256` or `HEIGHTxWIDTH`.
pub(crate) fn parse_size(text: &str) -> Result<Size, String> {
    let side = |text: &str| text.parse().map_err(|_| "expected pixels, as 256, or HEIGHTxWIDTH".to_owned());
    match text.split_once('x') {
        Some((height, width)) => Ok(Size { height: side(height)?, width: side(width)? }),
        None => side(text).map(|side| Size { height: side, width: side }),
    }
}

/// A share such as `0.97` or `1.0`, or a whole number of components.
pub(crate) fn parse_keep(text: &str) -> Result<Keep, String> {
    if let Ok(count) = text.parse() {
        return Ok(Keep::Components(count));
    }
    text.parse()
        .map(Keep::Ratio)
        .map_err(|_| "expected a share such as 0.97, or a number of components".to_owned())
}

/// A size such as `512MiB` or `4GiB`.
pub(crate) fn parse_memory(text: &str) -> Result<u64, String> {
    let refused = || "expected a size such as 512MiB or 4GiB".to_owned();
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let found = units.into_iter().find_map(|(unit, bits)| Some((text.strip_suffix(unit)?, bits)));
    let (number, bits) = found.ok_or_else(refused)?;
    let number: u64 = number.trim_end().parse().map_err(|_| refused())?;
    number.checked_mul(1 << bits).filter(|bytes| *bytes > 0).ok_or_else(refused)
}

/// `fre`, `nll` or `mahalanobis`.
pub(crate) fn parse_score(text: &str) -> Result<ScoreKind, String> {
    let kinds = [ScoreKind::Fre, ScoreKind::Nll, ScoreKind::Mahalanobis];
    let found = kinds.into_iter().find(|kind| kind.name() == text);
    found.ok_or_else(|| "expected fre, nll or mahalanobis".to_owned())
}

/// `anomalib`.
pub(crate) fn parse_compat(text: &str) -> Result<Compat, String> {
    match text {
        "anomalib" => Ok(Compat::Anomalib),
        _ => Err("expected anomalib".to_owned()),
    }
}

/// `f32` or `int8`.
pub(crate) fn parse_precision(text: &str) -> Result<NetworkPrecision, String> {
    match text {
        "f32" => Ok(NetworkPrecision::F32),
        "int8" => Ok(NetworkPrecision::Int8),
        _ => Err("expected f32 or int8".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_one_number_or_two() {
        assert_eq!(parse_size("256"), Ok(Size { height: 256, width: 256 }));
        assert_eq!(parse_size("48x64"), Ok(Size { height: 48, width: 64 }));
        for text in ["", "x", "12x", "-1", "1x2x3", "many"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn memory_has_a_unit() {
        assert_eq!(parse_memory("3MiB"), Ok(3 << 20));
        assert_eq!(parse_memory("4 GiB"), Ok(4 << 30));
        for text in ["", "4", "MiB", "-1MiB", "0GiB", "1.5GiB", "4GB", "99999999999TiB"] {
            assert!(parse_memory(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_whole_number_is_a_count_and_a_fraction_a_share() {
        assert_eq!(parse_keep("5"), Ok(Keep::Components(5)));
        assert_eq!(parse_keep("1"), Ok(Keep::Components(1)));
        assert_eq!(parse_keep("1.0"), Ok(Keep::Ratio(1.0)));
        assert_eq!(parse_keep("0.97"), Ok(Keep::Ratio(0.97)));
        assert!(parse_keep("most").is_err());
    }
}
