//! The details of a batch of pictures, a part of the batch at a time.

use std::ops::Range;

use burn::tensor::Tensor;

use crate::detail::TapDetail;

/// What pooling hides in a batch of `N` pictures: for each tap with a pool the output of its layer, from
/// which the details of some pictures are made when they are [asked for](Self::of). All of them at once
/// would take as much memory again.
#[derive(Debug, Clone)]
pub struct Details {
    layers: Vec<LayerDetails>,
    pictures: usize,
    part: usize,
}

/// The same for one layer.
#[derive(Debug, Clone)]
enum LayerDetails {
    /// They are made when they are asked for.
    Made(Box<Made>),
    /// They are known, `[N, C · H · W]`.
    Known(Box<Tensor<2>>),
}

/// What the details of one layer are made from.
#[derive(Debug, Clone)]
struct Made {
    detail: TapDetail,
    /// The output of the layer, `[N, C · H · W]`.
    maps: Tensor<2>,
    /// Its pooled cells, `[N, C · h · w]`.
    cells: Tensor<2>,
}

impl Details {
    /// Makes the details of `pictures` pictures, `part` of them together. Begins without a layer.
    pub(crate) fn new(pictures: usize, part: usize) -> Self {
        Self { layers: Vec::new(), pictures, part: part.max(1) }
    }

    /// Adds a layer with the output `maps` and the pooled `cells`.
    pub(crate) fn push(&mut self, detail: TapDetail, maps: Tensor<2>, cells: Tensor<2>) {
        self.layers.push(LayerDetails::Made(Box::new(Made { detail, maps, cells })));
    }

    /// Details that are known: those of each layer, `[N, C · H · W]`.
    pub fn known(layers: Vec<Tensor<2>>) -> Self {
        let pictures = layers.first().map_or(0, |layer| layer.dims()[0]);
        Self {
            layers: layers.into_iter().map(|layer| LayerDetails::Known(Box::new(layer))).collect(),
            pictures,
            part: pictures.max(1),
        }
    }

    /// The number of layers that have details.
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// The pictures that are best asked for together, part by part. On a processor every picture is a part:
    /// its details stay in the caches, and threads can take different pictures.
    pub fn parts(&self) -> Vec<Range<usize>> {
        let first = (0..self.pictures).step_by(self.part);
        first.map(|first| first..(first + self.part).min(self.pictures)).collect()
    }

    /// The details of some `pictures`: for each layer `[pictures, C · H · W]`.
    pub fn of(&self, pictures: Range<usize>) -> Vec<Tensor<2>> {
        let rows = |all: &Tensor<2>| all.clone().slice([pictures.clone(), 0..all.dims()[1]]);
        let layer = |layer: &LayerDetails| match layer {
            LayerDetails::Made(made) => made.detail.of(rows(&made.maps), rows(&made.cells)),
            LayerDetails::Known(details) => rows(details),
        };
        self.layers.iter().map(layer).collect()
    }
}
