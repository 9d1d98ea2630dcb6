//! From the cells of an anomaly grid to one score.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::names::NameError;

/// How the score of a picture is made of the cells of its grid, each of which holds
/// the squared residual of its features.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Aggregation {
    /// Their sum: the feature reconstruction error, the method's own.
    #[default]
    Sum,
    /// Their sum as a share of the squared norm of the picture's feature row (not
    /// centred). The grid is divided likewise, so that the score is its sum. A
    /// brighter or busier picture has larger features throughout; this takes that out.
    Relative,
    /// The largest of them: a small defect is not drowned by the rest.
    Max,
    /// The mean of the largest `percent` of them, rounded up to whole cells.
    Top {
        /// Per cent of the cells, in (0, 100].
        percent: f64,
    },
    /// Their power mean, `(mean of cell^p)^(1/p)`: the larger the exponent, the more the
    /// largest cells count. With 1 it is their mean, and it nears [`Max`](Self::Max).
    Power {
        /// The exponent `p`, in [1, 64].
        exponent: f64,
    },
}

impl Aggregation {
    /// What [`FromStr`] takes.
    pub const EXPECTED: &str = "sum, relative, max, top:P% with P in (0, 100], or power:P with P in [1, 64]";

    /// Whether its number is in its range.
    pub(crate) fn is_valid(self) -> bool {
        match self {
            Self::Top { percent } => percent > 0.0 && percent <= 100.0,
            Self::Power { exponent } => (1.0..=64.0).contains(&exponent),
            Self::Sum | Self::Relative | Self::Max => true,
        }
    }

    /// The score of a grid of these `cells`, which [`Relative`](Self::Relative) has
    /// divided already; 0 of none.
    pub(crate) fn of_cells(self, cells: &[f64]) -> f64 {
        match self {
            Self::Sum | Self::Relative => cells.iter().sum(),
            Self::Max => cells.iter().copied().reduce(f64::max).unwrap_or(0.0),
            Self::Top { percent } => {
                let count = top_count(percent, cells.len());
                let mut sorted = cells.to_vec();
                sorted.sort_by(|a, b| b.total_cmp(a));
                sorted[..count.min(cells.len())].iter().sum::<f64>() / count as f64
            }
            Self::Power { exponent } => power_mean(cells, exponent),
        }
    }

    /// Whether the score needs the cells one by one: their sum is not enough.
    pub fn needs_cells(self) -> bool {
        match self {
            Self::Sum | Self::Relative => false,
            Self::Max | Self::Top { .. } | Self::Power { .. } => true,
        }
    }

    /// How much each of `cells` counts: their sum, so weighted, is the score.
    pub(crate) fn weights(self, cells: &[f64]) -> Vec<f64> {
        let count = match self {
            Self::Sum | Self::Relative => return vec![1.0; cells.len()],
            Self::Max => 1,
            Self::Top { percent } => top_count(percent, cells.len()),
            Self::Power { exponent } => return power_weights(cells, exponent),
        };
        let mut places: Vec<usize> = (0..cells.len()).collect();
        places.sort_by(|a, b| cells[*b].total_cmp(&cells[*a]));
        let mut weights = vec![0.0; cells.len()];
        places.iter().take(count).for_each(|place| weights[*place] = 1.0 / count as f64);
        weights
    }
}

/// `(mean of cell^p)^(1/p)`, computed relative to the largest cell, so that no power overflows.
fn power_mean(cells: &[f64], exponent: f64) -> f64 {
    let largest = cells.iter().copied().fold(0.0, f64::max);
    if largest == 0.0 {
        return 0.0;
    }
    let sum: f64 = cells.iter().map(|cell| (cell / largest).powf(exponent)).sum();
    largest * (sum / cells.len() as f64).powf(1.0 / exponent)
}

/// The weights with which cells sum to their power mean: `(cell / mean)^(p − 1) / n`.
fn power_weights(cells: &[f64], exponent: f64) -> Vec<f64> {
    let (mean, count) = (power_mean(cells, exponent), cells.len() as f64);
    if mean == 0.0 {
        return vec![0.0; cells.len()];
    }
    cells.iter().map(|cell| (cell / mean).powf(exponent - 1.0) / count).collect()
}

/// The number of cells in the largest `percent` of `cells`: rounded up, and at least one.
fn top_count(percent: f64, cells: usize) -> usize {
    ((percent / 100.0 * cells as f64).ceil() as usize).clamp(1, cells.max(1))
}

