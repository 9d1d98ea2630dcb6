//! Batch norm folded into the convolution before it.

use super::error::WeightsError;

/// A weight and a bias.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Folded {
    /// `[out, …]`, row by row.
    pub(super) weight: Vec<f32>,
    /// `[out]`.
    pub(super) bias: Vec<f32>,
}

/// A batch norm in inference: `(x − mean) / √(variance + ε) · scale + shift`. Each vector is
/// `[channels]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BatchNorm {
    pub(super) scale: Vec<f32>,
    pub(super) shift: Vec<f32>,
    pub(super) mean: Vec<f32>,
    pub(super) variance: Vec<f32>,
    pub(super) epsilon: f64,
}

/// One convolution in place of `weight` (`[out, …]`), `bias` and `norm` one behind the other. It is
/// computed in `f64` and rounded once.
///
/// # Errors
///
/// If a variance is not a number, infinite or below zero; an infinite one would silently switch its
/// channel off. The error names `variances`, the tensor in the file.
pub(super) fn fold(
    weight: &[f32],
    bias: Option<&[f32]>,
    norm: &BatchNorm,
    variances: &str,
) -> Result<Folded, WeightsError> {
    if let Some(value) = norm.variance.iter().find(|value| !value.is_finite() || **value < 0.0) {
        let (tensor, got) = (variances.to_owned(), format!("the variance {value}"));
        return Err(WeightsError::NotFinite { tensor, got });
    }
    let channels = norm.scale.len();
    let per_output = weight.len().checked_div(channels).expect("a convolution has an output channel");
    let mut folded = Folded { weight: Vec::with_capacity(weight.len()), bias: Vec::new() };
    for (channel, weight) in weight.chunks_exact(per_output).enumerate() {
        let deviation = (f64::from(norm.variance[channel]) + norm.epsilon).sqrt();
        let factor = f64::from(norm.scale[channel]) / deviation;
        folded.weight.extend(weight.iter().map(|value| (f64::from(*value) * factor) as f32));
        let before = bias.map_or(0.0, |bias| f64::from(bias[channel]));
        let shifted = (before - f64::from(norm.mean[channel])) * factor + f64::from(norm.shift[channel]);
        folded.bias.push(shifted as f32);
    }
    Ok(folded)
}

/// One weight and bias in place of both and the factors `scale` `[out]` behind them. It is computed in `f64`
/// and rounded once.
pub(super) fn fold_scale(weight: &[f32], bias: &[f32], scale: &[f32]) -> Folded {
    let per_output = weight.len().checked_div(scale.len()).expect("an operation has an output channel");
    let scaled = |value: f32, factor: f32| (f64::from(value) * f64::from(factor)) as f32;
    let rows = weight.chunks_exact(per_output).zip(scale);
    Folded {
        weight: rows.flat_map(|(row, factor)| row.iter().map(|value| scaled(*value, *factor))).collect(),
        bias: bias.iter().zip(scale).map(|(value, factor)| scaled(*value, *factor)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPSILON: f64 = 1e-5;

    #[test]
    fn a_scale_is_a_factor_of_each_output() {
        let folded = fold_scale(&[1.0, -2.0, 0.5, 4.0], &[0.75, 1.0], &[2.0, -0.5]);
        assert_eq!(folded, Folded { weight: vec![2.0, -4.0, -0.25, -2.0], bias: vec![1.5, -0.5] });
    }

    #[test]
    fn folding_does_what_both_do_one_after_the_other() {
        let norm = BatchNorm {
            scale: vec![2.0, 0.5],
            shift: vec![-1.0, 3.0],
            mean: vec![0.25, -4.0],
            variance: vec![0.0, 9.0],
            epsilon: EPSILON,
        };
        let folded =
            fold(&[1.0, -2.0, 0.5, 4.0], Some(&[0.75, 1.0]), &norm, "variances").expect("sound variances");
        let input = [3.0_f64, -1.0];
        for channel in 0..2 {
            let weight = [[1.0, -2.0], [0.5, 4.0]][channel];
            let plain = weight[0] * input[0] + weight[1] * input[1] + [0.75, 1.0][channel];
            let mean = f64::from(norm.mean[channel]);
            let expected = (plain - mean) / (f64::from(norm.variance[channel]) + EPSILON).sqrt()
                * f64::from(norm.scale[channel])
                + f64::from(norm.shift[channel]);
            let got = f64::from(folded.weight[2 * channel]) * input[0]
                + f64::from(folded.weight[2 * channel + 1]) * input[1]
                + f64::from(folded.bias[channel]);
            // One rounding to f32 for each weight.
            assert!((got - expected).abs() < 1e-6 * expected.abs(), "{got} {expected}");
        }
    }
}
