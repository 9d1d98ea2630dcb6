//! Figures against scikit-learn, maps against PyTorch, and their laws.

use std::sync::LazyLock;

use dfm_core::metrics::{ConfusionMatrix, auroc, average_precision, best_f1};
use dfm_core::{AnomalyGrid, PictureSize};
use dfm_tests::golden::{self, Golden};
use dfm_tests::tolerance::assert_close;

static GOLDEN: LazyLock<Golden> = LazyLock::new(|| golden::tensors("metrics/metrics.safetensors"));

/// Sums of at most a hundred `f64` terms.
const F64: f64 = 1e-12;

fn lists() -> Vec<(String, Vec<f64>, Vec<bool>)> {
    let names = GOLDEN.names();
    let lists: Vec<_> = names
        .iter()
        .filter_map(|name| name.strip_suffix(".scores"))
        .map(|name| {
            let labels = GOLDEN.u8(&format!("{name}.labels")).1.into_iter().map(|label| label == 1).collect();
            (name.to_owned(), GOLDEN.f64(&format!("{name}.scores")).1, labels)
        })
        .collect();
    assert_eq!(lists.len(), 6);
    lists
}

#[test]
fn figures_agree_with_scikit_learn() {
    for (name, scores, labels) in lists() {
        let (_, expected) = GOLDEN.f64(&format!("{name}.expected"));
        assert_close(&name, auroc(&scores, &labels).unwrap(), expected[0], F64);
        assert_close(&name, average_precision(&scores, &labels).unwrap(), expected[1], F64);
        assert_close(&name, best_f1(&scores, &labels).unwrap().f1, expected[2], F64);
    }
}

#[test]
fn the_best_f1_is_what_its_threshold_gives() {
    for (name, scores, labels) in lists() {
        let best = best_f1(&scores, &labels).unwrap();
        let matrix = ConfusionMatrix::at(&scores, &labels, best.threshold);
        let found = matrix.true_positives as f64;
        assert_close(&name, found / (found + matrix.false_positives as f64), best.precision, F64);
        assert_close(&name, found / (found + matrix.false_negatives as f64), best.recall, F64);
    }
}

#[test]
fn turning_scores_round_turns_the_auroc_round() {
    for (name, scores, labels) in lists() {
        let turned: Vec<f64> = scores.iter().map(|score| -score).collect();
        assert_close(&name, auroc(&turned, &labels).unwrap(), 1.0 - auroc(&scores, &labels).unwrap(), F64);
        // A rising function keeps the order, and so the figure.
        let risen: Vec<f64> = scores.iter().map(|score| score.cbrt() + 3.0).collect();
        assert_eq!(auroc(&risen, &labels), auroc(&scores, &labels), "{name}");
    }
}

#[test]
fn without_one_of_the_classes_there_is_no_figure() {
    for labels in [[true; 3], [false; 3]] {
        let scores = [1.0, 2.0, 3.0];
        assert_eq!(auroc(&scores, &labels), None);
        assert_eq!(average_precision(&scores, &labels), None);
        assert_eq!(best_f1(&scores, &labels), None);
    }
    assert_eq!(auroc(&[], &[]), None);
}

#[test]
fn maps_agree_with_pytorch() {
    for index in 0..6 {
        let (cells, grid) = GOLDEN.f32(&format!("map{index}.grid"));
        let size = GOLDEN.i64(&format!("map{index}.size")).1;
        let step = GOLDEN.i64(&format!("map{index}.step")).1[0] as usize;
        let (shape, expected) = GOLDEN.f64(&format!("map{index}.expected"));
        let grid = AnomalyGrid::new(cells[0], cells[1], grid);
        let map = grid.upsample(PictureSize { width: size[1] as u32, height: size[0] as u32 });
        assert_eq!([map.height as i64, map.width as i64], size[..]);
        for y in 0..shape[0] {
            for x in 0..shape[1] {
                let actual = f64::from(map.values[y * step * map.width + x * step]);
                // Weights and three sums in f32.
                assert_close(&format!("map {index} at {y}, {x}"), actual, expected[y * shape[1] + x], 1e-6);
            }
        }
    }
}

#[test]
fn a_constant_grid_gives_a_constant_map() {
    let grid = AnomalyGrid::new(3, 5, vec![2.5; 15]);
    let map = grid.upsample(PictureSize { width: 31, height: 17 });
    assert!(map.values.iter().all(|value| (value - 2.5).abs() < 1e-6));
}
