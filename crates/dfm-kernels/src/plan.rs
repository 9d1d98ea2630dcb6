//! A network laid out for one input size.

use std::sync::{Mutex, PoisonError};

use crate::convolution::Planned;
use crate::instructions::InstructionSet;
use crate::kernels::{Kernels, Maximum};
use crate::layout::{LANES, Plane};
use crate::network::{Convolution, KernelError, MaxPool, Network};
use crate::stem;

/// A network ready to run on pictures of one size.
///
/// Memory beside the packed weights: a handful of buffers, each as long as the
/// longest feature map, kept from run to run.
#[derive(Debug)]
pub struct Plan {
    size: [usize; 2],
    stem: Convolution,
    folded: Plane,
    first: Planned,
    pool: MaxPool,
    maximum: Maximum,
    pooled: Plane,
    blocks: Vec<PlannedBlock>,
    output: Plane,
    longest: usize,
    scratch: usize,
    /// Buffers of earlier runs, one set for each run at the same time.
    arenas: Mutex<Vec<Arena>>,
}

#[derive(Debug)]
struct PlannedBlock {
    input: Plane,
    projection: Option<Planned>,
    branch: Vec<Planned>,
}

impl Plan {
    /// Lays out `network` for pictures of `size` (height, width) and packs its
    /// weights for `instructions`; those that this processor lacks are replaced by
    /// the portable ones.
    ///
    /// # Errors
    ///
    /// If the network contradicts itself, or pictures of this size leave nothing of
    /// the feature map.
    pub fn new(
        network: &Network,
        size: [usize; 2],
        instructions: InstructionSet,
    ) -> Result<Self, KernelError> {
        network.check()?;
        let too_small = || KernelError::TooSmall { height: size[0], width: size[1] };
        if size.contains(&0) {
            return Err(too_small());
        }
        let folded = stem::plane(&network.stem, size);
        let first = Planned::stem(&network.stem, folded, instructions);
        let pooled = network.pool.output(first.output()).ok_or_else(too_small)?;
        let mut longest = folded.len().max(first.output().len()).max(pooled.len());
        let mut scratch = first.scratch_len();
        let mut input = pooled;
        let mut blocks = Vec::new();
        for block in &network.blocks {
            let projection =
                block.projection.as_ref().map(|layer| Planned::new(layer, input, false, instructions));
            let mut plane = input;
            let mut branch = Vec::new();
            for layer in &block.branch {
                let planned = Planned::new(layer, plane, true, instructions);
                plane = planned.output();
                branch.push(planned);
            }
            for planned in projection.iter().chain(&branch) {
                longest = longest.max(planned.output().len());
                scratch = scratch.max(planned.scratch_len());
            }
            blocks.push(PlannedBlock { input, projection, branch });
            input = plane;
        }
        Ok(Self {
            size,
            stem: network.stem.clone(),
            folded,
            first,
            pool: network.pool,
            maximum: Kernels::of(instructions).maximum,
            pooled,
            blocks,
            output: input,
            longest,
            scratch,
            arenas: Mutex::new(Vec::new()),
        })
    }

    /// Channels, height and width of the output.
    pub fn output_shape(&self) -> [usize; 3] {
        [self.output.channels, self.output.height, self.output.width]
    }

    /// Runs pictures one after the other, each on every thread of the current
    /// rayon pool.
    ///
    /// # Shapes
    ///
    /// - pictures: `[N, channels, height, width]`
    /// - result: `[N, C, h, w]`, see [`output_shape`](Self::output_shape)
    ///
    /// # Errors
    ///
    /// If there is no picture, or they are of another size.
    pub fn run(&self, pictures: &[f32]) -> Result<Vec<f32>, KernelError> {
        let expected = self.stem.in_channels_per_group * self.size[0] * self.size[1];
        if pictures.is_empty() || !pictures.len().is_multiple_of(expected) {
            return Err(KernelError::Input { expected, got: pictures.len() });
        }
        let [channels, height, width] = self.output_shape();
        let mut features = Vec::with_capacity(pictures.len() / expected * channels * height * width);
        let idle = self.arenas.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut arena = idle.unwrap_or_else(|| Arena::new(self.longest, self.scratch));
        for picture in pictures.chunks_exact(expected) {
            let result = rayon::scope(|_| self.run_one(picture, &mut arena));
            for channel in 0..channels {
                for y in 0..height {
                    let row = &result[self.output.at(channel / LANES, y, 0)..][..width * LANES];
                    features.extend(row.iter().skip(channel % LANES).step_by(LANES));
                }
            }
            arena.give(result);
        }
        self.arenas.lock().unwrap_or_else(PoisonError::into_inner).push(arena);
        Ok(features)
    }

    fn run_one(&self, picture: &[f32], arena: &mut Arena) -> Vec<f32> {
        let mut folded = arena.take(self.folded);
        stem::fold(picture, self.stem.in_channels_per_group, self.size, self.folded, &mut folded);
        let mut first = arena.take(self.first.output());
        self.first.run(&folded, self.folded, None, &mut first, &mut arena.scratch);
        arena.give(folded);
        let mut current = arena.take(self.pooled);
        self.pool.run(self.maximum, &first, self.first.output(), &mut current, self.pooled);
        arena.give(first);
        for block in &self.blocks {
            let mut shortcut = current;
            let mut plane = block.input;
            let Some((last, inner)) = block.branch.split_last() else { return shortcut };
            let mut value = None;
            for layer in inner {
                let mut output = arena.take(layer.output());
                layer.run(
                    value.as_deref().unwrap_or(&shortcut),
                    plane,
                    None,
                    &mut output,
                    &mut arena.scratch,
                );
                plane = layer.output();
                if let Some(value) = value.replace(output) {
                    arena.give(value);
                }
            }
            let mut output = arena.take(last.output());
            if let Some(projection) = &block.projection {
                let mut projected = arena.take(projection.output());
                projection.run(&shortcut, block.input, None, &mut projected, &mut arena.scratch);
                if value.is_none() {
                    value = Some(std::mem::replace(&mut shortcut, projected));
                } else {
                    arena.give(std::mem::replace(&mut shortcut, projected));
                }
            }
            last.run(
                value.as_deref().unwrap_or(&shortcut),
                plane,
                Some(&shortcut),
                &mut output,
                &mut arena.scratch,
            );
            arena.give(shortcut);
            if let Some(value) = value {
                arena.give(value);
            }
            current = output;
        }
        current
    }
}

/// Buffers that are used again, each as long as the longest plane.
#[derive(Debug)]
struct Arena {
    longest: usize,
    free: Vec<Vec<f32>>,
    scratch: Vec<f32>,
}

impl Arena {
    fn new(longest: usize, scratch: usize) -> Self {
        Self { longest, free: Vec::new(), scratch: vec![0.0; scratch] }
    }

    /// A buffer for `plane`, its margins zero and the rest as it was left.
    fn take(&mut self, plane: Plane) -> Vec<f32> {
        let mut buffer = self.free.pop().unwrap_or_else(|| vec![0.0; self.longest]);
        plane.clear_margins(&mut buffer[..plane.len()]);
        buffer
    }

    fn give(&mut self, buffer: Vec<f32>) {
        self.free.push(buffer);
    }
}
