//! Statistics that are merged, taken apart and compressed, against fits of all rows.

use dfm_stats::{
    Compression, FitStatistic, Keep, PcaParams, Samples, StatsError, StreamingFit, StreamingParams,
};
use dfm_tests::statistics::{F64, noise};
use dfm_tests::tolerance::{assert_close, relative_l2};

/// Numbers of rows of two parts, and columns: fewer rows than columns, more, one of each.
const SHAPES: [(usize, usize, usize); 6] =
    [(7, 5, 40), (40, 30, 12), (1, 9, 20), (1, 1, 6), (13, 1, 5), (20, 20, 21)];

fn both(first: &Samples, second: &Samples) -> Samples {
    let values = [first.as_slice(), second.as_slice()].concat();
    Samples::from_f64(values, first.columns()).expect("finite rows")
}

fn fit(samples: &Samples) -> FitStatistic {
    FitStatistic::of(samples).expect("a fit")
}

fn merge(first: &FitStatistic, second: &FitStatistic) -> FitStatistic {
    first.merge(second, None).expect("a merge")
}

/// Everything that does not depend on the order of rows, and the rows themselves.
fn assert_same(what: &str, actual: &FitStatistic, expected: &FitStatistic, rows: &Samples) {
    assert_eq!(actual.sample_count(), expected.sample_count(), "{what}");
    assert_eq!(actual.rank(), expected.rank(), "{what}");
    assert!(relative_l2(actual.mean(), expected.mean()) < 1e-14, "{what}: mean");
    let unit = expected.singular_values().first().copied().unwrap_or(1.0);
    for (actual, expected) in actual.singular_values().iter().zip(expected.singular_values()) {
        assert_close(what, (actual / unit).powi(2), (expected / unit).powi(2), F64);
    }
    // Directions of equal variance may be any of a plane; what they say of rows may not.
    assert!(relative_l2(&rebuilt(actual), rows.as_slice()) < 1e-9, "{what}: rows");
    if expected.rank() > 1 {
        let probe = noise(99, 5, rows.columns());
        let errors = |statistic: &FitStatistic| {
            let pca = PcaParams { keep: Keep::Components(expected.rank() / 2) }.check().expect("valid");
            let pca = pca.truncate(statistic).expect("components");
            pca.feature_reconstruction_error(&probe).expect("scores")
        };
        assert!(relative_l2(&errors(actual), &errors(expected)) < F64, "{what}: scores");
    }
}

/// `mean + coordinates · directions`.
fn rebuilt(statistic: &FitStatistic) -> Vec<f64> {
    let (rank, columns) = (statistic.rank(), statistic.mean().len());
    let row = |row: usize| {
        let mut values = statistic.mean().to_vec();
        let coordinates = &statistic.coordinates()[row * rank..][..rank];
        for (along, direction) in coordinates.iter().zip(statistic.directions().chunks_exact(columns)) {
            values.iter_mut().zip(direction).for_each(|(value, entry)| *value += along * entry);
        }
        values
    };
    (0..statistic.sample_count()).flat_map(row).collect()
}

#[test]
fn a_merge_is_the_fit_of_the_union() {
    for (first, second, columns) in SHAPES {
        let (a, b) = (noise(1, first, columns), noise(2, second, columns));
        let union = both(&a, &b);
        let merged = merge(&fit(&a), &fit(&b));
        assert_same(&format!("{first} and {second} of {columns}"), &merged, &fit(&union), &union);
        assert_eq!(merged.compression(), None);
    }
}

#[test]
fn parts_that_do_not_vary_or_lie_in_the_same_plane_merge() {
    let constant = |value: f64, count: usize| Samples::from_f64(vec![value; 6 * count], 6).unwrap();
    let plane = |seed: u64, count: usize| {
        let inside = noise(seed, count, 2);
        let row = |row: &[f64]| [row[0], row[1], row[0] + row[1], 0.0, 1.0, -row[0]];
        Samples::from_f64(inside.iter().flat_map(row).collect(), 6).unwrap()
    };
    for (name, a, b) in [
        ("the same point", constant(2.0, 3), constant(2.0, 2)),
        ("two points", constant(2.0, 3), constant(-1.0, 2)),
        ("a point and rows", constant(2.0, 3), noise(3, 9, 6)),
        ("zeros", constant(0.0, 1), constant(0.0, 1)),
        ("one plane", plane(4, 8), plane(5, 5)),
        ("a part and itself", noise(6, 5, 6), noise(6, 5, 6)),
    ] {
        let union = both(&a, &b);
        let (merged, whole) = (merge(&fit(&a), &fit(&b)), fit(&union));
        assert_same(name, &merged, &whole, &union);
    }
}

