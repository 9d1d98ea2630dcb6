//! `dfm sweep`: every setting of a grid, each fitted and judged, features taken once a network.

mod report;

use anyhow::bail;
use dfm::{Common, Grid, Network, Sweeper};

use crate::flags::SweepFlags;
use crate::hints::Hints;
use crate::messages::Messages;
use crate::values::{Layers, Memory, Pools, Size};
use crate::{Outcome, args, input, output};
use report::{Row, Sweep};

/// Runs the command. What cannot be fitted or judged is a row that says why; the outcome is a
/// failure if there is nothing else.
pub(crate) fn run(flags: &SweepFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let networks = networks(flags)?;
    let common = common(flags, messages)?;
    let sweeper = Sweeper::new(grid(flags))
        .with_networks(networks)
        .with_common(common.clone())
        .with_compute(args::compute(&flags.compute)?)
        .with_workers(args::workers(&flags.compute));
    sweeper.check()?;
    let dataset =
        args::workers(&flags.compute).run(|| input::test_set(&flags.dataset, flags.layout(), messages))??;
    input::refuse_parts(&dataset)?;
    let trials = sweeper.run(&dataset, messages).hints()?;
    let sweep = Sweep::new(flags, &common, &dataset, trials.into_iter().map(Row::new).collect());
    sweep.write(flags.format, &mut output::stdout())?;
    Ok(if sweep.is_empty() { Outcome::Failed } else { messages.outcome(Outcome::Success) })
}

fn grid(flags: &SweepFlags) -> Grid {
    Grid::default()
        .with_layers(flags.layer.iter().map(|Layers(layers)| layers.clone()).collect())
        .with_pools(flags.pool.iter().map(|Pools(pools)| pools.clone()).collect())
        .with_keep(flags.pca.clone())
        .with_scores(flags.score.clone())
        .with_aggregations(flags.aggregate.clone())
}

/// What every setting has in common.
fn common(flags: &SweepFlags, messages: &Messages) -> anyhow::Result<Common> {
    Ok(Common::default()
        .with_levels(flags.levels)
        .with_region(input::region(flags.roi.as_deref(), flags.ignore.as_deref(), messages)?)
        .with_tiling(args::tiling(flags.tile, flags.stride))
        .with_batch(flags.batch)
        .with_memory(flags.max_memory.map_or_else(args::memory, |Memory(bytes)| bytes)))
}

/// The networks that a sweep tries.
///
/// # Errors
///
/// If there are as many weights as neither one nor the networks.
fn networks(flags: &SweepFlags) -> anyhow::Result<Vec<Network>> {
    let count = flags.backbone.len().max(flags.weights.len()).max(1);
    for (name, given) in [("backbone", flags.backbone.len()), ("weights", flags.weights.len())] {
        if given > 1 && given != count {
            bail!("--{name}: expected one for all networks or one for each of {count}, got {given}");
        }
    }
    let pick = |names: &[String], index: usize| match names {
        [one] => Some(one.clone()),
        names => names.get(index).cloned(),
    };
    let size = flags.size.map(|Size { height, width }| [height, width]);
    let network = |index| -> anyhow::Result<Network> {
        let weights = pick(&flags.weights, index);
        Ok(Network::default()
            .with_backbone(pick(&flags.backbone, index))
            .with_hub(args::hub(weights.as_deref())?)
            .with_weights(weights)
            .with_seed(flags.seed)
            .with_size(size)
            .with_resize(Some(flags.resize))
            .with_resampling(Some(flags.resampling)))
    };
    (0..count).map(network).collect()
}
