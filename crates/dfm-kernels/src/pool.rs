//! The maximum after the stem.

use rayon::prelude::*;

use crate::layout::{LANES, Plane};
use crate::network::MaxPool;

impl MaxPool {
    /// The plane that this pool makes of `input`; `None` if nothing is left.
    pub(crate) fn output(self, input: Plane) -> Option<Plane> {
        let side = |side: usize| Some((side + self.before + self.after).checked_sub(3)? / 2 + 1);
        Some(Plane { height: side(input.height)?, width: side(input.width)?, padding: 1, ..input })
    }

    /// Writes the maxima of `input` to `output`. What is added at the border
    /// counts as zero, which never wins over what a ReLU has let through.
    pub(crate) fn run(self, input: &[f32], plane: Plane, output: &mut [f32], target: Plane) {
        output[..target.len()].par_chunks_mut(target.block_len()).enumerate().for_each(|(block, output)| {
            for y in 0..target.height {
                let row = target.at(0, y, 0);
                let row = &mut output[row..row + target.stride() * LANES];
                row.fill(0.0);
                let row = &mut row[..target.width * LANES];
                let rows = (2 * y).saturating_sub(self.before)..(2 * y + 3 - self.before).min(plane.height);
                for from in rows {
                    let from = &input[plane.at(block, from, 0)..][..plane.width * LANES];
                    for (x, largest) in row.chunks_exact_mut(LANES).enumerate() {
                        let columns =
                            (2 * x).saturating_sub(self.before)..(2 * x + 3 - self.before).min(plane.width);
                        for values in from[columns.start * LANES..columns.end * LANES].chunks_exact(LANES) {
                            for (largest, value) in largest.iter_mut().zip(values) {
                                *largest = largest.max(*value);
                            }
                        }
                    }
                }
            }
        });
    }
}
