//! The pixels of one map, counted.

use super::axis::{OCTAVE, OCTAVES, bin_of};
use crate::judge::components;
use crate::judge::map::AnomalyMap;

/// Bins that are kept of one picture: 64 KiB of it.
const KEPT: usize = 4096;

/// The pixels of one anomaly map by score and truth: what [`PixelTally`](super::PixelTally)
/// takes of a picture. Made of each picture alone, so on as many threads as wanted.
#[derive(Debug, Clone)]
pub struct MapCounts {
    /// Rising, none empty.
    pub(super) bins: Vec<Bin>,
    /// Pixels that are marked.
    pub(super) anomalous: u64,
    /// Pixels in all.
    pub(super) pixels: u64,
    /// Connected regions of marked pixels.
    pub(super) regions: u32,
}

/// The pixels of one picture in one bin of the axis.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bin {
    pub(super) bin: u32,
    pub(super) normal: u32,
    pub(super) anomalous: u32,
    /// The sum of one over the area of its region, for every marked pixel.
    pub(super) overlap: f32,
}

impl MapCounts {
    /// Counts the pixels of `map`; `mask` is true where the picture is anomalous, `None`
    /// of a good picture.
    ///
    /// Cost: some ten operations a pixel, and 0.3 MB for each octave that scores span.
    ///
    /// # Panics
    ///
    /// If the mask has another number of pixels.
    pub fn new(map: &AnomalyMap, mask: Option<&[bool]>) -> Self {
        let mut octaves: Vec<Option<Box<[Cell]>>> = vec![None; OCTAVES];
        let mut add = |value: f32, overlap: Option<f64>| {
            let bin = bin_of(value) as usize;
            let octave = octaves[bin / OCTAVE].get_or_insert_with(|| vec![Cell::default(); OCTAVE].into());
            let cell = &mut octave[bin % OCTAVE];
            match overlap {
                None => cell.normal += 1,
                Some(overlap) => {
                    cell.anomalous += 1;
                    cell.overlap += overlap;
                }
            }
        };
        let mut anomalous = 0;
        let mut region_count = 0;
        match mask {
            None => map.values.iter().for_each(|value| add(*value, None)),
            Some(mask) => {
                assert_eq!(map.values.len(), mask.len(), "one mask value a pixel");
                let regions = components(mask, map.width);
                region_count = regions.areas.len() as u32;
                anomalous = regions.areas.iter().map(|area| u64::from(*area)).sum();
                for (value, region) in map.values.iter().zip(&regions.of) {
                    let area = region.checked_sub(1).map(|place| regions.areas[place as usize]);
                    add(*value, area.map(|area| 1.0 / f64::from(area)));
                }
            }
        }
        let mut bins = Vec::new();
        for (place, octave) in octaves.iter().enumerate() {
            for (within, cell) in octave.iter().flat_map(|octave| octave.iter()).enumerate() {
                if cell.normal > 0 || cell.anomalous > 0 {
                    let (bin, overlap) = ((place * OCTAVE + within) as u32, cell.overlap as f32);
                    bins.push(Bin { bin, normal: cell.normal, anomalous: cell.anomalous, overlap });
                }
            }
        }
        Self { bins, anomalous, pixels: map.values.len() as u64, regions: region_count }
    }

    /// The pixels that the mask marks.
    pub fn anomalous_pixels(&self) -> u64 {
        self.anomalous
    }

    /// The same in no more than [`KEPT`] bins, each as wide as `2^shift` of the axis.
    pub(super) fn condensed(&self) -> (u32, Vec<Bin>) {
        let (mut shift, mut bins) = (0, self.bins.clone());
        while bins.len() > KEPT {
            shift += 1;
            bins = merged(&bins);
        }
        bins.shrink_to_fit();
        (shift, bins)
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    normal: u32,
    anomalous: u32,
    overlap: f64,
}

/// Bins of twice the width.
fn merged(bins: &[Bin]) -> Vec<Bin> {
    let both = bins.chunk_by(|one, next| one.bin / 2 == next.bin / 2);
    both.map(|both| {
        let start = Bin { bin: both[0].bin / 2, ..Bin::default() };
        both.iter().fold(start, |sum, bin| Bin {
            bin: sum.bin,
            normal: sum.normal + bin.normal,
            anomalous: sum.anomalous + bin.anomalous,
            overlap: sum.overlap + bin.overlap,
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_keeps_few_bins_and_every_pixel() {
        let values: Vec<f32> = (0..40_000).map(|index| 1.0 + index as f32 / 3000.0).collect();
        let mask: Vec<bool> = (0..40_000).map(|index| index % 200 < 100 && index < 20_000).collect();
        let counts = MapCounts::new(&AnomalyMap { width: 200, height: 200, values }, Some(&mask));
        let (shift, bins) = counts.condensed();
        assert!(shift > 0 && bins.len() <= KEPT && bins.is_sorted_by(|a, b| a.bin < b.bin));
        assert_eq!(bins.iter().map(|bin| u64::from(bin.anomalous)).sum::<u64>(), 10_000);
        assert_eq!(bins.iter().map(|bin| u64::from(bin.normal)).sum::<u64>(), 30_000);
        assert_eq!((counts.regions, counts.anomalous, counts.pixels), (1, 10_000, 40_000));
        // One region: its pixels' shares are one region. In f32, over thousands of terms.
        let overlap: f32 = bins.iter().map(|bin| bin.overlap).sum();
        assert!((overlap - 1.0).abs() < 1e-4, "{overlap}");
    }
}
