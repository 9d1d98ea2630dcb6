//! The maximum after the stem.

use rayon::prelude::*;

use crate::kernels::Maximum;
use crate::layout::Plane;
use crate::network::MaxPool;

impl MaxPool {
    /// The plane that this pool makes of `input`; `None` if nothing is left.
    pub(crate) fn output(self, input: Plane) -> Option<Plane> {
        let side = |side: usize| Some((side + self.before + self.after).checked_sub(3)? / 2 + 1);
        Some(Plane { height: side(input.height)?, width: side(input.width)?, padding: 1, ..input })
    }

    /// Writes the maxima of `input` to `output`, a block of channels at a time.
    pub(crate) fn run(
        self,
        maximum: Maximum,
        input: &[f32],
        plane: Plane,
        output: &mut [f32],
        target: Plane,
    ) {
        let inputs = input[..plane.len()].par_chunks(plane.block_len());
        let outputs = output[..target.len()].par_chunks_mut(target.block_len());
        inputs.zip(outputs).for_each(|(input, output)| maximum.block(self, plane, input, target, output));
    }
}
