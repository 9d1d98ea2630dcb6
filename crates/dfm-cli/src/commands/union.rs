//! `dfm merge`, `dfm update` and `dfm forget`: models of more pictures or fewer.

use std::path::Path;

use anyhow::Context;
use dfm_core::Dfm;

use super::fit::{save, training_folder};
use super::learn::Learning;
use crate::flags::{ForgetFlags, MergeFlags, RevisionFlags, UpdateFlags};
use crate::messages::Messages;
use crate::{Outcome, args, atomic, input};

/// Merges models into one.
pub(crate) fn merge(flags: &MergeFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    atomic::check(&flags.output)?;
    let device = args::device(&flags.compute)?;
    let open = |path: &Path| args::open_model(path, flags.weights.as_deref(), device.clone());
    let mut models = flags.models.iter();
    let first = models.next().context("expected two models or more")?;
    let mut merged = open(first)?;
    for path in models {
        let other = open(path)?;
        merged =
            merged.merge(&other).with_context(|| format!("{} and {}", first.display(), path.display()))?;
    }
    save(&merged, &flags.output, flags.slim)?;
    Ok(messages.outcome(Outcome::Success))
}

/// Adds the good pictures of a folder to a model.
pub(crate) fn update(flags: &UpdateFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let jobs = args::jobs(&flags.compute)?;
    let folder = training_folder(&flags.folder);
    revise(&flags.revision, args::device(&flags.compute)?, |model| {
        let pictures = input::folder(&folder, messages).with_context(|| folder.display().to_string())?;
        let (preprocessor, batch) = (model.preprocessor(), model.batch());
        let learning = Learning { paths: &pictures, jobs, messages };
        learning
            .learn(&preprocessor, batch, None, |pictures, each| Ok(model.update_each(pictures, each)?))
            .with_context(|| folder.display().to_string())
    })?;
    Ok(if flags.skip_bad { Outcome::Success } else { messages.outcome(Outcome::Success) })
}

/// Takes pictures out of a model: all that were named, or none.
pub(crate) fn forget(flags: &ForgetFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    revise(&flags.revision, args::device(&flags.compute)?, |model| {
        let preprocessor = model.preprocessor();
        let hash = |picture: &String| {
            let path = Path::new(picture);
            match content_hash(picture) {
                Some(hash) if !path.exists() => Ok(hash),
                _ => {
                    let prepared =
                        input::decode_file(path).and_then(|decoded| Ok(preprocessor.prepare(&decoded)?));
                    Ok(prepared.with_context(|| picture.clone())?.content_hash)
                }
            }
        };
        let hashes = flags.pictures.iter().map(hash).collect::<anyhow::Result<Vec<_>>>()?;
        let known = model.fit_statistic().map(|(_, known)| known.to_vec()).unwrap_or_default();
        for (picture, hash) in flags.pictures.iter().zip(&hashes) {
            if !known.is_empty() && !known.contains(hash) {
                anyhow::bail!("{picture}: the model was not fitted on it");
            }
        }
        Ok(model.forget(&hashes)?)
    })?;
    Ok(messages.outcome(Outcome::Success))
}

/// Opens a model and writes what `change` makes of it, in its place unless told otherwise.
/// Whether the file holds its weights stays as it is.
fn revise(
    flags: &RevisionFlags,
    device: dfm_core::Compute,
    change: impl FnOnce(Dfm) -> anyhow::Result<Dfm>,
) -> anyhow::Result<()> {
    let output = flags.output.as_ref().unwrap_or(&flags.model);
    atomic::check(output)?;
    let slim = !args::model_info(&flags.model)?.weights_included;
    let model = args::open_model(&flags.model, flags.weights.as_deref(), device)?;
    let changed = change(model).with_context(|| flags.model.display().to_string())?;
    save(&changed, output, slim)
}

/// Sixty-four hexadecimal digits.
fn content_hash(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(hash)
}