impl fmt::Display for Aggregation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sum => formatter.write_str("sum"),
            Self::Relative => formatter.write_str("relative"),
            Self::Max => formatter.write_str("max"),
            Self::Top { percent } => write!(formatter, "top:{percent}%"),
            Self::Power { exponent } => write!(formatter, "power:{exponent}"),
        }
    }
}

impl FromStr for Aggregation {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let top = |text: &str| {
            let percent = text.strip_prefix("top:")?.strip_suffix('%')?.parse().ok()?;
            Some(Self::Top { percent }).filter(|top| top.is_valid())
        };
        let power = |text: &str| {
            let exponent = text.strip_prefix("power:")?.parse().ok()?;
            Some(Self::Power { exponent }).filter(|power| power.is_valid())
        };
        match text {
            "sum" => Ok(Self::Sum),
            "relative" => Ok(Self::Relative),
            "max" => Ok(Self::Max),
            _ => top(text)
                .or_else(|| power(text))
                .ok_or_else(|| NameError { expected: Self::EXPECTED, got: text.to_owned() }),
        }
    }
}

impl TryFrom<String> for Aggregation {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Aggregation> for String {
    fn from(aggregation: Aggregation) -> Self {
        aggregation.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOP: fn(f64) -> Aggregation = |percent| Aggregation::Top { percent };
    const POWER: fn(f64) -> Aggregation = |exponent| Aggregation::Power { exponent };

    #[test]
    fn each_aggregation_is_what_its_name_says() {
        let cells = [3.0, 0.0, 10.0, 1.0, 2.0];
        assert_eq!(Aggregation::Sum.of_cells(&cells), 16.0);
        assert_eq!(Aggregation::Max.of_cells(&cells), 10.0);
        assert_eq!(TOP(40.0).of_cells(&cells), 6.5);
        // Rounded up: never less than one cell.
        assert_eq!(TOP(1.0).of_cells(&cells), 10.0);
        assert_eq!(TOP(41.0).of_cells(&cells), 5.0);
        assert_eq!(TOP(100.0).of_cells(&cells), 3.2);
        assert_eq!(TOP(1.0).of_cells(&[]), 0.0);
        assert_eq!(POWER(1.0).of_cells(&cells), 3.2);
        assert_eq!(POWER(2.0).of_cells(&[3.0, 4.0, 0.0, 0.0]), 2.5);
        assert_eq!(POWER(4.0).of_cells(&[0.0, 0.0]), 0.0);
        assert_eq!(POWER(4.0).of_cells(&[]), 0.0);
    }

    #[test]
    fn a_power_mean_lies_between_mean_and_largest_at_every_scale() {
        for scale in [1e-150, 1e-3, 1.0, 1e150] {
            let cells = [3.0, 0.0, 10.0, 1.0, 2.0].map(|cell| cell * scale);
            let found = [1.0, 2.0, 4.0, 64.0].map(|exponent| POWER(exponent).of_cells(&cells) / scale);
            assert!(found.is_sorted() && found[0] >= 3.2 - 1e-12 && found[3] < 10.0, "{found:?}");
        }
    }

    #[test]
    fn weighted_cells_make_the_score() {
        let cells = [3.0, 0.0, 10.0, 1.0, 10.0, 2.5];
        for aggregation in [
            Aggregation::Sum,
            Aggregation::Relative,
            Aggregation::Max,
            TOP(1.0),
            TOP(50.0),
            POWER(1.0),
            POWER(4.0),
        ] {
            let weights = aggregation.weights(&cells);
            let sum: f64 = weights.iter().zip(cells).map(|(weight, cell)| weight * cell).sum();
            assert!((sum - aggregation.of_cells(&cells)).abs() < 1e-12, "{aggregation}: {weights:?}");
        }
        assert_eq!(Aggregation::Max.weights(&cells), [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        assert!(TOP(1.0).weights(&[]).is_empty());
    }

    #[test]
    fn what_is_written_is_read_again() {
        for aggregation in [
            Aggregation::Sum,
            Aggregation::Relative,
            Aggregation::Max,
            TOP(1.0),
            TOP(0.25),
            POWER(4.0),
            POWER(1.5),
        ] {
            assert_eq!(aggregation.to_string().parse(), Ok(aggregation));
        }
        for text in ["", "mean", "top", "top:1", "top:0%", "top:-1%", "top:101%", "top:NaN%", "top:inf%"] {
            assert!(text.parse::<Aggregation>().is_err(), "{text}");
        }
        for text in ["power", "power:", "power:0.5", "power:65", "power:NaN", "power:4%"] {
            assert!(text.parse::<Aggregation>().is_err(), "{text}");
        }
    }
}
