//! Averages of windows that lie side by side, written without blocks of channels.

use std::ops::Range;

use super::work::Work;
use crate::layout::{LANES, Map};

/// Takes features out of a map.
#[derive(Debug)]
pub(crate) struct Average {
    /// The part of the arena that holds the map.
    pub(crate) input: Range<usize>,
    pub(crate) map: Map,
    /// Side of a window, in pixels.
    pub(crate) window: usize,
    /// Where the features begin among those of the picture.
    pub(crate) begin: usize,
    /// Whether the map is taken as it is, beside the averages of the same tap. Not every run takes it.
    pub(crate) beside: bool,
}

impl Average {
    /// The number of features.
    pub(crate) fn len(&self) -> usize {
        self.shape().iter().product()
    }

    /// Channels, height and width of the features.
    pub(crate) fn shape(&self) -> [usize; 3] {
        [self.map.channels, self.map.height / self.window, self.map.width / self.window]
    }

    /// The number of items: blocks of channels.
    pub(crate) fn items(&self) -> usize {
        self.map.blocks()
    }

    /// Takes the features of one block of channels.
    ///
    /// # Safety
    ///
    /// That of [`Step::run`](super::step::Step::run).
    pub(super) unsafe fn run(&self, work: &Work<'_>, block: usize) {
        let [channels, height, width] = self.shape();
        let channels = block * LANES..((block + 1) * LANES).min(channels);
        let positions = height * width;
        let begin = self.input.start + block * self.map.pixels();
        // SAFETY: the caller vouches that nobody writes the input.
        let input = unsafe { work.arena.slice(begin..begin + self.map.pixels()) };
        let features = [channels.start, channels.end].map(|channel| self.begin + channel * positions);
        // SAFETY: these channels are those of this item, for whose writes the caller vouches.
        let output = unsafe { work.features.slice_mut(features[0]..features[1]) };
        if self.window == 1 {
            for (lane, channel) in output.chunks_exact_mut(positions).enumerate() {
                channel.iter_mut().zip(input).for_each(|(to, pixel)| *to = pixel.0[lane]);
            }
            return;
        }
        let share = 1.0 / (self.window * self.window) as f32;
        for position in 0..positions {
            let [top, left] = [position / width, position % width].map(|at| at * self.window);
            let mut sums = [0.0; LANES];
            for row in top..top + self.window {
                for pixel in &input[row * self.map.width + left..][..self.window] {
                    sums.iter_mut().zip(pixel.0).for_each(|(sum, value)| *sum += value);
                }
            }
            for (channel, sum) in output.chunks_exact_mut(positions).zip(sums) {
                channel[position] = sum * share;
            }
        }
    }
}

impl std::fmt::Display for Average {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "average of {0}×{0}, {1}", self.window, self.map)
    }
}
