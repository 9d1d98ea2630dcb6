//! Tables of rows that statistics are tested on.

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
