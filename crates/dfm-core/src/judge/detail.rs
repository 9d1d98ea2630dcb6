//! How unusual the details of a picture are: what pooling hides, position by position.
//!
//! The detail `d` of a layer is its output minus the bilinear interpolation of its pooled cells
//! ([`FeatureExtractor::extract_with_details`](dfm_backbone::FeatureExtractor::extract_with_details)). It
//! depends on the picture alone. Good pictures say what is usual of each feature: its mean `μ` and its
//! variance `v`. The fine cell of a position is the mean over the channels of `(d − μ)² / w`, where
//! `w = a · v + (1 − a) · (mean of v over the channel) + 0.001 · (mean of v over the layer)` and
//! `a = n / (n + 100)` for `n` pictures: few pictures say little of the variance of a single feature.

use burn::tensor::{Device, Tensor, TensorData};
use dfm_backbone::FeatureShape;
use rayon::prelude::*;

use crate::error::DfmError;
use crate::host::to_host;
use crate::judge::map::AnomalyGrid;

/// Pictures that the mean variance of a channel counts as.
const PRIOR: f64 = 100.0;
/// The share of a layer's mean variance that is added to the variance of every feature.
const FLOOR: f64 = 1e-3;
/// The least variance as a share of the squared mean, where nothing varies: beyond the digits of `f32`.
const LEAST: f64 = 1e-12;

/// What is usual of the details of good pictures, as models keep it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DetailStatistics {
    /// Pictures; where tiles share statistics, tiles.
    pub(crate) count: usize,
    /// One for each layer that has details.
    pub(crate) layers: Vec<LayerDetails>,
}

/// The same for one layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LayerDetails {
    pub(crate) shape: FeatureShape,
    /// `[C, H, W]`.
    pub(crate) mean: Vec<f32>,
    /// `[C, H, W]`, with the divisor `count`.
    pub(crate) variance: Vec<f32>,
}

/// [`DetailStatistics`] on a device.
#[derive(Debug, Clone)]
pub(crate) struct DetailScorer {
    layers: Vec<LayerScorer>,
}

#[derive(Debug, Clone)]
struct LayerScorer {
    shape: FeatureShape,
    /// `[1, C, H · W]`.
    mean: Tensor<3>,
    /// `1 / w`, `[1, C, H · W]`.
    inverse: Tensor<3>,
}

impl DetailScorer {
    /// Puts the statistics on `device`: 8 bytes a feature.
    pub(crate) fn new(statistics: &DetailStatistics, device: &Device) -> Self {
        let layer = |layer: &LayerDetails| {
            let inverse = inverses(statistics.count, layer);
            let shape = [1, layer.shape.channels, layer.shape.height * layer.shape.width];
            let tensor = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, shape), device);
            LayerScorer { shape: layer.shape, mean: tensor(layer.mean.clone()), inverse: tensor(inverse) }
        };
        Self { layers: statistics.layers.iter().map(layer).collect() }
    }

    /// The fine cells of each layer in each picture, from the `details` of each layer `[N, C · H · W]`.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub(crate) fn grids(&self, details: Vec<Tensor<2>>) -> Result<Vec<Vec<AnomalyGrid>>, DfmError> {
        let mut grids = Vec::with_capacity(self.layers.len());
        for (layer, details) in self.layers.iter().zip(details) {
            let FeatureShape { channels, height, width } = layer.shape;
            let count = details.dims()[0];
            let apart = details.reshape([count, channels, height * width]) - layer.mean.clone();
            let cells = (apart.clone() * apart * layer.inverse.clone()).mean_dim(1);
            let cells = to_host(cells)?;
            let grid = |cells: &[f32]| AnomalyGrid::new(height, width, cells.to_vec());
            grids.push(cells.chunks_exact(height * width).map(grid).collect());
        }
        Ok(grids)
    }
}

