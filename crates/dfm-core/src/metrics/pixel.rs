//! Figures over the pixels of many pictures, in bounded memory.

use serde::{Deserialize, Serialize};

use super::axis::smallest_of;
use super::bootstrap::{ValidBootstrapParams, figure};
use super::coarse::Coarse;
use super::counts::{Bin, MapCounts};
use super::pool::{Mass, Pool, falling};
use super::steps::{Estimate, Scale, area, average_precision, best_f1};
use super::{BestF1, Figure, curve};

/// Shares of false positives at which AUPRO ends: MVTec's, and the one for defects that must
/// not drown in false alarms.
pub const AUPRO_LIMITS: [f64; 2] = [0.3, 0.05];
/// The shares of good pictures' pixels between which AUPIMO is taken.
const AUPIMO_WINDOW: [f64; 2] = [1e-5, 1e-4];

/// Figures over pixels. All but AUPIMO are of all pixels together, whichever picture they
/// come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PixelFigures {
    /// AUROC.
    pub auroc: Option<Figure>,
    /// Average precision.
    pub average_precision: Option<Figure>,
    /// The best F1 over every threshold.
    pub best_f1: Option<Figure>,
    /// Area under the per-region overlap up to 30 % of false positives, as a share of the
    /// largest possible (Bergmann et al., *MVTec AD*, 2021).
    pub aupro_30: Option<Figure>,
    /// The same up to 5 %.
    pub aupro_5: Option<Figure>,
    /// Mean over pictures with defects of the share of the defect that is found, over
    /// thresholds that mark 1e-5 to 1e-4 of good pictures' pixels, on a logarithmic scale
    /// (Bertoldo et al., *AUPIMO*, 2024). `None` below 1e5 pixels of good pictures.
    pub aupimo: Option<Figure>,
}

/// The same of one picture with a defect, against the normal pixels of all. The mean of
/// `auroc` weighted by `anomalous_pixels`, of AUPRO by `regions`, and of AUPIMO are the
/// figures of all pictures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PicturePixels {
    /// Pixels that the mask marks.
    pub anomalous_pixels: u64,
    /// Connected regions that it marks.
    pub regions: u32,
    /// The chance that one of them scores above a normal pixel of any picture.
    pub auroc: Option<f64>,
    /// Per-region overlap up to 30 % of all false positives.
    pub aupro_30: Option<f64>,
    /// Up to 5 %.
    pub aupro_5: Option<f64>,
    /// The picture's AUPIMO.
    pub aupimo: Option<f64>,
}

/// What a [`PixelTally`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct PixelEvaluation {
    /// Of all pictures.
    pub figures: PixelFigures,
    /// The threshold with the best F1; scores of its bin reach it.
    pub best_f1: Option<BestF1>,
    /// By defect: its pictures and the good ones.
    pub defects: Vec<PixelFigures>,
    /// In the order in which pictures were pushed; `None` where nothing is marked.
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
    pub(super) defects: Vec<Pool>,
    pub(super) pictures: Vec<Profile>,
}

/// What is kept of one picture.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    /// The defect, `None` of a good picture.
    pub(super) defect: Option<usize>,
    /// Rising; each spans `2^shift` bins of the axis.
    pub(super) bins: Vec<Bin>,
    pub(super) shift: u32,
    pub(super) anomalous: u64,
    pub(super) pixels: u64,
    regions: u32,
}

impl PixelTally {
    /// Of nothing yet, for that many kinds of defects.
    pub fn new(defects: usize) -> Self {
        Self { good: Pool::default(), defects: vec![Pool::default(); defects], pictures: Vec::new() }
    }

    /// Adds a picture: a good one, or one with the `defect` of that number.
    ///
    /// Cost: some operations a bin, of which there are no more than pixels.
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

    /// The figures of everything pushed, with intervals if `bootstrap` says how: pictures
    /// are drawn, as many of each kind as there are.
    ///
    /// Intervals are those of scores in some three hundred bins, moved by what these change
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
        let raw = RawFigures::of(&all, self.resolves_aupimo());
        let each: Vec<RawFigures> = (0..self.defects.len())
            .map(|defect| RawFigures::of(&pools(&self.defects[defect..=defect]), self.resolves_aupimo()))
            .collect();
        let intervals = bootstrap.map(|params| Coarse::new(self, &all).replicates(params));
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

    /// Whether one pixel of the good pictures is less than where AUPIMO begins.
    pub(super) fn resolves_aupimo(&self) -> bool {
        let good = self.pictures.iter().filter(|picture| picture.defect.is_none());
        good.map(|picture| picture.pixels).sum::<u64>() as f64 * AUPIMO_WINDOW[0] >= 1.0
    }

    /// Each picture against the pixels of all, `steps`.
    fn each_picture(&self, steps: &[(u32, Mass)]) -> Vec<Option<PicturePixels>> {
        let mut sum = Mass::default();
        // What lies at a bin or above it.
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
        self.pictures
            .iter()
            .map(|picture| {
                (picture.anomalous > 0).then(|| picture.against(from, sum, self.resolves_aupimo()))
            })
            .collect()
    }
}

impl Profile {
    /// The picture's own marked pixels against all others: `from` says what lies at a bin of
    /// the axis or above.
    fn against(&self, from: impl Fn(u32) -> Mass, all: Mass, resolved: bool) -> PicturePixels {
        let mut steps = Vec::with_capacity(2 * self.bins.len() + 1);
        let mut before = Mass::default();
        let mut pass = |to: Mass, own: Bin| {
            let across = [to.normal - before.normal, to.good - before.good];
            steps.push((across, [f64::from(own.anomalous), f64::from(own.overlap)]));
            before = to;
        };
        for own in self.bins.iter().rev().filter(|bin| bin.anomalous > 0) {
            // Beyond the largest bin there is nothing.
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

/// The figures of [`PixelFigures`], in its order.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawFigures(pub(super) [Option<Estimate>; FIGURES]);

/// Figures of pixels.
pub(super) const FIGURES: usize = 6;

impl RawFigures {
    /// Of pooled pixels, falling.
    pub(super) fn of(steps: &[(u32, Mass)], resolves_aupimo: bool) -> Self {
        let curve = |of: fn(&Mass) -> [f64; 2], window, scale| {
            area(steps.iter().map(|(_, mass)| of(mass)), window, scale)
        };
        let overlap = |limit| curve(|mass| [mass.normal, mass.overlap], [0.0, limit], Scale::Linear);
        let shared = || curve(|mass| [mass.good, mass.share], AUPIMO_WINDOW, Scale::Logarithmic);
        Self([
            curve(|mass| [mass.normal, mass.anomalous], [0.0, 1.0], Scale::Linear),
            average_precision(steps),
            best_f1(steps).map(|(_, estimate)| estimate),
            overlap(AUPRO_LIMITS[0]),
            overlap(AUPRO_LIMITS[1]),
            if resolves_aupimo { shared() } else { None },
        ])
    }

    /// With intervals that say how far replicates are from the figure.
    fn figures(&self, intervals: Option<&[Option<[f64; 2]>; FIGURES]>) -> PixelFigures {
        let of = |place: usize| {
            self.0[place].map(|Estimate { value, bound }| {
                let ends = intervals.and_then(|intervals| intervals[place]);
                figure(value, bound, ends.map(|ends| ends.map(|end| (value + end).clamp(0.0, 1.0))))
            })
        };
        PixelFigures {
            auroc: of(0),
            average_precision: of(1),
            best_f1: of(2),
            aupro_30: of(3),
            aupro_5: of(4),
            aupimo: of(5),
        }
    }
}
