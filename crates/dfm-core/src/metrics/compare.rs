//! Two models on the same pictures.

use serde::Serialize;

use super::bootstrap::{ValidBootstrapParams, can_draw, interval};
use super::figures::PicturePixels;
use super::image::Ranked;

/// What two models say of one picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedPicture {
    /// `None` for a good picture, otherwise the number of its defect.
    pub kind: Option<usize>,
    /// The raw score of each.
    pub scores: [f64; 2],
    /// What each says of the pixels, if there are a map and a mask.
    pub pixels: [Option<PicturePixels>; 2],
}

/// A figure of two models, and what lies between.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// Figure of the first run.
    pub first: f64,
    /// Figure of the second run.
    pub second: f64,
    /// The second less the first.
    pub difference: f64,
    /// The lower end of its 95 % bootstrap interval; `None` where fewer than two pictures of
    /// a kind leave nothing to draw from.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// Twice the share of draws in which the difference is zero or has the other sign.
    pub p_value: Option<f64>,
}

/// Every figure that two models share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PairedFigures {
    /// AUROC of pictures.
    pub image_auroc: Option<Difference>,
    /// Average precision.
    pub image_average_precision: Option<Difference>,
    /// The best F1 over every threshold.
    pub image_best_f1: Option<Difference>,
    /// F1 at each model's own threshold.
    pub image_f1: Option<Difference>,
    /// AUROC of pixels. Here and below normal pixels stay as they are, and pictures with
    /// defects are drawn.
    pub pixel_auroc: Option<Difference>,
    /// Per-region overlap up to 30 % of false positives.
    pub pixel_aupro_30: Option<Difference>,
    /// Up to 5 %.
    pub pixel_aupro_5: Option<Difference>,
    /// AUPIMO.
    pub pixel_aupimo: Option<Difference>,
}

/// Figures, of either model.
const FIGURES: usize = 8;

/// Compares two models over the same `pictures`: both see the same draws, so that what is
/// hard for both does not count. `thresholds` are those of the models.
///
/// Cost: a few operations for each picture and replicate, on the threads of the pool.
pub fn paired_figures(
    pictures: &[PairedPicture],
    thresholds: [Option<f64>; 2],
    bootstrap: &ValidBootstrapParams,
) -> PairedFigures {
    let kinds: Vec<Option<usize>> = pictures.iter().map(|picture| picture.kind).collect();
    let models = [0, 1].map(|model| Model::new(pictures, model, thresholds[model]));
    let figures = |weights: &[u32]| {
        let [first, second] = [0, 1].map(|model: usize| models[model].figures(&kinds, weights));
        std::array::from_fn::<_, FIGURES, _>(|place| Some([first[place]?, second[place]?]))
    };
    let plain = figures(&vec![1; pictures.len()]);
    let mut found: [Vec<f64>; FIGURES] = Default::default();
    let good = kinds.iter().filter(|kind| kind.is_none()).count();
    if can_draw(good, kinds.len() - good) {
        bootstrap.draw(&kinds, figures, |drawn| {
            for (found, pair) in found.iter_mut().zip(drawn) {
                found.extend(pair.map(|[first, second]| second - first));
            }
        });
    }
    let mut differences = plain.into_iter().zip(found).map(|(pair, drawn)| {
        let [first, second] = pair?;
        Some(difference(first, second, drawn))
    });
    // In the order of a model's figures.
    let mut next = || differences.next().flatten();
    PairedFigures {
        image_auroc: next(),
        image_average_precision: next(),
        image_best_f1: next(),
        image_f1: next(),
        pixel_auroc: next(),
        pixel_aupro_30: next(),
        pixel_aupro_5: next(),
        pixel_aupimo: next(),
    }
}

fn difference(first: f64, second: f64, drawn: Vec<f64>) -> Difference {
    let share = |wanted: fn(&f64) -> bool| {
        // The figure itself counts as drawn, so that none is impossible.
        (drawn.iter().filter(|value| wanted(value)).count() + 1) as f64 / (drawn.len() + 1) as f64
    };
    let p_value = (!drawn.is_empty())
        .then(|| (2.0 * share(|value| *value <= 0.0).min(share(|value| *value >= 0.0))).min(1.0));
    let [low, high] = interval(drawn).map_or([None, None], |ends| ends.map(Some));
    Difference { first, second, difference: second - first, low, high, p_value }
}

/// One of the two.
struct Model {
    ranked: Ranked,
    /// For each picture, the values of pixel figures and their weights.
    pixels: Vec<Option<[[f64; 2]; 4]>>,
}

impl Model {
    fn new(pictures: &[PairedPicture], model: usize, threshold: Option<f64>) -> Self {
        let scores: Vec<f64> = pictures.iter().map(|picture| picture.scores[model]).collect();
        let pixels = pictures.iter().map(|picture| {
            // A figure that either model lacks is compared for neither.
            let [own, other] = [picture.pixels[model]?, picture.pixels[1 - model]?];
            let weighted = |of: fn(&PicturePixels) -> Option<f64>, weight: f64| match (of(&own), of(&other)) {
                (Some(value), Some(_)) => [value, weight],
                _ => [0.0, 0.0],
            };
            let regions = f64::from(own.regions);
            Some([
                weighted(|pixels| pixels.auroc, own.anomalous_pixels as f64),
                weighted(|pixels| pixels.aupro_30, regions),
                weighted(|pixels| pixels.aupro_5, regions),
                weighted(|pixels| pixels.aupimo, 1.0),
            ])
        });
        Self { ranked: Ranked::new(&scores, threshold), pixels: pixels.collect() }
    }

    fn figures(&self, kinds: &[Option<usize>], weights: &[u32]) -> [Option<f64>; FIGURES] {
        let mut sums = [[0.0, 0.0]; 4];
        for (pixels, weight) in self.pixels.iter().zip(weights) {
            for (sum, [value, own]) in sums.iter_mut().zip(pixels.iter().flatten()) {
                let weight = own * f64::from(*weight);
                *sum = [sum[0] + value * weight, sum[1] + weight];
            }
        }
        let image = self.ranked.figures(kinds, None, |place| weights[place]);
        let pixels = sums.map(|[sum, weight]| (weight > 0.0).then(|| sum / weight));
        std::array::from_fn(|place| if place < 4 { image[place] } else { pixels[place - 4] })
    }
}
