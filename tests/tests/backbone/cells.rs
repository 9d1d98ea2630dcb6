//! Cells as rows and averages of blocks, against timm and NumPy: `fixtures/cells/make_cells.py` made what is
//! expected.

use std::collections::BTreeMap;

use dfm_backbone::{
    BackboneError, BackboneWeights, FeatureExtractor, Layer, PictureSize, Placement, PreparedPicture,
};
use dfm_core::{FitParams, JudgeOptions, Method};
use dfm_tests::models::fit_prepared;
use dfm_tests::tolerance::{assert_close, relative_l2_f32};
use dfm_tests::{devices, golden};

use crate::families::{described, state_dict, weights};
use crate::generated::units;

/// The same as in `make_cells.py`.
const NETWORK: &str = "vit_tiny_patch16_224";
const HEIGHT: usize = 160;
const WIDTH: usize = 176;
const TRAINING: usize = 7;
const NEW: usize = 4;

/// The residual is a hundredth of the variance, so what two implementations of the network differ by, about
/// 1e-6 of the features, is some 1e-5 of it.
const TOLERANCE: f64 = 2e-4;

fn network(deepest: &str) -> BackboneWeights {
    let tensors = described().remove(NETWORK).expect("a network of the fixture").tensors;
    let weights = weights(NETWORK, &state_dict(NETWORK, &tensors, ""), deepest).expect(NETWORK);
    let input = weights.header().input.with_size(HEIGHT, WIDTH);
    weights.with_input(input)
}

fn pictures() -> Vec<PreparedPicture> {
    let count = 3 * HEIGHT * WIDTH;
    let base: Vec<f32> = units("cells/base", count).collect();
    let picture = |number: usize| {
        let stream = format!("cells/{number}");
        let own = units(&stream, count);
        let mut pixels: Vec<f32> = base.iter().zip(own).map(|(base, own)| base + 0.5 * own).collect();
        if number >= TRAINING && number % 2 == 1 {
            for (index, value) in pixels.iter_mut().enumerate() {
                let (y, x) = (index / WIDTH % HEIGHT, index % WIDTH);
                if (48..80).contains(&y) && (96..128).contains(&x) {
                    *value = 1.5;
                }
            }
        }
        PreparedPicture {
            pixels,
            original: PictureSize { width: WIDTH as u32, height: HEIGHT as u32 },
            placement: Placement::WHOLE,
            content_hash: Some([number as u8; 32]),
            outside: None,
        }
    };
    (0..TRAINING + NEW).map(picture).collect()
}

#[test]
fn scores_of_cells_are_those_of_numpy_with_every_picture_held_out() {
    let golden = golden::tensors("cells/cells.safetensors");
    let all = pictures();
    let (good, new) = all.split_at(TRAINING);
    let method = Method::subspace_ad(Layer::named("mean:blocks.2..blocks.4"));
    let params = FitParams::from(method).check().expect("parameters");
    for (name, device) in devices::available() {
        if name == "wgpu" {
            // The families run there.
            continue;
        }
        let extractor = params.extractor(network("blocks.4"), &device).expect("an extractor");
        let model = fit_prepared(&params, extractor, good.to_vec()).expect("a model");
        assert_eq!(model.component_count() as i64, golden.i64("components").1[0], "{name}");
        let verdicts = model.predict(new, &JudgeOptions::default().with_map(true)).expect("verdicts");
        let (_, cells) = golden.f64("cells");
        let (_, scores) = golden.f64("scores");
        assert_eq!((verdicts.len(), scores.len(), cells.len()), (NEW, NEW, NEW * 110));
        for ((verdict, score), cells) in verdicts.iter().zip(scores).zip(cells.chunks(110)) {
            println!("{name}: {} against {score}", verdict.score);
            assert_close(&name, verdict.score, score, TOLERANCE);
            let map = verdict.grid.as_ref().expect("a map");
            assert_eq!([map.height, map.width], [10, 11]);
            let expected: Vec<f32> = cells.iter().map(|cell| *cell as f32).collect();
            let distance = relative_l2_f32(&map.values, &expected);
            assert!(distance < TOLERANCE, "{name}: maps differ by {distance}");
        }
        let audited = model.audit().expect("scores of held-out pictures");
        let by_hash: BTreeMap<String, f64> =
            audited.pictures.into_iter().map(|picture| (picture.content_hash, picture.score)).collect();
        let (_, held_out) = golden.f64("held_out");
        assert_eq!((by_hash.len(), held_out.len()), (TRAINING, TRAINING));
        for (score, expected) in by_hash.values().zip(held_out) {
            println!("{name}: held out {score} against {expected}");
            assert_close(&name, *score, expected, TOLERANCE);
        }
    }
}

