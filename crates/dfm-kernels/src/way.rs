//! The ways to compute a convolution.

/// A way to compute a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Tap by tap.
    Direct,
    /// 3×3 windows by Winograd's transforms.
    Winograd,
}
