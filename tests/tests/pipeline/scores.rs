//! Scores of held-out pictures and of grids: the same from every side.

use std::sync::LazyLock;

use dfm_core::{
    Aggregation, CalibrationParams, Dfm, DfmError, JudgeOptions, Keep, Layer, LoadOptions, Method,
    ModelFileError, PreparedPicture, RgbImage, SaveOptions, ScoreKind, ThresholdEstimate,
};
use dfm_stats::{FitStatistic, PcaParams, ProbabilisticPca, Samples, Shrinkage};
use dfm_tests::model_file::ModelFile;
use dfm_tests::models::{fit_prepared, flex, small_weights};
use dfm_tests::pictures;
use dfm_tests::tolerance::assert_close;
use safetensors::Dtype;

/// The host in `f64` against a device in `f32`, which differ by about 1e-6.
const ACROSS_DEVICES: f64 = 1e-4;

/// A dozen different good parts.
static GOOD: LazyLock<Vec<RgbImage>> =
    LazyLock::new(|| (0..12).map(|seed| pictures::good(seed, 72, 56)).collect());

fn prepare(model: &Dfm, pictures: &[RgbImage]) -> Vec<PreparedPicture> {
    pictures.iter().map(|picture| model.preprocessor().prepare(picture).expect("prepared")).collect()
}

fn fit(params: Method, pictures: &[RgbImage]) -> Result<Dfm, DfmError> {
    let params = params.check()?;
    let extractor = params.extractor(small_weights(), flex())?;
    let preprocessor = extractor.preprocessor();
    let prepared: Vec<_> =
        pictures.iter().map(|picture| preprocessor.prepare(picture).expect("prepared")).collect();
    fit_prepared(&params, extractor, prepared)
}

/// Six components, and fewer where a ratio is asked of eleven pictures.
fn params(score: ScoreKind) -> Method {
    let calibration =
        Some(CalibrationParams::default().with_quantile(0.9).with_estimate(ThresholdEstimate::Quantile));
    Method::published()
        .with_taps(vec![Layer::named("layer1").pooled(4)])
        .with_score(score)
        .with_keep(Keep::Ratio(0.97))
        .with_calibration(calibration)
}

/// The fast way, in coordinates of the whole fit, against the plain one: fit
/// again without each picture, with as many components as the whole fit, and predict it.
#[test]
fn the_threshold_is_that_of_models_fitted_without_each_picture() {
    for aggregation in [
        Aggregation::Sum,
        Aggregation::Relative,
        Aggregation::Max,
        Aggregation::Top { percent: 30.0 },
        Aggregation::Power { exponent: 4.0 },
    ] {
        let params = params(ScoreKind::Fre).with_aggregation(aggregation);
        let model = fit(params.clone(), &GOOD).unwrap();
        let expected = held_out_quantile(&model, |training, held_out| {
            let keep = Keep::Components(model.component_count());
            let valid = params.clone().with_calibration(None).with_keep(keep).check().unwrap();
            let extractor = valid.extractor(small_weights(), flex()).unwrap();
            let without = fit_prepared(&valid, extractor, training.to_vec()).unwrap();
            let predictions = without.predict(held_out, &JudgeOptions::default()).unwrap();
            predictions.into_iter().map(|prediction| prediction.score).collect()
        });
        // The refits score in f32 on the device, the threshold comes from f64.
        let threshold = model.calibration().unwrap().threshold();
        assert_close(&aggregation.to_string(), threshold, expected, ACROSS_DEVICES);
    }
}

/// The same for scores of shrunk variances, which keep the shrinkage of the whole fit.
#[test]
fn the_threshold_of_shrunk_scores_is_that_of_models_fitted_without_each_picture() {
    for score in [ScoreKind::Nll, ScoreKind::Mahalanobis] {
        let model = fit(params(score), &GOOD).unwrap();
        let rows = |pictures: &[PreparedPicture]| {
            Samples::from_tensor(model.extractor().extract(pictures).unwrap()).unwrap()
        };
        let components = |statistic: &FitStatistic| {
            let keep = Keep::Components(model.component_count());
            PcaParams { keep }.check().unwrap().truncate(statistic).unwrap()
        };
        let whole = FitStatistic::of(&rows(&prepare(&model, &GOOD))).unwrap();
        let pca = components(&whole);
        let share = 11.0 / 12.0;
        let mean = share * pca.explained_variance().iter().sum::<f64>() / pca.component_count() as f64;
        let shrinkage = match score {
            ScoreKind::Nll => {
                Shrinkage::new(model.record().taps[0].gaussian.as_ref().unwrap().shrinkage, mean).unwrap()
            }
            _ => ProbabilisticPca::of(&whole, pca).unwrap().shrinkage(),
        };
        let expected = held_out_quantile(&model, |training, held_out| {
            let pca = components(&FitStatistic::of(&rows(training)).unwrap());
            let held_out = rows(held_out);
            let (inside, outside) =
                (pca.transform(&held_out).unwrap(), pca.feature_reconstruction_error(&held_out).unwrap());
            let count = training.len() as f64;
            let score = |(row, outside): (&[f64], f64)| {
                let axes = row.iter().zip(pca.explained_variance());
                if score == ScoreKind::Nll {
                    let terms = axes.map(|(value, variance)| {
                        let variance = shrinkage.apply(variance * (count - 1.0) / count);
                        value * value / variance + variance.ln()
                    });
                    return terms.sum();
                }
                let inside: f64 =
                    axes.map(|(value, variance)| value * value / shrinkage.apply(*variance)).sum();
                inside + outside / shrinkage.apply(pca.residual_variance())
            };
            inside.iter().zip(outside).map(score).collect()
        });
        // Both in f64, from the same f32 features.
        assert_close(&format!("{score:?}"), model.calibration().unwrap().threshold(), expected, 1e-6);
    }
}

