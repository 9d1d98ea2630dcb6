//! `dfm merge`, `dfm update` and `dfm forget`: models of more pictures or fewer.

use std::path::Path;

use dfm::{FileKind, ModelStore, SaveOptions, check_file};

use super::fit::tell;
use crate::flags::{ForgetFlags, MergeFlags, RevisionFlags, UpdateFlags};
use crate::hints::Hints;
use crate::input::Folders;
use crate::messages::Messages;
use crate::{Outcome, args, input};

/// Merges models into one.
pub(crate) fn merge(flags: &MergeFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let store = args::store(flags.weights.as_deref(), &flags.compute)?;
    let options = SaveOptions { slim: flags.slim };
    let (merged, sizes) = store.merge(&flags.models, &flags.output, &options, messages).hints()?;
    tell(&merged, &flags.output, sizes)?;
    Ok(messages.outcome(Outcome::Success))
}

/// Adds the good pictures of a folder to a model.
pub(crate) fn update(flags: &UpdateFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let (store, path, output) = revision(&flags.revision)?;
    check_file(output, FileKind::MODEL)?;
    let pictures =
        input::good_pictures(&flags.folder, flags.layout(), Folders::all(flags.all_folders), messages)?;
    let (model, sizes) =
        store.update(path, &pictures, output, messages).map_err(|error| error.at(&flags.folder)).hints()?;
    tell(&model, output, sizes)?;
    Ok(if flags.skip_bad { Outcome::Success } else { messages.outcome(Outcome::Success) })
}

/// Takes pictures out of a model: all that were named, or none.
pub(crate) fn forget(flags: &ForgetFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let (store, path, output) = revision(&flags.revision)?;
    let (model, sizes) = store.forget(path, &flags.pictures, output, messages).hints()?;
    tell(&model, output, sizes)?;
    Ok(messages.outcome(Outcome::Success))
}

/// What opens the model, where it is, and where the result goes: in its place unless told otherwise.
fn revision(flags: &RevisionFlags) -> anyhow::Result<(ModelStore, &Path, &Path)> {
    let path = flags.model.path.as_path();
    let store = args::store(flags.model.weights.as_deref(), &flags.model.compute)?;
    Ok((store, path, flags.output.as_deref().unwrap_or(path)))
}
