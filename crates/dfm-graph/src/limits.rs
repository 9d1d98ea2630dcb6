//! The limits of a graph. They keep a hostile file from asking for terabytes, and every product of sizes
//! within 64 bits.

/// The most nodes. The deepest known network has about two thousand.
pub const MOST_NODES: usize = 8192;
/// The most parameters of a whole graph.
pub const MOST_PARAMETERS: u64 = 1 << 29;
/// The most channels of a value.
pub const MOST_CHANNELS: usize = 1 << 16;
/// The longest side of a picture, in pixels.
pub const MOST_SIDE: usize = 1 << 16;
/// The most inputs of one node.
pub const MOST_INPUTS: usize = 64;
/// The longest name, in bytes.
pub(crate) const LONGEST_NAME: usize = 256;
/// The largest kernel, stride and dilation along one axis.
pub const LARGEST_WINDOW: usize = 1024;
/// The longest side of a grid of positions.
pub const LONGEST_GRID: usize = 4096;
/// The most prefix tokens.
pub const MOST_PREFIX: usize = 1024;
