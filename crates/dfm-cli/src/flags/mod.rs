//! The command line, as typed.

mod audit;
mod drift;
mod explain;
mod fit;
mod init;
mod layout;
mod model;
mod network;
mod sweep;
mod synthesise;
mod union;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(crate) use audit::AuditFlags;
pub(crate) use drift::DriftFlags;
pub(crate) use explain::{ExplainFlags, LISTED};
pub(crate) use fit::{DemoFlags, FitFlags, Validation};
pub(crate) use init::InitFlags;
pub(crate) use model::{CompareFlags, EvaluateFlags, InfoFlags, JudgeFlags, ModelFlags, PredictFlags};
pub(crate) use network::{
    BackboneFlags, BenchFlags, ComputeFlags, DevicesFlags, FeaturesFlags, WeightsFlags, WeightsTask,
};
pub(crate) use sweep::{RankBy, SweepFlags};
pub(crate) use synthesise::SynthesiseFlags;
pub(crate) use union::{ForgetFlags, MergeFlags, RevisionFlags, UpdateFlags};

/// Visual anomaly detection: learn what good looks like, then judge new pictures.
#[derive(Debug, Parser)]
#[command(name = "dfm", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Flags {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Say more; twice for more still
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing but errors and results
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// A file of flags in place of dfm.toml in the current folder (see `dfm init`)
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "no_config")]
    pub(crate) config: Option<PathBuf>,
    /// Take flags from no file
    #[arg(long, global = true)]
    pub(crate) no_config: bool,
}

/// One command each.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Learn from a folder of pictures of good parts
    Fit(FitFlags),
    /// Judge pictures: exit code 0 all normal, 1 something anomalous, 2 any error
    Predict(PredictFlags),
    /// Say what scores are made of, and which good picture each picture is nearest to
    Explain(ExplainFlags),
    /// Measure a model on pictures whose truth is known
    Evaluate(EvaluateFlags),
    /// Tell two evaluations of the same pictures apart
    Compare(CompareFlags),
    /// Try every setting of a grid on a data set whose truth is known, and rank them. Choosing by
    /// the labels of test pictures is selection on the test set: measure what was chosen on others
    Sweep(SweepFlags),
    /// Make a data set with defects, as MVTec AD has it, from good pictures alone
    Synthesise(SynthesiseFlags),
    /// Make one model of several: that of all their pictures
    Merge(MergeFlags),
    /// Add good pictures to a model
    Update(UpdateFlags),
    /// Take pictures out of a model
    Forget(ForgetFlags),
    /// List pictures of a model that look unlike its others: exit code 0 none stands out, 1 some
    /// do, 2 any error
    Audit(AuditFlags),
    /// Ask whether today's pictures are still of the kind that a model was fitted on: exit
    /// code 0 no drift, 1 drift, 2 any error
    Drift(DriftFlags),
    /// Write the feature rows of pictures, before any statistics
    Features(FeaturesFlags),
    /// Say what is in a model file
    Info(InfoFlags),
    /// List the devices that this program can compute on
    Devices(DevicesFlags),
    /// List and fetch backbone weights
    Weights(WeightsFlags),
    /// Measure the network on this machine
    Bench(BenchFlags),
    /// Watch it work on bundled pictures: no arguments, no network
    Demo(DemoFlags),
    /// Write a dfm.toml with every flag, documented
    Init(InitFlags),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs: see docs/json-schema.md
    Json,
    /// For spreadsheets
    Csv,
}

/// How a result that is no table of equal rows is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    Table,
    /// For programs: see docs/json-schema.md
    Json,
}
