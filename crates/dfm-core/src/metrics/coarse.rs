//! The pixels of every picture in a few hundred bins that all pictures share, to be drawn
//! from.

use super::bootstrap::{ValidBootstrapParams, can_draw, interval};
use super::figures::{FIGURES, RawFigures};
use super::pool::Mass;
use super::profile::{Profile, resolve_aupimo};

/// Equal parts that false and true positives are cut into.
const PARTS: f64 = 128.0;
/// Parts of each factor of ten of the false positives of good pictures, for AUPIMO.
const PARTS_OF_TEN: f64 = 16.0;

/// How far the ends of intervals are from the figures of all pictures, then of each defect.
pub(super) type Intervals = Vec<Option<[Option<[f64; 2]>; FIGURES]>>;

/// One row of bins a picture, all with the same edges.
pub(super) struct Coarse<'a> {
    pictures: &'a [Profile],
    defects: usize,
    bins: usize,
    /// In falling order, as everything here.
    rows: Vec<Vec<[f32; 3]>>,
}

impl<'a> Coarse<'a> {
    /// For `pictures` with this many kinds of `defects`. `steps` are the pixels of all of them, in
    /// falling order.
    pub(super) fn new(pictures: &'a [Profile], defects: usize, steps: &[(u32, Mass)]) -> Self {
        // An edge within a picture's own bins would divide them.
        let shift = pictures.iter().map(|picture| picture.shift).max().unwrap_or(0);
        let lowest = edges(steps, shift);
        let rows = pictures.iter().map(|picture| row(picture, &lowest)).collect();
        Self { pictures, defects, bins: lowest.len(), rows }
    }

    /// How figures move with pictures that are drawn, in these bins.
    pub(super) fn replicates(&self, params: &ValidBootstrapParams) -> Intervals {
        let (pictures, defects) = (self.pictures, self.defects);
        let kinds: Vec<Option<usize>> = pictures.iter().map(|picture| picture.defect).collect();
        let count = |kind: Option<usize>| kinds.iter().filter(|other| **other == kind).count();
        let drawable: Vec<bool> = std::iter::once(kinds.len() - count(None))
            .chain((0..defects).map(|defect| count(Some(defect))))
            .map(|anomalous| can_draw(count(None), anomalous))
            .collect();
        let plain = self.figures(&vec![1; pictures.len()], &kinds, &drawable);
        let mut found: Vec<[Vec<f64>; FIGURES]> = vec![Default::default(); plain.len()];
        params.draw(
            &kinds,
            |weights| self.figures(weights, &kinds, &drawable),
            |drawn| {
                for (found, raw) in found.iter_mut().zip(drawn) {
                    let values = raw.iter().flat_map(|raw| raw.0);
                    for (found, estimate) in found.iter_mut().zip(values) {
                        found.extend(estimate.map(|estimate| estimate.value));
                    }
                }
            },
        );
        found
            .into_iter()
            .zip(plain)
            .map(|(found, plain)| {
                let mut places = 0..FIGURES;
                let intervals = found.map(|values| {
                    let value = plain?.0[places.next()?]?.value;
                    interval(values).map(|ends| ends.map(|end| end - value))
                });
                plain.map(|_| intervals)
            })
            .collect()
    }

    fn figures(
        &self,
        weights: &[u32],
        kinds: &[Option<usize>],
        drawable: &[bool],
    ) -> Vec<Option<RawFigures>> {
        let resolved = resolve_aupimo(self.pictures);
        // The good pictures first, then each defect.
        let mut sums = vec![vec![(0, Mass::default()); self.bins]; drawable.len()];
        for (((row, picture), kind), weight) in self.rows.iter().zip(self.pictures).zip(kinds).zip(weights) {
            if *weight > 0 {
                let sum = &mut sums[kind.map_or(0, |defect| defect + 1)];
                add(sum, row, picture, f64::from(*weight));
            }
        }
        let (good, defects) = sums.split_at(1);
        let together = |parts: &mut dyn Iterator<Item = &Vec<(u32, Mass)>>| {
            let mut sum = good[0].clone();
            for part in parts {
                sum.iter_mut().zip(part).for_each(|((_, sum), (_, mass))| *sum += *mass);
            }
            RawFigures::of(&sum, resolved)
        };
        let each = drawable.iter().enumerate().map(|(place, drawable)| {
            drawable.then(|| match place {
                0 => together(&mut defects.iter()),
                place => together(&mut std::iter::once(&defects[place - 1])),
            })
        });
        each.collect()
    }
}

/// The lowest bin of the axis in each coarse bin, falling: a new one begins wherever a curve
/// has gone another part of its way.
fn edges(steps: &[(u32, Mass)], shift: u32) -> Vec<u32> {
    let mut total = Mass::default();
    steps.iter().for_each(|(_, mass)| total += *mass);
    let part = |mass: f64, total: f64| if total > 0.0 { (PARTS * mass / total).floor() } else { 0.0 };
    let mut sum = Mass::default();
    let mut last = None;
    let mut edges = Vec::new();
    for (bin, mass) in steps {
        sum += *mass;
        let tail = if total.good > 0.0 { (sum.good / total.good).max(1e-7).log10() } else { 0.0 };
        let parts = [
            part(sum.normal, total.normal),
            part(sum.anomalous, total.anomalous),
            part(sum.overlap, total.overlap),
            (PARTS_OF_TEN * tail).floor(),
        ];
        let edge = bin >> shift << shift;
        if last.is_some_and(|last| last != parts) && edges.last().is_none_or(|previous| *previous > edge) {
            edges.push(edge);
        }
        last = Some(parts);
    }
    // Whatever lies below the last edge.
    if edges.last().is_none_or(|previous| *previous > 0) {
        edges.push(0);
    }
    edges
}

/// Normal, anomalous and overlap of `picture` in bins whose lowest are `lowest`.
fn row(picture: &Profile, lowest: &[u32]) -> Vec<[f32; 3]> {
    let mut row = vec![[0.0; 3]; lowest.len()];
    let mut place = 0;
    for bin in picture.bins.iter().rev() {
        while bin.bin << picture.shift < lowest[place] {
            place += 1;
        }
        let sum = &mut row[place];
        *sum = [sum[0] + bin.normal as f32, sum[1] + bin.anomalous as f32, sum[2] + bin.overlap];
    }
    row
}

fn add(sum: &mut [(u32, Mass)], row: &[[f32; 3]], picture: &Profile, weight: f64) {
    let share = weight / picture.anomalous.max(1) as f64;
    let good = if picture.defect.is_none() { weight / picture.pixels.max(1) as f64 } else { 0.0 };
    for ((_, sum), [normal, anomalous, overlap]) in sum.iter_mut().zip(row) {
        sum.normal += weight * f64::from(*normal);
        sum.anomalous += weight * f64::from(*anomalous);
        sum.overlap += weight * f64::from(*overlap);
        sum.share += share * f64::from(*anomalous);
        sum.good += good * f64::from(*normal);
    }
}
