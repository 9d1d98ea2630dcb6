//! Models without one row, by an outer product taken off, against fits without it.

use dfm_backbone::CounterGenerator;
use dfm_stats::{
    FitStatistic, Keep, LeaveOneOut, Pca, PcaParams, Row, RowTerms, Samples, Shrinkage, Variances,
};
use dfm_tests::statistics::noise;

/// Relative to the squared length of the row (to its length, for the residual itself): the trapezoidal
/// rule is exact to 6e-13 and its ends to 2e-12, sums of a hundred terms to 1e-14; the refits
/// take their directions from a Gram matrix, whose small ones have six digits in the worst
/// case, but rotate little of a row.
const EXACT: f64 = 1e-9;

/// What a fit of `others` says of `row`, with up to `components` components.
struct Refit {
    pca: Option<Pca>,
    statistic: FitStatistic,
    row: Samples,
}

impl Refit {
    fn new(rows: &Samples, left_out: &[usize], row: Samples, components: usize) -> Self {
        let others: Vec<usize> = (0..rows.rows()).filter(|place| !left_out.contains(place)).collect();
        let statistic = FitStatistic::of(&rows.select(&others)).unwrap();
        let kept = components.min(statistic.rank());
        let keep = Keep::Components(kept.max(1));
        let pca = (kept > 0).then(|| PcaParams { keep }.check().unwrap().truncate(&statistic).unwrap());
        Self { pca, statistic, row }
    }

    fn count(&self) -> usize {
        self.pca.as_ref().map_or(0, Pca::component_count)
    }

    fn deviation(&self) -> Vec<f64> {
        self.row.as_slice().iter().zip(self.statistic.mean()).map(|(value, mean)| value - mean).collect()
    }

    fn along(&self) -> Vec<f64> {
        self.pca.as_ref().map_or(Vec::new(), |pca| pca.transform(&self.row).unwrap().as_slice().to_vec())
    }

    fn residual(&self) -> Vec<f64> {
        let mut rest = self.deviation();
        let components = self.pca.as_ref().map_or(&[][..], |pca| pca.components());
        for (along, direction) in self.along().iter().zip(components.chunks_exact(rest.len())) {
            rest.iter_mut().zip(direction).for_each(|(value, part)| *value -= along * part);
        }
        rest
    }

    fn terms(&self, variances: Option<Variances>) -> RowTerms {
        let squared = |value: &f64| value * value;
        let (kept, all) = (self.count(), self.statistic.singular_values());
        let variance =
            |value: &f64| variances.map(|asked| asked.shrinkage.apply(value * value / asked.divisor));
        let shrunk: Vec<f64> = all[..kept].iter().filter_map(variance).collect();
        RowTerms {
            residual: self.residual().iter().map(squared).sum(),
            distance: self
                .along()
                .iter()
                .zip(&shrunk)
                .map(|(along, variance)| along * along / variance)
                .sum(),
            log_determinant: shrunk.iter().map(|variance| variance.ln()).sum(),
            left_out: all[kept..].iter().map(squared).sum(),
        }
    }
}

/// Asserts that `found` is `expected`, relative to the squares that either is a part of.
#[track_caller]
fn assert_terms(
    what: &str,
    found: RowTerms,
    expected: RowTerms,
    squared_length: f64,
    total: f64,
    least: f64,
) {
    let close = |name: &str, found: f64, expected: f64, scale: f64| {
        let distance = (found - expected).abs();
        assert!(
            distance <= EXACT * scale,
            "{what}: {name} {found} against {expected}, {distance:e} of {scale:e}"
        );
    };
    close("residual", found.residual, expected.residual, squared_length);
    close("distance", found.distance, expected.distance, squared_length / least);
    close(
        "log determinant",
        found.log_determinant,
        expected.log_determinant,
        1.0 + expected.log_determinant.abs(),
    );
    close("left out", found.left_out, expected.left_out, total);
}