#[test]
fn the_order_of_merges_changes_nothing() {
    let parts = [noise(1, 6, 30), noise(2, 11, 30), noise(3, 4, 30)];
    let [a, b, c] = parts.each_ref().map(fit);
    let [left, right] = [merge(&merge(&a, &b), &c), merge(&a, &merge(&b, &c))];
    let union = both(&both(&parts[0], &parts[1]), &parts[2]);
    assert_same("(a b) c", &left, &fit(&union), &union);
    assert_same("a (b c)", &right, &left, &union);
    let turned = both(&both(&parts[2], &parts[0]), &parts[1]);
    assert_same("c (a b)", &merge(&c, &merge(&a, &b)), &left, &turned);
}

#[test]
fn scale_and_offset_do_not_hurt_a_merge() {
    for (scale, offset) in [(1e-150, 0.0), (1e150, 0.0), (1.0, 1e6)] {
        let moved = |samples: Samples| {
            let values = samples.as_slice().iter().map(|value| value * scale + offset).collect();
            Samples::from_f64(values, samples.columns()).unwrap()
        };
        let (a, b) = (moved(noise(1, 8, 25)), moved(noise(2, 9, 25)));
        let (merged, whole) = (merge(&fit(&a), &fit(&b)), fit(&both(&a, &b)));
        assert_eq!(merged.rank(), whole.rank());
        // Where the offset is a million times the spread, the mean takes six digits.
        let tolerance = if offset == 0.0 { F64 } else { 1e-4 };
        for (actual, expected) in merged.singular_values().iter().zip(whole.singular_values()) {
            assert_close("singular value", *actual, *expected, tolerance);
        }
    }
}

#[test]
fn what_is_left_without_some_rows_is_their_fit() {
    for (count, columns) in [(9, 40), (50, 12), (5, 5), (2, 7)] {
        let all = noise(1, count, columns);
        let gone: Vec<usize> = (0..count).filter(|place| place % 3 == 1).collect();
        let stay: Vec<usize> = (0..count).filter(|place| place % 3 != 1).collect();
        let left = all.select(&stay);
        let without = fit(&all).without(&gone).expect("some left");
        assert_same(&format!("{count} of {columns}"), &without, &fit(&left), &left);
        // And they can come back.
        let again = merge(&without, &fit(&all.select(&gone)));
        let order: Vec<usize> = stay.into_iter().chain(gone).collect();
        assert_same("again", &again, &fit(&all), &all.select(&order));
    }
}

#[test]
fn rows_that_are_not_there_and_all_rows_cannot_go() {
    let statistic = fit(&noise(1, 4, 6));
    for gone in [vec![4], vec![0, 1, 2, 3]] {
        let error = statistic.without(&gone).unwrap_err();
        assert!(matches!(error, StatsError::Parameter { name: "rows to leave out", .. }), "{error}");
    }
    assert_eq!(statistic.without(&[]).unwrap().sample_count(), 4);
    let same = fit(&Samples::from_f64(vec![1.0; 12], 4).unwrap());
    assert_eq!(same.without(&[1]).unwrap().sample_count(), 2);
}

#[test]
fn parts_of_other_features_do_not_merge() {
    let error = fit(&noise(1, 4, 6)).merge(&fit(&noise(1, 4, 7)), None).unwrap_err();
    assert_eq!(error.to_string(), "rows to merge: expected 6 columns, got 7 columns");
    let error = fit(&noise(1, 4, 6)).merge(&fit(&noise(1, 4, 6)), Some(0)).unwrap_err();
    assert!(matches!(error, StatsError::Parameter { .. }), "{error}");
}

/// Batches of seven, with room for some 20 directions of 40 values.
fn streamed(samples: &Samples, max_bytes: u64) -> FitStatistic {
    let mut fit =
        StreamingParams { max_bytes, exact: false }.check().unwrap().start(samples.columns()).unwrap();
    let places: Vec<usize> = (0..samples.rows()).collect();
    for batch in places.chunks(7) {
        fit.push(samples.select(batch)).unwrap();
    }
    fit.finish().unwrap()
}

#[test]
fn what_fits_into_memory_is_fitted_exactly() {
    let all = noise(1, 60, 40);
    assert_eq!(streamed(&all, 1 << 30), fit(&all));
}

