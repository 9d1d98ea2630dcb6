//! Principal components and the Gaussian against scikit-learn, NumPy and SciPy,
//! and the laws that hold whatever the numbers.

use dfm_backbone::CounterGenerator;
use dfm_stats::{FitStatistic, Keep, Pca, PcaParams, Route, Samples, StatsError, SvdGaussian};
use dfm_tests::statistics::{F64, GOLDEN, cases, expected, noise, table};
use dfm_tests::tolerance::{assert_close, relative_l2};

fn fit(samples: &Samples, keep: Keep) -> Pca {
    PcaParams { keep }.check().expect("valid").fit(samples).expect("a fit")
}

#[test]
fn mean_singular_values_and_rank_agree_with_numpy() {
    for case in cases() {
        let statistic = FitStatistic::of(&table(&case, "rows")).expect(&case);
        assert!(relative_l2(statistic.mean(), &expected(&case, "mean")) < F64, "{case}");
        let singular_values = expected(&case, "singular_values");
        assert_eq!(statistic.rank(), singular_values.len(), "{case}, by {:?}", statistic.route());
        let unit = expected(&case, "unit")[0];
        for (actual, expected) in statistic.singular_values().iter().zip(&singular_values) {
            assert_close(&case, (actual / unit).powi(2), (expected / unit).powi(2), F64);
        }
    }
}

#[test]
fn each_explained_variance_and_what_is_left_agree_with_scikit_learn() {
    let (_, ratios) = GOLDEN.f64("ratios");
    for case in cases() {
        let rows = table(&case, "rows");
        let unit = expected(&case, "unit")[0];
        let variances = expected(&case, "explained_variance_over_unit");
        let noise = expected(&case, "noise_variances_over_unit");
        for (ratio, noise) in ratios.iter().zip(noise) {
            let pca = fit(&rows, Keep::Ratio(*ratio));
            for (actual, expected) in pca.explained_variance().iter().zip(&variances) {
                assert_close(&case, actual / unit / unit, *expected, F64);
            }
            // scikit-learn's is the mean over min(N, D) − K directions, ours over D − K.
            let (count, columns) = (pca.component_count(), rows.columns());
            let theirs = rows.rows().min(columns) - count;
            let expected =
                if columns == count { 0.0 } else { noise * theirs as f64 / (columns - count) as f64 };
            // What is left of the smallest directions is the rounding of the sum of all.
            let floor = f64::EPSILON * variances[0];
            let actual = pca.residual_variance() / unit / unit;
            assert!((actual - expected).abs() <= F64 * expected + floor, "{case}: {actual} {expected}");
        }
    }
}

#[test]
fn a_share_that_is_met_to_the_last_digit_is_enough_here_and_not_in_scikit_learn() {
    let (shape, rows) = GOLDEN.f64("tie_rows");
    let rows = Samples::from_f64(rows, shape[1]).unwrap();
    assert_eq!(fit(&rows, Keep::Ratio(0.5)).component_count(), 1);
    assert_eq!(GOLDEN.i64("tie_count_at_half").1, [2]);
}

#[test]
fn component_counts_follow_the_rule_of_scikit_learn() {
    let (_, ratios) = GOLDEN.f64("ratios");
    for case in cases() {
        let (_, counts) = GOLDEN.i64(&format!("{case}.counts"));
        for (ratio, count) in ratios.iter().zip(counts) {
            let pca = fit(&table(&case, "rows"), Keep::Ratio(*ratio));
            assert_eq!(pca.component_count() as i64, count, "{case} at {ratio}");
            // Both are sums of the same shares, in another order.
            assert!(pca.explained_ratio() >= *ratio - 1e-15, "{case} at {ratio}");
        }
    }
}

#[test]
fn the_subspace_is_that_of_scikit_learn() {
    for case in cases() {
        let unit = expected(&case, "unit")[0];
        let pca = fit(&table(&case, "rows"), Keep::Ratio(0.97));
        let columns = pca.mean().len();
        let coordinates = pca.transform(&table(&case, "new")).expect(&case);
        let mut projected = Vec::new();
        for row in coordinates.iter() {
            let mut sum = vec![0.0; columns];
            for (coordinate, component) in row.iter().zip(pca.components().chunks(columns)) {
                sum.iter_mut().zip(component).for_each(|(sum, part)| *sum += coordinate / unit * part);
            }
            projected.extend(sum);
        }
        assert!(relative_l2(&projected, &expected(&case, "projected_new")) < F64, "{case}");
    }
}

