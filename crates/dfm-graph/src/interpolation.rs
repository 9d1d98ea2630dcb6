//! Learnt positions for another grid.

use crate::operation::Interpolation;

impl Interpolation {
    /// Positions for a grid of `to` (rows, columns) of those for a grid of `from`. They are computed in
    /// `f64` and rounded once. Nothing changes if the grids are the same.
    ///
    /// # Shapes
    ///
    /// - values: `[from rows · from columns, channels]`
    /// - result: `[to rows · to columns, channels]`
    ///
    /// Cost: a few products for each value of the result and of `values`. Memory beside both is one row of
    /// `values` in `f64`.
    ///
    /// # Panics
    ///
    /// If `values` has another number of values.
    pub fn resample(self, values: &[f32], channels: usize, from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
        assert_eq!(values.len(), from[0] * from[1] * channels, "values of the grid");
        if from == to {
            return values.to_vec();
        }
        let (down, across) = (self.shares(from[0], to[0]), self.shares(from[1], to[1]));
        let mut result = Vec::with_capacity(to[0] * to[1] * channels);
        for rows in &down {
            // One row of the result, still as long as the rows of `values`.
            let mut long = vec![0.0_f64; from[1] * channels];
            for (row, share) in rows {
                let input = &values[row * from[1] * channels..][..from[1] * channels];
                long.iter_mut().zip(input).for_each(|(sum, value)| *sum += share * f64::from(*value));
            }
            for columns in &across {
                let mut cell = vec![0.0_f64; channels];
                for (column, share) in columns {
                    let input = &long[column * channels..][..channels];
                    cell.iter_mut().zip(input).for_each(|(sum, value)| *sum += share * value);
                }
                result.extend(cell.into_iter().map(|sum| sum as f32));
            }
        }
        result
    }

    /// For each position along one side of the result, the positions that it is made of, with their shares.
    fn shares(self, from: usize, to: usize) -> Vec<Vec<(usize, f64)>> {
        let step = from as f64 / to as f64;
        (0..to)
            .map(|position| match self {
                Self::Bicubic => {
                    let centre = (position as f64 + 0.5) * step - 0.5;
                    let first = centre.floor();
                    // PyTorch repeats the outermost positions.
                    let taps = (-1..=2).map(|tap| {
                        let place = first + f64::from(tap);
                        (place.clamp(0.0, (from - 1) as f64) as usize, cubic(-0.75, centre - place))
                    });
                    taps.collect()
                }
                Self::BicubicAntialiased => {
                    let scale = step.max(1.0);
                    let centre = (position as f64 + 0.5) * step;
                    // PyTorch leaves out positions outside, and makes up for them.
                    let begin = (centre - 2.0 * scale + 0.5).max(0.0) as usize;
                    let end = ((centre + 2.0 * scale + 0.5) as usize).min(from);
                    let share = |place: usize| cubic(-0.5, (place as f64 - centre + 0.5) / scale);
                    let sum: f64 = (begin..end).map(share).sum();
                    (begin..end).map(|place| (place, share(place) / sum)).collect()
                }
            })
            .collect()
    }
}

/// Keys' cubic convolution with the parameter `a`.
fn cubic(a: f64, distance: f64) -> f64 {
    let x = distance.abs();
    if x < 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * a
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `torch.nn.functional.interpolate(torch.arange(6.).pow(2).view(1, 1, 1, 6), size=(1, n),
    /// mode="bicubic", align_corners=False, antialias=…)`.
    #[test]
    fn positions_are_those_of_pytorch() {
        let squares: Vec<f32> = (0..6).map(|index| (index * index) as f32).collect();
        let close = |got: Vec<f32>, expected: &[f32]| {
            assert_eq!(got.len(), expected.len());
            for (got, expected) in got.iter().zip(expected) {
                assert!((got - expected).abs() < 1e-4, "{got} {expected}");
            }
        };
        let line = |how: Interpolation, to| how.resample(&squares, 1, [1, 6], [1, to]);
        close(line(Interpolation::Bicubic, 4), PLAIN_4);
        close(line(Interpolation::Bicubic, 9), PLAIN_9);
        close(line(Interpolation::BicubicAntialiased, 4), SMOOTH_4);
        close(line(Interpolation::BicubicAntialiased, 9), SMOOTH_9);
        // Columns as rows, and two channels that do not mix.
        let pairs: Vec<f32> = squares.iter().flat_map(|value| [*value, -value]).collect();
        let down = Interpolation::Bicubic.resample(&pairs, 2, [6, 1], [4, 1]);
        close(down.iter().step_by(2).copied().collect(), PLAIN_4);
        close(down.iter().skip(1).step_by(2).map(|value| -value).collect(), PLAIN_4);
        assert_eq!(Interpolation::Bicubic.resample(&pairs, 2, [2, 3], [2, 3]), pairs);
    }

    const PLAIN_4: &[f32] = &[0.12109, 2.82812, 10.79688, 23.20703];
    const PLAIN_9: &[f32] =
        &[-0.08681, 0.21875, 1.43055, 3.15278, 6.125, 10.28241, 14.30093, 21.15625, 25.78125];
    const SMOOTH_4: &[f32] = &[0.15857, 2.97703, 10.88668, 22.27832];
    const SMOOTH_9: &[f32] =
        &[-0.06579, 0.29412, 1.36111, 3.36111, 6.25, 10.02778, 14.69445, 21.17647, 25.59211];
}
