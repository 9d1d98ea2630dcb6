//! What a model says of a picture, against the plain formula computed from the
//! model's file, and what it says where it can say nothing.

use std::sync::LazyLock;

use dfm_backbone::{BackboneError, ResNet};
use dfm_core::{
    AnomalyGrid, BackboneWeights, Dfm, DfmError, FeatureExtractor, FitParams, InputContract, JudgeOptions,
    Keep, Layer, Method, PictureSize, Placement, PreparedPicture, Run, SaveOptions, ScoreKind,
};
use dfm_tests::model_file::ModelFile;
use dfm_tests::models::{fit_prepared, flex, hash, small_weights};
use dfm_tests::pictures;
use dfm_tests::tolerance::{assert_close, relative_l2};

fn fitted(score: ScoreKind) -> Dfm {
    let params = Method::published()
        .with_taps(vec![Layer::named("layer1").pooled(4)])
        .with_keep(Keep::Ratio(0.9))
        .with_score(score);
    let params = FitParams::from(params).with_run(Run::default().with_batch(2)).check().expect("valid");
    let extractor = params.extractor(small_weights(), flex()).expect("an extractor");
    let good = prepared(&extractor, 0..12);
    fit_prepared(&params, extractor, good).expect("a fit")
}

fn prepared(extractor: &FeatureExtractor, seeds: std::ops::Range<u64>) -> Vec<PreparedPicture> {
    let preprocessor = extractor.preprocessor();
    seeds.map(|seed| preprocessor.prepare(pictures::good(seed, 72, 56)).expect("a picture")).collect()
}

static MODEL: LazyLock<Dfm> = LazyLock::new(|| fitted(ScoreKind::Fre));

/// Tensors of the model's file, widened.
struct Parts {
    mean: Vec<f64>,
    directions: Vec<f64>,
    coordinates: Vec<f64>,
    hashes: Vec<u8>,
}

fn parts() -> Parts {
    let mut bytes = Vec::new();
    MODEL.write(&mut bytes, &SaveOptions::default()).expect("a written model");
    let file = ModelFile::open(&bytes);
    let doubles = |name: &str| {
        let (chunks, _) = file.bytes_of(name).as_chunks::<8>();
        chunks.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
    };
    let singles = |name: &str| {
        let (chunks, _) = file.bytes_of(name).as_chunks::<4>();
        chunks.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect()
    };
    Parts {
        mean: doubles("mean"),
        directions: singles("directions"),
        coordinates: singles("coordinates"),
        hashes: file.bytes_of("content_hashes").to_vec(),
    }
}

fn feature_rows(pictures: &[PreparedPicture]) -> Vec<f64> {
    let rows = MODEL.extractor().extract(pictures).unwrap().try_into_vec_as::<f32>().unwrap();
    rows.into_iter().map(f64::from).collect()
}

#[test]
fn every_cell_of_the_map_is_the_squared_residual_over_its_channels_and_their_sum_the_score() {
    let pictures = prepared(MODEL.extractor(), 100..103);
    let shape = MODEL.extractor().feature_shapes()[0];
    let (parts, cells) = (parts(), shape.height * shape.width);
    let predictions = MODEL.predict(&pictures, &JudgeOptions::default().with_map(true)).unwrap();
    for (row, prediction) in feature_rows(&pictures).chunks(shape.len()).zip(predictions) {
        let mut residual: Vec<f64> = row.iter().zip(&parts.mean).map(|(value, mean)| value - mean).collect();
        for direction in parts.directions.chunks(shape.len()).take(MODEL.component_count()) {
            let along: f64 = residual.iter().zip(direction).map(|(a, b)| a * b).sum();
            residual.iter_mut().zip(direction).for_each(|(value, part)| *value -= along * part);
        }
        let mut expected = vec![0.0; cells];
        for (index, value) in residual.iter().enumerate() {
            expected[index % cells] += value * value;
        }
        let map = prediction.grid.expect("FRE has a map");
        for (actual, expected) in map.values.iter().zip(&expected) {
            // f32 on the device, and directions of f32 in the file.
            assert_close("cell", f64::from(*actual), *expected, 1e-4);
        }
        assert_eq!(map.values.iter().copied().map(f64::from).sum::<f64>(), prediction.score);
    }
}

