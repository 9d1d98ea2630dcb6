//! Feature maps in memory.

use std::ops::Range;

/// The number of channels that lie together.
pub(crate) const LANES: usize = 16;

/// 16 values on one line of the cache: one pixel of 16 channels, or one weight of 16 output
/// channels.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Lanes(pub(crate) [f32; LANES]);

impl Lanes {
    pub(crate) const ZERO: Self = Self([0.0; LANES]);
}

/// A feature map. It lies in memory as `[blocks][height][width]` [`Lanes`], and the last block of
/// channels is filled up with zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Map {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Map {
    /// The number of blocks of channels.
    pub(crate) fn blocks(&self) -> usize {
        self.channels.div_ceil(LANES)
    }

    /// The number of pixels of one block.
    pub(crate) fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// The number of [`Lanes`] of the whole map.
    pub(crate) fn len(&self) -> usize {
        self.blocks() * self.pixels()
    }
}

/// A feature map and its part of the arena.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    /// At least as long as the map.
    pub(crate) at: Range<usize>,
    pub(crate) map: Map,
}

impl Placed {
    /// The part of the arena that the map takes.
    pub(crate) fn range(&self) -> Range<usize> {
        self.at.start..self.at.start + self.map.len()
    }

    /// The part of the arena that one block of channels takes.
    pub(crate) fn block(&self, block: usize) -> Range<usize> {
        let begin = self.at.start + block * self.map.pixels();
        begin..begin + self.map.pixels()
    }
}

impl std::fmt::Display for Map {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}×{}", self.channels, self.height, self.width)
    }
}

/// The `index`-th of `parts` nearly equal parts of `0..total`.
pub(crate) fn part(index: usize, parts: usize, total: usize) -> Range<usize> {
    index * total / parts..(index + 1) * total / parts
}

/// How a step is divided among threads: into parts of its pixels times parts of its groups of
/// output channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Division {
    pub(crate) pixels: usize,
    pub(crate) groups: usize,
}

impl Division {
    /// Items for each thread: two, so that a thread that was held up can leave one to another
    /// thread.
    const EACH: usize = 2;

    /// Divides the pixels first, into parts of `fewest` pixels or more, and the groups where that is
    /// not enough.
    pub(crate) fn by_pixels(threads: usize, pixels: usize, fewest: usize, groups: usize) -> Self {
        let wanted = Self::wanted(threads);
        let pixels = (pixels / fewest).clamp(1, wanted);
        Self { pixels, groups: wanted.div_ceil(pixels).min(groups) }
    }

    /// Divides the groups first, and the pixels where that is not enough.
    pub(crate) fn by_groups(threads: usize, pixels: usize, fewest: usize, groups: usize) -> Self {
        let wanted = Self::wanted(threads);
        let groups = groups.min(wanted);
        Self { groups, pixels: wanted.div_ceil(groups).min(pixels / fewest).max(1) }
    }

    fn wanted(threads: usize) -> usize {
        if threads == 1 { 1 } else { Self::EACH * threads }
    }

    /// The number of items.
    pub(crate) fn items(self) -> usize {
        self.pixels * self.groups
    }

    /// The pixels and the groups of an item. The items of one part of the pixels follow each other.
    pub(crate) fn item(self, item: usize, pixels: usize, groups: usize) -> (Range<usize>, Range<usize>) {
        let (of_pixels, of_groups) = (item / self.groups, item % self.groups);
        (part(of_pixels, self.pixels, pixels), part(of_groups, self.groups, groups))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_division_covers_everything_once() {
        for threads in [1, 2, 3, 8, 16] {
            for (pixels, groups) in [(1, 1), (16, 8), (256, 8), (4096, 2), (5, 3)] {
                let by = [Division::by_pixels, Division::by_groups];
                for division in by.map(|by| by(threads, pixels, 28, groups)) {
                    let mut seen = vec![0; pixels * groups];
                    for item in 0..division.items() {
                        let (some_pixels, some_groups) = division.item(item, pixels, groups);
                        for group in some_groups {
                            some_pixels.clone().for_each(|pixel| seen[group * pixels + pixel] += 1);
                        }
                    }
                    assert!(seen.iter().all(|count| *count == 1), "{threads} threads: {division:?}");
                }
            }
        }
    }
}