#[test]
fn a_compressed_fit_keeps_its_bound() {
    for count in [230, 280] {
        let all = noise(1, count, 40);
        let (exact, small) = (fit(&all), streamed(&all, 360_000));
        let compression = small.compression().expect("forty directions do not fit");
        assert!(small.rank() <= compression.limit() && compression.limit() < 40, "{}", compression.limit());
        assert!(relative_l2(small.mean(), exact.mean()) < 1e-14);
        let bound = compression.error_bound();
        let squares = |statistic: &FitStatistic| {
            statistic.singular_values().iter().map(|value| value * value).collect::<Vec<_>>()
        };
        let (small_squares, exact_squares) = (squares(&small), squares(&exact));
        assert!(bound > 0.0 && bound < 0.05 * exact_squares[0], "{bound} of {}", exact_squares[0]);
        // Weyl: what was dropped only ever made them smaller, and by no more than the bound.
        let rounding = 1e-9 * exact_squares[0];
        for (small, exact) in small_squares.iter().zip(&exact_squares) {
            assert!(*small <= exact + rounding && *exact <= small + bound + rounding, "{small}, {exact}");
        }
        // Not one part of the variance is lost from the books.
        let kept: f64 = small_squares.iter().sum();
        assert_close("variance", kept + compression.dropped(), exact_squares.iter().sum(), 1e-9);
        let pca = PcaParams { keep: Keep::Components(8) }.check().unwrap();
        let (small, exact) = (pca.truncate(&small).unwrap(), pca.truncate(&exact).unwrap());
        assert_close("total", small.total_variance(), exact.total_variance(), 1e-9);
        assert!(exact.explained_ratio() - small.explained_ratio() < 8.0 * bound / exact_squares[0]);
    }
}

#[test]
fn remainders_are_what_is_missing_of_each_row() {
    let all = noise(1, 230, 40);
    let small = streamed(&all, 360_000);
    let remainders = small.compression().unwrap().remainders();
    let rebuilt = rebuilt(&small);
    let missing: Vec<f64> = all
        .iter()
        .zip(rebuilt.chunks_exact(40))
        .map(|(row, near)| row.iter().zip(near).map(|(a, b)| (a - b).powi(2)).sum())
        .collect();
    // Each row's loss is counted when it happens, and the mean still moves a little after
    // that: by a tenth of what a row lost or so, where directions are as few as here.
    assert!(relative_l2(remainders, &missing) < 0.2, "{}", relative_l2(remainders, &missing));
}

#[test]
fn the_order_of_rows_changes_a_compressed_fit_within_its_bound() {
    let all = noise(1, 230, 40);
    let turned: Vec<usize> = (0..230).rev().collect();
    let (a, b) = (streamed(&all, 360_000), streamed(&all.select(&turned), 360_000));
    let bound = a.compression().unwrap().error_bound().max(b.compression().unwrap().error_bound());
    for (a, b) in a.singular_values().iter().zip(b.singular_values()) {
        assert!((a * a - b * b).abs() <= bound, "{a} and {b}");
    }
    assert_eq!(streamed(&all, 360_000), a, "twice the same");
}

#[test]
fn a_compressed_fit_forgets_and_merges() {
    let all = noise(1, 240, 40);
    let small = streamed(&all, 360_000);
    let gone: Vec<usize> = (0..240).step_by(5).collect();
    let stay: Vec<usize> = (0..240).filter(|place| place % 5 != 0).collect();
    let (without, exact) = (small.without(&gone).unwrap(), fit(&all.select(&stay)));
    let bound = without.compression().unwrap().error_bound();
    assert!(bound >= small.compression().unwrap().error_bound());
    for (without, exact) in without.singular_values().iter().zip(exact.singular_values()) {
        assert!((without * without - exact * exact).abs() <= bound);
    }
    let merged = without.merge(&fit(&noise(2, 3, 40)), Some(20)).unwrap();
    assert_eq!((merged.rank(), merged.sample_count()), (20, stay.len() + 3));
    assert!(merged.compression().unwrap().error_bound() > bound);
    assert_eq!(merged.compression().unwrap().remainders().len(), stay.len() + 3);
}

#[test]
fn a_statistic_and_its_compression_are_read_back() {
    let small = streamed(&noise(1, 230, 40), 360_000);
    let again = |compression: Option<Compression>| {
        let parts = (small.mean().to_vec(), small.directions().to_vec(), small.singular_values().to_vec());
        FitStatistic::from_parts(parts.0, parts.1, parts.2, small.coordinates().to_vec(), 230, compression)
    };
    let read = again(small.compression().cloned()).unwrap();
    assert_eq!(read.compression(), small.compression());
    let short = Compression::from_parts(26, 1.0, vec![0.0; 229]).unwrap();
    assert!(matches!(again(Some(short)), Err(StatsError::Shape { what: "remainders", .. })));
    for (limit, bound, remainder) in [(0, 1.0, 0.0), (3, f64::NAN, 0.0), (3, -1.0, 0.0), (3, 1.0, -1.0)] {
        assert!(
            Compression::from_parts(limit, bound, vec![remainder]).is_err(),
            "{limit} {bound} {remainder}"
        );
    }
}

