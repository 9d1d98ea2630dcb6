//! `dfm merge`, `dfm update` and `dfm forget`: models of more pictures or fewer.

use std::path::Path;

use anyhow::Context;
use dfm_core::{Dfm, DfmError, ModelUnion, ValidationRecord};

use super::fit::save;
use super::learn::Learning;
use crate::flags::{ForgetFlags, MergeFlags, RevisionFlags, UpdateFlags};
use crate::messages::Messages;
use crate::{Outcome, args, atomic, input};

/// Merges models into one.
pub(crate) fn merge(flags: &MergeFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    atomic::check(&flags.output)?;
    let device = args::device(&flags.compute)?;
    let open = |path: &Path| {
        args::open_model(path, flags.weights.as_deref(), device.clone(), args::Purpose::Anything)
    };
    let (first, others) = flags.models.split_first().context("expected two models or more")?;
    let first_model = open(first)?;
    let mut validation = first_model.record().validation.clone();
    let mut union = ModelUnion::of(first_model);
    for path in others {
        let other = open(path)?;
        union.add(&other).with_context(|| format!("{} and {}", first.display(), path.display()))?;
        validation = validation.or_else(|| other.record().validation.clone());
    }
    let merged = union.finish()?;
    note_dropped(validation.as_ref(), &merged, &flags.output, messages);
    save(&merged, &flags.output, flags.slim)?;
    Ok(messages.outcome(Outcome::Success))
}

/// Adds the good pictures of a folder to a model.
pub(crate) fn update(flags: &UpdateFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let jobs = args::jobs(&flags.revision.model.compute);
    let folder = &flags.folder;
    revise(&flags.revision, messages, |model| {
        let pictures =
            input::training(folder, flags.layout, messages).with_context(|| folder.display().to_string())?;
        let (preprocessor, batch) = (model.preprocessor(), model.batch());
        let learning = Learning { folder, paths: &pictures, jobs, messages };
        let fitted = learning
            .learn(&preprocessor, batch, None, |pictures, each| Ok(model.update_each(pictures, each)?))
            .with_context(|| folder.display().to_string())?;
        Ok(fitted.model)
    })?;
    Ok(if flags.skip_bad { Outcome::Success } else { messages.outcome(Outcome::Success) })
}

/// Takes pictures out of a model: all that were named, or none.
pub(crate) fn forget(flags: &ForgetFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    revise(&flags.revision, messages, |model| {
        let mut hashes = Vec::with_capacity(flags.pictures.len());
        for picture in &flags.pictures {
            hashes.push(content_hash_of(&model, picture).with_context(|| picture.clone())?);
        }
        model.forget(&hashes).map_err(|error| match error {
            DfmError::UnknownPicture { place, .. } => {
                anyhow::Error::from(error).context(flags.pictures[place].clone())
            }
            other => other.into(),
        })
    })?;
    Ok(messages.outcome(Outcome::Success))
}

/// Opens a model and writes what `change` makes of it, in its place unless told otherwise.
/// Whether the file holds its weights stays as it is.
fn revise(
    flags: &RevisionFlags,
    messages: &Messages,
    change: impl FnOnce(Dfm) -> anyhow::Result<Dfm>,
) -> anyhow::Result<()> {
    let path = &flags.model.path;
    let output = flags.output.as_ref().unwrap_or(path);
    atomic::check(output)?;
    let slim = !args::model_info(path)?.weights_included;
    let model = args::model(&flags.model, args::Purpose::Anything)?;
    let validation = model.record().validation.clone();
    let changed = change(model).with_context(|| path.display().to_string())?;
    note_dropped(validation.as_ref(), &changed, output, messages);
    save(&changed, output, slim)
}

/// Says that figures of other pictures are not those of `model`, if they were dropped.
fn note_dropped(validation: Option<&ValidationRecord>, model: &Dfm, output: &Path, messages: &Messages) {
    let Some(validation) = validation.filter(|_| model.record().validation.is_none()) else { return };
    let threshold = match validation.decides {
        true => ", and the threshold is that of held-out good pictures in place of the synthetic ones",
        false => "",
    };
    messages.note(format_args!(
        "{}: what was found of synthetic defects was of other pictures and is dropped{threshold}; a fit with --val \
         synthetic finds it anew",
        output.display()
    ));
}

/// The content hash of what `picture` names: a file, or else a picture of the model by its
/// content hash or its name.
fn content_hash_of(model: &Dfm, picture: &str) -> anyhow::Result<[u8; 32]> {
    let path = Path::new(picture);
    if !path.exists() {
        if let Some(hash) = content_hash(picture) {
            return Ok(hash);
        }
        let (_, known) = model.fit_statistics().unzip();
        let mut named =
            known.unwrap_or_default().iter().filter(|hash| model.picture_name(hash) == Some(picture));
        if let Some(first) = named.next() {
            anyhow::ensure!(
                named.all(|other| other == first),
                "several pictures of the model have this name: give the content hash that `dfm audit --format json` \
                 lists"
            );
            return Ok(*first);
        }
    }
    Ok(dfm_core::content_hash(&input::decode_file(path)?))
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
