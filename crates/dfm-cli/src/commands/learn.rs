//! Pictures into a fit, ahead of the network and told of one by one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use dfm_core::{Dfm, DfmError, FeatureExtractor, FitParams, Learnt, Piece, Placement, Preparer};
use sha2::{Digest, Sha256};
use tracing::info;

use super::fit::readable;
use crate::checkpoint::Checkpoint;
use crate::input;
use crate::messages::Messages;
use crate::report::Progress;

/// Where pictures come from and who hears of them.
#[derive(Clone, Copy)]
pub(super) struct Learning<'l> {
    /// Where they were found: the model knows them by their names below it.
    pub(super) folder: &'l Path,
    /// The pictures, in the order in which they are learnt.
    pub(super) paths: &'l [PathBuf],
    /// Threads that decode.
    pub(super) jobs: usize,
    /// Reports go there.
    pub(super) messages: &'l Messages,
}

/// What is told of what becomes of every picture.
pub(super) type Each<'a> = &'a mut dyn FnMut(Learnt<'_>) -> Result<(), DfmError>;

/// A model, and the pictures that it has learnt just now.
pub(super) struct Fitted {
    pub(super) model: Dfm,
    /// The content hash of each, and its place in the list.
    pub(super) pictures: Vec<([u8; 32], usize)>,
}

impl Learning<'_> {
    /// Fits the pictures; those that cannot be read, and those of which the network makes
    /// no finite features, are reported and left out. What is learnt is kept in the
    /// `checkpoint`, and what that holds need not be learnt again.
    pub(super) fn fit(
        self,
        params: &FitParams,
        extractor: FeatureExtractor,
        checkpoint: Option<&Arc<Checkpoint>>,
    ) -> anyhow::Result<Fitted> {
        let preparer = Preparer::for_fit(&extractor);
        let batch = params.run.batch.min(extractor.largest_batch());
        let params = params.clone().check()?;
        self.learn(preparer, batch, checkpoint, |mut pieces, each| {
            let (extractor, first) = params.in_precision(extractor, &mut pieces)?;
            if let Some(checkpoint) = checkpoint {
                checkpoint.open(&extractor, batch, self.messages)?;
            }
            Ok(params.fit_each(extractor, first.into_iter().chain(pieces), each)?)
        })
    }

    /// Lets `learn` make a model of the pictures; those that it cannot use are reported.
    pub(super) fn learn(
        self,
        preparer: Preparer,
        batch: usize,
        checkpoint: Option<&Arc<Checkpoint>>,
        learn: impl FnOnce(&mut dyn Iterator<Item = Piece>, Each<'_>) -> anyhow::Result<Dfm>,
    ) -> anyhow::Result<Fitted> {
        let Self { folder, paths, jobs, messages } = self;
        let begun = Instant::now();
        let progress = RefCell::new(Progress::new("learning", paths.len(), messages.is_quiet()));
        // Pictures of which a piece was given, and keys of the checkpoint by piece.
        let (given, keys) = (RefCell::new(None), RefCell::new(HashMap::new()));
        let ready = ahead(paths, preparer, jobs, batch, checkpoint);
        let ready = ready.filter_map(|input::Loaded { index, picture, .. }| {
            match readable(&paths[index], picture, messages) {
                Some((key, piece)) => {
                    given.replace(Some(index));
                    keys.borrow_mut().extend(key.map(|key| (piece.id(), key)));
                    Some(piece)
                }
                None => {
                    // What is told of a picture in the end counts it, if it began.
                    if *given.borrow() != Some(index) {
                        progress.borrow_mut().step();
                    }
                    None
                }
            }
        });
        // Whoever asks beyond the last picture is about to work out the components.
        let end = std::iter::from_fn(|| {
            progress.replace(Progress::turning("working out what they share", messages.is_quiet()));
            None
        });
        let mut learnt_now: Vec<([u8; 32], usize)> = Vec::with_capacity(paths.len());
        let mut each = |learnt: Learnt<'_>| {
            match learnt {
                Learnt::Picture(index, content_hash) => learnt_now.push((content_hash, index)),
                Learnt::NotFinite(piece, _) => {
                    let what = "its features are not finite: the weights or the picture are unusable";
                    messages.error(&paths[piece.number], what);
                }
                _ => {}
            }
            match learnt {
                Learnt::Features(piece, row) | Learnt::NotFinite(piece, row) => {
                    if let Some((key, checkpoint)) = keys.borrow_mut().remove(&piece).zip(checkpoint) {
                        checkpoint.keep(&key, row, messages);
                    }
                }
                _ => progress.borrow_mut().step(),
            }
            Ok(())
        };
        let model = learn(&mut ready.chain(end), &mut each)?;
        let model = model.with_names(
            learnt_now.iter().map(|(hash, index)| (*hash, input::name_below(folder, &paths[*index]))),
        );
        info!(
            "{} of {} pictures learnt in {:.1?}; the model: {} pictures, {} components of {} directions",
            learnt_now.len(),
            paths.len(),
            begun.elapsed(),
            model.record().picture_count,
            model.component_count(),
            model.record().taps.iter().map(|tap| tap.rank).sum::<usize>()
        );
        Ok(Fitted { model, pictures: learnt_now })
    }
}

/// With a checkpoint, the key of what it may hold; and the piece, or what is known of it.
type Ready = (Option<[u8; 32]>, Piece);

/// The pieces of the pictures at `paths`, decoded and prepared ahead of the reader unless
/// the checkpoint has their features. Begins when it is first asked, so that the checkpoint
/// can be opened.
fn ahead(
    paths: &[PathBuf],
    preparer: Preparer,
    jobs: usize,
    batch: usize,
    checkpoint: Option<&Arc<Checkpoint>>,
) -> impl Iterator<Item = input::Loaded<Ready>> {
    let checkpoint = checkpoint.cloned();
    let ready = move |index: usize, path: &Path, give: input::Give<'_, Ready>| -> anyhow::Result<()> {
        let bytes = input::read_file(path)?;
        let file: Option<[u8; 32]> = checkpoint.as_ref().map(|_| Sha256::digest(&bytes).into());
        let known = |key: &Option<[u8; 32]>| checkpoint.as_ref()?.row(key.as_ref()?);
        if !preparer.makes_tiles()
            && let Some(row) = known(&file)
        {
            give((file, Piece::computed(index, true, row, Placement::WHOLE, None)), true);
            return Ok(());
        }
        let picture = input::decode_bytes(&bytes)?;
        for piece in preparer.pieces(index, &picture)? {
            // What is prepared in vain is little beside the network.
            let piece = piece?;
            let (tile, is_last) = (piece.id().tile as u64, piece.id().is_last);
            let key = match preparer.makes_tiles() {
                true => file.map(|file| {
                    Sha256::new().chain_update(file).chain_update(tile.to_le_bytes()).finalize().into()
                }),
                false => file,
            };
            let piece = match known(&key) {
                Some(row) => piece.with_features(row),
                None => piece,
            };
            if !give((key, piece), is_last) {
                break;
            }
        }
        Ok(())
    };
    std::iter::once_with(move || input::ahead(paths, jobs, batch, ready)).flatten()
}
