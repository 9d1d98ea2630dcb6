//! A convolution in whole numbers, by products of tiles.

use std::ops::Range;

use super::kernels::{BYTES, PIXELS, TileKernels};
use super::sweep::{Maps, Rows, Tiles, sweep};
use crate::convolution::Convolution;
use crate::filters::{self, Source};
use crate::kernels::integer::convolution::{IntegerConvolution, SPAN, WEIGHT};
use crate::kernels::integer::ends::IntegerEnds;
use crate::kernels::integer::values::{Values, bytes, bytes_mut};
use crate::kernels::integer::weights::{Order, Weights, Width};
use crate::kernels::sliding::Sliding;
use crate::kernels::work::{Work, Worker};
use crate::layout::{Division, LANES, Lanes, Map};
use crate::window::Window;

/// The most blocks of output channels that are computed at once.
const BLOCKS: usize = 2;

/// A convolution, and where its input and output lie. The bytes of its maps are
/// [`Values::Groups`].
#[derive(Debug)]
pub(crate) struct TiledConvolution {
    kernels: TileKernels,
    weights: Weights,
    ends: IntegerEnds,
    /// Over a map whose blocks are the groups of the input.
    sliding: Sliding,
    /// The bytes of a pixel of a group of the input.
    pixel: usize,
    pub(crate) multiply_adds: u64,
}

impl TiledConvolution {
    /// The step of `convolution`, which has one group, between `ends`.
    ///
    /// # Panics
    ///
    /// If there are several groups, a map does not fit its part, or a sum may overflow.
    pub(crate) fn new(convolution: &Convolution, kernels: TileKernels, ends: IntegerEnds) -> Self {
        let (input_map, output_map) = (ends.input_map, ends.output_map);
        ends.check(Values::Groups);
        assert!(convolution.groups == 1 && convolution.taps() <= IntegerConvolution::MOST_TAPS);
        let together = Values::Groups.together(input_map);
        let groups = Map { channels: input_map.blocks().div_ceil(together) * LANES, ..input_map };
        let sliding = Sliding::new(Window::of(convolution), groups, output_map, SPAN / together);
        let pixel = together * LANES;
        let source = sliding.source();
        let source = Source::plain(source.block * together, source.row * together);
        let chunk = chunk(convolution.kernel[1] * pixel);
        let layout = (Width::Byte, Order::ByChannel);
        let weights = Weights::new(convolution, layout, WEIGHT, ends.steps, |rounded| {
            filters::pack_rows(rounded, source, pixel, chunk, BLOCKS)
        });
        let multiply_adds = convolution.multiply_adds(output_map.pixels());
        Self { kernels, weights, ends, sliding, pixel, multiply_adds }
    }

    /// The part of the arena that is written.
    pub(crate) fn output(&self) -> Range<usize> {
        self.ends.writes()
    }

    /// The parts of the arena that are read.
    pub(crate) fn inputs(&self) -> Vec<Range<usize>> {
        self.ends.reads()
    }

    /// [`Lanes`] of scratch memory.
    pub(crate) fn scratch_len(&self) -> usize {
        (self.sliding.scratch_len() * self.pixel).div_ceil(size_of::<Lanes>())
    }

    /// How threads share the step.
    pub(crate) fn division(&self, threads: usize) -> Division {
        self.sliding.division(threads, PIXELS, self.weights.groups.len())
    }

    /// Computes one item: some pixels or rows of some groups of output channels.
    ///
    /// # Safety
    ///
    /// That of [`Step::run`](crate::kernels::step::Step::run).
    pub(crate) unsafe fn run(&self, work: &Work<'_>, worker: &mut Worker, item: usize) {
        let sliding = &self.sliding;
        let (units, groups) =
            self.division(work.threads).item(item, sliding.units(), self.weights.groups.len());
        // SAFETY: the caller vouches that nobody writes the input.
        let input = bytes(unsafe { work.arena.slice(self.ends.input.clone()) });
        let maps = Maps {
            map: self.ends.output_map,
            added: self.ends.first_added(work),
            added_values: self.ends.residual.as_ref().map_or(Values::Floats, |residual| residual.values),
            output: self.ends.first_output(work),
            output_values: self.ends.values,
        };
        for units in sliding.spans(units, 2 * PIXELS) {
            let [count, columns] = sliding.rows(&units);
            let first = units.start * sliding.per_unit();
            let input = match sliding.before(units.start) {
                Some(before) => input.as_ptr().wrapping_add(self.bytes(before)),
                None => {
                    self.copy_between_zeros(input, units, &mut worker.scratch);
                    worker.kept = None;
                    worker.scratch.as_ptr().cast()
                }
            };
            let step = self.bytes(sliding.step().values());
            let rows = Rows { count, columns, input, input_pitch: self.bytes(sliding.pitch()), step, first };
            let tiles = Tiles::new(self.kernels, columns, self.weights.depth());
            let filters = groups.clone().map(|group| self.weights.filter(group));
            // SAFETY: `filters::pack_rows` has placed every tap of the first pixel inside a group of
            // the input or of the scratch memory. The taps of the other pixels lie up to
            // `stride · (rows − 1)` rows and as many columns further, which is still inside, since
            // a window keeps inside the padded input. 1×1 windows are single pixels of the input.
            // The outputs of these units and groups are those of this item, for whose writes the
            // caller vouches. The residual lies either there or where nobody writes.
            unsafe { sweep(&tiles, filters, rows, maps) };
        }
    }

    /// The bytes of so many values of [`Sliding`], whose pixels have 16.
    fn bytes(&self, values: usize) -> usize {
        values / LANES * self.pixel
    }

    /// Copies what some rows of output read, with zeros around it.
    fn copy_between_zeros(&self, input: &[u8], rows: Range<usize>, scratch: &mut [Lanes]) {
        match self.pixel / LANES {
            1 => self.copy::<16>(input, rows, scratch),
            2 => self.copy::<32>(input, rows, scratch),
            3 => self.copy::<48>(input, rows, scratch),
            _ => self.copy::<64>(input, rows, scratch),
        }
    }

    /// [`copy_between_zeros`](Self::copy_between_zeros) for pixels of `N` bytes.
    fn copy<const N: usize>(&self, input: &[u8], rows: Range<usize>, scratch: &mut [Lanes]) {
        let (input, scratch) = (input.as_chunks::<N>().0, bytes_mut(scratch).as_chunks_mut::<N>().0);
        self.sliding.copy_between_zeros([0; N], input, rows, scratch);
    }
}

/// The largest number of bytes that a tile holds and that divides a row of taps of `row` bytes, which
/// is a multiple of 16.
fn chunk(row: usize) -> usize {
    (4..=BYTES).rev().find(|bytes| bytes.is_multiple_of(4) && row.is_multiple_of(*bytes)).unwrap_or(4)
}

impl std::fmt::Display for TiledConvolution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sliding, ends, .. } = self;
        write!(f, "{sliding} in int8 on tiles, {} to {}", ends.input_map, ends.output_map)
    }
}
