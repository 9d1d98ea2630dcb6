//! What the tests of this crate share: seeded rows, and how far numbers are apart.

use crate::samples::Samples;
use crate::statistic::FitStatistic;

/// Numbers in [−0.5, 0.5) that follow from a seed (SplitMix64).
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    }

    pub(crate) fn take(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// Rows whose columns have scales of their own, so that the spectrum falls, and a mean that
/// is not zero.
pub(crate) fn rows(seed: u64, count: usize, columns: usize) -> Samples {
    let mut noise = Noise::new(seed);
    let value = |index: usize| noise.next() / (1 + index % columns) as f64 + 0.25;
    samples((0..count * columns).map(value).collect(), columns)
}

pub(crate) fn samples(values: Vec<f64>, columns: usize) -> Samples {
    Samples::from_f64(values, columns).expect("finite rows")
}

pub(crate) fn fit(samples: &Samples) -> FitStatistic {
    FitStatistic::of(samples).expect("a fit")
}

/// The rows of both, those of `first` first.
pub(crate) fn both(first: &Samples, second: &Samples) -> Samples {
    samples([first.as_slice(), second.as_slice()].concat(), first.columns())
}

/// `mean + coordinates · directions`.
pub(crate) fn rebuilt(statistic: &FitStatistic) -> Vec<f64> {
    let (rank, columns) = (statistic.rank(), statistic.mean().len());
    let mut values = Vec::new();
    for row in 0..statistic.sample_count() {
        let coordinates = &statistic.coordinates()[row * rank..][..rank];
        values.extend((0..columns).map(|column| {
            let along = |index: usize| coordinates[index] * statistic.directions()[index * columns + column];
            statistic.mean()[column] + (0..rank).map(along).sum::<f64>()
        }));
    }
    values
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The largest distance of two numbers with the same index, as a share of the largest number.
pub(crate) fn apart(actual: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(actual.len(), expected.len(), "lengths");
    let largest =
        |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, |most: f64, value| most.max(value.abs()));
    let distance = largest(&mut actual.iter().zip(expected).map(|(a, b)| a - b));
    let scale = largest(&mut expected.iter().copied());
    if scale == 0.0 { distance } else { distance / scale }
}

/// How far `directions` `[R, D]` are from unit length and right angles.
pub(crate) fn skew(directions: &[f64], columns: usize) -> f64 {
    let mut worst = 0.0_f64;
    for (a, first) in directions.chunks_exact(columns).enumerate() {
        for (b, second) in directions.chunks_exact(columns).enumerate() {
            let expected = f64::from(u8::from(a == b));
            worst = worst.max((dot(first, second) - expected).abs());
        }
    }
    worst
}