#[test]
fn scores_agree_with_scikit_learn_and_scipy() {
    let (_, ratios) = GOLDEN.f64("ratios");
    for case in cases() {
        let (rows, new) = (table(&case, "rows"), table(&case, "new"));
        let unit = expected(&case, "unit")[0];
        let (errors, likelihoods) = (expected(&case, "errors_over_unit"), expected(&case, "likelihoods"));
        for (index, ratio) in ratios.iter().enumerate() {
            let pca = fit(&rows, Keep::Ratio(*ratio));
            let actual = pca.feature_reconstruction_error(&new).expect(&case);
            for (actual, expected) in actual.iter().zip(&errors[index * 5..]) {
                // A residual that is only rounding has no digits to compare.
                let floor = 1e-25;
                let actual = actual / unit / unit;
                assert!((actual - expected).abs() <= F64 * expected + floor, "{case}: {actual} {expected}");
            }
            let gaussian = SvdGaussian::fit(&pca.transform(&rows).expect(&case)).expect(&case);
            assert_eq!(gaussian.rank(), pca.component_count(), "{case}");
            let actual = gaussian.negative_log_likelihood(&pca.transform(&new).expect(&case)).expect(&case);
            // The rows fix their smallest direction no better than rounding over its
            // share of the largest; a whitened coordinate is as exact as its direction.
            let deviations = gaussian.deviations();
            let blur = 20.0 * f64::EPSILON * deviations[0] / deviations[deviations.len() - 1];
            let logarithms: f64 = deviations.iter().map(|deviation| (2.0 * deviation.ln()).abs()).sum();
            for (actual, expected) in actual.iter().zip(&likelihoods[index * 5..]) {
                // Terms of both signs cancel, so the error is that of the largest.
                let scale = (actual - gaussian.log_determinant()) + logarithms;
                assert!(
                    (actual - expected).abs() <= F64.max(blur) * scale,
                    "{case} at {ratio}: {actual} {expected}"
                );
            }
        }
    }
}

#[test]
fn only_small_variances_of_more_rows_than_columns_take_the_svd() {
    let route = |samples: &Samples| FitStatistic::of(samples).expect("a fit").route();
    for case in ["wide", "steep", "repeated"] {
        assert_eq!(route(&table(case, "rows")), Some(Route::Gram), "{case}");
    }
    let tall = table("tall", "rows");
    assert_eq!(route(&tall), Some(Route::Scatter));
    let twice = tall.iter().flat_map(|row| row.iter().chain(row).copied()).collect();
    assert_eq!(route(&Samples::from_f64(twice, 18).unwrap()), Some(Route::ThinSvd));
}

#[test]
fn rotating_everything_changes_no_score() {
    let (samples, new) = (noise(3, 10, 24), noise(4, 6, 24));
    // Givens rotations by seeded angles, one after the other.
    let angles = CounterGenerator::new(5);
    let rotated = |samples: &Samples| {
        let mut values = samples.as_slice().to_vec();
        for row in values.chunks_mut(24) {
            for step in 0..200 {
                let (a, b) = (step % 24, (step * 7 + 1) % 24);
                if a == b {
                    continue;
                }
                let (sine, cosine) = (3.0 * f64::from(angles.unit_f32(step as u64))).sin_cos();
                (row[a], row[b]) = (cosine * row[a] - sine * row[b], sine * row[a] + cosine * row[b]);
            }
        }
        Samples::from_f64(values, 24).unwrap()
    };
    let scores = |samples: &Samples, new: &Samples| {
        let pca = fit(samples, Keep::Ratio(0.8));
        let gaussian = SvdGaussian::fit(&pca.transform(samples).unwrap()).unwrap();
        let likelihoods = gaussian.negative_log_likelihood(&pca.transform(new).unwrap()).unwrap();
        [pca.feature_reconstruction_error(new).unwrap(), likelihoods].concat()
    };
    let distance = relative_l2(&scores(&rotated(&samples), &rotated(&new)), &scores(&samples, &new));
    // Rounding of 200 rotations and of the Gram route.
    assert!(distance < 1e-9, "{distance}");
}

