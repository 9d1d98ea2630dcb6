//! The pixels of many maps, by bin.

use std::ops::AddAssign;

use super::axis::{OCTAVE, OCTAVES};

/// The pixels of a bin, counted in the units that curves are drawn in.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Mass {
    /// Pixels that are not marked.
    pub(super) normal: f64,
    /// Pixels that are marked.
    pub(super) anomalous: f64,
    /// Regions: the sum of one over the area of its region, for every marked pixel.
    pub(super) overlap: f64,
    /// Pictures with marked pixels: of each, one over the number of such pixels.
    pub(super) share: f64,
    /// Good pictures: of every pixel of one, one over the number of its pixels.
    pub(super) good: f64,
}

impl AddAssign for Mass {
    fn add_assign(&mut self, other: Self) {
        self.normal += other.normal;
        self.anomalous += other.anomalous;
        self.overlap += other.overlap;
        self.share += other.share;
        self.good += other.good;
    }
}

/// A histogram over the whole axis. Only octaves with pixels take memory, 0.7 MB each.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    octaves: Vec<Option<Box<[Mass]>>>,
}

impl Default for Pool {
    fn default() -> Self {
        Self { octaves: vec![None; OCTAVES] }
    }
}

impl Pool {
    /// Adds to a bin.
    pub(super) fn add(&mut self, bin: u32, mass: Mass) {
        let bin = bin as usize;
        let octave = self.octaves[bin / OCTAVE]
            .get_or_insert_with(|| vec![Mass::default(); OCTAVE].into_boxed_slice());
        octave[bin % OCTAVE] += mass;
    }
}

/// The bins of all `pools` together that hold anything, from the largest scores down.
pub(super) fn falling(pools: &[&Pool]) -> Vec<(u32, Mass)> {
    let mut bins = Vec::new();
    for place in (0..OCTAVES).rev() {
        let octaves: Vec<&[Mass]> = pools.iter().filter_map(|pool| pool.octaves[place].as_deref()).collect();
        if octaves.is_empty() {
            continue;
        }
        for within in (0..OCTAVE).rev() {
            let mut mass = Mass::default();
            octaves.iter().for_each(|octave| mass += octave[within]);
            if mass != Mass::default() {
                bins.push(((place * OCTAVE + within) as u32, mass));
            }
        }
    }
    bins
}
