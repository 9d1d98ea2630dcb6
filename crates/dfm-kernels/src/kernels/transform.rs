//! Winograd's transforms of tiles, 16 channels at a time.

use std::ops::Range;

use super::functions::{activate, clamp};
use super::routine::Routine;
use super::vector::Vector;
use crate::activation::Activation;
use crate::layout::{LANES, Map};

/// The outputs of a tile along each axis.
pub(super) const OUT: usize = 4;
/// The inputs of a tile along each axis.
pub(super) const IN: usize = 6;
/// The number of matrix products that a tile takes part in.
pub(super) const PRODUCTS: usize = IN * IN;

/// Some tiles of one block of channels, and where they are transformed to.
#[derive(Clone)]
pub(super) struct InputBlock {
    /// The first pixel of the block.
    pub(super) input: *const f32,
    pub(super) map: Map,
    /// The tiles, which are numbered row by row, like pixels.
    pub(super) tiles: Range<usize>,
    /// Where the first product of the first tile goes. Tiles lie without gaps.
    pub(super) transformed: *mut f32,
    /// Values from one product to the next.
    pub(super) pitch: usize,
}

/// Some tiles of one block of channels, and where they are transformed back to.
#[derive(Clone)]
pub(super) struct OutputBlock {
    /// The first product of the first tile. Tiles lie without gaps.
    pub(super) products: *const f32,
    /// Values from one product to the next.
    pub(super) pitch: usize,
    pub(super) tiles: Range<usize>,
    /// 16 values.
    pub(super) bias: *const f32,
    /// The first pixel of the block.
    pub(super) output: *mut f32,
    pub(super) map: Map,
    /// Whether the results are added to the values that the output holds.
    pub(super) add: bool,
    /// The least and the largest result. Sums beyond them become them.
    pub(super) bounds: [f32; 2],
}

/// Transforms some tiles of the input.
///
/// # Safety
///
/// The pixels of the block must be valid for reading, and the transformed values for writing, by
/// nobody else. The tiles must be tiles of the map. The processor must have the instructions.
pub(super) type InputTiles = unsafe fn(InputBlock);

/// Transforms some tiles back.
///
/// # Safety
///
/// As for [`InputTiles`]: products and bias must be valid for reading, and the pixels of the tiles
/// for writing.
pub(super) type OutputTiles = unsafe fn(OutputBlock);

/// The number of tiles that cover `map`.
pub(super) fn tiles(map: Map) -> usize {
    map.height.div_ceil(OUT) * map.width.div_ceil(OUT)
}

/// `Bᵀ` times a column.
#[inline(always)]
unsafe fn input_column<V: Vector>([a, b, c, d, e, f]: [V; IN]) -> [V; IN] {
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        let times = |factor: f32, value: V, sum: V| value.multiply_add(V::splat(factor), sum);
        let (even, odd) = (times(-4.0, c, e), times(-4.0, b, d));
        let (outer, inner) = (e.subtract(c), d.subtract(b));
        let twice = inner.add(inner);
        [
            times(4.0, a, times(-5.0, c, e)),
            even.add(odd),
            even.subtract(odd),
            outer.add(twice),
            outer.subtract(twice),
            times(4.0, b, times(-5.0, d, f)),
        ]
    }
}

/// `Aᵀ` times a column.
#[inline(always)]
unsafe fn output_column<V: Vector>([a, b, c, d, e, f]: [V; IN]) -> [V; OUT] {
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        let times = |factor: f32, value: V, sum: V| value.multiply_add(V::splat(factor), sum);
        let (near, far) = (b.add(c), d.add(e));
        let (near_odd, far_odd) = (b.subtract(c), d.subtract(e));
        [
            a.add(near).add(far),
            times(2.0, far_odd, near_odd),
            times(4.0, far, near),
            times(8.0, far_odd, near_odd).add(f),
        ]
    }
}