#[test]
fn the_statistic_in_the_file_reconstructs_every_training_picture() {
    let pictures = prepared(MODEL.extractor(), 0..12);
    let features = MODEL.extractor().row_len();
    let parts = parts();
    let rank = parts.directions.len() / features;
    let hashes: Vec<u8> = pictures.iter().flat_map(hash).collect();
    assert_eq!(parts.hashes, hashes);
    for (row, coordinates) in feature_rows(&pictures).chunks(features).zip(parts.coordinates.chunks(rank)) {
        let mut rebuilt = parts.mean.clone();
        for (coordinate, direction) in coordinates.iter().zip(parts.directions.chunks(features)) {
            rebuilt.iter_mut().zip(direction).for_each(|(value, part)| *value += coordinate * part);
        }
        // Directions and coordinates were rounded to f32.
        assert!(relative_l2(&rebuilt, row) < 1e-6);
    }
}

#[test]
fn a_map_is_made_only_where_it_was_asked_for() {
    let pictures = prepared(MODEL.extractor(), 100..101);
    assert!(MODEL.predict(&pictures, &JudgeOptions::default()).unwrap()[0].grid.is_none());
    assert!(MODEL.predict(&pictures, &JudgeOptions::default().with_map(true)).unwrap()[0].grid.is_some());
}

#[test]
fn a_picture_prepared_by_hand_is_scored_like_any_other() {
    let picture = prepared(MODEL.extractor(), 100..101).remove(0);
    let by_hand = PreparedPicture {
        pixels: picture.pixels.clone(),
        original: PictureSize { width: 1, height: 1 },
        placement: Placement::WHOLE,
        content_hash: None,
        outside: None,
    };
    let score =
        |picture: PreparedPicture| MODEL.predict(&[picture], &JudgeOptions::default()).unwrap()[0].score;
    assert_eq!(score(by_hand), score(picture));
}

#[test]
fn a_picture_prepared_by_hand_that_holds_no_numbers_is_refused() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut pictures = prepared(MODEL.extractor(), 100..102);
        pictures[1].pixels[7] = value;
        let refused = MODEL.predict(&pictures, &JudgeOptions::default());
        let named =
            matches!(refused, Err(DfmError::Backbone(BackboneError::PictureNotFinite { index: 1, .. })));
        assert!(named, "{refused:?}");
        pictures[1].pixels.pop();
        let refused = MODEL.predict(&pictures, &JudgeOptions::default());
        let named = matches!(refused, Err(DfmError::Backbone(BackboneError::PictureSize { index: 1, .. })));
        assert!(named, "{refused:?}");
    }
}

#[test]
fn features_beyond_f32_are_named_with_their_place_among_all_pictures() {
    for score in [ScoreKind::Fre, ScoreKind::Nll, ScoreKind::Mahalanobis] {
        let model = fitted(score);
        let mut pictures = prepared(model.extractor(), 100..106);
        // Finite, but not after a convolution; in the third batch of two.
        pictures[4].pixels.iter_mut().for_each(|pixel| *pixel = 3e38);
        let refused = model.predict(&pictures, &JudgeOptions::default());
        assert!(matches!(refused, Err(DfmError::NonFiniteFeatures { picture: 4 })), "{refused:?}");
    }
}

#[test]
#[should_panic(expected = "a value for each of its cells")]
fn a_grid_without_its_values_has_no_map() {
    let grid = AnomalyGrid::new(2, 2, vec![0.0; 3]);
    let _ = grid.upsample(PictureSize { width: 4, height: 4 });
}

/// A file of less than a megabyte can describe a network that takes 17 GB to run.
#[test]
fn a_network_that_would_hold_more_than_4_gib_of_activations_is_refused() {
    let mut architecture = ResNet::known("resnet18").unwrap();
    architecture.stem_width = 1024;
    architecture.width = 8;
    architecture.depths = [1; 4];
    let wide = |size: usize| {
        let input = InputContract::imagenet().with_size(size, size);
        let weights =
            BackboneWeights::random(architecture.clone(), Layer::named("layer1"), input, 0).unwrap();
        FeatureExtractor::new(weights, &[Layer::named("layer1").pooled(1)], flex())
    };
    let refused = wide(4096);
    assert!(matches!(refused, Err(BackboneError::TooManyActivations { .. })), "{refused:?}");
    // The stem of 1024 channels at 32×32 and its pooling at 16×16, in f32.
    let bytes = 4 * 1024 * (32 * 32 + 16 * 16);
    assert_eq!(wide(64).unwrap().largest_batch(), (4 << 30) / bytes);
}
