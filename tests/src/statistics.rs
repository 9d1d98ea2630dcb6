//! Tables of rows that statistics are tested on.

use std::f64::consts::PI;
use std::sync::LazyLock;

use dfm_backbone::CounterGenerator;
use dfm_stats::Samples;

use crate::golden::{self, Golden};

/// Both sides compute in `f64`; a Gram matrix loses half of its digits, and serves
/// only where six are left of every variance.
pub const F64: f64 = 1e-6;

/// What scikit-learn, NumPy and SciPy make of each case.
pub static GOLDEN: LazyLock<Golden> = LazyLock::new(|| golden::tensors("statistics/statistics.safetensors"));

/// The names of all cases.
///
/// # Panics
///
/// If there are more or fewer than there should be.
pub fn cases() -> Vec<String> {
    let names = GOLDEN.names();
    let cases: Vec<String> =
        names.iter().filter_map(|name| Some(name.strip_suffix(".rows")?.to_owned())).collect();
    assert_eq!(cases.len(), 11, "{cases:?}");
    cases
}

/// Rows of a case.
///
/// # Panics
///
/// If it has no such part.
pub fn table(case: &str, part: &str) -> Samples {
    let (shape, values) = GOLDEN.f64(&format!("{case}.{part}"));
    Samples::from_f64(values, shape[1]).expect("finite rows")
}

/// Values of a case.
pub fn expected(case: &str, part: &str) -> Vec<f64> {
    GOLDEN.f64(&format!("{case}.{part}")).1
}

/// Seeded rows: uniform, each column with a scale of its own, so that the spectrum falls.
///
/// # Panics
///
/// If there are none.
pub fn noise(seed: u64, rows: usize, columns: usize) -> Samples {
    let generator = CounterGenerator::new(seed);
    let value = |index: usize| {
        let scale = 1.0 / (1 + index % columns) as f64;
        scale * f64::from(generator.unit_f32(index as u64)) + 0.5
    };
    Samples::from_f64((0..rows * columns).map(value).collect(), columns).expect("finite rows")
}

/// Rows `[rows, columns]` whose singular values are known: those given, falling.
/// Left vectors are cosines, which sum to zero; right ones lie on every `R`-th
/// column, with seeded entries.
///
/// # Panics
///
/// If a centred matrix of that shape has no such rank.
pub fn with_singular_values(rows: usize, columns: usize, values: &[f64]) -> Samples {
    let rank = values.len();
    assert!(rank < rows && rank <= columns, "a centred matrix has no such rank");
    let noise = CounterGenerator::new(11);
    let mut right: Vec<f64> = (0..columns as u64).map(|column| f64::from(noise.unit_f32(column))).collect();
    for (first, singular_value) in values.iter().enumerate() {
        let norm = right.iter().skip(first).step_by(rank).map(|value| value * value).sum::<f64>().sqrt();
        right.iter_mut().skip(first).step_by(rank).for_each(|value| *value *= singular_value / norm);
    }
    let scale = (2.0 / rows as f64).sqrt();
    let cosines: Vec<f64> =
        (0..4 * rows).map(|step| scale * (PI * step as f64 / (2 * rows) as f64).cos()).collect();
    let value = |index: usize| {
        let (row, column) = (index / columns, index % columns);
        let frequency = 1 + column % rank;
        right[column] * cosines[(2 * row + 1) * frequency % (4 * rows)]
    };
    Samples::from_f64((0..rows * columns).map(value).collect(), columns).expect("finite rows")
}

/// Half of the variances within a factor of two of the largest, half at `share`.
pub fn two_steps(rank: usize, share: f64) -> Vec<f64> {
    let value = |index: usize| {
        let step = 0.5 * index as f64 / rank as f64;
        if index < rank / 2 { 1.0 - step } else { share.sqrt() * (1.25 - 0.5 * step) }
    };
    (0..rank).map(value).collect()
}
