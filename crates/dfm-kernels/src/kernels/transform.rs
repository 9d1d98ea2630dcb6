//! Winograd's transforms of tiles, 16 channels at a time. Plain Rust: the same
//! source is compiled once for each instruction set.

use crate::layout::{LANES, Plane};

/// Outputs of a tile, each way.
pub(crate) const OUT: usize = 4;
/// Inputs of a tile, each way.
pub(crate) const IN: usize = 6;
/// Matrix products that a tile takes part in.
pub(crate) const PRODUCTS: usize = IN * IN;

/// Products of one block of channels: product `p` of tile `t` is the pixel `first +
/// p · step + t`.
#[derive(Clone, Copy)]
pub(crate) struct Strided<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) first: usize,
    pub(crate) step: usize,
}

/// 16 channels of one pixel.
type Lanes = [f32; LANES];

/// The transforms, compiled for one instruction set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transforms {
    /// # Safety
    ///
    /// The processor must have the instructions.
    pub(super) input: unsafe fn(Plane, usize, &[f32], &mut [f32]),
    /// # Safety
    ///
    /// The processor must have the instructions.
    #[expect(clippy::type_complexity, reason = "it is written out once")]
    pub(super) output: unsafe fn(Plane, Strided<'_>, &[f32], Option<&[f32]>, bool, &mut [f32]),
}

impl Transforms {
    /// Transforms one block of channels of `input` into `[PRODUCTS][tiles][16]`.
    pub(crate) fn input(self, plane: Plane, tiles: usize, input: &[f32], transformed: &mut [f32]) {
        // SAFETY: `Kernels::of` hands these out only where the processor has the
        // instructions; every access is checked.
        unsafe { (self.input)(plane, tiles, input, transformed) }
    }

    /// Transforms products back to one block of channels of `output`.
    pub(crate) fn output(
        self,
        plane: Plane,
        products: Strided<'_>,
        bias: &[f32],
        residual: Option<&[f32]>,
        relu: bool,
        output: &mut [f32],
    ) {
        // SAFETY: as above.
        unsafe { (self.output)(plane, products, bias, residual, relu, output) }
    }
}

#[inline(always)]
fn lanes(values: &[f32], pixel: usize) -> Lanes {
    let mut result = [0.0; LANES];
    result.copy_from_slice(&values[pixel * LANES..][..LANES]);
    result
}

#[inline(always)]
fn combine<const N: usize>(terms: [(f32, &Lanes); N]) -> Lanes {
    let mut result = [0.0; LANES];
    for lane in 0..LANES {
        for (factor, value) in terms {
            result[lane] += factor * value[lane];
        }
    }
    result
}

/// `Bᵀ` times a column.
#[inline(always)]
fn input_column([a, b, c, d, e, f]: [Lanes; IN]) -> [Lanes; IN] {
    [
        combine([(4.0, &a), (-5.0, &c), (1.0, &e)]),
        combine([(-4.0, &b), (-4.0, &c), (1.0, &d), (1.0, &e)]),
        combine([(4.0, &b), (-4.0, &c), (-1.0, &d), (1.0, &e)]),
        combine([(-2.0, &b), (-1.0, &c), (2.0, &d), (1.0, &e)]),
        combine([(2.0, &b), (-1.0, &c), (-2.0, &d), (1.0, &e)]),
        combine([(4.0, &b), (-5.0, &d), (1.0, &f)]),
    ]
}

/// `Aᵀ` times a column.
#[inline(always)]
fn output_column([a, b, c, d, e, f]: [Lanes; IN]) -> [Lanes; OUT] {
    [
        combine([(1.0, &a), (1.0, &b), (1.0, &c), (1.0, &d), (1.0, &e)]),
        combine([(1.0, &b), (-1.0, &c), (2.0, &d), (-2.0, &e)]),
        combine([(1.0, &b), (1.0, &c), (4.0, &d), (4.0, &e)]),
        combine([(1.0, &b), (-1.0, &c), (8.0, &d), (-8.0, &e), (1.0, &f)]),
    ]
}

/// See [`Transforms::input`].
#[inline(always)]
pub(super) fn input_tiles(plane: Plane, tiles: usize, input: &[f32], transformed: &mut [f32]) {
    let (across, down) = (plane.width.div_ceil(OUT), plane.height.div_ceil(OUT));
    for tile in 0..across * down {
        let (top, left) = (tile / across * OUT, tile % across * OUT);
        // Rows `top − 1` to `top + 4`; one row and one column of zeros lie around
        // the picture, what is further away has to be left out.
        let mut columns = [[[0.0; LANES]; IN]; IN];
        for (row, y) in (top..top + IN).enumerate() {
            if y > plane.height + 1 {
                break;
            }
            let begin = plane.before() + y * plane.stride() + left - plane.stride() - 1;
            for (column, x) in (left..left + IN).enumerate() {
                if x <= plane.width + 1 {
                    columns[column][row] = lanes(input, begin + column);
                }
            }
        }
        let columns = columns.map(input_column);
        let row_of = |row: usize| std::array::from_fn(|column| columns[column][row]);
        for row in 0..IN {
            let across = input_column(row_of(row));
            for (column, value) in across.iter().enumerate() {
                let at = ((row * IN + column) * tiles + tile) * LANES;
                transformed[at..at + LANES].copy_from_slice(value);
            }
        }
    }
}

/// See [`Transforms::output`].
#[inline(always)]
pub(super) fn output_tiles(
    plane: Plane,
    products: Strided<'_>,
    bias: &[f32],
    residual: Option<&[f32]>,
    relu: bool,
    output: &mut [f32],
) {
    let (across, down) = (plane.width.div_ceil(OUT), plane.height.div_ceil(OUT));
    let bias = lanes(bias, 0);
    debug_assert!(
        products.values.len() >= (products.first + (PRODUCTS - 1) * products.step + across * down) * LANES
    );
    for tile in 0..across * down {
        let (top, left) = (tile / across * OUT, tile % across * OUT);
        let product = |index: usize| lanes(products.values, products.first + index * products.step + tile);
        let columns: [[Lanes; OUT]; IN] = std::array::from_fn(|column| {
            output_column(std::array::from_fn(|row| product(row * IN + column)))
        });
        let row_of = |row: usize| std::array::from_fn(|column| columns[column][row]);
        for row in 0..OUT.min(plane.height - top) {
            let sums = output_column(row_of(row));
            let begin = plane.before() + (top + row) * plane.stride() + left;
            for (column, sums) in sums.iter().enumerate().take(OUT.min(plane.width - left)) {
                let mut value = combine([(1.0, sums), (1.0, &bias)]);
                if let Some(residual) = residual {
                    value = combine([(1.0, &value), (1.0, &lanes(residual, begin + column))]);
                }
                if relu {
                    value = value.map(|value| value.max(0.0));
                }
                output[(begin + column) * LANES..][..LANES].copy_from_slice(&value);
            }
        }
    }
    // The columns between rows.
    for row in 0..plane.height {
        let at = (plane.before() + row * plane.stride() + plane.width) * LANES;
        output[at..at + plane.padding * LANES].fill(0.0);
    }
}
