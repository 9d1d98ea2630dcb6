//! The maximum behind the first convolution of a residual network.

/// A maximum over windows of 3×3 pixels, two apart. The padding may be up to 2, so that every
/// window holds a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaxPool {
    /// Rows added above, and columns added to the left.
    pub(crate) before: usize,
    /// Rows added below, and columns added to the right.
    pub(crate) after: usize,
}

impl MaxPool {
    /// Side of a window.
    pub(crate) const WINDOW: usize = 3;
}
