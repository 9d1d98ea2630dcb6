//! `cargo xtask bench`: measures whole runs of the program, the network alone beside its peers, its
//! steps, and `fit` beside anomalib's.

mod anomalib;
mod backbone;
mod cases;
mod decisions;
mod decompose;
mod environment;
mod layers;
mod machine;
mod memory;
mod network;
mod peers;
mod pictures;
mod precision;
mod process;
mod program;
mod report;
mod scores;
mod setting;
mod statistics;
mod validation;
mod ways;

use clap::{Args, Subcommand};

pub(crate) use decompose::{DecomposeFlags, run as decompose};
pub(crate) use memory::{StreamFlags, stream};
pub(crate) use network::{NetworkFlags, run as network};
pub(crate) use statistics::{PartFlags, run_part as statistics};

/// Flags of `cargo xtask bench`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct BenchFlags {
    #[command(subcommand)]
    task: Option<Task>,
    #[command(flatten)]
    program: program::ProgramFlags,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Time the network alone, in turns with PyTorch, ONNX Runtime, OpenVINO, tract and candle
    Peers(peers::PeersFlags),
    /// Time `dfm fit` and anomalib's fit, as whole processes
    Anomalib(anomalib::AnomalibFlags),
    /// Time fits of many rows, and measure their memory
    Memory(memory::MemoryFlags),
    /// Time fits of real features, beside PyTorch's and scikit-learn's
    Statistics(statistics::StatisticsFlags),
    /// Measure how well each score and aggregation finds defects
    Scores(scores::ScoresFlags),
    /// Measure how well another network finds defects, in PyTorch
    Backbone(backbone::BackboneFlags),
    /// Measure how much more good pictures to learn improve the figures
    Pictures(pictures::PicturesFlags),
    /// Measure how many good pictures are rejected at each stated rate
    Decisions(decisions::DecisionsFlags),
    /// Measure what synthetic defects say about a model, beside what real defects say
    Validation(validation::ValidationFlags),
    /// Time each step of a network, so that a slow step can be found
    Layers(layers::LayersFlags),
    /// Compare int8 with f32: times of the network, and the cost in AUROC
    Precision(precision::PrecisionFlags),
    /// Time taps against transforms, and write the table that chooses between them
    Ways(ways::WaysFlags),
}

/// Runs the chosen task.
///
/// # Errors
///
/// If something does not build or run, or a peer gets other results.
pub(crate) fn run(flags: &BenchFlags) -> anyhow::Result<()> {
    match &flags.task {
        None => program::run(&flags.program),
        Some(Task::Peers(flags)) => peers::run(flags),
        Some(Task::Anomalib(flags)) => anomalib::run(flags),
        Some(Task::Memory(flags)) => memory::run(flags),
        Some(Task::Statistics(flags)) => statistics::run(flags),
        Some(Task::Scores(flags)) => scores::run(flags),
        Some(Task::Backbone(flags)) => backbone::run(flags),
        Some(Task::Pictures(flags)) => pictures::run(flags),
        Some(Task::Decisions(flags)) => decisions::run(flags),
        Some(Task::Validation(flags)) => validation::run(flags),
        Some(Task::Layers(flags)) => layers::run(flags),
        Some(Task::Precision(flags)) => precision::run(flags),
        Some(Task::Ways(flags)) => ways::run(flags),
    }
}
