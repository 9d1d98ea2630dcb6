//! Attention among tokens.

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use dfm_graph::attention_scratch;

/// Attention of `heads` heads: `[N, T, 3 · C]`, queries, keys and values, to `[N, T, C]`.
///
/// Queries are taken in portions, so that no more weights are held at once for each picture than
/// [`attention_scratch`] says.
pub(super) fn attention(x: Tensor<3>, heads: usize) -> Tensor<3> {
    let [count, tokens, joined] = x.dims();
    let (channels, each) = (joined / 3, joined / 3 / heads);
    let part = |index: usize| {
        let first = index * channels;
        let part = x.clone().slice([0..count, 0..tokens, first..first + channels]);
        part.reshape([count, tokens, heads, each]).swap_dims(1, 2)
    };
    let (queries, keys, values) = (part(0) / (each as f64).sqrt(), part(1).swap_dims(2, 3), part(2));
    let portion = attention_scratch(heads, tokens) as usize / (heads * tokens);
    let mut results = Vec::with_capacity(tokens.div_ceil(portion));
    let mut first = 0;
    while first < tokens {
        let last = (first + portion).min(tokens);
        let some = queries.clone().slice([0..count, 0..heads, first..last, 0..each]);
        results.push(softmax(some.matmul(keys.clone()), 3).matmul(values.clone()));
        first = last;
    }
    Tensor::cat(results, 2).swap_dims(1, 2).reshape([count, tokens, channels])
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::weights::CounterGenerator;

    /// So many tokens that queries are taken in more than one portion.
    #[test]
    fn portions_are_what_one_softmax_gives() {
        const TOKENS: usize = 4100;
        assert!(attention_scratch(1, TOKENS) < (TOKENS * TOKENS) as u64);
        let generator = CounterGenerator::new(1);
        let values: Vec<f32> = (0..TOKENS as u64 * 6).map(|index| 3.0 * generator.unit_f32(index)).collect();
        let x = Tensor::from_data(TensorData::new(values.clone(), [1, TOKENS, 6]), &Device::flex());
        let got = attention(x, 1).try_into_vec_as::<f32>().unwrap();
        for token in [0, 2050, TOKENS - 1] {
            let dot = |other: usize| {
                let product = |index: usize| {
                    f64::from(values[token * 6 + index]) * f64::from(values[other * 6 + 2 + index])
                };
                ((product(0) + product(1)) / 2_f64.sqrt()).exp()
            };
            let sum: f64 = (0..TOKENS).map(dot).sum();
            for channel in 0..2 {
                let weighted =
                    (0..TOKENS).map(|other| dot(other) * f64::from(values[other * 6 + 4 + channel]));
                let expected = weighted.sum::<f64>() / sum;
                let got = f64::from(got[token * 2 + channel]);
                assert!((got - expected).abs() < 1e-5, "{token} {channel}: {got} {expected}");
            }
        }
    }
}