/// The 90 % quantile of what `scores` gives to each of [`GOOD`] without it.
fn held_out_quantile(
    model: &Dfm,
    scores: impl Fn(&[PreparedPicture], &[PreparedPicture]) -> Vec<f64>,
) -> f64 {
    let pictures = prepare(model, &GOOD);
    let mut held_out = Vec::new();
    for place in 0..pictures.len() {
        let others = [&pictures[..place], &pictures[place + 1..]].concat();
        held_out.extend(scores(&others, &pictures[place..=place]));
    }
    held_out.sort_by(f64::total_cmp);
    // Linear between order statistics: 0.9 × 11 = 9.9.
    0.1 * held_out[9] + 0.9 * held_out[10]
}

#[test]
fn a_score_is_made_of_its_grid() {
    for (score, aggregation) in [
        (ScoreKind::Fre, Aggregation::Sum),
        (ScoreKind::Fre, Aggregation::Relative),
        (ScoreKind::Fre, Aggregation::Max),
        (ScoreKind::Fre, Aggregation::Top { percent: 30.0 }),
        (ScoreKind::Fre, Aggregation::Power { exponent: 4.0 }),
        (ScoreKind::Mahalanobis, Aggregation::Sum),
    ] {
        let model = fit(params(score).with_aggregation(aggregation), &GOOD).unwrap();
        let new = [pictures::good(100, 72, 56), pictures::defective(200, 72, 56)];
        for prediction in
            model.predict(&prepare(&model, &new), &JudgeOptions::default().with_map(true)).unwrap()
        {
            let of_grid = aggregation.of(prediction.grid.as_ref().expect("a map"));
            match score {
                // The part inside the components belongs to no cell.
                ScoreKind::Mahalanobis => assert!(of_grid > 0.0 && of_grid < prediction.score),
                // Cells are rounded to f32.
                _ => assert_close(&aggregation.to_string(), of_grid, prediction.score, 1e-6),
            }
        }
    }
}

#[test]
fn the_relative_score_is_the_share_of_the_row_and_a_row_of_zeros_has_none() {
    let relative = params(ScoreKind::Fre).with_aggregation(Aggregation::Relative);
    let (share, sum) = (fit(relative, &GOOD).unwrap(), fit(params(ScoreKind::Fre), &GOOD).unwrap());
    let new = prepare(&share, &[pictures::good(100, 72, 56), pictures::defective(200, 72, 56)]);
    let rows = Samples::from_tensor(share.extractor().extract(&new).unwrap()).unwrap();
    let scores = |model: &Dfm| model.predict(&new, &JudgeOptions::default()).unwrap();
    for ((share, sum), row) in scores(&share).iter().zip(scores(&sum)).zip(rows.iter()) {
        let norm: f64 = row.iter().map(|value| value * value).sum();
        assert_close("share", share.score, sum.score / norm, 1e-6);
    }
    // Biases of random weights are zero, so a picture of zeros has features of zeros.
    let mut dark = new;
    dark[1].pixels.fill(0.0);
    let refused = share.predict(&dark, &JudgeOptions::default());
    assert!(matches!(refused, Err(DfmError::NoFeatures { picture: 1 })), "{refused:?}");
    assert!(sum.predict(&dark, &JudgeOptions::default()).is_ok());
}

#[test]
fn a_distance_of_everything_that_varies_is_refused() {
    let refused = fit(params(ScoreKind::Mahalanobis).with_calibration(None), &GOOD[..2]);
    assert!(refused.is_err_and(|error| error.to_string().contains("residual")));
}

#[test]
fn a_shrinkage_that_no_fit_gives_is_refused_by_the_file() {
    let model = fit(params(ScoreKind::Mahalanobis), &GOOD).unwrap();
    let mut bytes = Vec::new();
    model.write(&mut bytes, &SaveOptions::default()).unwrap();
    let file = ModelFile::open(&bytes);
    for (intensity, part) in [(1.5_f64, "shrinkage"), (f64::NAN, "shrinkage")] {
        let changed = file.clone().with("shrinkage", Dtype::F64, &[1], intensity.to_le_bytes().to_vec());
        let read = Dfm::read(&mut changed.close().as_slice(), LoadOptions::on(flex()));
        let Err(DfmError::Model(ModelFileError::Content { part: refused, .. })) = read else {
            panic!("{intensity}: {read:?}")
        };
        assert_eq!(refused, part);
    }
    let changed = file.with("shrinkage", Dtype::F64, &[2], vec![0; 16]);
    let read = Dfm::read(&mut changed.close().as_slice(), LoadOptions::on(flex()));
    assert!(
        matches!(&read, Err(DfmError::Model(ModelFileError::Tensor { tensor, .. })) if tensor == "shrinkage"),
        "{read:?}"
    );
}
