//! Feature maps in memory.

/// Channels that lie together.
pub(crate) const LANES: usize = 16;

/// Pixels after the last row that a kernel may write: no tile is longer.
pub(crate) const SLACK: usize = 32;

/// Where the values of a feature map lie: `[blocks][before + height · stride +
/// after][LANES]`, with `stride = width + padding`. The columns between two rows,
/// and the pixels before the first and after the last, are zero: they are the
/// padding of every window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plane {
    /// Channels, the last block filled up with zeros.
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// The furthest that a window reaches beyond a side: 1 for 3×3.
    pub(crate) padding: usize,
}

impl Plane {
    /// Blocks of channels.
    pub(crate) fn blocks(&self) -> usize {
        self.channels.div_ceil(LANES)
    }

    /// Pixels from one row to the next.
    pub(crate) fn stride(&self) -> usize {
        self.width + self.padding
    }

    /// Pixels, those between rows included.
    pub(crate) fn pixels(&self) -> usize {
        self.height * self.stride()
    }

    /// Pixels of zeros before the first row.
    pub(crate) fn before(&self) -> usize {
        self.padding * (self.stride() + 1)
    }

    /// Values in a block of channels.
    pub(crate) fn block_len(&self) -> usize {
        (2 * self.before() + self.pixels() + SLACK) * LANES
    }

    /// Values in the whole map.
    pub(crate) fn len(&self) -> usize {
        self.blocks() * self.block_len()
    }

    /// Index of the first value of pixel `(y, x)` of `block`.
    pub(crate) fn at(&self, block: usize, y: usize, x: usize) -> usize {
        block * self.block_len() + (self.before() + y * self.stride() + x) * LANES
    }

    /// Zeroes the pixels before the first row and after the last, of every block.
    pub(crate) fn clear_margins(&self, values: &mut [f32]) {
        for block in values.chunks_exact_mut(self.block_len()) {
            let end = (self.before() + self.pixels()) * LANES;
            block[..self.before() * LANES].fill(0.0);
            block[end..].fill(0.0);
        }
    }

    /// Runs of pixels `(begin, end)` between `from` and `to` that must be zero:
    /// those between rows, and whatever lies behind the last.
    pub(crate) fn padding_between(self, from: usize, to: usize) -> impl Iterator<Item = (usize, usize)> {
        let (stride, pixels) = (self.stride(), self.pixels());
        let rows = from / stride..to.min(pixels).div_ceil(stride);
        let between = rows.map(move |row| (row * stride + self.width, (row + 1) * stride));
        let runs = between.chain(std::iter::once((pixels, to.max(pixels))));
        runs.map(move |(begin, end)| (begin.clamp(from, to), end.clamp(from, to)))
    }
}
