//! Shrinkage, the likelihood that rests on it and the Mahalanobis distance, against
//! scikit-learn and covariance matrices inverted by NumPy, and the laws that hold.

use dfm_core::Compute;
use dfm_stats::{
    FitStatistic, Keep, Pca, PcaParams, ProbabilisticPca, Samples, Shrinkage, StatsError, SvdGaussian,
};
use dfm_tests::statistics::{F64, GOLDEN, cases, expected, noise, table};
use dfm_tests::tolerance::{assert_close, relative_l2};
use dfm_tests::{devices, tolerance};

fn fit(samples: &Samples, keep: Keep) -> (FitStatistic, Pca) {
    let statistic = FitStatistic::of(samples).expect("a statistic");
    let pca = PcaParams { keep }.check().expect("valid").truncate(&statistic).expect("components");
    (statistic, pca)
}

#[test]
fn the_intensity_is_ledoit_and_wolfs() {
    for case in cases() {
        let (statistic, pca) = fit(&table(&case, "rows"), Keep::Ratio(0.5));
        let expected = expected(&case, "intensity")[0];
        match ProbabilisticPca::of(&statistic, pca) {
            Ok(model) => {
                assert!(
                    (model.shrinkage().intensity() - expected).abs() < F64,
                    "{case}: {model:?} {expected}"
                );
            }
            // Two rows have one direction, and nothing to judge its variance by.
            Err(error) => assert!(case == "two" && expected == 0.0, "{case}: {error}"),
        }
    }
}

#[test]
fn shrunk_likelihoods_are_those_of_the_shrunk_covariance() {
    let (_, ratios) = GOLDEN.f64("ratios");
    for case in cases() {
        let (rows, new) = (table(&case, "rows"), table(&case, "new"));
        let (likelihoods, intensities) =
            (expected(&case, "shrunk_likelihoods"), expected(&case, "reduced_intensities"));
        for (index, ratio) in ratios.iter().enumerate() {
            let (_, pca) = fit(&rows, Keep::Ratio(*ratio));
            let gaussian = SvdGaussian::fit_shrunk(&pca.transform(&rows).expect(&case)).expect(&case);
            let intensity = gaussian.shrinkage_intensity().expect("shrunk");
            assert!((intensity - intensities[index]).abs() < F64, "{case} at {ratio}: {intensity}");
            let logarithms: f64 = gaussian.deviations().iter().map(|value| (2.0 * value.ln()).abs()).sum();
            let actual = gaussian.negative_log_likelihood(&pca.transform(&new).expect(&case)).expect(&case);
            for (actual, expected) in actual.iter().zip(&likelihoods[index * 5..]) {
                // Terms of both signs cancel, so the error is that of the largest.
                let scale = (actual - gaussian.log_determinant()) + logarithms;
                assert!((actual - expected).abs() <= F64 * scale, "{case} at {ratio}: {actual} {expected}");
            }
        }
    }
}

#[test]
fn distances_are_those_of_the_inverted_covariance_on_the_host_and_on_every_device() {
    let (_, ratios) = GOLDEN.f64("ratios");
    let devices = devices::available();
    for case in cases() {
        let (rows, new) = (table(&case, "rows"), table(&case, "new"));
        let distances = expected(&case, "squared_distances");
        for (index, ratio) in ratios.iter().enumerate() {
            let (statistic, pca) = fit(&rows, Keep::Ratio(*ratio));
            let expected = &distances[index * 5..][..5];
            let model = match ProbabilisticPca::of(&statistic, pca) {
                Ok(model) => model,
                Err(error) => {
                    assert!(matches!(error, StatsError::NoResidual { components: 1, rows: 2 }), "{error}");
                    assert!(expected.iter().all(|value| value.is_nan()), "{case} at {ratio}");
                    continue;
                }
            };
            let actual = model.squared_distance(&new).expect(&case);
            for (actual, expected) in actual.iter().zip(expected) {
                assert_close(&format!("{case} at {ratio}"), *actual, *expected, F64);
            }
            // One shape each for devices that compile every one of them; the largest and
            // smallest rows of the fixture are beyond f32.
            if case != "tall" || *ratio != 0.9 {
                continue;
            }
            for (name, device) in &devices {
                let got = on_device(&model, &new, device);
                let distance = tolerance::relative_l2(&got, expected);
                // Sums of a few squares in f32.
                assert!(distance < 1e-5, "{name}: {distance}");
            }
        }
    }
}

fn on_device(model: &ProbabilisticPca, rows: &Samples, device: &Compute) -> Vec<f64> {
    let device = device.device();
    let scorer = model.on_device(device);
    let narrow: Vec<f32> = rows.as_slice().iter().map(|value| *value as f32).collect();
    let data = burn::tensor::TensorData::new(narrow, [rows.rows(), rows.columns()]);
    let tensor = burn::tensor::Tensor::<2>::from_data(data, device);
    let inside = scorer.distance_inside(tensor.clone()).expect("inside");
    let outside = scorer.pca().feature_reconstruction_error(tensor).expect("outside");
    inside.iter().zip(outside).map(|(inside, outside)| inside + scorer.residual_weight() * outside).collect()
}

