//! Norms of values.

use burn::tensor::Tensor;

/// Layer norm along `axis`. Weight and bias have length 1 along every other axis.
pub(super) fn layer_norm<const D: usize>(
    x: Tensor<D>,
    axis: usize,
    weight: Tensor<D>,
    bias: Tensor<D>,
    epsilon: f64,
) -> Tensor<D> {
    let mean = x.clone().mean_dim(axis);
    let centred = x - mean;
    let variance = (centred.clone() * centred.clone()).mean_dim(axis);
    centred / (variance + epsilon).sqrt() * weight + bias
}

/// The global response norm of a map `[N, C, H, W]`. Weight and bias are `[1, C, 1, 1]`.
pub(super) fn global_response_norm(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<4>,
    epsilon: f64,
) -> Tensor<4> {
    let size = (x.clone() * x.clone()).sum_dim(2).sum_dim(3).sqrt();
    let relative = size.clone() / (size.mean_dim(1) + epsilon);
    x.clone() + bias + x * relative * weight
}
