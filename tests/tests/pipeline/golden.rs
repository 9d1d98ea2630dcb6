//! Scores and aggregations from end to end, against ONNX Runtime, scikit-learn and SciPy.

use dfm_core::{Aggregation, BackboneWeights, JudgeOptions, Keep, Layer, Method, RgbImage, ScoreKind};
use dfm_tests::models::fit_prepared;
use dfm_tests::tolerance::assert_close;
use dfm_tests::{devices, golden, pictures};
use image::Rgb;
use image::imageops::crop_imm;

/// The same as in `fixtures/pipeline/make_pipeline.py`.
const SIDE: u32 = 96;
const TRAINING: u32 = 14;
const NEW: u32 = 6;

/// Sums of squares of `f32` in another order: below 1e-6 on `cpu` and `flex` when this was
/// written. A wrong layout, mean or component changes a score by far more than this.
const TOLERANCE: f64 = 1e-4;

/// See `pictures` in the script.
fn parts() -> (Vec<RgbImage>, Vec<RgbImage>) {
    let whole = pictures::generated(400, 480);
    let cut = |index: u32| {
        let mut window = crop_imm(&whole, 101 * index % 380, 37 * index % 300, SIDE, SIDE).to_image();
        if index >= TRAINING && index % 2 == 1 {
            for (x, y) in (36..60).flat_map(|y| (36..60).map(move |x| (x, y))) {
                window.put_pixel(x, y, Rgb([250, 20, 240]));
            }
        }
        window
    };
    ((0..TRAINING).map(cut).collect(), (TRAINING..TRAINING + NEW).map(cut).collect())
}

#[test]
fn scores_agree_with_onnx_runtime_scikit_learn_and_scipy() {
    let golden = golden::tensors("pipeline/pipeline.safetensors");
    let (good, new) = parts();
    for (device_name, device) in devices::available() {
        for (score, aggregation, name) in [
            (ScoreKind::Fre, Aggregation::Sum, "fre"),
            (ScoreKind::Fre, Aggregation::Relative, "relative"),
            (ScoreKind::Fre, Aggregation::Max, "max"),
            (ScoreKind::Fre, Aggregation::Top { percent: 25.0 }, "top:25%"),
            (ScoreKind::Fre, Aggregation::Power { exponent: 4.0 }, "power:4"),
            (ScoreKind::Nll, Aggregation::Sum, "nll"),
            (ScoreKind::Mahalanobis, Aggregation::Sum, "mahalanobis"),
        ] {
            let weights = BackboneWeights::embedded().expect("the embedded weights");
            let input = weights.header().input.with_size(SIDE as usize, SIDE as usize);
            let params = Method::published()
                .with_taps(vec![Layer::named("layer3").pooled(2)])
                .with_keep(Keep::Ratio(0.9))
                .with_score(score)
                .with_aggregation(aggregation)
                .with_calibration(None);
            let params = params.check().expect("valid parameters");
            let extractor = params.extractor(weights.with_input(input), &device).expect("an extractor");
            let preprocessor = extractor.preprocessor();
            let prepare = |pictures: &[RgbImage]| -> Vec<_> {
                pictures.iter().map(|picture| preprocessor.prepare(picture).expect("prepared")).collect()
            };
            let model = fit_prepared(&params, extractor, prepare(&good)).expect("a model");
            assert_eq!(model.component_count() as i64, golden.i64("components").1[0], "{device_name}");
            let got = model.predict(&prepare(&new), &JudgeOptions::default()).expect("verdicts");
            let (_, expected) = golden.f64(name);
            assert_eq!((got.len(), expected.len()), (NEW as usize, NEW as usize));
            for (got, expected) in got.iter().zip(expected) {
                println!("{name} on {device_name}: {} against {expected}", got.score);
                assert_close(&format!("{name} on {device_name}"), got.score, expected, TOLERANCE);
            }
        }
    }
}
