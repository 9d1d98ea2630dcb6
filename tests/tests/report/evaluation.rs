//! Figures of maps and pictures against scikit-learn, torchmetrics and anomalib, their
//! bounds and intervals, and the laws that tie them together.

use std::sync::LazyLock;

use dfm_backbone::CounterGenerator;
use dfm_core::AnomalyMap;
use dfm_core::metrics::{
    BootstrapParams, Figure, MapCounts, PairedPicture, PixelEvaluation, PixelTally, ValidBootstrapParams,
    auroc, average_precision, best_f1, evaluate_images, paired_figures, precision_recall_curve, roc_curve,
};
use dfm_tests::golden;
use dfm_tests::tolerance::assert_close;
use serde_json::Value;

/// See `fixtures/evaluation/make_evaluation.py`, as for everything here that says nothing else.
const WIDTH: usize = 100;
const HEIGHT: usize = 80;
const GOOD: usize = 25;
const DEFECTS: usize = 10;

static EXPECTED: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_slice(&golden::bytes("evaluation/evaluation.json")).expect("the fixture is JSON")
});

fn expected(path: &str) -> f64 {
    EXPECTED.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {path} in the fixture"))
}

fn list(path: &str) -> Vec<f64> {
    let list = EXPECTED.pointer(path).and_then(Value::as_array).unwrap_or_else(|| panic!("no {path}"));
    list.iter().map(|value| value.as_f64().expect("a number")).collect()
}

/// `None` of good pictures; squares that touch at a corner, a disc, a line.
fn mask(picture: usize) -> Option<Vec<bool>> {
    let k = picture.checked_sub(GOOD)? as i64;
    let side = 4 + k;
    let marked = |at: usize| {
        let (x, y) = ((at % WIDTH) as i64, (at / WIDTH) as i64);
        let square = |left: i64, top: i64| (left..left + side).contains(&x) && (top..top + side).contains(&y);
        let squares = square(10, 12) || square(10 + side, 12 + side);
        let disc = (x - 70).pow(2) + (y - 20).pow(2) <= (3 + k).pow(2);
        let line = y == 60 && (20..40 + 4 * k).contains(&x);
        match k % 3 {
            0 => squares || disc || line,
            1 => squares || line,
            _ => disc,
        }
    };
    Some((0..WIDTH * HEIGHT).map(marked).collect())
}

/// The picture's map in whole numbers, without the lowest `dropped` bits.
fn map(picture: usize, dropped: u32) -> AnomalyMap {
    let noise = CounterGenerator::new(picture as u64);
    let pixels = WIDTH * HEIGHT;
    let mask = mask(picture);
    let lift = 250_000 * (1 + picture % 5) + 400_000 * (picture % 3);
    let value = |at: usize| {
        let sum: u64 = (0..4).map(|part| noise.value((part * pixels + at) as u64) >> 44).sum();
        let lifted = if mask.as_ref().is_some_and(|mask| mask[at]) { lift as u64 } else { 0 };
        ((sum + lifted) >> dropped) as f32
    };
    AnomalyMap { width: WIDTH, height: HEIGHT, values: (0..pixels).map(value).collect() }
}

fn counts(picture: usize, dropped: u32) -> MapCounts {
    MapCounts::new(&map(picture, dropped), mask(picture).as_deref())
}

fn defect(picture: usize) -> Option<usize> {
    picture.checked_sub(GOOD).map(|k| k % 2)
}

fn evaluated(dropped: u32, order: impl Iterator<Item = usize>, replicates: usize) -> PixelEvaluation {
    let mut tally = PixelTally::new(2);
    order.for_each(|picture| tally.push(defect(picture), &counts(picture, dropped)));
    let params = (replicates > 0).then(|| bootstrap(replicates));
    tally.finish(params.as_ref())
}

fn bootstrap(replicates: usize) -> ValidBootstrapParams {
    BootstrapParams { replicates, seed: 7 }.check().expect("parameters")
}

