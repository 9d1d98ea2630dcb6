//! From prepared pictures to rows of features.

use std::borrow::Borrow;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use dfm_image::{Levels, PictureSize, PreparedPicture, Preprocessor, Region, Tiling};
use dfm_kernels::{NodeRanges, StepTime};

use crate::compute::{Compute, Forward};
use crate::detail::TapDetail;
use crate::details::Details;
use crate::error::BackboneError;
use crate::features::FeatureShape;
use crate::limits::{self, MAX_ACTIVATION_BYTES};
use crate::precision::NetworkPrecision;
use crate::tap::Tap;
use crate::unsupported::UnsupportedNode;
use crate::weights::BackboneWeights;

/// A network up to the last tap, on one device, with the preparation of pictures before it and the
/// pooling after every tap. Clones share the network and its weights.
#[derive(Debug, Clone)]
pub struct FeatureExtractor {
    weights: Arc<BackboneWeights>,
    network: Arc<Forward>,
    taps: Vec<Tap>,
    shapes: Vec<FeatureShape>,
    preprocessor: Preprocessor,
    compute: Compute,
    largest_batch: usize,
    /// The ranges of activations, for a network in int8.
    ranges: Option<NodeRanges>,
    /// If the region is a mask: `[1, D]`, with one in the columns of the cells that count and zero in
    /// the others.
    counted: Option<Tensor<2>>,
    /// What makes details of every tap with a pool; `None` unless they are asked for.
    details: Option<Vec<TapDetail>>,
}

impl FeatureExtractor {
    /// Taps the network with these weights. Weights behind the last of `taps` are dropped.
    ///
    /// # Errors
    ///
    /// If there is no tap, the taps are not in the order of their layers, the network has no such layer, the
    /// weights end before the last tap, their input contract cannot be used, a pool is larger than the map of its layer, or
    /// one picture would need more than 4 GiB of activations at once.
    pub fn new(
        weights: BackboneWeights,
        taps: &[Tap],
        compute: impl Into<Compute>,
    ) -> Result<Self, BackboneError> {
        Self::build(weights, taps, compute.into(), None)
    }

    /// [`new`](Self::new), but the network computes in int8, with steps that fit `ranges`. Features
    /// differ by a few per cent from those in `f32`. They are the same to the bit on every processor.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new); [`BackboneError::Int8Device`] unless `compute` has our own
    /// kernels; if the ranges are not those of this network.
    pub fn int8(
        weights: BackboneWeights,
        taps: &[Tap],
        compute: impl Into<Compute>,
        ranges: NodeRanges,
    ) -> Result<Self, BackboneError> {
        Self::build(weights, taps, compute.into(), Some(ranges))
    }

    /// The same network in int8, with steps that fit `ranges`.
    ///
    /// # Errors
    ///
    /// Those of [`int8`](Self::int8).
    pub fn into_int8(self, ranges: NodeRanges) -> Result<Self, BackboneError> {
        let (region, tiling) = (self.region().cloned(), self.preprocessor.tiling());
        let (picture_size, levels) = (self.preprocessor.picture_size(), self.preprocessor.levels());
        let details = self.takes_details();
        let mut int8 =
            Self::build(Arc::unwrap_or_clone(self.weights), &self.taps, self.compute, Some(ranges))?;
        int8.set_region(region)?;
        int8.set_tiling(tiling, picture_size);
        int8.set_levels(levels);
        int8.set_details(details)?;
        Ok(int8)
    }

    /// Limits every picture to `region`; `None` takes whole pictures. If the region is a mask, the
    /// features of cells without any of its pixels are zero in every picture.
    ///
    /// # Errors
    ///
    /// If no cell would have features. Nothing changes then.
    pub fn set_region(&mut self, region: Option<Region>) -> Result<(), BackboneError> {
        let preprocessor = self.preprocessor.clone().with_region(region);
        let mut counted = Vec::new();
        for shape in &self.shapes {
            if let Some(cells) = preprocessor.counted_cells([shape.height, shape.width])? {
                let row = cells.iter().map(|counts| f32::from(u8::from(*counts)));
                counted.extend(row.cycle().take(shape.len()));
            }
        }
        self.counted = match counted.len() {
            0 => None,
            columns => Some(Tensor::from_data(TensorData::new(counted, [1, columns]), self.device())),
        };
        self.preprocessor = preprocessor;
        self.set_details(self.takes_details())
    }

    /// Sets whether [`extract_with_details`](Self::extract_with_details) has details to give. They take
    /// two small matrices for each tap.
    ///
    /// # Errors
    ///
    /// If the region leaves no cell of a tap, which [`set_region`](Self::set_region) refuses.
    pub fn set_details(&mut self, details: bool) -> Result<(), BackboneError> {
        if !details {
            self.details = None;
            return Ok(());
        }
        let mut all = Vec::with_capacity(self.taps.len());
        for (tap, cells) in self.taps.iter().zip(&self.shapes).filter(|(tap, _)| tap.pool > 1) {
            let shape = self.weights.feature_shape(tap.layer.pooled(1))?;
            let mut detail = TapDetail::new(shape, *cells, tap.pool, self.compute.device());
            let counted = self.preprocessor.counted_cells([cells.height, cells.width])?;
            detail.set_counted(counted.as_deref(), tap.pool, self.compute.device());
            all.push(detail);
        }
        self.details = Some(all);
        Ok(())
    }