#[test]
fn shrinkage_moves_no_variance_out_and_turns_no_two_round() {
    let rows = noise(1, 10, 40);
    let (statistic, pca) = fit(&rows, Keep::Components(4));
    let model = ProbabilisticPca::of(&statistic, pca).unwrap();
    let (pca, shrinkage) = (model.pca(), model.shrinkage());
    assert!(shrinkage.intensity() > 0.0 && shrinkage.intensity() < 1.0, "{shrinkage:?}");
    let kept: f64 = pca.explained_variance().iter().map(|value| shrinkage.apply(*value)).sum();
    assert_close("total", kept + 36.0 * model.noise_variance(), pca.total_variance(), 1e-12);
    let shrunk: Vec<f64> = pca.explained_variance().iter().map(|value| shrinkage.apply(*value)).collect();
    assert!(shrunk.is_sorted_by(|a, b| a > b), "{shrunk:?}");
}

#[test]
fn no_score_explodes_because_there_are_fewer_rows_than_columns() {
    // Every direction kept: the smallest variances are the least known.
    let (rows, new) = (noise(2, 20, 300), noise(3, 200, 300));
    let (statistic, pca) = fit(&rows, Keep::Components(19));
    let reduced = |samples: &Samples| pca.transform(samples).unwrap();
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    let plain = SvdGaussian::fit(&reduced(&rows)).unwrap();
    let shrunk = SvdGaussian::fit_shrunk(&reduced(&rows)).unwrap();
    let ratio = |gaussian: &SvdGaussian| {
        mean(gaussian.squared_distance(&reduced(&new)).unwrap())
            / mean(gaussian.squared_distance(&reduced(&rows)).unwrap())
    };
    // New rows of the same kind score like those that were learnt, within a small factor.
    println!("new over learnt: {} plain, {} shrunk", ratio(&plain), ratio(&shrunk));
    assert!(ratio(&shrunk) < 3.0, "{}", ratio(&shrunk));
    // And the bound that the documentation states holds for any row.
    let intensity = shrunk.shrinkage_intensity().unwrap();
    let target = plain.deviations().iter().map(|value| value * value).sum::<f64>() / 19.0;
    for (row, distance) in reduced(&new).iter().zip(shrunk.squared_distance(&reduced(&new)).unwrap()) {
        let square = row.iter().map(|value| value * value).sum::<f64>();
        assert!(distance <= square / (intensity * target) * (1.0 + 1e-9));
    }
    assert!(ProbabilisticPca::of(&statistic, pca).is_ok());
}

#[test]
fn a_distance_does_not_change_when_everything_is_scaled_or_moved() {
    let (rows, new) = (noise(4, 12, 30), noise(5, 6, 30));
    let distances = |rows: &Samples, new: &Samples| {
        let (statistic, pca) = fit(rows, Keep::Ratio(0.8));
        ProbabilisticPca::of(&statistic, pca).unwrap().squared_distance(new).unwrap()
    };
    let changed = |samples: &Samples| {
        let values = samples.as_slice().iter().map(|value| 7.0 * value - 3.0).collect();
        Samples::from_f64(values, 30).unwrap()
    };
    // Rounding of another mean.
    assert!(relative_l2(&distances(&changed(&rows), &changed(&new)), &distances(&rows, &new)) < 1e-9);
}

#[test]
fn components_that_leave_nothing_over_are_refused_and_those_that_span_everything_are_not() {
    // Two rows: one direction, no residual, and nothing to shrink by.
    let (statistic, pca) = fit(&noise(6, 2, 5), Keep::Ratio(1.0));
    let refused = ProbabilisticPca::of(&statistic, pca);
    assert_eq!(refused.unwrap_err(), StatsError::NoResidual { components: 1, rows: 2 });
    let (statistic, pca) = fit(&noise(7, 9, 3), Keep::Ratio(1.0));
    let model = ProbabilisticPca::of(&statistic, pca).unwrap();
    assert_eq!((model.noise_variance(), model.residual_weight()), (0.0, 0.0));
    assert!(model.squared_distance(&noise(8, 4, 3)).unwrap().iter().all(|value| value.is_finite()));
}

#[test]
fn shrinkage_out_of_range_is_refused() {
    for (intensity, target) in [(-0.1, 1.0), (1.1, 1.0), (f64::NAN, 1.0), (0.5, -1.0), (0.5, f64::INFINITY)] {
        assert!(Shrinkage::new(intensity, target).is_err(), "{intensity} {target}");
    }
    assert_eq!(Shrinkage::new(0.25, 4.0).unwrap().apply(8.0), 7.0);
}