/// Every row of `rows` left out, its copies with it, with each number of components; asked of
/// itself and of `other`.
fn check(name: &str, rows: &Samples, copies_of: impl Fn(usize) -> Vec<usize>, other: &[f64]) {
    let whole = FitStatistic::of(rows).unwrap();
    let total = whole.singular_values().iter().map(|value| value * value).sum::<f64>();
    let (other_coordinates, outside) =
        whole.coordinates_of(&Samples::from_f64(other.to_vec(), rows.columns()).unwrap()).unwrap();
    let counts = [1, 2, whole.rank() / 2, whole.rank() - 1, whole.rank()];
    for components in counts.into_iter().filter(|count| (1..=whole.rank()).contains(count)) {
        let models = LeaveOneOut::new(&whole, components).unwrap();
        for place in 0..rows.rows() {
            let copies = copies_of(place);
            let model = models.without(Row { place, copies: copies.len() });
            let what = format!("{name}, row {place}, {components} components");
            let own = Refit::new(rows, &copies, rows.select(&[place]), components);
            assert_eq!(model.component_count(), own.count(), "{what}");
            assert_eq!(model.sample_count(), rows.rows() - copies.len(), "{what}");
            // No shrinkage, some, and all of it; only where no variance is divided by that is
            // rounding.
            let target = total / (rows.rows() * rows.columns()) as f64;
            for intensity in [0.2, 1.0] {
                let divisor = model.sample_count() as f64;
                let shrinkage = Shrinkage::new(intensity, target).unwrap();
                let variances = Some(Variances { shrinkage, divisor });
                let least = intensity * target;
                let length = own.deviation().iter().map(|value| value * value).sum::<f64>();
                let terms = model.of_row(variances);
                assert_terms(&what, terms, own.terms(variances), length, total, least);
                let other = Samples::from_f64(other.to_vec(), rows.columns()).unwrap();
                let refit = Refit::new(rows, &copies, other, components);
                let mut terms = model.of_other(&other_coordinates, variances);
                terms.residual += outside[0];
                let length = refit.deviation().iter().map(|value| value * value).sum::<f64>();
                assert_terms(&what, terms, refit.terms(variances), length, total, least);
            }
            let plain = model.of_row(None);
            let length = own.deviation().iter().map(|value| value * value).sum::<f64>();
            assert_terms(&what, plain, own.terms(None), length, total, 1.0);
            let residual = Samples::from_f64(model.residual_of_row(), whole.rank()).unwrap();
            let found = whole.deviations_of(&residual).unwrap();
            let apart: f64 = found.iter().zip(own.residual()).map(|(a, b)| (a - b) * (a - b)).sum();
            assert!(apart.sqrt() <= EXACT * length.sqrt(), "{what}: {apart:e} of {length:e}");
        }
    }
}

fn alone(place: usize) -> Vec<usize> {
    vec![place]
}

fn other(columns: usize) -> Vec<f64> {
    noise(99, 1, columns).as_slice().iter().map(|value| 2.0 * value - 0.7).collect()
}

#[test]
fn models_without_a_row_are_those_of_fits_without_it() {
    for (rows, columns) in [(2, 3), (3, 1), (3, 40), (4, 4), (5, 4), (12, 60), (30, 7), (25, 24), (40, 2)] {
        check(&format!("{rows} × {columns}"), &noise(rows as u64, rows, columns), alone, &other(columns));
    }
}

#[test]
fn scale_and_place_change_nothing() {
    for (scale, place) in [(1e-9, 0.0), (1e9, -3e9), (1e-3, 5.0)] {
        let rows = noise(5, 14, 20);
        let moved = rows.as_slice().iter().map(|value| scale * value + place).collect();
        let moved = Samples::from_f64(moved, 20).unwrap();
        let whole = [&rows, &moved].map(|rows| FitStatistic::of(rows).unwrap());
        for components in [1, 6, 12] {
            let [plain, moved] = whole.each_ref().map(|whole| LeaveOneOut::new(whole, components).unwrap());
            for place in 0..14 {
                let [plain, moved] = [&plain, &moved].map(|models| {
                    let model = models.without(Row { place, copies: 1 });
                    model.of_row(None).residual
                });
                // What adding the place rounded off.
                let apart = (moved / (scale * scale) - plain).abs();
                assert!(apart <= 1e-5 * plain.max(1e-2), "{scale}, {components}: {moved} {plain}");
            }
        }
    }
}

/// The same row three times, beside others: it leaves with its copies, and other rows leave
/// although some rows are copies of each other.
#[test]
fn copies_leave_together() {
    for (rows, columns) in [(5, 9), (8, 5), (20, 3)] {
        let base = noise(7, rows, columns);
        let places: Vec<usize> = (0..rows).chain([1, 1, 3]).collect();
        let copies = |place: usize| -> Vec<usize> {
            (0..places.len()).filter(|other| places[*other] == places[place]).collect()
        };
        check(&format!("copies of {rows} × {columns}"), &base.select(&places), copies, &other(columns));
    }
    // Every row twice: one pair gone, the others still vary in all directions but one.
    let base = noise(8, 6, 11);
    let places: Vec<usize> = (0..6).chain(0..6).collect();
    check("pairs", &base.select(&places), |place| vec![place % 6, place % 6 + 6], &other(11));
}

/// Rows in few directions, one of them alone in its own: without it, that direction is gone.
#[test]
fn a_direction_that_one_row_has_alone_goes_with_it() {
    let generator = CounterGenerator::new(3);
    let mut values = vec![0.0; 10 * 6];
    for row in 0..10 {
        for column in 0..3 {
            values[row * 6 + column] = f64::from(generator.unit_f32((row * 3 + column) as u64));
        }
    }
    values[4 * 6 + 5] = 2.0;
    check("a lonely direction", &Samples::from_f64(values, 6).unwrap(), alone, &other(6));
}