    /// Whether details are asked for.
    pub fn takes_details(&self) -> bool {
        self.details.is_some()
    }

    /// The shape of the details of every tap whose pool is larger than a cell, in the order of the taps:
    /// that of the layer's own output. Empty unless [details](Self::set_details) are asked for.
    pub fn detail_shapes(&self) -> Vec<FeatureShape> {
        self.details.iter().flatten().map(TapDetail::shape).collect()
    }

    /// The number of columns of the details of a picture: the sum over all of
    /// [`detail_shapes`](Self::detail_shapes).
    pub fn detail_len(&self) -> usize {
        self.details.iter().flatten().map(|detail| detail.shape().len()).sum()
    }

    /// Cuts every picture, or its region, into tiles; `None` keeps it in one piece. With a
    /// `picture_size`, pictures of another size are refused.
    pub fn set_tiling(&mut self, tiling: Option<Tiling>, picture_size: Option<PictureSize>) {
        self.preprocessor = self.preprocessor.clone().with_tiling(tiling).with_picture_size(picture_size);
    }

    /// Sets which values of pictures are black and white.
    pub fn set_levels(&mut self, levels: Levels) {
        self.preprocessor = self.preprocessor.clone().with_levels(levels);
    }

    /// The part of every picture that counts; `None` if all of it does.
    pub fn region(&self) -> Option<&Region> {
        self.preprocessor.region()
    }

    fn build(
        weights: BackboneWeights,
        taps: &[Tap],
        compute: Compute,
        ranges: Option<NodeRanges>,
    ) -> Result<Self, BackboneError> {
        let deepest = Tap::deepest(taps)?;
        weights.check_order(taps)?;
        let weights = weights.truncate(deepest.layer)?.with_averages(taps)?;
        let header = weights.header();
        let preprocessor = Preprocessor::new(header.input)?;
        let nodes = weights.nodes(taps)?;
        let shapes = taps.iter().map(|tap| weights.feature_shape(*tap)).collect::<Result<_, _>>()?;
        let bytes = limits::activation_bytes(&weights, deepest.layer)?;
        let largest_batch = usize::try_from(MAX_ACTIVATION_BYTES / bytes.max(1)).unwrap_or(usize::MAX);
        let network = Forward::new(&weights, taps, &nodes, &compute, ranges.as_ref())?;
        limits::check_engine(&weights, deepest.layer, network.memory())?;
        let (weights, network) = (Arc::new(weights), Arc::new(network));
        let taps = taps.to_vec();
        Ok(Self {
            weights,
            network,
            taps,
            shapes,
            preprocessor,
            compute,
            largest_batch,
            ranges,
            counted: None,
            details: None,
        })
    }

    /// The weights, up to the last tap.
    pub fn weights(&self) -> &BackboneWeights {
        &self.weights
    }

    /// Where features are taken, in the order of their features in a row.
    pub fn taps(&self) -> &[Tap] {
        &self.taps
    }

    /// The numbers that the network computes in.
    pub fn precision(&self) -> NetworkPrecision {
        if self.ranges.is_some() { NetworkPrecision::Int8 } else { NetworkPrecision::F32 }
    }

    /// The ranges that the steps of a network in int8 fit; `None` in `f32`.
    pub fn ranges(&self) -> Option<&NodeRanges> {
        self.ranges.as_ref()
    }

    /// Where and how the network runs.
    pub fn compute(&self) -> &Compute {
        &self.compute
    }

    /// Whether our own kernels run the network.
    pub fn has_kernels(&self) -> bool {
        self.network.has_kernels()
    }

    /// The node because of which Burn runs the network although [`compute`](Self::compute) has our own kernels;
    /// `None` if they run it, or are not there.
    pub fn unsupported_by_kernels(&self) -> Option<&UnsupportedNode> {
        self.network.unsupported()
    }

    /// The device that rows of features are on.
    pub fn device(&self) -> &Device {
        self.compute.device()
    }

    /// The shape of the features of each tap before they were flattened into a row.
    pub fn feature_shapes(&self) -> &[FeatureShape] {
        &self.shapes
    }

    /// `D`: the number of columns of a row, the sum over all taps.
    pub fn row_len(&self) -> usize {
        self.shapes.iter().map(FeatureShape::len).sum()
    }

    /// The most pictures to extract together: as many as 4 GiB of activations allow, and at least one.
    pub fn largest_batch(&self) -> usize {
        self.largest_batch
    }

    /// The preprocessor that prepares pictures for this extractor.
    pub fn preprocessor(&self) -> Preprocessor {
        self.preprocessor.clone()
    }