/// `1 / w` of every feature of a `layer` of `count` pictures. Positions where no channel ever varies, such as
/// those beside a region, have no part in the means.
fn inverses(count: usize, layer: &LayerDetails) -> Vec<f32> {
    let LayerDetails { shape, mean, variance } = layer;
    let positions = shape.height * shape.width;
    let mut varies = vec![false; positions];
    for channel in variance.chunks_exact(positions) {
        varies.iter_mut().zip(channel).for_each(|(varies, variance)| *varies |= *variance > 0.0);
    }
    let counted = varies.iter().filter(|varies| **varies).count().max(1) as f64;
    let sum = |channel: &[f32]| channel.iter().copied().map(f64::from).sum::<f64>();
    let of_channels: Vec<f64> =
        variance.par_chunks_exact(positions).map(|channel| sum(channel) / counted).collect();
    let of_layer = of_channels.iter().sum::<f64>() / of_channels.len() as f64;
    let own = count as f64 / (count as f64 + PRIOR);
    let least = match FLOOR * of_layer {
        floor if floor > 0.0 => floor,
        _ => {
            let squares: f64 = mean.iter().map(|mean| f64::from(*mean) * f64::from(*mean)).sum();
            (LEAST * squares / mean.len() as f64).max(f64::from(f32::MIN_POSITIVE))
        }
    };
    let mut inverses = vec![0.0; variance.len()];
    let channels = inverses.par_chunks_exact_mut(positions).zip(variance.par_chunks_exact(positions));
    channels.zip(of_channels).for_each(|((inverses, variance), of_channel)| {
        for (inverse, variance) in inverses.iter_mut().zip(variance) {
            let weight = own * f64::from(*variance) + (1.0 - own) * of_channel + least;
            *inverse = (1.0 / weight) as f32;
        }
    });
    inverses
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "flex")]
    use crate::judge::fine::join;
    #[cfg(feature = "flex")]
    use crate::learn::moments::{Moments, Narrow};

    #[test]
    fn a_feature_that_never_varies_has_a_weight_all_the_same() {
        let inverses = |mean: &[f32], variance: &[f32]| {
            let shape = FeatureShape { channels: 1, height: 1, width: mean.len() };
            inverses(4, &LayerDetails { shape, mean: mean.to_vec(), variance: variance.to_vec() })
        };
        for (mean, variance) in [([0.0, 0.0], [0.0, 0.0]), ([3.0, 1.0], [0.0, 0.0]), ([3.0, 1.0], [2.0, 0.0])]
        {
            let inverses = inverses(&mean, &variance);
            assert!(inverses.iter().all(|inverse| *inverse > 0.0 && inverse.is_finite()), "{inverses:?}");
        }
        // Positions beside a region do not make the others look calm.
        let beside = inverses(&[0.0; 4], &[2.0, 1.0, 0.0, 0.0]);
        assert_eq!(beside[..2], inverses(&[0.0; 2], &[2.0, 1.0])[..]);
    }

    #[cfg(feature = "flex")]
    #[test]
    fn statistics_and_maps_are_those_of_numpy() {
        // See make_detail.py beside it.
        const GOLDEN: &[u8] = include_bytes!("../../../../tests/fixtures/detail/detail.safetensors");
        let golden = safetensors::SafeTensors::deserialize(GOLDEN).unwrap();
        let read = |name: &str| -> Vec<f64> {
            let tensor = golden.tensor(name).unwrap();
            assert_eq!(tensor.dtype(), safetensors::Dtype::F64);
            tensor.data().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
        };
        let close = |what: &str, got: &[f64], expected: &[f64], tolerance: f64| {
            assert_eq!(got.len(), expected.len());
            let largest = expected.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
            for (got, expected) in got.iter().zip(expected) {
                assert!((got - expected).abs() <= tolerance * largest, "{what}: {got} is not {expected}");
            }
        };
        let wide = |values: &[f32]| values.iter().copied().map(f64::from).collect::<Vec<_>>();
        let (mut layers, mut new, mut expected) = (Vec::new(), Vec::new(), Vec::new());
        for layer in ["layer2", "layer3"] {
            let [.., channels, height, width] =
                golden.tensor(&format!("{layer}.detail")).unwrap().shape()[..]
            else {
                panic!("four axes")
            };
            let shape = FeatureShape { channels, height, width };
            let detail: Vec<f32> =
                read(&format!("{layer}.detail")).into_iter().map(|value| value as f32).collect();
            let mut pictures: Vec<&[f32]> = detail.chunks_exact(shape.len()).collect();
            new.push(pictures.pop().unwrap().to_vec());
            let mut moments = Moments::new(shape.len());
            moments.push(&pictures);
            let Narrow { mean: narrow_mean, variance: narrow_variance, .. } = moments.narrow();
            let variance = wide(&narrow_variance);
            let [mean, of_numpy, weight, fine] =
                ["mean", "variance", "weight", "fine"].map(|name| read(&format!("{layer}.{name}")));
            close("mean", &moments.mean, &mean, 1e-6);
            close("variance", &variance, &of_numpy, 1e-6);
            let layer = LayerDetails { shape, mean: narrow_mean, variance: narrow_variance };
            let weights: Vec<f64> =
                inverses(moments.count, &layer).iter().map(|inverse| 1.0 / f64::from(*inverse)).collect();
            close("weight", &weights, &weight, 1e-6);
            expected.push(fine);
            layers.push(layer);
        }
        let device = burn::tensor::Device::flex();
        let scorer = DetailScorer::new(&DetailStatistics { count: 6, layers }, &device);
        // The same picture three times: none has anything of another.
        let details = new
            .iter()
            .map(|detail| Tensor::from_data(TensorData::new(detail.repeat(3), [3, detail.len()]), &device));
        let grids = scorer.grids(details.collect()).unwrap();
        for (grids, fine) in grids.iter().zip(&expected) {
            assert_eq!(grids.len(), 3);
            grids.iter().for_each(|grid| close("fine cells", &wide(&grid.values), fine, 1e-5));
        }
        let coarse = read("coarse").into_iter().map(|value| value as f32).collect();
        let fine: Vec<AnomalyGrid> = grids.into_iter().map(|mut grids| grids.remove(0)).collect();
        let map = join(&AnomalyGrid::new(3, 2, coarse), &fine);
        assert_eq!((map.height, map.width), (12, 8));
        close("map", &wide(&map.values), &read("map"), 1e-5);
    }
}