#[test]
fn rows_that_are_there_twice_are_compressed_without_an_svd() {
    // Each block of the stream holds copies, so that it varies in fewer directions than it
    // has rows, and no direction is lost that the copies do not account for.
    let few = noise(1, 12, 40);
    let places: Vec<usize> = (0..230).map(|place| place % 12).collect();
    let (all, small) = (few.select(&places), streamed(&few.select(&places), 360_000));
    let exact = fit(&all);
    assert_eq!((small.rank(), exact.rank()), (11, 11));
    let compression = small.compression().expect("it was merged within a limit");
    let largest = exact.singular_values()[0].powi(2);
    for (small, exact) in small.singular_values().iter().zip(exact.singular_values()) {
        assert!((small * small - exact * exact).abs() <= compression.error_bound(), "{small}, {exact}");
    }
    // One hundred-millionth of the largest variance for each of a few merges.
    assert!(compression.error_bound() < 1e-6 * largest);
    assert!(compression.dropped() < 1e-12 * largest, "{}", compression.dropped());
}

#[test]
fn what_rounding_leaves_of_equal_rows_is_neither_kept_nor_dropped() {
    // A few units in the last place of one are what taking the mean off leaves behind.
    let rounded = |value: &f64| if *value > 0.0 { 1.0 + 4.0 * f64::EPSILON } else { 1.0 };
    let values = noise(1, 300, 40).as_slice().iter().map(rounded).collect();
    let small = streamed(&Samples::from_f64(values, 40).unwrap(), 360_000);
    assert_eq!((small.rank(), small.sample_count(), small.compression()), (0, 300, None));
}

#[test]
fn the_batches_that_rows_come_in_change_no_bit_of_a_compressed_fit() {
    let all = noise(1, 300, 120);
    let places: Vec<usize> = (0..300).collect();
    let in_batches = |size: usize| {
        let params = StreamingParams { max_bytes: 500_000, exact: false }.check().unwrap();
        let mut fit = params.start(120).unwrap();
        places.chunks(size).for_each(|batch| fit.push(all.select(batch)).unwrap());
        fit.finish().unwrap()
    };
    assert!(in_batches(1).compression().is_some());
    assert_eq!(in_batches(1), in_batches(2));
    assert_eq!(in_batches(1), in_batches(300));
}

#[test]
fn memory_that_is_taken_counts() {
    let params = StreamingParams { max_bytes: 1 << 20, exact: false }.check().unwrap();
    assert!(params.start(40).is_ok());
    let error = params.beside(1_000_000).start(40).unwrap_err();
    assert!(matches!(error, StatsError::Memory { needed: 1_096_328, allowed: 1_048_576, .. }), "{error}");
}

fn start(max_bytes: u64, exact: bool) -> Result<StreamingFit, StatsError> {
    StreamingParams { max_bytes, exact }.check()?.start(40)
}

#[test]
fn too_little_memory_is_said_with_what_it_takes() {
    assert!(matches!(start(0, false), Err(StatsError::Parameter { .. })));
    let error = start(1000, false).unwrap_err();
    assert!(matches!(error, StatsError::Memory { needed: 96_328, allowed: 1000, .. }), "{error}");
    let mut exact = start(100_000, true).unwrap();
    exact.push(noise(1, 20, 40)).unwrap();
    let error = exact.push(noise(1, 100, 40)).unwrap_err();
    assert!(matches!(error, StatsError::Memory { .. }), "{error}");
    // What came before is still there.
    assert_eq!(exact.finish().unwrap(), fit(&noise(1, 20, 40)));
}

#[test]
fn rows_of_another_length_are_refused_and_lose_nothing() {
    let mut fit = start(1 << 20, false).unwrap();
    fit.push(noise(1, 3, 40)).unwrap();
    let error = fit.push(noise(1, 3, 41)).unwrap_err();
    assert_eq!(error.to_string(), "rows: expected 40 columns, got 41 columns");
    assert_eq!(fit.count(), 3);
    assert!(start(1 << 20, false).unwrap().finish().is_err(), "no rows at all");
}
