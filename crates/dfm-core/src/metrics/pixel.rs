//! Figures over the pixels of many pictures, in bounded memory.

use super::axis::smallest_of;
use super::bootstrap::ValidBootstrapParams;
use super::coarse::Coarse;
use super::counts::MapCounts;
use super::figures::{PicturePixels, PixelFigures, RawFigures};
use super::pool::{Mass, Pool, falling};
use super::profile::{Profile, resolve_aupimo};
use super::steps::best_f1;
use super::{BestF1, curve};

/// What a [`PixelTally`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct PixelEvaluation {
    /// Figures of all pictures.
    pub figures: PixelFigures,
    /// The threshold with the best F1. All scores of its bin reach it.
    pub best_f1: Option<BestF1>,
    /// For each defect, the figures of its pictures and the good ones.
    pub defects: Vec<PixelFigures>,
    /// For each picture, in the order in which pictures were pushed; `None` if nothing is marked.
    pub pictures: Vec<Option<PicturePixels>>,
    /// `[share of false positives, share of true positives]`, rising, thinned.
    pub roc: Vec<[f64; 2]>,
    /// `[share of false positives, mean overlap of regions]`, rising, thinned.
    pub pro: Vec<[f64; 2]>,
    /// `[recall, precision]`, recall rising, thinned.
    pub precision_recall: Vec<[f64; 2]>,
}

/// The pixels of any number of pictures.
///
/// Memory: 0.7 MB for each defect and octave that scores span, and at most 64 KiB a
/// picture. Maps of `f32` lie within few octaves; the order of pictures changes nothing
/// but the last bits of sums.
#[derive(Debug, Clone)]
pub struct PixelTally {
    good: Pool,
    defects: Vec<Pool>,
    pictures: Vec<Profile>,
}

impl PixelTally {
    /// An empty tally for this many kinds of defects.
    pub fn new(defects: usize) -> Self {
        Self { good: Pool::default(), defects: vec![Pool::default(); defects], pictures: Vec::new() }
    }

    /// Adds a good picture, or a picture with the defect of this number.
    ///
    /// Cost: some operations for each bin. There are no more bins than pixels.
    ///
    /// # Panics
    ///
    /// If there is no such defect.
    pub fn push(&mut self, defect: Option<usize>, counts: &MapCounts) {
        let pool = match defect {
            None => &mut self.good,
            Some(defect) => &mut self.defects[defect],
        };
        let of_picture = |count: u32, total: u64| f64::from(count) / total.max(1) as f64;
        for bin in &counts.bins {
            let good = if defect.is_none() { of_picture(bin.normal, counts.pixels) } else { 0.0 };
            let mass = Mass {
                normal: bin.normal.into(),
                anomalous: bin.anomalous.into(),
                overlap: bin.overlap.into(),
                share: of_picture(bin.anomalous, counts.anomalous),
                good,
            };
            pool.add(bin.bin, mass);
        }
        let (shift, bins) = counts.condensed();
        self.pictures.push(Profile {
            defect,
            bins,
            shift,
            anomalous: counts.anomalous,
            pixels: counts.pixels,
            regions: counts.regions,
        });
    }

    /// The figures of everything that was pushed. `bootstrap` says how intervals are made: pictures are
    /// drawn, as many of each kind as there are.
    ///
    /// Intervals come from scores in some three hundred bins. They are moved by what these bins change
    /// in the figure itself.
    ///
    /// Cost: some operations for each bin that holds pixels and each picture; a replicate
    /// takes about a microsecond a picture.
    pub fn finish(&self, bootstrap: Option<&ValidBootstrapParams>) -> PixelEvaluation {
        let pools = |defects: &[Pool]| {
            let all: Vec<&Pool> = std::iter::once(&self.good).chain(defects).collect();
            falling(&all)
        };
        let all = pools(&self.defects);
        let resolves_aupimo = resolve_aupimo(&self.pictures);
        let raw = RawFigures::of(&all, resolves_aupimo);
        let each: Vec<RawFigures> = (0..self.defects.len())
            .map(|defect| RawFigures::of(&pools(&self.defects[defect..=defect]), resolves_aupimo))
            .collect();
        let intervals =
            bootstrap.map(|params| Coarse::new(&self.pictures, self.defects.len(), &all).replicates(params));
        let with = |raw: &RawFigures, place: usize| {
            raw.figures(intervals.as_ref().and_then(|intervals| intervals[place].as_ref()))
        };
        let recall = |steps: &[(u32, Mass)], upto: usize| {
            let sum = |steps: &[(u32, Mass)]| {
                steps
                    .iter()
                    .fold([0.0, 0.0], |sum, (_, mass)| [sum[0] + mass.anomalous, sum[1] + mass.normal])
            };
            let ([found, false_alarms], [total, _]) = (sum(&steps[..=upto]), sum(steps));
            (found / (found + false_alarms), found / total)
        };
        let best = best_f1(&all).map(|(place, estimate)| {
            let (precision, recall) = recall(&all, place);
            BestF1 { f1: estimate.value, threshold: smallest_of(all[place].0).into(), precision, recall }
        });
        PixelEvaluation {
            figures: with(&raw, 0),
            best_f1: best,
            defects: each.iter().enumerate().map(|(defect, raw)| with(raw, defect + 1)).collect(),
            pictures: self.each_picture(&all),
            roc: curve::thinned(&all, |mass| [mass.normal, mass.anomalous]),
            pro: curve::thinned(&all, |mass| [mass.normal, mass.overlap]),
            precision_recall: curve::thinned_precision_recall(&all),
        }
    }

    /// The figures of each picture against the pixels of all, which are `steps`.
    fn each_picture(&self, steps: &[(u32, Mass)]) -> Vec<Option<PicturePixels>> {
        let mut sum = Mass::default();
        // The pixels at a bin or above it.
        let above: Vec<(u32, Mass)> = steps
            .iter()
            .map(|(bin, mass)| {
                sum += *mass;
                (*bin, sum)
            })
            .collect();
        let from = |bin: u32| match above.partition_point(|(other, _)| *other >= bin) {
            0 => Mass::default(),
            count => above[count - 1].1,
        };
        let resolved = resolve_aupimo(&self.pictures);
        let against =
            |picture: &Profile| (picture.anomalous > 0).then(|| picture.against(from, sum, resolved));
        self.pictures.iter().map(against).collect()
    }
}
