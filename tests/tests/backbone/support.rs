//! What the tests of this suite share.

use dfm_backbone::{
    BackboneWeights, Block, Compute, FeatureExtractor, FeatureShape, ImportOptions, Layer, MaxPoolPadding,
    PictureSize, Placement, PreparedPicture, ResNet, StridePlacement, WeightsError, import_weights,
};
use dfm_tests::golden;

/// The small network of the fixtures, as torchvision would build it.
pub(crate) fn tiny() -> ResNet {
    ResNet {
        name: "tiny".to_owned(),
        block: Block::Bottleneck,
        depths: [2, 1, 1, 1],
        stem_width: 8,
        width: 4,
        groups: 2,
        width_per_group: 32,
        stride_placement: StridePlacement::SpatialConvolution,
        max_pool_padding: MaxPoolPadding::Symmetric,
    }
}

/// The small network with the stride and the padding of the default weights.
pub(crate) fn tiny_caffe() -> ResNet {
    ResNet {
        name: "tiny_caffe".to_owned(),
        stride_placement: StridePlacement::FirstConvolution,
        max_pool_padding: MaxPoolPadding::EndOnly,
        ..tiny()
    }
}

/// The fixture `name`, imported up to `layer4`.
pub(crate) fn fixture(name: &str, resnet: ResNet) -> BackboneWeights {
    let path = golden::path(&format!("backbone/{name}"));
    let options = ImportOptions { architecture: Some(resnet.into()), ..ImportOptions::default() };
    import_weights(&path, &options).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Imports `bytes` from a file of no telling name.
pub(crate) fn import(bytes: &[u8], options: &ImportOptions) -> Result<BackboneWeights, WeightsError> {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let path = folder.path().join("weights");
    std::fs::write(&path, bytes).expect("a scratch file");
    import_weights(&path, options)
}

/// Imports `bytes` as the small network, up to `layer4`.
pub(crate) fn import_tiny(bytes: &[u8]) -> Result<BackboneWeights, WeightsError> {
    import(bytes, &ImportOptions { architecture: Some(tiny().into()), ..ImportOptions::default() })
}

/// Every number of some weights, in order.
pub(crate) fn numbers(weights: &BackboneWeights) -> Vec<f32> {
    weights.values().concat()
}

/// Pooled features of `pixels` (`[1, 3, height, width]`) at `tap`.
pub(crate) fn features(
    weights: &BackboneWeights,
    tap: Layer,
    pool: usize,
    pixels: &[f32],
    [height, width]: [usize; 2],
    compute: &Compute,
) -> Vec<f32> {
    let input = weights.header().input.with_size(height, width);
    let extractor = FeatureExtractor::new(weights.clone().with_input(input), &[tap.pooled(pool)], compute)
        .expect("an extractor");
    let architecture = &weights.header().architecture;
    let size = architecture.feature_size(tap, [height, width]).expect("a layer");
    let shape = FeatureShape::pooled(architecture.channels(tap).expect("a layer"), size, pool)
        .expect("a map larger than the pool");
    assert_eq!(extractor.feature_shapes(), [shape]);
    let picture = PreparedPicture {
        pixels: pixels.to_vec(),
        original: PictureSize { width: width as u32, height: height as u32 },
        placement: Placement::WHOLE,
        content_hash: None,
        outside: None,
    };
    let rows = extractor.extract(&[picture]).expect("features");
    assert_eq!(rows.dims(), [1, shape.len()]);
    rows.try_into_vec_as::<f32>().expect("features on the host")
}
