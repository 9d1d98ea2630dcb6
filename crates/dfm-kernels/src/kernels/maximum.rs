//! The maximum of 3×3 windows, 16 channels at a time. Plain Rust: the same source
//! is compiled once for each instruction set.

use crate::layout::{LANES, Plane};
use crate::network::MaxPool;

/// One block of channels: what `pool` makes of the first plane, in the second.
type Block = unsafe fn(MaxPool, Plane, &[f32], Plane, &mut [f32]);

/// The maximum, compiled for one instruction set.
///
/// # Safety
///
/// The processor must have the instructions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Maximum(pub(super) Block);

impl Maximum {
    /// Writes the maxima of one block of channels of `plane` to `target`. What is
    /// added at the border counts as zero, which never wins over what a ReLU has
    /// let through.
    pub(crate) fn block(self, pool: MaxPool, plane: Plane, input: &[f32], target: Plane, output: &mut [f32]) {
        // SAFETY: `Kernels::of` hands this out only where the processor has the
        // instructions; every access is checked.
        unsafe { (self.0)(pool, plane, input, target, output) }
    }
}

/// See [`Maximum::block`].
#[inline(always)]
pub(super) fn block(pool: MaxPool, plane: Plane, input: &[f32], target: Plane, output: &mut [f32]) {
    for y in 0..target.height {
        let at = target.at(0, y, 0);
        let row = &mut output[at..at + target.stride() * LANES];
        row.fill(0.0);
        let (pixels, _) = row.as_chunks_mut::<LANES>();
        for from in (2 * y).saturating_sub(pool.before)..(2 * y + 3 - pool.before).min(plane.height) {
            let at = plane.at(0, from, 0);
            let (inputs, _) = input[at..at + plane.width * LANES].as_chunks::<LANES>();
            for (x, largest) in pixels.iter_mut().take(target.width).enumerate() {
                let window = (2 * x).saturating_sub(pool.before)..(2 * x + 3 - pool.before).min(plane.width);
                for values in &inputs[window] {
                    for lane in 0..LANES {
                        // Not `f32::max`, which costs more to treat NaN as absent.
                        if values[lane] > largest[lane] {
                            largest[lane] = values[lane];
                        }
                    }
                }
            }
        }
    }
}