fn all(evaluation: &PixelEvaluation) -> [(&'static str, Figure); 5] {
    let figures = evaluation.figures;
    [
        ("auroc", figures.auroc),
        ("average_precision", figures.average_precision),
        ("best_f1", figures.best_f1),
        ("aupro_30", figures.aupro_30),
        ("aupro_5", figures.aupro_5),
    ]
    .map(|(name, figure)| (name, figure.expect(name)))
}

#[test]
fn pixels_that_bins_tell_apart_have_the_figures_of_other_programs() {
    let evaluation = evaluated(9, 0..GOOD + DEFECTS, 0);
    for (name, figure) in all(&evaluation) {
        // Shares of regions are kept in f32.
        assert_close(name, figure.value, expected(&format!("/coarse/{name}")), 1e-7);
        assert!(figure.bound < 0.01, "{name}: {figure:?}");
    }
    for (name, figure) in &all(&evaluation)[3..] {
        // anomalib adds up in f32, over 280 000 pixels.
        assert_close(name, figure.value, expected(&format!("/coarse/anomalib_{name}")), 1e-5);
    }
}

#[test]
fn pixels_that_bins_join_have_them_within_the_stated_bound() {
    let evaluation = evaluated(0, 0..GOOD + DEFECTS, 0);
    for (name, figure) in all(&evaluation) {
        let distance = (figure.value - expected(&format!("/fine/{name}"))).abs();
        assert!(distance <= figure.bound, "{name}: {distance} away, {figure:?}");
        // Neighbouring bins are 2⁻¹⁴ apart: bounds are of that order.
        assert!(figure.bound > 0.0 && figure.bound < 1e-3, "{name}: {figure:?}");
        println!("{name}: {} within {:.1e}, off by {distance:.1e}", figure.value, figure.bound);
    }
}

#[test]
fn overlaps_of_pictures_are_those_of_anomalib() {
    let evaluation = evaluated(0, 0..GOOD + DEFECTS, 0);
    let aupimo: Vec<f64> =
        evaluation.pictures.iter().flatten().map(|picture| picture.aupimo.expect("a figure")).collect();
    let others = list("/fine/aupimo");
    assert_eq!((aupimo.len(), others.len()), (DEFECTS, DEFECTS));
    for (own, other) in aupimo.iter().zip(&others) {
        // Theirs is taken at 300 000 thresholds between the smallest and the largest score, some
        // of which pass several pixels; ours at bins of 2⁻¹² and less.
        assert!((own - other).abs() < 2e-3, "{own} against {other}");
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let figure = evaluation.figures.aupimo.expect("a figure");
    assert!((figure.value - mean(&others)).abs() < 1e-3 + figure.bound, "{figure:?}");
    let regions: Vec<f64> = evaluation
        .pictures
        .iter()
        .map(|picture| picture.map_or(0.0, |picture| f64::from(picture.regions)))
        .collect();
    assert_eq!(regions, list("/fine/regions"));
}

#[test]
fn figures_of_pictures_add_up_to_those_of_all() {
    let evaluation = evaluated(0, 0..GOOD + DEFECTS, 0);
    let mut sums = [[0.0; 2]; 4];
    for picture in evaluation.pictures.iter().flatten() {
        let (pixels, regions) = (picture.anomalous_pixels as f64, f64::from(picture.regions));
        let parts = [
            (picture.auroc, pixels),
            (picture.aupro_30, regions),
            (picture.aupro_5, regions),
            (picture.aupimo, 1.0),
        ];
        for (sum, (value, weight)) in sums.iter_mut().zip(parts) {
            *sum = [sum[0] + weight * value.expect("a figure"), sum[1] + weight];
        }
    }
    let figures = evaluation.figures;
    let whole = [figures.auroc, figures.aupro_30, figures.aupro_5, figures.aupimo];
    for (figure, [sum, weight]) in whole.into_iter().zip(sums) {
        // Pictures are kept in bins of four times the width.
        let figure = figure.expect("a figure");
        assert!((figure.value - sum / weight).abs() <= 5.0 * figure.bound, "{figure:?}, {}", sum / weight);
    }
}

#[test]
fn a_defect_by_itself_is_its_pictures_and_the_good_ones() {
    let both = evaluated(0, 0..GOOD + DEFECTS, 200);
    for kind in [0, 1] {
        let own = |picture: &usize| defect(*picture).is_none_or(|other| other == kind);
        let alone = evaluated(0, (0..GOOD + DEFECTS).filter(own), 0);
        let values = |figures: dfm_core::metrics::PixelFigures| {
            [figures.auroc, figures.best_f1, figures.aupro_30, figures.aupimo]
                .map(|figure| figure.unwrap().value)
        };
        assert_eq!(values(both.defects[kind]), values(alone.figures), "kind {kind}");
        let figure = both.defects[kind].auroc.unwrap();
        assert!(figure.low.unwrap() < figure.value && figure.value < figure.high.unwrap(), "{figure:?}");
    }
}

#[test]
fn the_order_of_pictures_changes_nothing() {
    let (one, other) = (evaluated(0, 0..GOOD + DEFECTS, 0), evaluated(0, (0..GOOD + DEFECTS).rev(), 0));
    for ((name, figure), (_, turned)) in all(&one).into_iter().zip(all(&other)) {
        // Sums of shares in another order.
        assert_close(name, figure.value, turned.value, 1e-12);
    }
}

#[test]
fn curves_rise_from_corner_to_corner_and_enclose_the_figures() {
    let evaluation = evaluated(0, 0..GOOD + DEFECTS, 0);
    let area = |curve: &[[f64; 2]]| {
        curve.windows(2).map(|ends| (ends[1][0] - ends[0][0]) * (ends[0][1] + ends[1][1]) / 2.0).sum::<f64>()
    };
    for curve in [&evaluation.roc, &evaluation.pro] {
        assert_eq!((curve[0], *curve.last().unwrap()), ([0.0, 0.0], [1.0, 1.0]));
        assert!(curve.windows(2).all(|ends| ends[0][0] <= ends[1][0] && ends[0][1] <= ends[1][1]));
        assert!(curve.len() < 600, "{} points", curve.len());
    }
    // Chords of curves that bend: half of a 256th either way at most.
    assert!((area(&evaluation.roc) - evaluation.figures.auroc.unwrap().value).abs() < 1e-3);
    let best = evaluation.best_f1.expect("a threshold");
    let (mut found, mut wrong, mut missed) = (0, 0, 0);
    for picture in 0..GOOD + DEFECTS {
        let marked = mask(picture).unwrap_or_else(|| vec![false; WIDTH * HEIGHT]);
        for (value, marked) in map(picture, 0).values.iter().zip(marked) {
            match (f64::from(*value) >= best.threshold, marked) {
                (true, true) => found += 1,
                (true, false) => wrong += 1,
                (false, true) => missed += 1,
                (false, false) => {}
            }
        }
    }
    // The threshold is the smallest value of its bin, so counting gives the figure again.
    assert_close("F1", f64::from(2 * found) / f64::from(2 * found + wrong + missed), best.f1, 1e-12);
    assert_close("recall", f64::from(found) / f64::from(found + missed), best.recall, 1e-12);
}

fn image_list() -> (Vec<f64>, Vec<bool>) {
    let scores = list("/image/scores");
    let labels = (0..scores.len()).map(|picture| picture >= GOOD).collect();
    (scores, labels)
}

#[test]
fn figures_of_pictures_are_those_of_torchmetrics_and_of_our_plain_ones() {
    let (scores, labels) = image_list();
    let kinds: Vec<Option<usize>> = (0..scores.len()).map(defect).collect();
    let found = evaluate_images(&scores, &kinds, 2, Some(expected("/image/threshold")), None);
    let value = |figure: Option<Figure>| figure.expect("a figure").value;
    // torchmetrics computes in f32.
    assert_close("AUROC", value(found.figures.auroc), expected("/image/auroc"), 1e-6);
    let precision = expected("/image/average_precision");
    assert_close("average precision", value(found.figures.average_precision), precision, 1e-6);
    assert_close("F1", value(found.figures.f1), expected("/image/f1"), 1e-6);
    // The same sums in another order.
    assert_close("AUROC", value(found.figures.auroc), auroc(&scores, &labels).unwrap(), 1e-12);
    let precision = average_precision(&scores, &labels).unwrap();
    assert_close("average precision", value(found.figures.average_precision), precision, 1e-12);
    assert_close("best F1", value(found.figures.best_f1), best_f1(&scores, &labels).unwrap().f1, 1e-12);
    let own: Vec<usize> = (0..scores.len()).filter(|at| kinds[*at].is_none_or(|kind| kind == 1)).collect();
    let pick = |at: &usize| (scores[*at], labels[*at]);
    let (scores, labels): (Vec<f64>, Vec<bool>) = own.iter().map(pick).unzip();
    assert_close("one kind", value(found.defects[1].auroc), auroc(&scores, &labels).unwrap(), 1e-12);
}

#[test]
fn curves_of_pictures_enclose_their_figures() {
    let (scores, labels) = image_list();
    let roc = roc_curve(&scores, &labels);
    let area: f64 = roc
        .windows(2)
        .map(|ends| {
            (ends[1].false_positive_rate - ends[0].false_positive_rate)
                * (ends[0].true_positive_rate + ends[1].true_positive_rate)
                / 2.0
        })
        .sum();
    assert_close("ROC", area, auroc(&scores, &labels).unwrap(), 1e-12);
    let mut before = 0.0;
    let mut sum = 0.0;
    for point in precision_recall_curve(&scores, &labels) {
        sum += (point.recall - before) * point.precision;
        before = point.recall;
    }
    assert_close("precision and recall", sum, average_precision(&scores, &labels).unwrap(), 1e-12);
    assert!(roc_curve(&[1.0, 2.0], &[true, true]).is_empty());
    assert!(precision_recall_curve(&[], &[]).is_empty());
}

/// Ends of intervals from 10 000 replicates scatter by 0.03 standard deviations, those of the
/// 20 000 in Python by 0.02; an interval is four of them wide.
fn assert_interval(what: &str, figure: Figure, expected: &[f64]) {
    let width = expected[1] - expected[0];
    for (own, other) in [figure.low, figure.high].into_iter().zip(expected) {
        let own = own.expect("an interval");
        assert!((own - other).abs() < 0.05 * width, "{what}: {figure:?} against {expected:?}");
    }
}

#[test]
fn intervals_are_those_of_numpy() {
    let (scores, _) = image_list();
    // One kind of defect, as Python draws them.
    let kinds: Vec<Option<usize>> = (0..scores.len()).map(|at| defect(at).map(|_| 0)).collect();
    let params = bootstrap(10_000);
    let image = evaluate_images(&scores, &kinds, 1, None, Some(&params)).figures;
    assert_interval("image", image.auroc.unwrap(), &list("/intervals/image"));
    let mut tally = PixelTally::new(1);
    (0..GOOD + DEFECTS).for_each(|picture| tally.push(kinds[picture], &counts(picture, 0)));
    let pixels = tally.finish(Some(&params)).figures;
    assert_interval("pixel", pixels.auroc.unwrap(), &list("/intervals/pixel"));
    for figure in [pixels.aupro_30, pixels.aupro_5, pixels.aupimo, pixels.best_f1].map(Option::unwrap) {
        assert!(figure.low.unwrap() < figure.value && figure.value < figure.high.unwrap(), "{figure:?}");
    }
    // The same seed, the same interval.
    assert_eq!(evaluate_images(&scores, &kinds, 1, None, Some(&params)).figures, image);
}

#[test]
fn nineteen_intervals_in_twenty_hold_the_truth() {
    // Normal scores, defects one and a half standard deviations above: Φ(1.5 / √2).
    let truth = 0.855_578;
    let params = bootstrap(400);
    let mut held = 0;
    let sets = 300;
    for set in 0..sets {
        let draws = CounterGenerator::new(set);
        // Twelve uniform numbers are normal enough: variance 1 of 12 × 1/12.
        let normal =
            |place: u64| (0..12).map(|part| f64::from(draws.unit_f32(12 * place + part)) / 2.0).sum::<f64>();
        let kinds: Vec<Option<usize>> = (0..100).map(|at| (at >= 60).then_some(0)).collect();
        let scores: Vec<f64> = (0..100).map(|at| normal(at) + if at >= 60 { 1.5 } else { 0.0 }).collect();
        let figure = evaluate_images(&scores, &kinds, 1, None, Some(&params)).figures.auroc.unwrap();
        held += usize::from(figure.low.unwrap() <= truth && truth <= figure.high.unwrap());
    }
    // Percentile intervals of a hundred pictures are a little narrow: 92 to 97 of a hundred, and
    // three standard deviations of three hundred sets beside.
    let share = held as f64 / sets as f64;
    println!("{share} of the intervals hold the truth");
    assert!((0.88..=0.99).contains(&share), "{share}");
}

#[test]
fn what_is_missing_leaves_every_other_figure() {
    let good_only = evaluated(0, 0..GOOD, 100);
    assert_eq!(good_only.figures, dfm_core::metrics::PixelFigures::default());
    assert!(good_only.pictures.iter().all(Option::is_none) && good_only.roc.is_empty());
    let bad_only = evaluated(0, GOOD..GOOD + DEFECTS, 100).figures;
    let auroc = bad_only.auroc.expect("normal pixels beside the defects");
    assert!(auroc.value > 0.8 && auroc.low.is_none() && bad_only.aupimo.is_none(), "{bad_only:?}");
    // Too few good pixels to tell one in 100 000.
    assert!(evaluated(0, 20..GOOD + DEFECTS, 0).figures.aupimo.is_none());
    assert_eq!(PixelTally::new(0).finish(Some(&bootstrap(100))).figures.auroc, None);

    let scores = [3.0, 1.0, 2.0];
    let good = evaluate_images(&scores, &[None; 3], 1, Some(1.5), Some(&bootstrap(100)));
    assert_eq!((good.figures, good.defects[0]), Default::default());
    let bad = evaluate_images(&scores, &[Some(0); 3], 1, Some(1.5), Some(&bootstrap(100))).figures;
    assert!(bad.auroc.is_none() && bad.average_precision.is_none());
    assert_close("F1 of two of three", bad.f1.unwrap().value, 0.8, 1e-12);
}

#[test]
fn a_map_that_scores_everything_alike_is_at_chance() {
    let mut tally = PixelTally::new(1);
    let flat = AnomalyMap { width: WIDTH, height: HEIGHT, values: vec![2.5; WIDTH * HEIGHT] };
    for picture in [0, 1, GOOD] {
        tally.push(defect(picture), &MapCounts::new(&flat, mask(picture).as_deref()));
    }
    let figures = tally.finish(None).figures;
    assert_eq!(figures.auroc.unwrap().value, 0.5);
    assert_close("AUPRO", figures.aupro_30.unwrap().value, 0.15, 1e-12);
}

#[test]
fn a_model_differs_from_itself_by_nothing_and_from_a_worse_one_for_sure() {
    let (scores, _) = image_list();
    let evaluation = evaluated(0, 0..GOOD + DEFECTS, 0);
    let pictures = |second: &dyn Fn(usize) -> f64| -> Vec<PairedPicture> {
        (0..scores.len())
            .map(|at| PairedPicture {
                kind: defect(at),
                scores: [scores[at], second(at)],
                pixels: [evaluation.pictures[at]; 2],
            })
            .collect()
    };
    let thresholds = [Some(48.0); 2];
    let same = paired_figures(&pictures(&|at| scores[at]), thresholds, &bootstrap(1000));
    for difference in [same.image_auroc, same.image_f1, same.pixel_auroc, same.pixel_aupimo] {
        let difference = difference.expect("a figure");
        assert_eq!([difference.difference, difference.low.unwrap(), difference.high.unwrap()], [0.0; 3]);
        assert_eq!(difference.p_value, Some(1.0));
    }
    let figure = evaluation.figures.aupro_30.unwrap();
    assert!((same.pixel_aupro_30.unwrap().first - figure.value).abs() <= 5.0 * figure.bound);
    // Defects are not seen at all.
    let worse = |at: usize| if at < GOOD { scores[at] } else { scores[at] - 24.0 };
    let worse = paired_figures(&pictures(&worse), thresholds, &bootstrap(1000)).image_auroc.unwrap();
    assert!(worse.difference < -0.2 && worse.high.unwrap() < 0.0, "{worse:?}");
    assert!(worse.p_value.unwrap() < 0.05, "{worse:?}");
}