/// Along the axes singular values are equal and most coordinates are nothing. Which of equal
/// ones is kept would be a choice, so they are kept together or not at all.
#[test]
fn equal_singular_values_and_coordinates_of_nothing_are_no_special_case() {
    let rows = |lengths: &[f64]| {
        let mut values = Vec::new();
        for (axis, length) in lengths.iter().enumerate() {
            for part in [-1.0, 1.0, -0.5, 0.5] {
                let mut row = vec![0.0; lengths.len()];
                row[axis] = part * length;
                values.extend(row);
            }
        }
        // At the mean itself.
        values.extend(vec![0.0; lengths.len()]);
        Samples::from_f64(values, lengths.len()).unwrap()
    };
    for (lengths, components) in [
        (&[1.0, 1.0, 1.0][..], 3),
        (&[5.0, 1.0, 1.0], 1),
        (&[5.0, 5.0, 1.0], 2),
        (&[5.0, 5.0, 5.0, 1.0, 1.0, 1.0], 3),
        (&[5.0, 5.0, 5.0, 1.0, 1.0, 1.0], 6),
    ] {
        let rows = rows(lengths);
        let whole = FitStatistic::of(&rows).unwrap();
        let total = whole.singular_values().iter().map(|value| value * value).sum();
        let models = LeaveOneOut::new(&whole, components).unwrap();
        for place in 0..rows.rows() {
            let found = models.without(Row { place, copies: 1 }).of_row(None);
            let expected = Refit::new(&rows, &[place], rows.select(&[place]), components).terms(None);
            assert_terms(&format!("{lengths:?}, row {place}"), found, expected, 25.0, total, 1.0);
        }
    }
}

#[test]
fn compressed_rows_are_left_out_of_what_was_kept() {
    let rows = noise(11, 30, 40);
    let statistic = FitStatistic::of(&rows.select(&(0..15).collect::<Vec<_>>())).unwrap();
    let second = FitStatistic::of(&rows.select(&(15..30).collect::<Vec<_>>())).unwrap();
    let compressed = statistic.merge(&second, Some(8)).unwrap();
    // The statistic is the exact one of other rows: those with what was dropped left out.
    let coordinates = Samples::from_f64(compressed.coordinates().to_vec(), 8).unwrap();
    let kept = compressed.deviations_of(&coordinates).unwrap();
    let kept = kept.iter().zip(compressed.mean().iter().cycle()).map(|(a, b)| a + b).collect();
    let kept = Samples::from_f64(kept, 40).unwrap();
    for components in [1, 4, 7] {
        let models = LeaveOneOut::new(&compressed, components).unwrap();
        for place in 0..30 {
            let found = models.without(Row { place, copies: 1 }).of_row(None);
            let refit = Refit::new(&kept, &[place], kept.select(&[place]), components);
            let length = refit.deviation().iter().map(|value| value * value).sum();
            let total = compressed.singular_values().iter().map(|value| value * value).sum();
            assert_terms(&format!("row {place}"), found, refit.terms(None), length, total, 1.0);
        }
    }
}

/// Each model counts its own components, as a fit would.
#[test]
fn a_ratio_is_reached_by_each_model_for_itself() {
    let mut others = 0;
    for (rows, columns) in [(12, 30), (25, 6), (9, 9), (3, 5)] {
        let table = noise(rows as u64, rows, columns);
        let whole = FitStatistic::of(&table).unwrap();
        for ratio in [0.3, 0.7, 0.9, 0.97] {
            let keep = PcaParams { keep: Keep::Ratio(ratio) }.check().unwrap();
            let components = keep.truncate(&whole).unwrap().component_count();
            let models = LeaveOneOut::new(&whole, components).unwrap().reaching(ratio);
            for place in 0..rows {
                let left: Vec<usize> = (0..rows).filter(|other| *other != place).collect();
                let refit = keep.fit(&table.select(&left)).unwrap();
                let found = models.without(Row { place, copies: 1 });
                assert_eq!(
                    found.component_count(),
                    refit.component_count(),
                    "{rows} × {columns}, {place}, {ratio}"
                );
                others += usize::from(found.component_count() != components);
            }
        }
    }
    assert!(others > 10, "that of the whole fit would have done: {others}");
}

#[test]
fn no_component_and_more_than_there_are_are_refused() {
    let whole = FitStatistic::of(&noise(1, 5, 9)).unwrap();
    assert!(LeaveOneOut::new(&whole, 0).is_err());
    assert!(LeaveOneOut::new(&whole, 5).is_err());
    let models = LeaveOneOut::new(&whole, 4).unwrap();
    let rows: Vec<Row> = (0..5).map(|place| Row { place, copies: 1 }).collect();
    let places = models.each(&rows, |model| model.place());
    assert_eq!(places, [0, 1, 2, 3, 4]);
}