/// The features `[N, D]` of the pictures at one layer behind a pool.
fn rows(weights: &BackboneWeights, tap: &str, pool: usize, compute: &dfm_backbone::Compute) -> Vec<f32> {
    let taps = [tap.parse::<Layer>().expect(tap).pooled(pool)];
    let extractor = FeatureExtractor::new(weights.clone(), &taps, compute).expect(tap);
    let rows = extractor.extract(&pictures()[..2]).expect("features");
    rows.try_into_vec_as::<f32>().expect("features on the host")
}

fn mean(rows: &[Vec<f32>]) -> Vec<f32> {
    let sum = |place: usize| rows.iter().map(|row| row[place]).sum::<f32>();
    (0..rows[0].len()).map(|place| sum(place) / rows.len() as f32).collect()
}

#[test]
fn an_average_of_layers_is_the_plain_average_of_their_features() {
    let transformer = network("blocks.5");
    let residual = dfm_tests::models::weights("resnet18", Layer::named("layer2"), [64, 96]);
    let input = residual.header().input.with_size(HEIGHT, WIDTH);
    let residual = residual.with_input(input);
    for (name, device) in devices::available() {
        if name == "wgpu" {
            continue;
        }
        for (weights, average, layers, pool) in [
            (&transformer, "mean:blocks.1..blocks.3", &["blocks.1", "blocks.2", "blocks.3"][..], 1),
            (&transformer, "mean:blocks.1..blocks.3", &["blocks.1", "blocks.2", "blocks.3"], 2),
            (&transformer, "mean:blocks.0+blocks.5", &["blocks.0", "blocks.5"], 1),
            (&residual, "mean:layer2.0+layer2", &["layer2.0", "layer2"], 4),
        ] {
            let each: Vec<Vec<f32>> =
                layers.iter().map(|layer| rows(weights, layer, pool, &device)).collect();
            let (got, expected) = (rows(weights, average, pool, &device), mean(&each));
            let distance = relative_l2_f32(&got, &expected);
            println!("{average} on {name}: relative L2 {distance:.1e}");
            assert!(distance < 1e-6, "{average} on {name}: {distance}");
            assert!(relative_l2_f32(&each[0], &expected) > 0.01, "the layers differ");
        }
    }
}

#[test]
fn an_average_stands_beside_other_taps_in_the_order_of_the_network() {
    let weights = network("blocks.5");
    let compute = dfm_tests::models::flex();
    let taps = ["blocks.0", "mean:blocks.1..blocks.3", "blocks.4", "mean:blocks.2+blocks.5"];
    let taps = taps.map(|tap| tap.parse::<Layer>().expect(tap).pooled(1));
    let extractor = FeatureExtractor::new(weights.clone(), &taps, &compute).expect("an extractor");
    let columns = extractor.row_len() / taps.len();
    let joined = extractor.extract(&pictures()[..1]).expect("features");
    let joined = joined.try_into_vec_as::<f32>().expect("features on the host");
    for (tap, got) in taps.iter().zip(joined.chunks(columns)) {
        let alone = rows(&weights, tap.layer.name(), 1, &compute);
        assert!(relative_l2_f32(got, &alone[..columns]) < 1e-6, "{tap}");
    }
    // The weights of a model are those up to the last block, whatever is averaged.
    assert_eq!(extractor.weights().sha256(), network("blocks.5").sha256());
    let shorter = FeatureExtractor::new(weights.clone(), &taps[..2], &compute).expect("an extractor");
    assert_eq!(shorter.weights().header().deepest, Layer::named("blocks.3"));
    let turned = [taps[1], taps[0]];
    assert!(matches!(FeatureExtractor::new(weights, &turned, &compute), Err(BackboneError::Taps { .. })));
}

#[test]
fn an_average_beyond_the_weights_or_of_different_shapes_is_refused_by_name() {
    let refused = |weights: BackboneWeights, layer: &str| {
        let taps = [layer.parse::<Layer>().expect(layer).pooled(1)];
        FeatureExtractor::new(weights, &taps, dfm_tests::models::flex()).unwrap_err()
    };
    let beyond = refused(network("blocks.2"), "mean:blocks.1..blocks.3");
    assert!(matches!(beyond, BackboneError::TapBeyondWeights { .. }), "{beyond}");
    let residual = || dfm_tests::models::weights("resnet18", Layer::named("layer2"), [64, 96]);
    let shapes = refused(residual(), "mean:layer1+layer2");
    assert!(shapes.to_string().contains("expected layers of one shape"), "{shapes}");
    let unknown = refused(residual(), "mean:layer1+layer2.9");
    assert!(matches!(unknown, BackboneError::UnknownLayer { .. }), "{unknown}");
}
