//! Random numbers: the output function of SplitMix64 (Steele, Lea and Flood, *Fast Splittable
//! Pseudorandom Number Generators*, 2014), as a stream and as a hash.

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The output of SplitMix64 for a state. It is a bijection that mixes all bits.
pub(crate) const fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A sequence of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Stream(u64);

impl Stream {
    /// The stream that belongs to all of `words`, in their order.
    pub(crate) fn of(words: impl IntoIterator<Item = u64>) -> Self {
        Self(words.into_iter().fold(0, |state, word| mix(state ^ word)))
    }

    /// Sixty-four random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        let value = mix(self.0);
        self.0 = self.0.wrapping_add(GOLDEN);
        value
    }

    /// A uniform number in [0, 1), on a grid of 2⁻⁵³.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A uniform number below `count`, exact to within `count` · 2⁻⁶⁴. The result is 0 if `count`
    /// is 0.
    pub(crate) fn below(&mut self, count: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(count)) >> 64) as u64
    }

    /// A number from 1 to 2^`octaves`. Every octave is equally likely, and the number is uniform
    /// within it. It is almost uniform in the logarithm, without a function that machines round
    /// differently.
    pub(crate) fn scale(&mut self, octaves: u32) -> f64 {
        let octave = self.below(u64::from(octaves));
        (1_u64 << octave) as f64 * (1.0 + self.unit())
    }

    /// A unit vector. Directions are those of `2 · atan(t)`, with `t` uniform in [−1, 1), and their
    /// opposites. They are not quite uniform, but use only operations that round the same
    /// everywhere.
    pub(crate) fn direction(&mut self) -> [f64; 2] {
        direction(self.bits())
    }
}

/// The direction for these random bits; see [`Stream::direction`].
pub(crate) fn direction(bits: u64) -> [f64; 2] {
    let t = (bits >> 11) as f64 / (1_u64 << 52) as f64 - 1.0;
    let norm = 1.0 + t * t;
    let [x, y] = [(1.0 - t * t) / norm, 2.0 * t / norm];
    if bits & 1 == 0 { [x, y] } else { [-x, -y] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_splitmix64() {
        // The first outputs with seed 0, from the authors' reference implementation.
        let mut stream = Stream(0);
        for expected in [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F] {
            assert_eq!(stream.bits(), expected);
        }
    }

    #[test]
    fn numbers_keep_to_their_ranges() {
        let mut stream = Stream::of([5]);
        for _ in 0..10_000 {
            assert!((0.0..1.0).contains(&stream.unit()));
            assert!(stream.below(7) < 7);
            assert_eq!((stream.below(1), stream.below(0)), (0, 0));
            assert!((1.0..8.0).contains(&stream.scale(3)));
            let [x, y] = stream.direction();
            assert!((x * x + y * y - 1.0).abs() < 1e-15 * 4.0, "{x} {y}");
        }
    }

    #[test]
    fn every_word_and_its_place_count() {
        let first = |words: &[u64]| Stream::of(words.iter().copied()).bits();
        let all = [first(&[1, 2]), first(&[2, 1]), first(&[1]), first(&[1, 2, 0]), first(&[3, 2])];
        for (place, one) in all.iter().enumerate() {
            assert!(!all[..place].contains(one));
        }
    }
}