#[test]
fn coordinates_and_directions_rebuild_the_rows() {
    for case in cases() {
        let rows = table(&case, "rows");
        let statistic = FitStatistic::of(&rows).unwrap();
        let (rank, columns) = (statistic.rank(), rows.columns());
        let unit = expected(&case, "unit")[0];
        let mut rebuilt = Vec::new();
        for coordinates in statistic.coordinates().chunks(rank) {
            let mut row: Vec<f64> = statistic.mean().iter().map(|mean| mean / unit).collect();
            for (coordinate, direction) in coordinates.iter().zip(statistic.directions().chunks(columns)) {
                row.iter_mut().zip(direction).for_each(|(value, part)| *value += coordinate / unit * part);
            }
            rebuilt.extend(row);
        }
        let rows: Vec<f64> = rows.as_slice().iter().map(|value| value / unit).collect();
        assert!(relative_l2(&rebuilt, &rows) < 1e-7, "{case}");
    }
}

#[test]
fn directions_are_orthonormal_and_their_largest_entry_is_positive() {
    for case in cases() {
        let statistic = FitStatistic::of(&table(&case, "rows")).unwrap();
        let columns = statistic.mean().len();
        let directions: Vec<&[f64]> = statistic.directions().chunks(columns).collect();
        for (a, first) in directions.iter().enumerate() {
            let largest = first.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
            assert!(largest > 0.0, "{case}");
            for (b, second) in directions.iter().enumerate() {
                let dot: f64 = first.iter().zip(*second).map(|(a, b)| a * b).sum();
                let expected = if a == b { 1.0 } else { 0.0 };
                // The smallest directions of the Gram route carry the most rounding.
                assert!((dot - expected).abs() < 1e-6, "{case}: {a} {b}: {dot}");
            }
        }
    }
}

#[test]
fn the_order_of_rows_changes_nothing() {
    let (samples, new) = (noise(6, 14, 30), noise(7, 4, 30));
    let reversed = samples.select(&(0..14).rev().collect::<Vec<_>>());
    let score =
        |samples: &Samples| fit(samples, Keep::Ratio(0.9)).feature_reconstruction_error(&new).unwrap();
    assert!(relative_l2(&score(&reversed), &score(&samples)) < 1e-10);
}

#[test]
fn more_components_never_leave_a_larger_error_and_all_leave_none() {
    let samples = noise(8, 9, 20);
    let mut last = f64::INFINITY;
    for count in 1..=8 {
        let errors = fit(&samples, Keep::Components(count)).feature_reconstruction_error(&samples).unwrap();
        let sum: f64 = errors.iter().sum();
        assert!(sum <= last, "{count}");
        last = sum;
    }
    // Nine rows span eight directions; what is left is rounding, squared.
    assert!(last < 1e-20, "{last}");
}

#[test]
fn variances_are_those_of_the_rows() {
    let samples = noise(9, 12, 7);
    let pca = fit(&samples, Keep::Components(3));
    let mean = |column: usize| samples.iter().map(|row| row[column]).sum::<f64>() / 12.0;
    let total: f64 =
        (0..7).map(|c| samples.iter().map(|row| (row[c] - mean(c)).powi(2)).sum::<f64>() / 11.0).sum();
    assert_close("total", pca.total_variance(), total, 1e-12);
    let explained: f64 = pca.explained_variance().iter().sum();
    assert_close("residual", pca.residual_variance() * 4.0 + explained, total, 1e-12);
}

#[test]
fn rows_that_do_not_vary_are_refused_by_name() {
    for samples in [noise(1, 1, 5), Samples::from_f64(vec![0.1; 30], 5).unwrap()] {
        let statistic = FitStatistic::of(&samples).unwrap();
        assert_eq!(statistic.rank(), 0);
        let params = PcaParams { keep: Keep::Ratio(0.9) }.check().unwrap();
        assert!(matches!(params.truncate(&statistic), Err(StatsError::NoVariation { .. })));
        assert!(matches!(SvdGaussian::fit(&samples), Err(StatsError::NoVariation { .. })));
    }
}

