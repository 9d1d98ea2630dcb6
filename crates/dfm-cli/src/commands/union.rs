//! `dfm merge`, `dfm update` and `dfm forget`: models of more pictures or fewer.

use std::io::Write;
use std::path::Path;

use dfm::parts::holds_parts;
use dfm::{FileKind, ModelChange, ModelStore, SaveOptions, UpdateOptions, check_file, counted};

use super::fit::tell;
use crate::flags::{ForgetFlags, MergeFlags, RevisionFlags, UpdateFlags};
use crate::hints::Hints;
use crate::input::Folders;
use crate::messages::Messages;
use crate::report::table;
use crate::{Outcome, args, input, output};

/// Merges models into one.
pub(crate) fn merge(flags: &MergeFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let store = args::store(flags.weights.as_deref(), &flags.compute)?;
    let options = SaveOptions { slim: flags.slim };
    let (merged, sizes) = store.merge(&flags.models, &flags.output, &options, messages).hints()?;
    tell(&merged, &flags.output, sizes, messages)?;
    Ok(messages.outcome(Outcome::Success))
}

/// Adds the good pictures of a folder to a model.
pub(crate) fn update(flags: &UpdateFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let (store, path, target) = revision(&flags.revision)?;
    // What is wrong with parts, the library says.
    if !holds_parts(path) {
        check_file(target, FileKind::MODEL)?;
    }
    let pictures =
        input::good_pictures(&flags.folder, flags.layout(), Folders::all(flags.all_folders), messages)?;
    let options = UpdateOptions::default().with_left_out(flags.include_left_out);
    let updated = store
        .update(path, &pictures, target, options, messages)
        .map_err(|error| error.at(&flags.folder))
        .hints()?;
    tell(&updated.model, target, updated.sizes, messages)?;
    writeln!(output::stdout(), "  {}", change(&updated.change))?;
    Ok(if flags.skip_bad { Outcome::Success } else { messages.outcome(Outcome::Success) })
}

/// What an update did, in words.
fn change(change: &ModelChange) -> String {
    let ModelChange { new, known, left_out, once_foreign, foreign, stay_out, .. } = *change;
    let ModelChange { threshold_before, threshold_after, .. } = *change;
    let before = match once_foreign {
        0 => String::new(),
        count => format!(" ({count} of them left out as foreign before)"),
    };
    let others: Vec<String> = [
        (left_out, "left out"),
        (foreign, "left out as foreign to the others"),
        (stay_out, "still left out as foreign"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!(", {count} {what}"))
    .collect();
    let threshold = match (threshold_before, threshold_after) {
        (Some(before), Some(after)) if before == after => {
            format!("the threshold stays {}", table::score(after))
        }
        (Some(before), Some(after)) => {
            let percent = 100.0 * (after - before) / before.abs();
            let moved = if percent.is_finite() { format!(" ({percent:+.1} %)") } else { String::new() };
            format!("the threshold moves from {} to {}{moved}", table::score(before), table::score(after))
        }
        (None, Some(after)) => format!("the threshold is now {}", table::score(after)),
        (_, None) => "no threshold".to_owned(),
    };
    format!("{} new{before}, {known} known already{}; {threshold}", counted(new, "picture"), others.concat())
}

/// Takes pictures out of a model: all that were named, or none.
pub(crate) fn forget(flags: &ForgetFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let (store, path, output) = revision(&flags.revision)?;
    let (model, sizes) = store.forget(path, &flags.pictures, output, messages).hints()?;
    tell(&model, output, sizes, messages)?;
    Ok(messages.outcome(Outcome::Success))
}

/// What opens the model, where it is, and where the result goes: in its place unless told otherwise.
fn revision(flags: &RevisionFlags) -> anyhow::Result<(ModelStore, &Path, &Path)> {
    let path = flags.model.path.as_path();
    let store = args::store(flags.model.weights.as_deref(), &flags.model.compute)?;
    Ok((store, path, flags.output.as_deref().unwrap_or(path)))
}
