//! The command line as the user types it.

mod audit;
mod drift;
mod explain;
mod fit;
mod format;
mod init;
mod layout;
mod model;
mod network;
mod products;
mod regions;
mod sweep;
mod synthesise;
mod union;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use audit::AuditFlags;
pub(crate) use drift::DriftFlags;
pub(crate) use explain::{ExplainFlags, LISTED};
pub(crate) use fit::{DemoFlags, FitFlags, Recipe, Validation};
pub(crate) use format::{Format, ReportFormat};
pub(crate) use init::{CONFIG_NAME, InitFlags};
pub(crate) use model::{CompareFlags, EvaluateFlags, InfoFlags, JudgeFlags, ModelFlags, PredictFlags};
pub(crate) use network::{
    BackboneFlags, BenchFlags, ComputeFlags, DevicesFlags, FeaturesFlags, WeightsFlags, WeightsTask,
};
pub(crate) use products::{EvaluateAllFlags, FitAllFlags};
pub(crate) use regions::{MapFlags, RegionFlags};
pub(crate) use sweep::{RankBy, SweepFlags};
pub(crate) use synthesise::SynthesiseFlags;
pub(crate) use union::{ForgetFlags, MergeFlags, RevisionFlags, UpdateFlags};

/// Visual anomaly detection: learn from pictures of good parts, then judge new pictures.
#[derive(Debug, Parser)]
#[command(name = "dfm", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Flags {
    /// The command
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print more about the run; give it twice for even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Print only errors and results
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// File of flags to use instead of dfm.toml in the current folder (see `dfm init`)
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "no_config")]
    pub(crate) config: Option<PathBuf>,
    /// Use no file of flags
    #[arg(long, global = true)]
    pub(crate) no_config: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Learn from a folder of pictures of good parts
    Fit(FitFlags),
    /// Learn every product of a folder: one model for each of its sub-folders. What is there already,
    /// made of the same pictures with the same flags, is kept. Exit code: 2 if any product failed
    FitAll(Box<FitAllFlags>),
    /// Judge pictures. Exit code: 0 if all are normal, 1 if one is anomalous, 3 if none is
    /// and one is for review, 2 on any error
    Predict(PredictFlags),
    /// Show what each score is made of, and the nearest good picture
    Explain(ExplainFlags),
    /// Measure a model on labelled pictures
    Evaluate(EvaluateFlags),
    /// Measure the models of `dfm fit-all`, each on the data set of its product. Exit code: 2 if any
    /// product could not be measured
    EvaluateAll(EvaluateAllFlags),
    /// Compare two evaluations of the same pictures
    Compare(CompareFlags),
    /// Try every setting of a grid on a labelled data set, and rank the settings. Choosing by the
    /// labels of test pictures is selection on the test set: measure your choice on other pictures.
    /// Figures of pixels, and the size of models, are those of coarse maps (`dfm fit --map coarse`)
    Sweep(SweepFlags),
    /// Make a data set with synthetic defects from good pictures, in the layout of MVTec AD
    Synthesise(SynthesiseFlags),
    /// Merge several models into the model of all their pictures
    Merge(MergeFlags),
    /// Add good pictures to a model
    Update(UpdateFlags),
    /// Take pictures out of a model
    Forget(ForgetFlags),
    /// List pictures of a model that look unlike its others. Exit code: 0 if none stands out, 1 if
    /// any does, 2 on any error
    Audit(AuditFlags),
    /// Test whether today's pictures are still of the kind that a model was fitted on. Exit code: 0
    /// if there is no drift, 1 if there is drift, 2 on any error
    Drift(DriftFlags),
    /// Write the features of pictures, one row for each, without statistics
    Features(FeaturesFlags),
    /// Show what is in a model file
    Info(InfoFlags),
    /// List the devices that this program can compute on
    Devices(DevicesFlags),
    /// List and fetch backbone weights
    Weights(WeightsFlags),
    /// Measure the network on this machine
    Bench(BenchFlags),
    /// Learn and judge bundled pictures; needs no arguments and no network connection
    Demo(DemoFlags),
    /// Write a dfm.toml with every flag and its documentation
    Init(InitFlags),
    /// Print a completion script for a shell
    Completions {
        /// Name of the shell
        shell: Shell,
    },
}
