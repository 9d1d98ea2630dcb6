//! `cargo xtask bench`: measures whole runs of the program, the network alone beside its peers, its
//! steps, and `fit` beside anomalib's.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

mod anomalib;
mod backbone;
mod cases;
mod datasets;
mod decisions;
mod decompose;
mod draw;
mod draws;
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
// The chores' own, so that both find the workspace alike.
#[path = "../../../xtask/src/workspace.rs"]
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Time whole runs of the program, and of its peers
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Flags {
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
    /// Measure the default and named alternatives on many data sets
    Datasets(datasets::DatasetsFlags),
    /// Measure how well another network finds defects, in PyTorch
    Backbone(backbone::BackboneFlags),
    /// Measure models of few pictures, drawn at random: their figures, and those with turned copies
    Draws(draws::DrawsFlags),
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
    /// Run one part of a measurement as a process of its own
    #[command(hide = true, subcommand)]
    Alone(Part),
}

/// What measurements start, each in a process of its own, so that its memory can be told.
#[derive(Debug, Subcommand)]
enum Part {
    /// The statistics, for `bench --peers`
    Decompose(decompose::DecomposeFlags),
    /// A fit of many rows, for `bench memory`
    Stream(memory::StreamFlags),
    /// The features of pictures, or a fit of them, for `bench statistics`
    Statistics(statistics::PartFlags),
    /// The network, for `bench peers`
    Network(network::NetworkFlags),
}

fn main() -> ExitCode {
    match run(&Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the chosen task.
///
/// # Errors
///
/// If something does not build or run, or a peer gets other results.
fn run(flags: &Flags) -> anyhow::Result<()> {
    match &flags.task {
        None => program::run(&flags.program),
        Some(Task::Peers(flags)) => peers::run(flags),
        Some(Task::Anomalib(flags)) => anomalib::run(flags),
        Some(Task::Memory(flags)) => memory::run(flags),
        Some(Task::Statistics(flags)) => statistics::run(flags),
        Some(Task::Scores(flags)) => scores::run(flags),
        Some(Task::Datasets(flags)) => datasets::run(flags),
        Some(Task::Backbone(flags)) => backbone::run(flags),
        Some(Task::Draws(flags)) => draws::run(flags),
        Some(Task::Pictures(flags)) => pictures::run(flags),
        Some(Task::Decisions(flags)) => decisions::run(flags),
        Some(Task::Validation(flags)) => validation::run(flags),
        Some(Task::Layers(flags)) => layers::run(flags),
        Some(Task::Precision(flags)) => precision::run(flags),
        Some(Task::Ways(flags)) => ways::run(flags),
        Some(Task::Alone(Part::Decompose(flags))) => decompose::run(flags),
        Some(Task::Alone(Part::Stream(flags))) => memory::stream(flags),
        Some(Task::Alone(Part::Statistics(flags))) => statistics::run_part(flags),
        Some(Task::Alone(Part::Network(flags))) => network::run(flags),
    }
}
