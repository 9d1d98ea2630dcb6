//! Statistics where numbers run out: variances at the edge of a route, values at
//! the edge of `f64`, and scoring in `f32`, on every device.

use burn::tensor::{Tensor, TensorData};
use dfm_backbone::CounterGenerator;
use dfm_core::Compute;
use dfm_stats::{FitStatistic, Keep, Pca, PcaParams, Route, Samples, StatsError, SvdGaussian};
use dfm_tests::devices;
use dfm_tests::golden;
use dfm_tests::statistics::{two_steps, with_singular_values};
use dfm_tests::tolerance::assert_close;

/// Scoring in `f32` against the `f64` reference, a score at a time.
const F32: f64 = 1e-4;

fn fit(samples: &Samples, keep: Keep) -> Pca {
    PcaParams { keep }.check().expect("valid").fit(samples).expect("a fit")
}

/// The promise of every route: variances above 1e-9 of the largest to 1e-6.
fn assert_variances(samples: &Samples, values: &[f64], route: Route) {
    let statistic = FitStatistic::of(samples).expect("a fit");
    assert_eq!(statistic.route(), Some(route), "{}×{}", samples.rows(), samples.columns());
    assert_eq!(statistic.rank(), values.len());
    for (index, (actual, expected)) in statistic.singular_values().iter().zip(values).enumerate() {
        assert_close(&format!("variance {index}"), actual.powi(2), expected.powi(2), 1e-6);
    }
}

#[test]
fn small_variances_are_exact_just_above_and_below_the_cut_of_the_fast_routes() {
    let wide = (400, 4096, 399, Route::Gram, Route::Gram);
    for (rows, columns, rank, fast, slow) in [wide, (4096, 400, 400, Route::Scatter, Route::ThinSvd)] {
        // The squares of 1.125 and less at the lower end: 1e-8 lies between.
        for (share, route) in [(1.2e-8, fast), (0.7e-8, slow), (1.2e-9, slow)] {
            let values = two_steps(rank, share);
            assert_variances(&with_singular_values(rows, columns, &values), &values, route);
        }
    }
}

#[test]
fn as_many_features_as_a_large_layer_has_take_the_gram_route() {
    let values: Vec<f64> = (0..499).map(|index| 0.985_f64.powi(index)).collect();
    assert_variances(&with_singular_values(500, 16384, &values), &values, Route::Gram);
}

#[test]
fn the_rank_cut_is_that_of_the_route() {
    let cut = |samples: &Samples| FitStatistic::of(samples).expect("a fit").rank_cut();
    let flat = with_singular_values(20, 40, &two_steps(19, 0.5));
    assert_eq!(cut(&flat), Some(1e-8));
    // That of stages and of the thin SVD: max(N, D) · ε of the largest singular value,
    // squared, or the rounding of centring where that is more.
    for (rows, columns) in [(20, 40), (40, 20)] {
        let steep = cut(&with_singular_values(rows, columns, &two_steps(19, 1e-12))).expect("a rank");
        let least = (40.0 * f64::EPSILON).powi(2);
        assert!((0.99 * least..1e-25).contains(&steep), "{steep}");
    }
    assert_eq!(cut(&Samples::from_f64(vec![1.0; 6], 2).unwrap()), None);
}

#[test]
fn a_ratio_of_one_keeps_directions_too_small_to_change_the_sum() {
    let values: Vec<f64> = (0..10).map(|index| 0.1_f64.powi(index)).collect();
    let samples = with_singular_values(11, 30, &values);
    assert_eq!(fit(&samples, Keep::Ratio(1.0)).component_count(), 10);
    // The share of the last is 1e-18, that of the others all that f64 sees.
    assert!(fit(&samples, Keep::Ratio(1.0 - 1e-15)).component_count() < 10);
}

#[test]
fn rows_of_zeros_and_a_single_value_have_no_direction() {
    for samples in [Samples::from_f64(vec![0.0; 12], 4).unwrap(), Samples::from_f64(vec![7.0], 1).unwrap()] {
        let statistic = FitStatistic::of(&samples).unwrap();
        assert_eq!((statistic.rank(), statistic.rank_cut()), (0, None));
        assert_eq!(statistic.mean(), samples.row(0));
        assert!(matches!(SvdGaussian::fit(&samples), Err(StatsError::NoVariation { .. })));
    }
    let two = fit(&Samples::from_f64(vec![1.0, 3.0], 1).unwrap(), Keep::Ratio(1.0));
    assert_eq!((two.mean(), two.component_count()), (&[2.0][..], 1));
    assert_close("variance", two.explained_variance()[0], 2.0, 1e-15);
}

#[test]
fn values_at_the_ends_of_f64_give_a_mean_or_a_named_error_but_no_nan() {
    let of = |values: &[f64]| FitStatistic::of(&Samples::from_f64(values.to_vec(), 1).unwrap());
    for value in [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, -5e-324] {
        for count in [1, 2, 3] {
            let statistic = of(&vec![value; count]).unwrap();
            assert_eq!((statistic.mean(), statistic.rank()), (&[value][..], 0), "{count} of {value:e}");
        }
    }
    let statistic = of(&[f64::MAX, 0.5 * f64::MAX]).unwrap();
    assert_close("mean", statistic.mean()[0], 0.75 * f64::MAX, 1e-15);
    assert_close("length", statistic.singular_values()[0], 0.25 * f64::MAX * 2.0_f64.sqrt(), 1e-12);
    // √2 · MAX and the smallest number of all are singular values beyond f64.
    for values in [[f64::MAX, f64::MIN], [5e-324, -5e-324], [0.0, 4e-320]] {
        let error = of(&values).unwrap_err();
        assert!(matches!(error, StatsError::Range { operation: "decomposition", .. }), "{error}");
    }
}

