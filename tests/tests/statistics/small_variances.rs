//! Fits of rows that hardly vary in some directions: duplicates, near-duplicates and
//! spectra that fall over many decades, of which inner products lose the lower half.

use std::sync::LazyLock;

use dfm_stats::{FitStatistic, Route, Samples, StreamingParams};
use dfm_tests::golden::{self, Golden};
use dfm_tests::statistics::{noise, two_steps, with_singular_values};
use dfm_tests::tolerance::assert_close;

/// What mpmath makes of each case, in 60 digits.
static GOLDEN: LazyLock<Golden> = LazyLock::new(|| golden::tensors("statistics/small_variances.safetensors"));

/// Roundings of the largest singular value that a fit may be off by, of which 3.1 are the
/// most that was measured: each of the rows was rounded when it was centred, turned and
/// freed of other directions.
const ROUNDINGS: f64 = 8.0 * f64::EPSILON;

struct Case {
    name: String,
    rows: Samples,
    statistic: FitStatistic,
}

impl Case {
    fn of(name: &str, rows: Samples) -> Self {
        let statistic = FitStatistic::of(&rows).expect(name);
        assert_eq!(statistic.route(), Some(Route::Gram), "{name}");
        Self { name: name.to_owned(), rows, statistic }
    }

    fn largest(&self) -> f64 {
        self.statistic.singular_values()[0]
    }

    fn directions(&self) -> Vec<&[f64]> {
        self.statistic.directions().chunks_exact(self.rows.columns()).collect()
    }
}

