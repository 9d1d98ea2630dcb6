//! Written by `cargo xtask bench ways --write`: do not change it by hand.

/// Sides of square feature maps.
pub const SIDES: [usize; 6] = [4, 8, 16, 32, 64, 128];

/// By instruction set (portable, AVX2, AVX-512) and side: from how many channels on
/// transforms are faster than taps; `None` for never.
pub const FEWEST_CHANNELS: [[Option<usize>; 6]; 3] = [
    [None, Some(16), Some(16), Some(16), Some(16), Some(16)],
    [None, Some(32), Some(16), Some(16), Some(16), Some(16)],
    [None, None, Some(16), Some(16), Some(16), Some(16)],
];
