//! The statistics alone, as a program of its own: `cargo xtask bench alone decompose`.
//!
//! Its matrix equals that of `benches/peers/decompose.py`, number for number, so the two programs
//! must also print the same.

use clap::Args;
use dfm_backbone::CounterGenerator;
use dfm_stats::{Keep, PcaParams, Samples};

/// Flags of `cargo xtask bench alone decompose`.
#[derive(Debug, Args)]
pub(crate) struct DecomposeFlags {
    /// Rows and columns
    #[arg(long, value_parser = parse_shape)]
    shape: (usize, usize),
}

/// Fits principal components at a ratio of 0.97, scores the same rows, and prints the number of
/// components and the mean score.
///
/// # Errors
///
/// If the statistics refuse the matrix.
pub(crate) fn run(flags: &DecomposeFlags) -> anyhow::Result<()> {
    let (rows, columns) = flags.shape;
    let samples = Samples::from_f64(matrix(rows, columns), columns)?;
    let pca = PcaParams { keep: Keep::Ratio(0.97) }.check()?.fit(&samples)?;
    let scores = pca.feature_reconstruction_error(&samples)?;
    let mean = scores.iter().sum::<f64>() / rows as f64;
    println!("{}", serde_json::json!({"components": pca.component_count(), "mean_score": mean}));
    Ok(())
}

/// Parses a shape such as `300x16384`.
pub(crate) fn parse_shape(text: &str) -> Result<(usize, usize), String> {
    let expected = || format!("expected ROWSxCOLUMNS, such as 300x16384, got '{text}'");
    let (rows, columns) = text.split_once('x').ok_or_else(expected)?;
    match (rows.parse(), columns.parse()) {
        (Ok(rows), Ok(columns)) if rows >= 2 && columns >= 1 => Ok((rows, columns)),
        _ => Err(expected()),
    }
}

/// Uniform noise whose scale falls from row to row, so the variances fall as those of features do.
fn matrix(rows: usize, columns: usize) -> Vec<f64> {
    let generator = CounterGenerator::new(0);
    (0..rows * columns)
        .map(|index| f64::from(generator.unit_f32(index as u64)) / (1.0 + (index / columns) as f64))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_read_strictly() {
        assert_eq!(parse_shape("300x16384"), Ok((300, 16384)));
        for text in ["", "300", "1x5", "5x0", "-1x5", "3x3x3", "3X3"] {
            assert!(parse_shape(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rows_fall_in_scale() {
        let matrix = matrix(2, 1000);
        let energy = |row: &[f64]| row.iter().map(|value| value * value).sum::<f64>();
        // The scale is halved, so the energy is a quarter. A thousand draws are exact to a few
        // percent.
        let ratio = energy(&matrix[1000..]) / energy(&matrix[..1000]);
        assert!((0.2..0.3).contains(&ratio), "{ratio}");
    }
}