fn cases() -> Vec<Case> {
    let names = GOLDEN.names();
    let names: Vec<&str> = names.iter().filter_map(|name| name.strip_suffix(".rows")).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    let case = |name: &str| {
        let (shape, rows) = GOLDEN.f64(&format!("{name}.rows"));
        Case::of(name, Samples::from_f64(rows, shape[1]).expect("finite rows"))
    };
    names.into_iter().map(case).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The most that any two differ from right angles, or one from unit length.
fn skew(vectors: &[&[f64]]) -> f64 {
    let mut most = 0.0_f64;
    for (place, first) in vectors.iter().enumerate() {
        most = most.max((dot(first, first) - 1.0).abs());
        most = vectors[..place].iter().fold(most, |most, second| most.max(dot(first, second).abs()));
    }
    most
}

#[test]
fn singular_values_are_those_of_sixty_digits() {
    for case in cases() {
        let (_, exact) = GOLDEN.f64(&format!("{}.singular_values", case.name));
        let actual = case.statistic.singular_values();
        assert_eq!(actual.len(), exact.len(), "{}", case.name);
        for (actual, exact) in actual.iter().zip(&exact) {
            // As exact as an SVD's: an absolute error, whatever the singular value.
            assert!((actual - exact).abs() <= ROUNDINGS * case.largest(), "{}: {actual} {exact}", case.name);
        }
    }
}

#[test]
fn each_direction_is_that_of_sixty_digits() {
    for case in cases() {
        let (_, exact) = GOLDEN.f64(&format!("{}.singular_values", case.name));
        let (shape, expected) = GOLDEN.f64(&format!("{}.directions", case.name));
        assert_eq!(shape, [exact.len(), case.rows.columns()]);
        for (index, (actual, expected)) in
            case.directions().into_iter().zip(expected.chunks(shape[1])).enumerate()
        {
            let along = dot(actual, expected);
            let off = actual.iter().zip(expected).map(|(a, e)| (a - along * e).powi(2)).sum::<f64>().sqrt();
            // Rounding turns a direction by its share of the distance to the next singular
            // value, of which zero is one.
            let others = exact.iter().enumerate().filter(|(other, _)| *other != index);
            let gap = others.map(|(_, other)| (other - exact[index]).abs()).fold(exact[index], f64::min);
            assert!(off <= ROUNDINGS * case.largest() / gap, "{}: {index} is off by {off}", case.name);
        }
    }
}

#[test]
fn directions_are_orthonormal_and_rebuild_the_rows() {
    for case in cases() {
        let directions = case.directions();
        // Few rows: of many, see below.
        assert!(skew(&directions) < 1e-12, "{}: {}", case.name, skew(&directions));
        let rank = case.statistic.rank();
        for (row, coordinates) in case.rows.iter().zip(case.statistic.coordinates().chunks_exact(rank)) {
            let mut rest: Vec<f64> =
                row.iter().zip(case.statistic.mean()).map(|(value, mean)| value - mean).collect();
            for (coordinate, direction) in coordinates.iter().zip(&directions) {
                rest.iter_mut().zip(*direction).for_each(|(value, part)| *value -= coordinate * part);
            }
            assert!(dot(&rest, &rest).sqrt() <= ROUNDINGS * case.largest(), "{}", case.name);
        }
    }
}

#[test]
fn coordinates_are_centred_and_uncorrelated() {
    for case in cases() {
        let (values, rank) = (case.statistic.singular_values(), case.statistic.rank());
        let column = |index: usize| -> Vec<f64> {
            let entries = case.statistic.coordinates().iter().skip(index).step_by(rank);
            entries.map(|entry| entry / values[index]).collect()
        };
        let columns: Vec<Vec<f64>> = (0..rank).map(column).collect();
        for (column, value) in columns.iter().zip(values) {
            assert!(
                (column.iter().sum::<f64>() * value).abs() <= ROUNDINGS * case.largest(),
                "{}",
                case.name
            );
        }
        // The rounding of the inner products over the share that a stage ends at: 2e-10.
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        assert!(skew(&columns) < 2e-10, "{}: {}", case.name, skew(&columns));
    }
}

/// One direction fewer than there could be, so that stages look for it.
#[test]
fn many_directions_at_the_end_of_a_stage_are_at_right_angles() {
    for share in [1.2e-5, 0.7e-5, 1e-12, 1e-20] {
        let values = two_steps(298, share);
        let case = Case::of(&share.to_string(), with_singular_values(300, 2048, &values));
        assert_eq!(case.statistic.rank(), 298, "{share}");
        for (actual, expected) in case.statistic.singular_values().iter().zip(&values) {
            // Twice that, because the values of the rows were rounded before.
            assert!((actual - expected).abs() < 2.0 * ROUNDINGS, "{share}: {actual} {expected}");
        }
        // The rounding of the inner products over the share that a stage ends at.
        let skew = skew(&case.directions());
        assert!(skew < 2e-10, "{share}: {skew}");
    }
}

#[test]
fn rows_that_are_all_there_twice_vary_in_the_directions_of_each_once() {
    let once = noise(5, 40, 100);
    let places: Vec<usize> = (0..80).map(|place| place * 7 % 40).collect();
    let twice = Case::of("twice", once.select(&places)).statistic;
    let once = FitStatistic::of(&once).unwrap();
    assert_eq!(twice.rank(), 39);
    for (twice, once) in twice.singular_values().iter().zip(once.singular_values()) {
        // Those of the rows once come from inner products alone: their variances are exact
        // to 2e-15 of the largest, and the smallest is 1e-5 of it.
        assert_close("a singular value", *twice, 2.0_f64.sqrt() * once, 1e-9);
    }
    for (twice, once) in twice.directions().chunks(100).zip(once.directions().chunks(100)) {
        assert!(dot(twice, once) > 1.0 - 1e-12);
    }
}

#[test]
fn values_fall_from_stage_to_stage() {
    // Variances on both sides of where a stage ends, close to each other.
    let values: Vec<f64> = (0..60).map(|index| 10_f64.powf(-0.1 * f64::from(index))).collect();
    let case = Case::of("close", with_singular_values(62, 240, &values));
    assert_eq!(case.statistic.rank(), 60);
    assert!(case.statistic.singular_values().windows(2).all(|pair| pair[0] >= pair[1]));
}

#[test]
fn a_near_duplicate_that_is_merged_adds_the_direction_that_it_adds_to_a_fit() {
    let (rows, little) = (noise(3, 8, 60), noise(4, 1, 60));
    let near: Vec<f64> = rows.row(0).iter().zip(little.row(0)).map(|(a, b)| a + 1e-6 * b).collect();
    let of = |values: Vec<f64>| FitStatistic::of(&Samples::from_f64(values, 60).unwrap()).unwrap();
    let merged = of(rows.as_slice().to_vec()).merge(&of(near.clone()), None).unwrap();
    let fitted = of([rows.as_slice(), &near].concat());
    assert_eq!((merged.rank(), fitted.rank()), (8, 8));
    let largest = fitted.singular_values()[0];
    for (merged, fitted) in merged.singular_values().iter().zip(fitted.singular_values()) {
        // Both round, and so did the directions that were merged.
        assert!((merged - fitted).abs() <= 2.0 * ROUNDINGS * largest, "{merged} {fitted}");
    }
}

#[test]
fn an_exact_fit_takes_no_more_memory_for_near_duplicates() {
    // Thirty rows, of which ten are near others.
    let (few, little) = (noise(6, 20, 200), noise(7, 30, 200));
    let near = |place: usize, column: usize| few.row(place % 20)[column] + 1e-6 * little.row(place)[column];
    let rows = (0..30).flat_map(|place| (0..200).map(move |column| near(place, column))).collect();
    let rows = Samples::from_f64(rows, 200).unwrap();
    // 28 bytes a value, 40 for each of the inner products and some to multiply them in.
    let max_bytes = 28 * 6000 + 40 * 900 + 32 * 900;
    for exact in [false, true] {
        let mut fit = StreamingParams { max_bytes, exact }.check().unwrap().start(200).unwrap();
        fit.push(rows.clone()).unwrap();
        assert_eq!(fit.finish().unwrap(), FitStatistic::of(&rows).unwrap());
    }
    assert_eq!(FitStatistic::of(&rows).unwrap().rank(), 29);
}