#[test]
fn more_components_than_directions_are_refused() {
    let params = PcaParams { keep: Keep::Components(6) }.check().unwrap();
    let error = params.fit(&noise(1, 5, 20)).unwrap_err();
    assert_eq!(error, StatsError::TooManyComponents { asked: 6, rank: 4, rows: 5 });
}

#[test]
fn values_that_are_no_numbers_are_named() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = Samples::from_f64(vec![0.0, 1.0, 2.0, value], 2).unwrap_err();
        assert!(matches!(error, StatsError::NotFinite { row: 1, column: 1, .. }), "{error}");
    }
    assert!(Samples::from_f32(&[f32::NAN], 1).is_err());
}

#[test]
fn rows_of_the_wrong_length_are_refused() {
    assert!(Samples::from_f64(vec![1.0; 7], 2).is_err());
    assert!(Samples::from_f64(Vec::new(), 2).is_err());
    assert!(Samples::from_f64(vec![1.0], 0).is_err());
    let pca = fit(&noise(1, 5, 4), Keep::Components(2));
    assert!(matches!(pca.feature_reconstruction_error(&noise(1, 5, 3)), Err(StatsError::Shape { .. })));
}

#[test]
fn parts_that_contradict_each_other_are_refused() {
    let good = || (vec![0.0; 3], vec![1.0, 0.0, 0.0], vec![2.0]);
    let read = |(mean, components, variance): (Vec<f64>, Vec<f32>, Vec<f64>)| {
        Pca::from_parts(mean, components, variance, 0.1, 3.0, 5, 2)
    };
    assert!(read(good()).is_ok());
    let broken = [
        (vec![0.0; 2], good().1, good().2),
        (vec![0.0; 3], vec![2.0, 0.0, 0.0], good().2),
        (vec![0.0; 3], good().1, vec![-1.0]),
        (vec![0.0; 3], good().1, vec![f64::NAN]),
        (vec![f64::INFINITY; 3], good().1, good().2),
        (vec![0.0; 3], Vec::new(), Vec::new()),
        (Vec::new(), Vec::new(), Vec::new()),
    ];
    for parts in broken {
        assert!(read(parts.clone()).is_err(), "{parts:?}");
    }
    assert!(SvdGaussian::from_parts(vec![0.0; 2], vec![1.0, 0.0], vec![1.0]).is_ok());
    assert!(SvdGaussian::from_parts(vec![0.0; 2], vec![1.0, 0.0], vec![0.0]).is_err());
    assert!(SvdGaussian::from_parts(vec![0.0; 2], Vec::new(), Vec::new()).is_err());
}

#[test]
fn a_statistic_whose_parts_contradict_each_other_is_refused() {
    let half = 0.5_f64.sqrt();
    let read = |directions: &[f64], values: &[f64], coordinates: &[f64], rows| {
        let parts = (directions.to_vec(), values.to_vec(), coordinates.to_vec());
        FitStatistic::from_parts(vec![0.0; 2], parts.0, parts.1, parts.2, rows, None)
    };
    assert!(read(&[1.0, 0.0], &[3.0], &[3.0 * half, -3.0 * half], 2).is_ok());
    assert!(read(&[], &[], &[], 1).is_ok());
    let upright = [1.0, 0.0, 0.0, 1.0];
    let centred = [1.0, 0.0, -0.5, 0.75_f64.sqrt(), -0.5, -(0.75_f64.sqrt())];
    let length = 1.5_f64.sqrt();
    assert!(read(&upright, &[length, length], &centred, 3).is_ok());
    // Unit lengths, but the same direction twice.
    assert!(read(&[1.0, 0.0, 1.0, 0.0], &[length, length], &centred, 3).is_err());
    // Two rows vary in one direction at most, and none at all in none.
    assert!(read(&upright, &[length, length], &centred[..4], 2).is_err());
    assert!(read(&[], &[], &[], 0).is_err());
    for coordinates in [&[1.0][..], &[2.0, -2.0], &[3.0, 0.0], &[f64::NAN, 0.0], &[0.0, 0.0]] {
        assert!(read(&[1.0, 0.0], &[3.0], coordinates, 2).is_err(), "{coordinates:?}");
    }
}
