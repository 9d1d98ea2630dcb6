//! Pictures through a model, in batches, each with its verdict or its error.

use std::path::PathBuf;
use std::time::Instant;

use dfm_core::{Dfm, JudgeOptions, PictureSize, Piece, Preparer, Verdict};
use tracing::{debug, info};

use super::fit::readable;
use crate::input;
use crate::messages::Messages;
use crate::report::Progress;

/// A picture that was judged.
pub(crate) struct Judged {
    /// Place in the list of paths.
    pub(crate) index: usize,
    /// Size of the original picture.
    pub(crate) size: PictureSize,
    /// The verdict.
    pub(crate) prediction: Verdict,
}

/// Judges `paths` in order and hands the verdicts of each batch to `sink` as soon as
/// it is done. Pictures that cannot be judged are reported.
pub(super) fn judge(
    model: &Dfm,
    paths: &[PathBuf],
    jobs: usize,
    options: &JudgeOptions,
    messages: &Messages,
    mut sink: impl FnMut(Vec<Judged>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut judging = model.judging(options)?;
    let loaded = pieces(paths, judging.preparer(), jobs, judging.batch());
    in_batches(loaded, "judging", paths, judging.batch(), messages, |pieces| {
        let (begun, count) = (Instant::now(), pieces.len());
        let mut judged = Vec::with_capacity(count);
        for (index, verdict) in judging.push(pieces) {
            match verdict {
                Ok(prediction) => judged.push(Judged { index, size: prediction.size, prediction }),
                Err(error) => messages.error(&paths[index], error),
            }
        }
        debug!("a batch of {count} pictures judged in {:.1?}", begun.elapsed());
        sink(judged)
    })?;
    info!("{} pictures read and judged in {:.1?}", paths.len(), begun.elapsed());
    Ok(())
}

/// The pieces of the pictures at `paths`, decoded and prepared ahead of the reader.
pub(super) fn pieces(
    paths: &[PathBuf],
    preparer: Preparer,
    jobs: usize,
    batch: usize,
) -> impl Iterator<Item = input::Loaded<Piece>> + use<> {
    input::ahead(paths, jobs, batch, move |index, path, give| {
        let begun = Instant::now();
        let picture = input::decode_file(path)?;
        debug!("{}: decoded in {:.1?}", path.display(), begun.elapsed());
        for piece in preparer.pieces(index, &picture)? {
            let piece = piece?;
            let is_last = piece.id().is_last;
            if !give(piece, is_last) {
                break;
            }
        }
        Ok(())
    })
}

/// Hands what is `loaded` of `paths` to `sink`, `batch` at a time; the bar says what is being
/// done. What cannot be read is reported.
pub(super) fn in_batches<T>(
    mut loaded: impl Iterator<Item = input::Loaded<T>>,
    doing: &'static str,
    paths: &[PathBuf],
    batch: usize,
    messages: &Messages,
    mut sink: impl FnMut(Vec<T>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut progress = Progress::new(doing, paths.len(), messages.is_quiet());
    loop {
        let (mut whole, mut pictures) = (0, Vec::new());
        let mut ended = true;
        for next in loaded.by_ref() {
            match readable(&paths[next.index], next.picture, messages) {
                Some(picture) => {
                    whole += usize::from(next.last);
                    pictures.push(picture);
                }
                None => progress.step(),
            }
            if pictures.len() == batch {
                ended = false;
                break;
            }
        }
        sink(pictures)?;
        (0..whole).for_each(|_| progress.step());
        if ended {
            return Ok(());
        }
    }
}
