//! How far a figure would move with other pictures of the same kinds.

use rayon::prelude::*;

use crate::error::DfmError;

use super::Figure;

/// The share of replicates that an interval leaves out at each end.
const TAIL: f64 = 0.025;
/// Draws that are in memory at a time.
const AT_ONCE: usize = 1024;

/// How intervals are made, unchecked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootstrapParams {
    /// Sets of pictures that are drawn, 100 to 100 000.
    pub replicates: usize,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for BootstrapParams {
    /// A thousand.
    fn default() -> Self {
        Self { replicates: 1000, seed: 0 }
    }
}

impl BootstrapParams {
    /// Checks the parameters.
    ///
    /// # Errors
    ///
    /// If the number of replicates is out of its range.
    pub fn check(self) -> Result<ValidBootstrapParams, DfmError> {
        if (100..=100_000).contains(&self.replicates) {
            return Ok(ValidBootstrapParams(self));
        }
        let (name, expected) = ("bootstrap replicates", "100 to 100000");
        Err(DfmError::Parameter { name, expected, got: self.replicates.to_string() })
    }
}

/// Checked [`BootstrapParams`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidBootstrapParams(BootstrapParams);

impl ValidBootstrapParams {
    /// Draws pictures with replacement, of each kind as many as there are. `of_draw` is told how often every
    /// picture was drawn, on any thread of the pool, and `sink` gets what it finds in the order of the draws.
    /// `kinds` has the kind of every picture. The draws follow from the seed alone.
    pub(super) fn draw<T: Send>(
        &self,
        kinds: &[Option<usize>],
        of_draw: impl Fn(&[u32]) -> T + Sync,
        mut sink: impl FnMut(T),
    ) {
        let mut strata: Vec<(Option<usize>, Vec<usize>)> = Vec::new();
        for (picture, kind) in kinds.iter().enumerate() {
            match strata.iter_mut().find(|(other, _)| other == kind) {
                Some((_, pictures)) => pictures.push(picture),
                None => strata.push((*kind, vec![picture])),
            }
        }
        let draw = |replicate: usize, weights: &mut Vec<u32>| {
            weights.clear();
            weights.resize(kinds.len(), 0);
            // Every replicate takes one number for each picture.
            let mut state = state_after(self.0.seed, replicate as u64 * kinds.len() as u64);
            for (_, pictures) in &strata {
                for _ in pictures {
                    // Off by less than the number of pictures in 2⁶⁴.
                    let place = (u128::from(next(&mut state)) * pictures.len() as u128) >> 64;
                    weights[pictures[place as usize]] += 1;
                }
            }
            of_draw(weights)
        };
        for first in (0..self.0.replicates).step_by(AT_ONCE) {
            let some = (first..self.0.replicates.min(first + AT_ONCE)).into_par_iter();
            let found: Vec<T> =
                some.map_init(Vec::new, |weights, replicate| draw(replicate, weights)).collect();
            found.into_iter().for_each(&mut sink);
        }
    }
}

/// What SplitMix64 adds to its state for each number.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// The state of SplitMix64 after so many numbers.
fn state_after(seed: u64, numbers: u64) -> u64 {
    seed.wrapping_add(STEP.wrapping_mul(numbers))
}

/// The next number of SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(STEP);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Whether drawing changes anything for a figure of these kinds: two good pictures, and two
/// others.
pub(super) fn can_draw(good: usize, anomalous: usize) -> bool {
    good >= 2 && anomalous >= 2
}

/// The percentile interval of a figure's replicates; `None` if there is none.
pub(super) fn interval(mut values: Vec<f64>) -> Option<[f64; 2]> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    // Linear between neighbours, as NumPy's default.
    let at = |share: f64| {
        let position = share * last as f64;
        let (low, part) = (position as usize, position.fract());
        values[low] + part * (values[(low + 1).min(last)] - values[low])
    };
    Some([at(TAIL), at(1.0 - TAIL)])
}

/// A figure of a value in [0, 1].
pub(super) fn figure(value: f64, bound: f64, interval: Option<[f64; 2]>) -> Figure {
    let [low, high] = interval.map_or([None, None], |ends| ends.map(Some));
    Figure { value, low, high, bound }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_drawn_as_often_as_it_is_there() {
        let kinds = [None, Some(1), None, Some(0), Some(1), None, None];
        let params = BootstrapParams { replicates: 400, seed: 3 }.check().unwrap();
        let mut totals = [0; 7];
        params.draw(&kinds, <[u32]>::to_vec, |weights| {
            for kind in [None, Some(0), Some(1)] {
                let of_kind = |place: &usize| kinds[*place] == kind;
                let drawn: u32 = (0..7).filter(of_kind).map(|place| weights[place]).sum();
                assert_eq!(drawn as usize, (0..7).filter(of_kind).count());
            }
            (0..7).for_each(|place| totals[place] += weights[place]);
        });
        // A mean of 400 with a standard deviation below 20.
        assert!(totals.iter().all(|total| (300..500).contains(total)), "{totals:?}");
        let mut again = Vec::new();
        params.draw(&kinds, <[u32]>::to_vec, |weights| again.push(weights));
        let sum = again.iter().fold([0; 7], |sum: [u32; 7], one| std::array::from_fn(|k| sum[k] + one[k]));
        assert_eq!(sum, totals);
    }

    /// Reports of other days stay comparable: the same seed gives the same draws on every number of threads.
    #[test]
    fn draws_are_those_of_one_stream_whatever_the_threads() {
        let kinds = [None, Some(0), None, None, Some(0)];
        let params = BootstrapParams { replicates: 1500, seed: 7 }.check().unwrap();
        let drawn = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut all = Vec::new();
            pool.install(|| params.draw(&kinds, <[u32]>::to_vec, |weights| all.push(weights)));
            all
        };
        // One stream of numbers for all draws, as they were made before there were threads.
        let mut state = 7;
        let one_by_one = (0..1500).map(|_| {
            let mut weights = vec![0; kinds.len()];
            for pictures in [&[0, 2, 3][..], &[1, 4]] {
                for _ in pictures {
                    let place = (u128::from(next(&mut state)) * pictures.len() as u128) >> 64;
                    weights[pictures[place as usize]] += 1;
                }
            }
            weights
        });
        let expected: Vec<Vec<u32>> = one_by_one.collect();
        assert_eq!(drawn(1), expected);
        assert_eq!(drawn(3), expected);
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        assert_eq!(interval((0..=1000).map(f64::from).rev().collect()), Some([25.0, 975.0]));
        assert_eq!(interval(vec![0.5]), Some([0.5, 0.5]));
        assert_eq!(interval(Vec::new()), None);
    }
}