/// See [`InputTiles`].
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "a transpose, both indices of one array")]
pub(super) unsafe fn input_tiles<V: Vector>(block: InputBlock) {
    let Map { height, width, .. } = block.map;
    let across = width.div_ceil(OUT);
    // SAFETY: pixels inside the map are read, and the products of these tiles are written. The
    // caller vouches for both.
    unsafe {
        for (index, tile) in block.tiles.enumerate() {
            // One row and one column of zeros lie around the map on every side.
            let (top, left) = (tile / across * OUT, tile % across * OUT);
            let mut rows = [[V::splat(0.0); IN]; IN];
            for (row, values) in rows.iter_mut().enumerate() {
                let y = (top + row).wrapping_sub(1);
                if y >= height {
                    continue;
                }
                let begin = block.input.wrapping_add((y * width + left) * LANES).wrapping_sub(LANES);
                if left > 0 && left + OUT < width {
                    for (column, value) in values.iter_mut().enumerate() {
                        *value = V::load(begin.add(column * LANES));
                    }
                } else {
                    for (column, value) in values.iter_mut().enumerate() {
                        if (left + column).wrapping_sub(1) < width {
                            *value = V::load(begin.wrapping_add(column * LANES));
                        }
                    }
                }
                *values = input_column(*values);
            }
            let to = block.transformed.add(index * LANES);
            for column in 0..IN {
                let values = input_column(std::array::from_fn(|row| rows[row][column]));
                for (row, value) in values.into_iter().enumerate() {
                    value.store(to.add((row * IN + column) * block.pitch));
                }
            }
        }
    }
}

/// See [`OutputTiles`].
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "a transpose, both indices of one array")]
pub(super) unsafe fn output_tiles<V: Vector>(block: OutputBlock) {
    let Map { height, width, .. } = block.map;
    let across = width.div_ceil(OUT);
    // SAFETY: the products of these tiles are read, and pixels inside the map written;
    // the caller vouches for both.
    unsafe {
        let bias = V::load(block.bias);
        for (index, tile) in block.tiles.enumerate() {
            let (top, left) = (tile / across * OUT, tile % across * OUT);
            let from = block.products.add(index * LANES);
            let mut columns = [[V::splat(0.0); OUT]; IN];
            for (column, values) in columns.iter_mut().enumerate() {
                let product = |row: usize| V::load(from.add((row * IN + column) * block.pitch));
                *values =
                    output_column([product(0), product(1), product(2), product(3), product(4), product(5)]);
            }
            for row in 0..OUT.min(height - top) {
                let sums = output_column(std::array::from_fn(|column| columns[column][row]));
                let to = block.output.add(((top + row) * width + left) * LANES);
                for (column, sum) in sums.into_iter().enumerate() {
                    if left + column >= width {
                        break;
                    }
                    let to = to.add(column * LANES);
                    let mut sum = sum.add(bias);
                    if block.add {
                        sum = sum.add(V::load(to));
                    }
                    clamp(sum, block.bounds).store(to);
                }
            }
        }
    }
}

/// Takes the activation of every pixel of some tiles. It is not a part of [`output_tiles`], whose
/// registers are all in use.
pub(super) struct ActivateTiles {
    /// The first pixel of the block.
    pub(super) output: *mut f32,
    pub(super) map: Map,
    pub(super) tiles: Range<usize>,
    pub(super) activation: Activation,
}

impl Routine for ActivateTiles {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Map { height, width, .. } = self.map;
        let across = width.div_ceil(OUT);
        for tile in self.tiles {
            let (top, left) = (tile / across * OUT, tile % across * OUT);
            for row in top..(top + OUT).min(height) {
                for column in left..(left + OUT).min(width) {
                    // SAFETY: the pixel is inside the map. The caller vouches for it.
                    unsafe {
                        let at = self.output.add((row * width + column) * LANES);
                        activate(V::load(at), self.activation).store(at);
                    }
                }
            }
        }
    }
}
