//! Measures how well one setting of `dfm fit` finds defects, by the program itself.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use crate::cases::{Case, words};
use crate::process;

/// The flags of a fit, except its score.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<'s> {
    pub(super) layers: &'s str,
    /// One pool for all layers, or one for each.
    pub(super) pools: &'s str,
    pub(super) resize: &'s str,
    pub(super) aggregation: &'s str,
}

/// The defaults of the program.
pub(super) const DEFAULT: Setting<'_> =
    Setting { layers: "layer2,layer3", pools: "4", resize: "mirror", aggregation: "relative" };
/// The method as it was published.
pub(super) const PUBLISHED: Setting<'_> =
    Setting { layers: "layer3", pools: "4", resize: "stretch", aggregation: "sum" };

/// Flags of the measurements that evaluate a data set for a document.
#[derive(Debug, Args)]
pub(super) struct MeasureFlags {
    /// A folder with `train/good`, `test` and `ground_truth` inside, in the layout of MVTec AD
    #[arg(long, value_name = "DIR")]
    pub(super) data: PathBuf,
    /// Number of threads
    #[arg(long, default_value_t = 2)]
    pub(super) threads: usize,
    /// Write the results into the document
    #[arg(long)]
    pub(super) write: bool,
}

/// The program and the data on which settings are tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial<'t> {
    /// The program.
    pub(super) dfm: &'t Path,
    /// The data set whose test pictures are judged.
    pub(super) data: &'t Path,
    pub(super) scratch: &'t Path,
    pub(super) threads: usize,
}

impl Trial<'_> {
    /// Returns image and pixel AUROC of a model of the pictures in `good`.
    pub(super) fn auroc(
        &self,
        good: &Path,
        score: &str,
        Setting { layers, pools, resize, aggregation }: Setting<'_>,
    ) -> anyhow::Result<[Option<f64>; 2]> {
        let (model, threads) = (self.scratch.join("trial.dfm"), self.threads.to_string());
        let fit = words(&[
            &"fit",
            &good,
            &"-o",
            &model,
            &"--no-update",
            &"--threads",
            &threads,
            &"--layer",
            &layers,
            &"--pool",
            &pools,
            &"--resize",
            &resize,
            &"--score",
            &score,
            &"--aggregate",
            &aggregation,
            // No figure depends on the threshold, so no score needs to be held out.
            &"--threshold",
            &"1",
        ]);
        let judge = words(&[
            &"evaluate",
            &model,
            &self.data,
            &"--bootstrap",
            &"0",
            &"--format",
            &"json",
            &"--threads",
            &threads,
        ]);
        let run = |name: &str, arguments| {
            let case = Case::new(name, None, self.dfm, arguments);
            process::measure(case.command(), case.accepted, self.scratch, self.threads)
        };
        run("fit", fit)?;
        let output = run("evaluate", judge)?.output;
        let found: Value = serde_json::from_str(&output).with_context(|| output.clone())?;
        Ok([found["image_auroc"].as_f64(), found["pixel_auroc"].as_f64()])
    }
}

/// Four digits, or a dash if there is no figure.
pub(super) fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"))
}
