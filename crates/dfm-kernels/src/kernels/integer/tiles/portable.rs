//! Plain Rust in place of tiles, for tests where there are none.

use std::cell::RefCell;

use super::kernels::{Finish, Products, Shape, Sums, TileKernels};
use crate::kernels::integer::portable::round;
use crate::kernels::integer::tile::{Added, Output};
use crate::layout::LANES;

pub(super) const KERNELS: TileKernels = TileKernels { begin, end, multiply, store, finish };

unsafe fn begin(_: Shape) {}

unsafe fn end() {}

thread_local! {
    /// The sums that a thread holds.
    static HELD: RefCell<Sums> = const { RefCell::new(Sums::ZERO) };
}

unsafe fn store(sums: &mut Sums) {
    HELD.with_borrow(|held| sums.clone_from(held));
}

unsafe fn multiply(products: &Products<'_>) {
    // SAFETY: the caller's.
    HELD.with_borrow_mut(|held| unsafe { multiply_into(products, held) });
}

unsafe fn multiply_into(products: &Products<'_>, sums: &mut Sums) {
    let Shape { pixels, depth } = products.shape;
    for tile in 0..products.tiles {
        for block in 0..products.blocks {
            for pixel in 0..pixels {
                let mut of_pixel = [0; LANES];
                for (chunk, offset) in products.offsets.iter().enumerate() {
                    let input = products.inputs[tile].wrapping_add(offset + products.step * pixel);
                    for at in 0..4 * depth {
                        let line = (chunk * depth + at / 4) * products.blocks + block;
                        // SAFETY: the caller vouches for the input and the weights.
                        let (value, line) =
                            unsafe { (input.add(at).read(), products.weights.add(line).read()) };
                        for (lane, sum) in of_pixel.iter_mut().enumerate() {
                            *sum += i32::from(value) * i32::from(line.0[4 * lane + at % 4]);
                        }
                    }
                }
                sums.0[tile][block][pixel] = of_pixel;
            }
        }
    }
}

unsafe fn finish(job: &Finish<'_>) {
    let place = |[pixels, blocks]: [usize; 2], pixel: usize, at: usize| {
        pixel * pixels + at / LANES * blocks + at % LANES
    };
    for pixel in 0..job.count {
        for at in 0..job.blocks * LANES {
            let sum = job.sums[at / LANES][job.first + pixel][at % LANES];
            // SAFETY: the caller vouches for every address.
            unsafe {
                let mut value = sum as f32 * *job.multipliers.add(at) + *job.bias.add(at);
                let from_at = place(job.added_strides, pixel, at);
                match job.added {
                    Added::Nothing => {}
                    Added::Bytes { from, factor } => value += f32::from(*from.add(from_at)) * factor,
                    Added::Floats { from, factor } => value += *from.add(from_at) * factor,
                }
                let to_at = place(job.output_strides, pixel, at);
                match job.output {
                    Output::Bytes(to) => *to.add(to_at) = round(value.clamp(0.0, 255.0)) as u8,
                    Output::Floats { to, relu } => {
                        *to.add(to_at) = if relu && value < 0.0 { 0.0 } else { value };
                    }
                }
            }
        }
    }
}
