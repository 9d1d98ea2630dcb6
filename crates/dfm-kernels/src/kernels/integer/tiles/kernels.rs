//! The code that computes products of tiles, and what it reads and writes.

use crate::kernels::integer::tile::{Added, Output};
use crate::kernels::integer::weights::Line;
use crate::layout::LANES;

/// The most pixels of a tile.
pub(super) const PIXELS: usize = 16;

/// The bytes of a row of a tile.
pub(super) const BYTES: usize = 64;

/// The code for products of tiles.
#[derive(Clone, Copy)]
pub(crate) struct TileKernels {
    /// Sets up the tiles of this thread.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions.
    pub(super) begin: unsafe fn(Shape),
    /// Releases the tiles of this thread.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions.
    pub(super) end: unsafe fn(),
    /// See [`Products`]. The sums stay in the tiles of this thread.
    ///
    /// # Safety
    ///
    /// Every address that [`Products`] describes must be valid for reading. The tiles of this thread
    /// must be set up for its shape, and the processor must have the instructions.
    pub(super) multiply: for<'a> unsafe fn(&Products<'a>),
    /// Writes the sums that the tiles of this thread hold.
    ///
    /// # Safety
    ///
    /// The tiles of this thread must be set up, and the processor must have the instructions.
    pub(super) store: unsafe fn(&mut Sums),
    /// See [`Finish`].
    ///
    /// # Safety
    ///
    /// Every address that [`Finish`] describes must be valid, and nobody else may access the output
    /// meanwhile, or write the rest. The processor must have the instructions.
    pub(super) finish: for<'a> unsafe fn(&Finish<'a>),
}

/// The shape of the tiles of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// The pixels of a tile, [`PIXELS`] or fewer.
    pub(super) pixels: usize,
    /// The lines of weights of a tile, each of four bytes, [`BYTES`] / 4 or fewer.
    pub(super) depth: usize,
}

/// Products of one or two tiles of pixels with one or two blocks of output channels.
///
/// Pixel `i` of tile `t` reads, for every chunk `c`, `4 · depth` bytes from
/// `inputs[t] + offsets[c] + step · i`.
pub(super) struct Products<'a> {
    pub(super) shape: Shape,
    /// One or two.
    pub(super) tiles: usize,
    /// One or two.
    pub(super) blocks: usize,
    pub(super) inputs: [*const u8; 2],
    /// Bytes from one pixel to the next.
    pub(super) step: usize,
    /// From the first byte of a pixel to each chunk that it reads.
    pub(super) offsets: &'a [usize],
    /// `[offsets.len()][depth][blocks]`.
    pub(super) weights: *const Line,
}

/// The sums of two tiles of pixels by two blocks of output channels.
#[derive(Clone)]
#[repr(C, align(64))]
pub(super) struct Sums(pub(super) [[[[i32; LANES]; PIXELS]; 2]; 2]);

impl Sums {
    pub(super) const ZERO: Self = Self([[[[0; LANES]; PIXELS]; 2]; 2]);
}

/// What is done to the sums of one tile: each is multiplied, and the bias and what is to be added are
/// added. The result is written.
pub(super) struct Finish<'a> {
    /// By block and pixel.
    pub(super) sums: &'a [[[i32; LANES]; PIXELS]; 2],
    /// The first pixel of the tile whose result is written.
    pub(super) first: usize,
    /// The number of pixels whose results are written.
    pub(super) count: usize,
    /// One or two.
    pub(super) blocks: usize,
    /// `[blocks · 16]`: the size of one step of a sum, in steps of the output.
    pub(super) multipliers: *const f32,
    /// `[blocks · 16]`, in steps of the output.
    pub(super) bias: *const f32,
    /// From the first pixel and the first block on.
    pub(super) added: Added,
    /// Values from one pixel of what is added to the next, and from one block to the next.
    pub(super) added_strides: [usize; 2],
    /// From the first pixel and the first block on.
    pub(super) output: Output,
    /// Values from one pixel of the output to the next, and from one block to the next.
    pub(super) output_strides: [usize; 2],
}

impl std::fmt::Debug for TileKernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TileKernels")
    }
}
