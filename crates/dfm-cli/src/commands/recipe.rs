//! `--recipe`: a published method, as the flags that it stands for.

use dfm::{Method, Rows, Tap};

use crate::args;
use crate::flags::{FitFlags, Recipe};
use crate::report::table;

/// What a fit does where its flags say nothing.
///
/// # Errors
///
/// If a recipe takes layers that follow from the network, and neither they nor the network are known.
pub(super) fn usual(flags: &FitFlags) -> anyhow::Result<Method> {
    let usual = Method::usual_for(flags.score, flags.compat);
    let usual = match flags.recipe {
        None => usual,
        Some(Recipe::SubspaceAd) => subspace_ad(flags, usual)?,
    };
    Ok(match flags.rows {
        None => usual,
        Some(Rows::Cells) => usual.of_cells(),
        // What a recipe says of the score counts for other rows, too.
        Some(rows) => usual.with_rows(rows),
    })
}

/// SubspaceAD, with the score that was asked for.
fn subspace_ad(flags: &FitFlags, usual: Method) -> anyhow::Result<Method> {
    let layer = match (flags.backbone.layer.first(), args::network(&flags.backbone, None)?.architecture()) {
        // The layers that are stated count.
        (Some(layer), _) => *layer,
        (None, Some(architecture)) => architecture.middle_blocks().ok_or_else(|| {
            anyhow::anyhow!(
                "--recipe subspace-ad: expected a transformer with blocks, such as --backbone \
                 vit_small_patch14_dinov2, or layers to average, such as --layer mean:layer2.0..layer2.3, got {}",
                architecture.name()
            )
        })?,
        (None, None) if flags.backbone.backbone.is_some() => anyhow::bail!(
            "--recipe subspace-ad: no name tells the middle blocks of a network from a file: expected --layer, such as \
             --layer mean:blocks.4..blocks.7 with the names that `dfm weights nodes` lists"
        ),
        (None, None) => anyhow::bail!(
            "--recipe subspace-ad: the middle blocks follow from the network, which neither --backbone nor the name of \
             the weights tells: expected --backbone, or --layer such as mean:blocks.4..blocks.7"
        ),
    };
    Ok(Method::subspace_ad(layer).with_score(usual.score))
}

/// The flags that the recipe stands for in this fit.
pub(super) fn told(recipe: Recipe, method: &Method) -> String {
    let Recipe::SubspaceAd = recipe;
    let joined = |each: &dyn Fn(&Tap) -> String| method.taps.iter().map(each).collect::<Vec<_>>().join(",");
    format!(
        "recipe subspace-ad: --layer {} --pool {} --rows {} --pca {} --score {} --aggregate {}",
        joined(&|tap| tap.layer.to_string()),
        joined(&|tap| tap.pool.to_string()),
        method.rows,
        table::keep(method.keep),
        method.score,
        method.aggregation
    )
}
