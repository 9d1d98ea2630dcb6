//! `dfm features`: feature rows before any statistics.

use std::io::Write;

use dfm::{Dfm, FeatureExtractor, FeatureRows, FileKind, Files, Layer, USUAL_POOL, check_file};

use crate::flags::FeaturesFlags;
use crate::hints::Hints;
use crate::messages::Messages;
use crate::{Outcome, args, output};

/// Runs the command.
pub(crate) fn run(flags: &FeaturesFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let taps = args::taps(&flags.backbone, &[Layer::named("layer3").pooled(USUAL_POOL)])?;
    check_file(&flags.output, FileKind::FEATURES)?;
    let files = Files::named(&flags.paths, messages);
    let workers = args::workers(&flags.compute);
    let model: Dfm;
    let owned: FeatureExtractor;
    let extractor = match &flags.model {
        Some(path) => {
            let weights = flags.backbone.weights.as_deref();
            model = args::open_model(path, weights, &flags.compute, args::Purpose::Judging, &workers)?;
            model.extractor()
        }
        None => {
            let network = args::network(&flags.backbone, None)?;
            let params = args::features_at(network.in_order(&taps).hints()?, flags.batch)?;
            owned = args::extractor(&network, &params, args::compute(&flags.compute)?)?;
            &owned
        }
    };
    let rows = FeatureRows::extract(extractor, &files, flags.batch, &workers, messages)?;
    rows.write(extractor, &flags.output)?;
    let (count, columns) = (rows.paths.len(), extractor.row_len());
    writeln!(output::stdout(), "{}: {count} rows of {columns} features", flags.output.display())?;
    Ok(messages.outcome(Outcome::Success))
}
