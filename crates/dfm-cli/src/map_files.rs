//! The files of maps that flags ask for: heat maps and overlays, numbers, masks and a table of regions.

use anyhow::bail;
use dfm::{Dfm, MapScale, MapsFolder, RegionRule, ScoreKind, Source, Workers};

use crate::flags::MapFlags;

/// Refuses, before any work is done, files that `model` cannot have. `rule` says which pixels belong to
/// regions.
pub(crate) fn check(flags: &MapFlags, model: &Dfm, rule: RegionRule) -> anyhow::Result<()> {
    let has_maps = model.record().params.method.score != ScoreKind::Nll;
    for (flag, is_given, takes_threshold) in [
        ("--maps", flags.maps.is_some(), false),
        ("--raw-maps", flags.raw_maps.is_some(), false),
        ("--masks", flags.masks.is_some(), true),
        ("--regions", flags.regions.is_some(), true),
    ] {
        if is_given && !has_maps {
            bail!("{flag}: this model's score has no map; fit one with --score fre or mahalanobis");
        }
        if is_given && takes_threshold && rule.pixel_threshold.is_none() {
            bail!(
                "{flag}: this model has no pixel threshold; give --pixel-threshold, or fit without --threshold"
            );
        }
    }
    Ok(())
}

/// Makes the folders that flags ask for, for the maps that `model` makes of the pictures of `source`.
pub(crate) fn folders(
    flags: &MapFlags,
    model: &Dfm,
    rule: RegionRule,
    source: &dyn Source,
    workers: &Workers,
) -> anyhow::Result<Vec<MapsFolder>> {
    let (scale, levels) = (MapScale::by(model, rule), model.record().params.method.levels);
    let mut folders = Vec::new();
    if let Some(folder) = &flags.maps {
        folders.push(MapsFolder::new(folder, source, scale)?.with_levels(levels));
    }
    if let Some(folder) = &flags.raw_maps {
        folders.push(MapsFolder::numbers(folder, source, flags.grid)?);
    }
    if let Some(folder) = &flags.masks {
        folders.push(MapsFolder::masks(folder, source, rule)?);
    }
    Ok(folders.into_iter().map(|folder| folder.with_workers(workers.clone())).collect())
}
