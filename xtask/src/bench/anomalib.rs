//! placeholder
use clap::Args;
/// Flags.
#[derive(Debug, Args)]
pub(crate) struct AnomalibFlags {}
/// Runs.
pub(crate) fn run(_: &AnomalibFlags) -> anyhow::Result<()> {
    Ok(())
}
