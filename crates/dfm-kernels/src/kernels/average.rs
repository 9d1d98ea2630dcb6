//! The average of windows side by side, and the way out of blocks of channels.

use std::ops::Range;

use super::Work;
use crate::layout::{LANES, Map};

/// What takes features out of a map, and where that lies.
#[derive(Debug)]
pub(crate) struct Average {
    pub(crate) input: Range<usize>,
    pub(crate) map: Map,
    /// Side of a window, in pixels.
    pub(crate) window: usize,
    /// Where its features begin among those of the picture.
    pub(crate) begin: usize,
}

impl Average {
    /// Features that there are.
    pub(crate) fn len(&self) -> usize {
        self.shape().iter().product()
    }

    /// Channels, height and width of what is left.
    pub(crate) fn shape(&self) -> [usize; 3] {
        [self.map.channels, self.map.height / self.window, self.map.width / self.window]
    }

    pub(crate) fn items(&self) -> usize {
        self.map.blocks()
    }

    pub(crate) fn run(&self, work: &Work<'_>, block: usize) {
        let [channels, height, width] = self.shape();
        let channels = block * LANES..((block + 1) * LANES).min(channels);
        let places = height * width;
        let begin = self.input.start + block * self.map.pixels();
        // SAFETY: the input is written by no step that runs now.
        let input = unsafe { work.arena.slice(begin..begin + self.map.pixels()) };
        let features = [channels.start, channels.end].map(|channel| self.begin + channel * places);
        // SAFETY: these channels are this item's alone, and of no other tap.
        let output = unsafe { work.features.slice_mut(features[0]..features[1]) };
        if self.window == 1 {
            for (lane, channel) in output.chunks_exact_mut(places).enumerate() {
                channel.iter_mut().zip(input).for_each(|(to, pixel)| *to = pixel.0[lane]);
            }
            return;
        }
        let share = 1.0 / (self.window * self.window) as f32;
        for place in 0..places {
            let [top, left] = [place / width, place % width].map(|at| at * self.window);
            let mut sums = [0.0; LANES];
            for row in top..top + self.window {
                for pixel in &input[row * self.map.width + left..][..self.window] {
                    sums.iter_mut().zip(pixel.0).for_each(|(sum, value)| *sum += value);
                }
            }
            for (channel, sum) in output.chunks_exact_mut(places).zip(sums) {
                channel[place] = sum * share;
            }
        }
    }
}

impl std::fmt::Display for Average {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "average of {0}×{0}, {1}", self.window, self.map)
    }
}
