//! The pixels of one picture.

use super::counts::Bin;
use super::figures::{AUPIMO_WINDOW, AUPRO_LIMITS, PicturePixels};
use super::pool::Mass;
use super::steps::{Estimate, Scale, area};

/// What is kept of one picture.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    /// The defect; `None` for a good picture.
    pub(super) defect: Option<usize>,
    /// The bins, in rising order. Each spans `2^shift` bins of the axis.
    pub(super) bins: Vec<Bin>,
    pub(super) shift: u32,
    pub(super) anomalous: u64,
    pub(super) pixels: u64,
    pub(super) regions: u32,
}

/// Whether one pixel of the good pictures among these is less than where AUPIMO begins.
pub(super) fn resolve_aupimo(pictures: &[Profile]) -> bool {
    let good = pictures.iter().filter(|picture| picture.defect.is_none());
    good.map(|picture| picture.pixels).sum::<u64>() as f64 * AUPIMO_WINDOW[0] >= 1.0
}

impl Profile {
    /// The picture's own marked pixels against all others. `from` gives the pixels at a bin of the axis
    /// or above it.
    pub(super) fn against(&self, from: impl Fn(u32) -> Mass, all: Mass, resolved: bool) -> PicturePixels {
        let mut steps = Vec::with_capacity(2 * self.bins.len() + 1);
        let mut before = Mass::default();
        let mut pass = |to: Mass, own: Bin| {
            let across = [to.normal - before.normal, to.good - before.good];
            steps.push((across, [f64::from(own.anomalous), f64::from(own.overlap)]));
            before = to;
        };
        for own in self.bins.iter().rev().filter(|bin| bin.anomalous > 0) {
            // There are no pixels beyond the largest bin.
            let next = (own.bin + 1).checked_mul(1 << self.shift);
            pass(next.map_or_else(Mass::default, &from), Bin::default());
            pass(from(own.bin << self.shift), *own);
        }
        pass(all, Bin::default());
        let value = |across: usize, up: usize, window, scale| {
            let curve = steps.iter().map(|(width, height)| [width[across], height[up]]);
            area(curve, window, scale).map(|estimate: Estimate| estimate.value)
        };
        PicturePixels {
            anomalous_pixels: self.anomalous,
            regions: self.regions,
            auroc: value(0, 0, [0.0, 1.0], Scale::Linear),
            aupro_30: value(0, 1, [0.0, AUPRO_LIMITS[0]], Scale::Linear),
            aupro_5: value(0, 1, [0.0, AUPRO_LIMITS[1]], Scale::Linear),
            aupimo: value(1, 0, AUPIMO_WINDOW, Scale::Logarithmic).filter(|_| resolved),
        }
    }
}
