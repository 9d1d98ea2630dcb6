//! The weights of one step.

use dfm_graph::Operation;

use super::source::Source;
use crate::convolution::Convolution;

/// Weights and bias of a convolution or a matrix product, times the factors of some nodes. Stride
/// and padding are those of Winograd's convolutions; others are in the windows.
pub(super) fn weights(source: &Source<'_>, node: usize, scales: &[usize], groups: usize) -> Convolution {
    let [weight, bias] = [0, 1].map(|index| source.parameter(node, index));
    let (mut weight, mut bias) = (weight.to_vec(), bias.to_vec());
    for scale in scales {
        let factors = source.parameter(*scale, 0);
        let each = weight.len() / bias.len();
        for ((weights, bias), factor) in weight.chunks_exact_mut(each).zip(&mut bias).zip(factors) {
            weights.iter_mut().chain([bias]).for_each(|value| *value *= factor);
        }
    }
    let kernel = match source.operation(node) {
        Operation::Convolution(convolution) => convolution.window.kernel,
        _ => [1; 2],
    };
    let channels = source.map(source.inputs(node)[0]).channels;
    let in_channels_per_group = channels / groups;
    let padding = kernel[0] / 2;
    Convolution {
        out_channels: bias.len(),
        in_channels_per_group,
        kernel,
        stride: 1,
        padding,
        groups,
        weight,
        bias,
    }
}
