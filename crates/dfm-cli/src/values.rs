//! What single values on the command line mean.

use std::fmt;
use std::ops::RangeInclusive;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use dfm::metrics::BootstrapParams;
use dfm::{BackboneError, Layer};
use dfm::{
    CalibrationParams, Compat, DfmError, DriftParams, Keep, MapKind, Method, NameError, NetworkPrecision,
    RegionRule, Review, Rows, ScoreKind, TileStatisticsKind,
};

/// Height and width in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// Rows.
    pub(crate) height: usize,
    /// Pixels in a row.
    pub(crate) width: usize,
}

/// A size in memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory(pub(crate) u64);

/// Layers of one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layers(pub(crate) Vec<Layer>);

/// Pools of the layers of one model: one for all, or one for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pools(pub(crate) Vec<usize>);

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(Layer::to_string).collect::<Vec<_>>().join("+"))
    }
}

impl fmt::Display for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(usize::to_string).collect::<Vec<_>>().join("+"))
    }
}

/// `layer3`, or several joined as `layer2+layer3`. What follows `mean:` belongs to the average, as it does
/// where one layer is named.
pub(crate) fn parse_layers(text: &str) -> Result<Layers, String> {
    let mut names: Vec<String> = Vec::new();
    for part in text.split('+') {
        match names.last_mut().filter(|name| name.starts_with(Layer::MEAN) && !part.starts_with(Layer::MEAN))
        {
            Some(average) => *average += &format!("+{part}"),
            None => names.push(part.to_owned()),
        }
    }
    let layers: Result<Vec<Layer>, _> = names.iter().map(|name| name.parse()).collect();
    let layers = layers.map_err(|error: BackboneError| error.to_string())?;
    let twice = (1..layers.len()).any(|place| layers[..place].contains(&layers[place]));
    if twice { Err("expected each layer once".to_owned()) } else { Ok(Layers(layers)) }
}

/// `4`, or several joined as `8+4`.
pub(crate) fn parse_pools(text: &str) -> Result<Pools, String> {
    text.split('+').map(count(1..=usize::MAX)).collect::<Result<_, _>>().map(Pools)
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
    let refused = || "expected a share such as 0.97, up to 1.0, or a number of components".to_owned();
    let keep = match text.parse() {
        Ok(count) => Keep::Components(count),
        Err(_) => Keep::Ratio(text.parse().map_err(|_| refused())?),
    };
    Method::default().with_keep(keep).check().map_err(|_| refused())?;
    Ok(keep)
}

/// A size such as `512MiB` or `4GiB`.
pub(crate) fn parse_memory(text: &str) -> Result<Memory, String> {
    let refused = || "expected a size such as 512MiB or 4GiB".to_owned();
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let found = units.into_iter().find_map(|(unit, bits)| Some((text.strip_suffix(unit)?, bits)));
    let (number, bits) = found.ok_or_else(refused)?;
    let number: u64 = number.trim_end().parse().map_err(|_| refused())?;
    number.checked_mul(1 << bits).filter(|bytes| *bytes > 0).map(Memory).ok_or_else(refused)
}

/// A whole number in `range`.
pub(crate) fn count(
    range: RangeInclusive<usize>,
) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    move |text| {
        let refused = || match *range.end() {
            usize::MAX => format!("expected {} or more", range.start()),
            end => format!("expected {} to {end}", range.start()),
        };
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(refused)
    }
}

/// A finite number.
pub(crate) fn parse_finite(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| "expected a finite number".to_owned())
}

/// A finite number above 0.
pub(crate) fn parse_positive(text: &str) -> Result<f64, String> {
    parse_finite(text)
        .ok()
        .filter(|number| *number > 0.0)
        .ok_or_else(|| "expected a number above 0".to_owned())
}

/// An area: a finite number from 0.
pub(crate) fn parse_area(text: &str) -> Result<f64, String> {
    parse_finite(text).ok().filter(|area| *area >= 0.0).ok_or_else(|| "expected a number from 0".to_owned())
}

/// The width of a gap in pixels.
pub(crate) fn parse_gap(text: &str) -> Result<u32, String> {
    Ok(count(0..=RegionRule::MAX_CLOSE as usize)(text)? as u32)
}

/// A share of good pictures that a model may call anomalous.
pub(crate) fn parse_false_alarm(text: &str) -> Result<f64, String> {
    let share = parse_finite(text)?;
    let calibration = CalibrationParams::default().with_false_alarm(share);
    let params = Method::default().with_calibration(calibration);
    params.check().map_err(|error| expected(&error))?;
    Ok(share)
}

/// A share of streams without drift that may be called drift.
pub(crate) fn parse_drift_alarm(text: &str) -> Result<f64, String> {
    let false_alarm = parse_finite(text)?;
    let params = DriftParams { false_alarm, ..DriftParams::default() };
    params.check().map_err(|error| expected(&error))?;
    Ok(false_alarm)
}

/// `LOW..HIGH` in raw scores, or `p:LOW..HIGH` in p-values.
pub(crate) fn parse_review(text: &str) -> Result<Review, String> {
    let expected =
        || "expected LOW..HIGH in raw scores or p:LOW..HIGH in p-values, such as 0.05..0.08 or p:0.01..0.05";
    let (is_p, band) = text.strip_prefix("p:").map_or((false, text), |band| (true, band));
    let (low, high) = band.split_once("..").ok_or_else(|| expected().to_owned())?;
    let number = |text: &str| if is_p { parse_false_alarm(text) } else { parse_finite(text) };
    let ends = [low, high].map(|end| number(end.trim()).map_err(|error| format!("{error}, in {text}")));
    let [low, high] = ends;
    let (low, high) = (low?, high?);
    if low >= high {
        return Err(format!("{}: the smaller number comes first", expected()));
    }
    Ok(if is_p { Review::p_values(low, high) } else { Review::scores(low, high) })
}