#[test]
fn variances_beyond_f64_are_refused_by_name() {
    // Singular values that f64 holds, whose squares it does not.
    for scale in [1e180, 1e-180] {
        let samples = Samples::from_f64(vec![scale, 0.0, 0.0, scale], 2).unwrap();
        let params = PcaParams { keep: Keep::Ratio(0.9) }.check().unwrap();
        let error = params.fit(&samples).unwrap_err();
        let named = matches!(error, StatsError::Range { operation: "principal component analysis", .. });
        assert!(named, "{error}");
    }
}

/// Scores of `new` on a device, which sees them in `f32`, against the host in
/// `f64` on the very same values, one by one.
fn assert_device_scores(what: &str, device: &Compute, rows: &Samples, new: &[f32], keep: Keep) {
    let columns = rows.columns();
    let device = device.device();
    let samples = Samples::from_f32(new, columns).expect("finite rows");
    let tensor = || Tensor::<2>::from_data(TensorData::new(new.to_vec(), [samples.rows(), columns]), device);
    let pca = fit(rows, keep);
    let scorer = pca.on_device(device);
    let expected = pca.feature_reconstruction_error(&samples).unwrap();
    let actual = scorer.feature_reconstruction_error(tensor()).unwrap();
    for (row, (actual, expected)) in actual.iter().zip(&expected).enumerate() {
        // A residual that is only the rounding of f32 has no digits to compare: the
        // coordinates, of which there are about ten, carry 6e-8 each.
        let centred: f64 = samples.row(row).iter().zip(pca.mean()).map(|(x, mean)| (x - mean).powi(2)).sum();
        let floor = 1e-12 * centred;
        assert!((actual - expected).abs() <= F32 * expected + floor, "{what}: FRE {actual} {expected}");
    }
    let gaussian = SvdGaussian::fit(&pca.transform(rows).unwrap()).unwrap();
    let expected = gaussian.negative_log_likelihood(&pca.transform(&samples).unwrap()).unwrap();
    let actual = gaussian.on_device(device).negative_log_likelihood(scorer.transform(tensor())).unwrap();
    for (actual, expected) in actual.iter().zip(&expected) {
        // The constant is exact; the sum of squares has the error.
        let squares = expected - gaussian.log_determinant();
        assert!((actual - expected).abs() <= F32 * squares, "{what}: NLL {actual} {expected}");
    }
}

/// The cases of the fixture in a unit that `f32` holds, scored with their new rows.
#[test]
fn every_golden_case_scores_the_same_on_every_device() {
    let golden = golden::tensors("statistics/statistics.safetensors");
    let (_, ratios) = golden.f64("ratios");
    let names = golden.names();
    let cases: Vec<&str> = names.iter().filter_map(|name| name.strip_suffix(".rows")).collect();
    for (name, device) in devices::available() {
        let few = devices::compiles_every_shape(&name);
        let (cases, ratios) =
            if few { (&cases[..1], &ratios[..1]) } else { (cases.as_slice(), ratios.as_slice()) };
        for case in cases {
            let (shape, rows) = golden.f64(&format!("{case}.rows"));
            let (_, new) = golden.f64(&format!("{case}.new"));
            let unit = golden.f64(&format!("{case}.unit")).1[0];
            for exponent in [0, 70, 110, -50, -90] {
                let scale = f64::from(exponent).exp2() / unit;
                let scaled = |values: &[f64]| values.iter().map(|value| value * scale).collect::<Vec<_>>();
                let rows = Samples::from_f64(scaled(&rows), shape[1]).unwrap();
                let new: Vec<f32> = scaled(&new).iter().map(|value| *value as f32).collect();
                for ratio in ratios {
                    let what = format!("{name}: {case} at {ratio}, times 2^{exponent}");
                    assert_device_scores(&what, &device, &rows, &new, Keep::Ratio(*ratio));
                }
            }
        }
    }
}

#[test]
fn a_mean_far_larger_than_the_deviations_costs_no_digit_of_the_score() {
    let noise = CounterGenerator::new(21);
    for (name, device) in devices::available() {
        let shapes = [(9, 40), (60, 12), (2, 3)];
        let few = devices::compiles_every_shape(&name);
        for (rows, columns) in if few { &shapes[..1] } else { &shapes }.iter().copied() {
            for mean in [0.0, 10.0, 1e3, 1e5] {
                // Deviations of about one around means that no f32 holds exactly.
                let value = |index: usize| {
                    let column = index % columns;
                    let scale = 1.0 / (1 + column) as f64;
                    mean * (1.0 + 0.1 * column as f64) + scale * f64::from(noise.unit_f32(index as u64))
                };
                let all: Vec<f32> = (0..(rows + 5) * columns).map(|index| value(index) as f32).collect();
                let (fitted, new) = all.split_at(rows * columns);
                let samples = Samples::from_f32(fitted, columns).unwrap();
                for keep in [Keep::Ratio(0.9), Keep::Components(1)] {
                    let what = format!("{name}: {rows}×{columns} around {mean}, {keep:?}");
                    assert_device_scores(&what, &device, &samples, new, keep);
                }
            }
        }
    }
}
