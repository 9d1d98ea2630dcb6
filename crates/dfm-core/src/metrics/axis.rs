//! The axis of scores, cut into bins of equal relative width.

/// Bits of the mantissa that tell bins apart: neighbours differ by 2⁻¹⁴, relative.
const MANTISSA: u32 = 14;
/// The bits of an `f32` that a bin drops.
const DROPPED: u32 = 23 - MANTISSA;

/// Bins of one octave.
pub(super) const OCTAVE: usize = 1 << MANTISSA;
/// Octaves of both signs.
pub(super) const OCTAVES: usize = 1 << 9;

/// The bin of `value`; larger values have larger bins, or the same.
pub(super) fn bin_of(value: f32) -> u32 {
    // Both zeros are the same value.
    let bits = (value + 0.0).to_bits();
    let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    ordered >> DROPPED
}

/// The smallest value of `bin`.
pub(super) fn smallest_of(bin: u32) -> f32 {
    let ordered = bin << DROPPED;
    f32::from_bits(if ordered >> 31 == 1 { ordered & !(1 << 31) } else { !ordered })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_rise_with_their_values_and_hold_their_smallest() {
        let values = [-f32::MAX, -2.5, -1.0, -1e-30, 0.0, 1e-37, 0.7, 1.0, 1.0001, 3e9, f32::MAX];
        let bins = values.map(bin_of);
        assert!(bins.is_sorted_by(|a, b| a < b), "{bins:?}");
        assert_eq!(bin_of(-0.0), bin_of(0.0));
        assert!(bins.iter().all(|bin| (*bin as usize) < OCTAVE * OCTAVES));
        for (value, bin) in values.into_iter().zip(bins) {
            let smallest = smallest_of(bin);
            assert_eq!(bin_of(smallest), bin);
            assert!(smallest <= value && value - smallest <= value.abs() / 16384.0, "{value} {smallest}");
        }
    }
}
