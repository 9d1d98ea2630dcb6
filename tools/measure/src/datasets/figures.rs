//! What is measured of one model on one data set.

use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

/// The figures of one model on one data set. A figure about pixels is missing where the data set has
/// no masks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figures {
    /// Pictures that were learnt.
    pub(super) learnt: usize,
    /// Good pictures that were judged.
    pub(super) good: usize,
    /// Pictures with defects that were judged.
    pub(super) defective: usize,
    pub(super) image_auroc: Option<f64>,
    pub(super) pixel_auroc: Option<f64>,
    /// Area under the curve of per-region overlap, up to a false-positive rate of 0.3.
    pub(super) aupro_30: Option<f64>,
    /// The same, up to 0.05.
    pub(super) aupro_5: Option<f64>,
    /// Average precision of pixels.
    pub(super) pixel_precision: Option<f64>,
    pub(super) aupimo: Option<f64>,
    /// The share of defects that the default threshold finds.
    pub(super) found: Option<f64>,
    /// The share of good pictures that the default threshold rejects.
    pub(super) rejected: Option<f64>,
    /// Wall time of `dfm fit`.
    pub(super) fit_seconds: f64,
    /// Wall time of `dfm evaluate`, without intervals.
    pub(super) evaluate_seconds: f64,
    /// Size of the model file.
    pub(super) model_bytes: u64,
}

/// A figure by which ways are compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measure {
    pub(super) name: &'static str,
    pub(super) of: fn(&Figures) -> Option<f64>,
    /// Whether a larger figure is better.
    pub(super) larger_is_better: bool,
}

/// The figures by which ways are compared.
pub(super) const MEASURES: &[Measure] = &[
    Measure { name: "Image AUROC", of: |figures| figures.image_auroc, larger_is_better: true },
    Measure { name: "Pixel AUROC", of: |figures| figures.pixel_auroc, larger_is_better: true },
    Measure { name: "AUPRO at 0.3", of: |figures| figures.aupro_30, larger_is_better: true },
    Measure { name: "AUPRO at 0.05", of: |figures| figures.aupro_5, larger_is_better: true },
    Measure {
        name: "Pixel average precision",
        of: |figures| figures.pixel_precision,
        larger_is_better: true,
    },
    Measure { name: "AUPIMO", of: |figures| figures.aupimo, larger_is_better: true },
    Measure { name: "Defects found", of: |figures| figures.found, larger_is_better: true },
    Measure { name: "Good pictures rejected", of: |figures| figures.rejected, larger_is_better: false },
    Measure { name: "Seconds of fit", of: |figures| Some(figures.fit_seconds), larger_is_better: false },
    Measure {
        name: "Seconds of evaluate",
        of: |figures| Some(figures.evaluate_seconds),
        larger_is_better: false,
    },
    Measure {
        name: "Size of the model in MiB",
        of: |figures| Some(figures.model_bytes as f64 / f64::from(1 << 20)),
        larger_is_better: false,
    },
];

impl Figures {
    /// Reads what `dfm evaluate --format json` found. `walls` are the times of fit and evaluate.
    ///
    /// # Errors
    ///
    /// If the JSON lacks the counts at a threshold.
    pub(super) fn new(
        learnt: usize,
        found: &Value,
        walls: [Duration; 2],
        model_bytes: u64,
    ) -> anyhow::Result<Self> {
        let count = |name: &str| {
            found["confusion"][name].as_f64().with_context(|| format!("evaluate counted no {name}"))
        };
        let [hits, misses] = [count("true_positives")?, count("false_negatives")?];
        let [alarms, passes] = [count("false_positives")?, count("true_negatives")?];
        let share = |part: f64, rest: f64| (part + rest > 0.0).then(|| part / (part + rest));
        let pixel = |name: &str| found["pixel"][name]["value"].as_f64();
        let [fit_seconds, evaluate_seconds] = walls.map(|wall| wall.as_secs_f64());
        Ok(Self {
            learnt,
            good: (alarms + passes) as usize,
            defective: (hits + misses) as usize,
            image_auroc: found["image_auroc"].as_f64(),
            pixel_auroc: found["pixel_auroc"].as_f64(),
            aupro_30: pixel("aupro_30"),
            aupro_5: pixel("aupro_5"),
            pixel_precision: pixel("average_precision"),
            aupimo: pixel("aupimo"),
            found: share(hits, misses),
            rejected: share(alarms, passes),
            fit_seconds,
            evaluate_seconds,
            model_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn shares_are_those_of_each_kind() {
        let found = json!({
            "image_auroc": 0.9,
            "pixel_auroc": null,
            "pixel": { "aupro_30": { "value": 0.5 }, "aupimo": null },
            "confusion": {
                "true_positives": 3, "false_negatives": 1, "false_positives": 0, "true_negatives": 5,
            },
        });
        let walls = [Duration::from_secs(1), Duration::from_secs(2)];
        let figures = Figures::new(7, &found, walls, 10).unwrap();
        assert_eq!((figures.learnt, figures.good, figures.defective), (7, 5, 4));
        assert_eq!((figures.found, figures.rejected), (Some(0.75), Some(0.0)));
        assert_eq!((figures.image_auroc, figures.pixel_auroc), (Some(0.9), None));
        assert_eq!((figures.aupro_30, figures.aupimo), (Some(0.5), None));
        assert!(Figures::new(7, &json!({}), walls, 10).is_err());
    }
}