    /// The features of a batch, `[N, D]`. A row holds the features of one picture: those of every tap,
    /// one tap after the other.
    ///
    /// # Errors
    ///
    /// If there is no picture, one was prepared for another size, or one holds a
    /// value that is not finite.
    pub fn extract(&self, pictures: &[impl Borrow<PreparedPicture>]) -> Result<Tensor<2>, BackboneError> {
        let input = self.weights.header().input;
        let pixels = self.pixels(pictures)?;
        let rows = self.network.run(&pixels, [input.height, input.width], self.compute.device())?;
        Ok(match &self.counted {
            Some(counted) => rows * counted.clone(),
            None => rows,
        })
    }

    /// [`extract`](Self::extract), and the details of the same pictures: what pooling hides. The detail
    /// of a tap is the output of its layer minus the bilinear interpolation of its pooled cells (between
    /// their centres, constant beyond the outermost). In cells that do not count it is zero, as the
    /// features are. Rows have the same bits as without details.
    ///
    /// # Shapes
    ///
    /// - rows: `[N, D]`
    /// - details: for each of [`detail_shapes`](Self::detail_shapes) and `n` pictures `[n, C · H · W]`
    ///
    /// Cost: beside the network 4 bytes for each value of the layers' outputs; once they are asked for, a few
    /// operations for each of them.
    ///
    /// # Errors
    ///
    /// Those of [`extract`](Self::extract).
    pub fn extract_with_details(
        &self,
        pictures: &[impl Borrow<PreparedPicture>],
    ) -> Result<(Tensor<2>, Details), BackboneError> {
        let Some(of_taps) = &self.details else {
            return Ok((self.extract(pictures)?, Details::known(Vec::new())));
        };
        let input = self.weights.header().input;
        let pixels = self.pixels(pictures)?;
        let (rows, maps) =
            self.network.run_with_maps(&pixels, [input.height, input.width], self.compute.device())?;
        let rows = match &self.counted {
            Some(counted) => rows * counted.clone(),
            None => rows,
        };
        let (count, mut first) = (pictures.len(), 0);
        let (mut of_taps, mut maps) = (of_taps.iter(), maps.into_iter());
        let mut details = Details::new(count, self.network.pictures_apart().unwrap_or(count));
        for (tap, shape) in self.taps.iter().zip(&self.shapes) {
            let columns = first..first + shape.len();
            first = columns.end;
            if tap.pool > 1
                && let (Some(detail), Some(maps)) = (of_taps.next(), maps.next())
            {
                details.push(detail.clone(), maps, rows.clone().slice([0..count, columns]));
            }
        }
        Ok((rows, details))
    }

    /// Measures how large activations become over `pictures` in `f32`, for
    /// [`into_int8`](Self::into_int8). For the values of the pictures themselves, it takes the largest
    /// that the input contract allows.
    ///
    /// # Errors
    ///
    /// Those of [`extract`](Self::extract); [`BackboneError::Int8Device`] unless our own kernels compute, and
    /// [`BackboneError::Int8Network`] if they do not know the network; no picture with finite activations, or
    /// a network that is in int8 already.
    pub fn measure_ranges(
        &self,
        pictures: &[impl Borrow<PreparedPicture>],
    ) -> Result<NodeRanges, BackboneError> {
        if let Some(unsupported) = self.unsupported_by_kernels().cloned() {
            let architecture = self.weights.header().architecture.name().to_owned();
            return Err(BackboneError::Int8Network { architecture, unsupported });
        }
        let mut ranges = self.network.ranges(&self.pixels(pictures)?)?;
        ranges.input = ranges.input.max(self.weights.header().input.largest());
        Ok(ranges)
    }

    /// The values of `pictures`, if they are what the network takes.
    fn pixels<'p>(
        &self,
        pictures: &'p [impl Borrow<PreparedPicture>],
    ) -> Result<Vec<&'p [f32]>, BackboneError> {
        let input = self.weights.header().input;
        let expected = 3 * input.height * input.width;
        if pictures.is_empty() {
            return Err(BackboneError::EmptyBatch);
        }
        for (index, picture) in pictures.iter().enumerate() {
            let picture = picture.borrow();
            let got = picture.pixels.len();
            if got != expected {
                let (height, width) = (input.height, input.width);
                return Err(BackboneError::PictureSize { index, expected, got, height, width });
            }
            // All values are looked at, since a compiler can do that with vectors.
            let is_finite = picture.pixels.iter().fold(true, |all, value| all & value.is_finite());
            if !is_finite && let Some(got) = picture.pixels.iter().copied().find(|value| !value.is_finite()) {
                return Err(BackboneError::PictureNotFinite { index, got });
            }
        }
        Ok(pictures.iter().map(|picture| picture.borrow().pixels.as_slice()).collect())
    }

    /// How long each step of the network takes for one picture: the median of `repeats` runs. `None` if
    /// Burn runs the network, since Burn does not say.
    ///
    /// # Errors
    ///
    /// If the picture was prepared for another size.
    pub fn time_steps(
        &self,
        picture: &PreparedPicture,
        repeats: usize,
    ) -> Result<Option<Vec<StepTime>>, BackboneError> {
        self.network.time_steps(&picture.pixels, repeats)
    }
}