/// A number of draws that intervals can be made of.
pub(crate) fn parse_draws(text: &str) -> Result<usize, String> {
    let replicates = count(0..=usize::MAX)(text)?;
    let params = BootstrapParams { replicates, ..BootstrapParams::default() };
    params.check().map_err(|error| expected(&error))?;
    Ok(replicates)
}

/// The same, or 0 for no intervals.
pub(crate) fn parse_draws_or_none(text: &str) -> Result<usize, String> {
    if text == "0" { Ok(0) } else { parse_draws(text).map_err(|error| format!("{error}, or 0 for none")) }
}

/// What a parameter should have been; its name is the flag's.
fn expected(error: &DfmError) -> String {
    match error {
        DfmError::Parameter { expected, .. } => format!("expected {expected}"),
        other => other.to_string(),
    }
}

/// The names that there are; what was typed is told beside them.
fn one_of(error: &NameError) -> String {
    format!("expected {}", error.expected)
}

/// `fre`, `nll` or `mahalanobis`.
pub(crate) fn parse_score(text: &str) -> Result<ScoreKind, String> {
    text.parse().map_err(|error| one_of(&error))
}

/// `coarse` or `fine`.
pub(crate) fn parse_map(text: &str) -> Result<MapKind, String> {
    text.parse().map_err(|error| one_of(&error))
}

/// `picture` or `cells`.
pub(crate) fn parse_rows(text: &str) -> Result<Rows, String> {
    text.parse().map_err(|error| one_of(&error))
}

/// `anomalib`.
pub(crate) fn parse_compat(text: &str) -> Result<Compat, String> {
    text.parse().map_err(|error| one_of(&error))
}

/// `f32` or `int8`.
pub(crate) fn parse_precision(text: &str) -> Result<NetworkPrecision, String> {
    text.parse().map_err(|_| "expected f32 or int8".to_owned())
}

/// `shared` or `position`.
pub(crate) fn tile_statistics() -> impl TypedValueParser<Value = TileStatisticsKind> {
    let help = |kind: &TileStatisticsKind| match kind {
        TileStatisticsKind::Shared => "All tiles of all pictures",
        TileStatisticsKind::Position => "The tiles of its own place",
    };
    let names = TileStatisticsKind::ALL.iter().map(|kind| PossibleValue::new(kind.name()).help(help(kind)));
    PossibleValuesParser::new(names).try_map(|name| name.parse::<TileStatisticsKind>())
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
    fn layers_are_joined_and_an_average_keeps_what_follows() {
        let parse = |text: &str| parse_layers(text).map(|layers| (layers.0.len(), layers.to_string()));
        for (text, count) in [
            ("layer2+layer3", 2),
            ("mean:blocks.3+blocks.8", 1),
            ("mean:blocks.3..blocks.5+blocks.8", 1),
            ("blocks.1+mean:blocks.3+blocks.8", 2),
            ("mean:blocks.1+blocks.2+mean:blocks.3+blocks.8", 2),
        ] {
            assert_eq!(parse(text), Ok((count, text.to_owned())));
        }
        // As for one model: the text names the same average.
        assert_eq!(
            parse_layers("mean:blocks.3+blocks.8").unwrap().0,
            ["mean:blocks.3+blocks.8".parse().unwrap()]
        );
        assert!(parse("layer2+layer2").is_err() && parse("layer2++layer3").is_err());
    }

    #[test]
    fn a_review_band_is_in_scores_or_in_p_values() {
        assert_eq!(parse_review("0.05..0.08"), Ok(Review::scores(0.05, 0.08)));
        assert_eq!(parse_review("-3..-2.5"), Ok(Review::scores(-3.0, -2.5)));
        assert_eq!(parse_review("p:0.01..0.05"), Ok(Review::p_values(0.01, 0.05)));
        for text in ["", "1", "1..", "..2", "2..1", "1..1", "p:0..0.1", "p:0.1..0.9", "q:1..2", "1..nan"] {
            assert!(parse_review(text).is_err(), "{text}");
        }
    }

    #[test]
    fn memory_has_a_unit() {
        assert_eq!(parse_memory("3MiB"), Ok(Memory(3 << 20)));
        assert_eq!(parse_memory("4 GiB"), Ok(Memory(4 << 30)));
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
        for text in ["most", "0", "0.0", "-1", "1.5", "nan", ""] {
            assert!(parse_keep(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused_with_the_range() {
        assert_eq!(count(1..=1024)("1024"), Ok(1024));
        assert_eq!(count(1..=1024)("0"), Err("expected 1 to 1024".to_owned()));
        assert_eq!(count(1..=usize::MAX)("-1"), Err("expected 1 or more".to_owned()));
        assert_eq!(parse_finite("-1e3"), Ok(-1000.0));
        assert!(parse_finite("inf").is_err() && parse_finite("NaN").is_err());
        assert_eq!(parse_false_alarm("0.01"), Ok(0.01));
        assert!(parse_false_alarm("0.6").unwrap_err().contains("0.5"));
        assert!(parse_drift_alarm("0").unwrap_err().contains("0.001"));
        assert_eq!((parse_draws("100"), parse_draws_or_none("0")), (Ok(100), Ok(0)));
        assert!(parse_draws("0").is_err());
        assert_eq!((parse_positive("0.5"), parse_area("0"), parse_gap("1024")), (Ok(0.5), Ok(0.0), Ok(1024)));
        assert!(parse_positive("0").is_err() && parse_area("-1").is_err() && parse_gap("1025").is_err());
        assert!(parse_draws_or_none("99").unwrap_err().contains("0 for none"));
    }
}
