//! The one generator of pseudo-random numbers: for random weights, for probes, and for large inputs
//! of tests.

/// A stream of numbers that can be read at any index. Value `i` is the SplitMix64 output function of
/// `seed + (i + 1) · 0x9E3779B97F4A7C15` (Steele, Lea and Flood, *Fast Splittable Pseudorandom
/// Number Generators*, 2014).
///
/// ```
/// use dfm_backbone::CounterGenerator;
///
/// let generator = CounterGenerator::new(0);
/// // The first output of SplitMix64 with seed 0.
/// assert_eq!(generator.value(0), 0xE220_A839_7B1D_CDAF);
/// assert!((-1.0..1.0).contains(&generator.unit_f32(7)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterGenerator {
    seed: u64,
}

impl CounterGenerator {
    /// The stream of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The stream of `seed` exclusive-or the FNV-1a hash of `name`: each name has a stream of its own.
    pub const fn for_name(seed: u64, name: &str) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let bytes = name.as_bytes();
        let mut index = 0;
        while index < bytes.len() {
            hash = (hash ^ bytes[index] as u64).wrapping_mul(0x0100_0000_01b3);
            index += 1;
        }
        Self::new(seed ^ hash)
    }

    /// The value at `index`.
    pub const fn value(&self, index: u64) -> u64 {
        let mut z = self.seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The value at `index` as a number in [−1, 1), uniform on a grid of 2⁻²³. It is exact in `f32`.
    pub const fn unit_f32(&self, index: u64) -> f32 {
        (self.value(index) >> 40) as f32 / 8_388_608.0 - 1.0
    }
}
