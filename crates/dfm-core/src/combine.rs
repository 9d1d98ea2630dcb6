//! Several layers' scores as one.
//!
//! Reconstruction errors of two layers have nothing in common but that zero is the
//! least. Each is divided by what is typical of it (the mean over good pictures held out
//! of the fit), and the geometric mean of these is the score: 1 for a picture that is as
//! every other, whatever the layers. The order of pictures is that of the sum of
//! logarithms, but nothing becomes infinite where one layer finds no error at all.

use dfm_backbone::PictureSize;

use crate::map::AnomalyGrid;

/// One score of several, each of another layer; itself where there is but one.
pub(crate) fn score(scores: &[f64], typical: &[f64]) -> f64 {
    match scores {
        [score] => *score,
        _ => geometric_mean(scores.iter().zip(typical).map(|(score, typical)| (*score, *typical))),
    }
}

/// One grid of several, as fine as the finest; itself where there is but one. A cell is
/// the geometric mean of the layers' errors there, each in units of a typical cell of
/// that layer.
pub(crate) fn grid(mut grids: Vec<AnomalyGrid>, typical: &[f64]) -> Option<AnomalyGrid> {
    if grids.len() < 2 {
        return grids.pop();
    }
    let height = grids.iter().map(|grid| grid.height).max()?;
    let width = grids.iter().map(|grid| grid.width).max()?;
    let fine = |(grid, typical): (&AnomalyGrid, &f64)| {
        // Each covers what the network sees, and so does the finest.
        let size = PictureSize { width: width as u32, height: height as u32 };
        (grid.upsample(size).values, typical / grid.values.len() as f64)
    };
    let layers: Vec<(Vec<f32>, f64)> = grids.iter().zip(typical).map(fine).collect();
    let cell = |index: usize| {
        geometric_mean(layers.iter().map(|(values, typical)| (f64::from(values[index]), *typical))) as f32
    };
    Some(AnomalyGrid::new(height, width, (0..height * width).map(cell).collect()))
}

/// Of values in units of what is typical of each. By way of logarithms, so that neither
/// ratio nor product overflows; zero if any value is.
fn geometric_mean(values: impl ExactSizeIterator<Item = (f64, f64)>) -> f64 {
    let count = values.len() as f64;
    (values.map(|(value, typical)| value.ln() - typical.ln()).sum::<f64>() / count).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constant(side: usize, value: f32) -> AnomalyGrid {
        AnomalyGrid::new(side, side, vec![value; side * side])
    }

    #[test]
    fn a_typical_picture_scores_one_whatever_the_layers() {
        let typical = [3e-7, 12.0, 5e20];
        assert!((score(&typical, &typical) - 1.0).abs() < 1e-12);
        // Cells that share the typical score evenly.
        let grids = vec![constant(2, 3e-7 / 4.0), constant(3, 12.0 / 9.0), constant(1, 5e20)];
        let combined = grid(grids, &typical).unwrap();
        assert_eq!((combined.height, combined.width), (3, 3));
        assert!(combined.values.iter().all(|value| (value - 1.0).abs() < 1e-6), "{combined:?}");
    }

    #[test]
    fn one_layer_stays_as_it_is() {
        assert_eq!(score(&[7.5], &[2.0]), 7.5);
        assert_eq!(grid(vec![constant(2, 7.5)], &[2.0]), Some(constant(2, 7.5)));
        assert_eq!(grid(Vec::new(), &[2.0]), None);
    }

    #[test]
    fn ratios_of_errors_multiply_and_none_is_infinite() {
        let typical = [2.0, 8.0];
        let doubled = score(&[4.0, 8.0], &typical) / score(&[2.0, 8.0], &typical);
        assert!((doubled - 2.0_f64.sqrt()).abs() < 1e-12);
        assert_eq!(score(&[0.0, 8.0], &typical), 0.0);
        assert!(score(&[f64::MAX, 1.0], &[1e-3, 1.0]).is_finite());
        let grids = vec![constant(2, 0.0), constant(4, 8.0)];
        assert_eq!(grid(grids, &typical), Some(constant(4, 0.0)));
    }
}
