//! Plain Rust, which the compiler turns into the vectors that it knows.

use super::maximum::{self, Windows};
use super::routine::Routine;
use super::set::Kernels;
use super::tile::{Tile, micro_kernels};
use super::transform::{self, InputBlock, OutputBlock};
use super::vector::Vector;
use crate::instructions::InstructionSet;
use crate::layout::LANES;

pub(super) const KERNELS: Kernels = Kernels {
    instructions: InstructionSet::Portable,
    tiles: micro_kernels!(tile, step: values, blocks: [1], pixels: [1 2 3]),
    input_tiles,
    output_tiles,
    maximum_row,
};

unsafe fn tile<const PIXELS: usize, const BLOCKS: usize, const STEP: usize>(tile: Tile<'_>) {
    // SAFETY: the caller vouches for what the tile describes.
    unsafe { super::tile::tile::<Array, PIXELS, BLOCKS, STEP>(tile) }
}

unsafe fn input_tiles(block: InputBlock) {
    // SAFETY: the caller vouches for what the block describes.
    unsafe { transform::input_tiles::<Array>(block) }
}

unsafe fn output_tiles(block: OutputBlock) {
    // SAFETY: the caller vouches for what the block describes.
    unsafe { transform::output_tiles::<Array>(block) }
}

unsafe fn maximum_row(windows: Windows) {
    // SAFETY: the caller vouches for what the windows describe.
    unsafe { maximum::row::<Array>(windows) }
}

pub(super) unsafe fn routine<R: Routine>(routine: R) -> R::Output {
    // SAFETY: the caller vouches for what the routine describes.
    unsafe { routine.run::<Array>() }
}

#[derive(Clone, Copy)]
pub(super) struct Array(pub(super) [f32; LANES]);

impl Vector for Array {
    const SUMS: usize = 1;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; LANES])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for 16 values.
        Self(unsafe { from.cast::<[f32; LANES]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as above.
        unsafe { to.cast::<[f32; LANES]>().write(self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] + other.0[lane]))
    }

    #[inline(always)]
    unsafe fn subtract(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] - other.0[lane]))
    }

    #[inline(always)]
    unsafe fn multiply(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] * other.0[lane]))
    }

    #[inline(always)]
    unsafe fn divide(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] / other.0[lane]))
    }

    #[inline(always)]
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
        // Not `f32::mul_add`, which is a call where there is no instruction for it.
        Self(std::array::from_fn(|lane| self.0[lane] * factor.0[lane] + sum.0[lane]))
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // A value that is not a number is treated as the instructions treat it. `f32::max` does not do
        // that.
        let larger = |lane: usize| if self.0[lane] > other.0[lane] { self.0[lane] } else { other.0[lane] };
        Self(std::array::from_fn(larger))
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        let smaller = |lane: usize| if self.0[lane] < other.0[lane] { self.0[lane] } else { other.0[lane] };
        Self(std::array::from_fn(smaller))
    }

    #[inline(always)]
    unsafe fn max_or_nan(self, other: Self) -> Self {
        let larger = |lane: usize| match self.0[lane] > other.0[lane] || self.0[lane].is_nan() {
            true => self.0[lane],
            false => other.0[lane],
        };
        Self(std::array::from_fn(larger))
    }

    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        // The cast gives 0 for what is not a number.
        let power = |lane: usize| f32::from_bits(((self.0[lane] as i32).wrapping_add(127) as u32) << 23);
        Self(std::array::from_fn(power))
    }

    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}

    #[inline(always)]
    unsafe fn prefetch_far(_: *const f32) {}
}
