//! Micro-kernels over every pixel of a plane, on all threads.

use rayon::prelude::*;

use super::{Kernel, Tile};
use crate::layout::{LANES, Plane};

/// One or two blocks of output channels that one micro-kernel computes.
#[derive(Debug)]
pub(crate) struct OutputGroup {
    pub(crate) first_block: usize,
    pub(crate) blocks: usize,
    pub(crate) kernel: Kernel,
    /// See [`Tile::depth`].
    pub(crate) depth: usize,
    /// See [`Tile::offsets`].
    pub(crate) offsets: Vec<isize>,
    /// See [`Tile::weights`].
    pub(crate) weights: Vec<f32>,
    /// `[blocks · 16]`.
    pub(crate) bias: Vec<f32>,
}

/// A convolution over whole planes.
pub(crate) struct Sweep {
    /// Each part of the input.
    pub(crate) source: Plane,
    /// How many parts follow each other in the input.
    pub(crate) parts: usize,
    pub(crate) output: Plane,
    pub(crate) relu: bool,
}

impl Sweep {
    /// Computes every group over every pixel: threads share runs of `span` pixels
    /// if there is one, else the groups.
    ///
    /// # Panics
    ///
    /// If a buffer is shorter than its planes, or a group reads beyond the input.
    pub(crate) fn run(
        &self,
        groups: &[OutputGroup],
        input: &[f32],
        residual: Option<&[f32]>,
        output: &mut [f32],
        span: Option<usize>,
    ) {
        self.check(groups, input, residual, output);
        let target = Target(output.as_mut_ptr());
        let pixels = self.output.pixels();
        match span {
            None => groups
                .par_iter()
                .with_max_len(1)
                .for_each(|group| self.run_group(group, input, residual, target, 0, pixels)),
            Some(span) => (0..pixels.div_ceil(span)).into_par_iter().with_max_len(1).for_each(|index| {
                let (from, to) = (index * span, ((index + 1) * span).min(pixels));
                for group in groups {
                    assert!(span % group.kernel.pixels == 0, "tiles of neighbouring runs would overlap");
                    self.run_group(group, input, residual, target, from, to);
                }
            }),
        }
    }

    /// What the safety of [`run_group`](Self::run_group) rests on.
    fn check(&self, groups: &[OutputGroup], input: &[f32], residual: Option<&[f32]>, output: &[f32]) {
        let (source, plane) = (self.source, self.output);
        assert_eq!(source.stride(), plane.stride(), "a tile must run over rows of both alike");
        assert!(source.height >= plane.height && input.len() >= self.parts * source.len());
        assert!(output.len() >= plane.len());
        assert!(residual.is_none_or(|residual| residual.len() >= plane.len()));
        let longest = groups.iter().map(|group| group.kernel.pixels).max().unwrap_or(0);
        let first = (source.before() * LANES) as isize;
        let last = first + ((plane.pixels() + longest) * LANES) as isize;
        for group in groups {
            assert!(group.first_block + group.blocks <= plane.blocks());
            assert!(group.depth <= LANES);
            assert_eq!(group.weights.len(), group.offsets.len() * group.depth * group.blocks * LANES);
            assert_eq!(group.bias.len(), group.blocks * LANES);
            let inside = |offset: &isize| first + offset >= 0 && last + offset <= input.len() as isize;
            assert!(group.offsets.iter().all(inside), "a tap lies outside the input");
        }
        assert!(longest <= crate::layout::SLACK);
    }

    /// Computes one group over the pixels `from..to`.
    fn run_group(
        &self,
        group: &OutputGroup,
        input: &[f32],
        residual: Option<&[f32]>,
        target: Target,
        from: usize,
        to: usize,
    ) {
        let (plane, block_len) = (self.output, self.output.block_len());
        let mut pixel = from;
        while pixel < to {
            let at = plane.at(group.first_block, 0, 0) + pixel * LANES;
            let tile = Tile {
                input: input[(self.source.before() + pixel) * LANES..].as_ptr(),
                offsets: &group.offsets,
                depth: group.depth,
                weights: group.weights.as_ptr(),
                bias: group.bias.as_ptr(),
                residual: residual.map_or(std::ptr::null(), |residual| residual[at..].as_ptr()),
                output: target.at(at),
                output_block: block_len,
                relu: self.relu,
            };
            // SAFETY: `check` has shown that every tap of every pixel up to a tile
            // beyond the last lies in the input, and that output and residual hold
            // whole planes, which end with room for a tile. Runs begin and end at
            // multiples of a tile or at the end of the plane, so no other thread
            // writes these pixels of these blocks. The kernel came from an
            // instruction set that this processor has.
            unsafe { (group.kernel.run)(tile) };
            pixel += group.kernel.pixels;
        }
        for block in group.first_block..group.first_block + group.blocks {
            for (begin, end) in plane.padding_between(from, pixel) {
                // SAFETY: pixels of this run, in a block of this group: inside the
                // output, and nobody else writes them.
                unsafe {
                    let start = target.at(plane.at(block, 0, 0) + begin * LANES);
                    std::slice::from_raw_parts_mut(start, (end - begin) * LANES).fill(0.0);
                }
            }
        }
    }
}

/// An output that several threads write parts of.
#[derive(Clone, Copy)]
struct Target(*mut f32);

impl Target {
    fn at(self, index: usize) -> *mut f32 {
        self.0.wrapping_add(index)
    }
}

// SAFETY: a pointer into an output that outlives the threads; whoever writes
// through it vouches that the parts do not overlap.
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}
