//! `dfm synthesise`: a data set with defects, from good pictures alone.

use std::io::Write;

use dfm::DefectiveDataset;

use crate::flags::SynthesiseFlags;
use crate::hints::Hints;
use crate::input::Folders;
use crate::messages::Messages;
use crate::{Outcome, args, input, output};

/// Runs the command. Pictures that cannot be used are reported and left out.
pub(crate) fn run(flags: &SynthesiseFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let data = DefectiveDataset::new(flags.seed)
        .with_copies(flags.per_picture)
        .with_region(flags.roi.as_deref().map(input::region).transpose()?)
        .with_workers(args::workers_of(None, flags.jobs));
    data.check(&flags.output)?;
    let folder = &flags.folder;
    let pictures = input::good_pictures(folder, flags.layout(), Folders::Good, messages)?;
    let made = data
        .write(&pictures, &flags.output, messages)
        .map_err(|error| match error {
            error @ dfm::Error::HeldOut(_) => error.at(folder),
            error => error,
        })
        .hints()?;
    writeln!(
        output::stdout(),
        "{}: {} good pictures to learn; to judge {} good and {} with a synthetic defect",
        flags.output.display(),
        made.learnt,
        made.judged,
        made.defective
    )?;
    Ok(messages.outcome(Outcome::Success))
}
