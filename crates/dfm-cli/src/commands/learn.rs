//! Pictures into a fit, ahead of the network and told of one by one.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use dfm_core::{Dfm, DfmError, DfmParams, FeatureExtractor, FitPicture, Learnt, Placement, Preprocessor};
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

/// What is told of every picture: its place, and what became of it.
pub(super) type Each<'a> = &'a mut dyn FnMut(usize, Learnt<'_>) -> Result<(), DfmError>;

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
        params: &DfmParams,
        extractor: FeatureExtractor,
        checkpoint: Option<&Arc<Checkpoint>>,
    ) -> anyhow::Result<Fitted> {
        let preprocessor = extractor.preprocessor();
        let batch = params.batch.min(extractor.largest_batch());
        let params = params.clone().check()?;
        self.learn(&preprocessor, batch, checkpoint, |mut pictures, each| {
            let (extractor, first) = params.in_precision(extractor, &mut pictures)?;
            if let Some(checkpoint) = checkpoint {
                checkpoint.open(&extractor, batch, self.messages)?;
            }
            let pictures = first.into_iter().map(FitPicture::Prepared).chain(pictures);
            Ok(params.fit_each(extractor, pictures, each)?)
        })
    }

    /// Lets `learn` make a model of the pictures; those that it cannot use are reported.
    pub(super) fn learn(
        self,
        preprocessor: &Preprocessor,
        batch: usize,
        checkpoint: Option<&Arc<Checkpoint>>,
        learn: impl FnOnce(&mut dyn Iterator<Item = FitPicture>, Each<'_>) -> anyhow::Result<Dfm>,
    ) -> anyhow::Result<Fitted> {
        let Self { folder, paths, jobs, messages } = self;
        let begun = Instant::now();
        let progress = RefCell::new(Progress::new("learning", paths.len(), messages.is_quiet()));
        // The pictures, or tiles, that the fit was given: places in `paths`, whether they are the
        // last there, and keys of the checkpoint.
        let given = RefCell::new(Vec::with_capacity(paths.len()));
        let ready = ahead(paths, preprocessor, jobs, batch, checkpoint);
        let ready = ready.filter_map(|input::Loaded { index, last, picture }| {
            match readable(&paths[index], picture, messages) {
                Some((key, picture)) => {
                    given.borrow_mut().push((index, last, key));
                    Some(picture)
                }
                None => {
                    progress.borrow_mut().step();
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
        let mut each = |place: usize, learnt: Learnt<'_>| {
            let (index, last, key) = given.borrow()[place];
            if last {
                progress.borrow_mut().step();
            }
            if let Learnt::Features(row) = learnt
                && learnt_now.last().is_none_or(|(_, before)| *before != index)
            {
                learnt_now.push((row.content_hash, index));
            }
            if let Learnt::NotFinite(_) = learnt {
                let what = "its features are not finite: the weights or the picture are unusable";
                messages.error(&paths[index], what);
            }
            if let (Learnt::Features(row) | Learnt::NotFinite(row), Some(key), Some(checkpoint)) =
                (learnt, key, checkpoint)
            {
                checkpoint.keep(&key, row, messages);
            }
            Ok(())
        };
        let mut model = learn(&mut ready.chain(end), &mut each)?;
        model.name_pictures(
            learnt_now.iter().map(|(hash, index)| (*hash, input::name_below(folder, &paths[*index]))),
        );
        info!(
            "{} of {} pictures learnt in {:.1?}; the model: {} pictures, {} components of {} directions",
            given.borrow().len(),
            paths.len(),
            begun.elapsed(),
            model.record().picture_count,
            model.component_count(),
            model.record().taps.iter().map(|tap| tap.rank).sum::<usize>()
        );
        Ok(Fitted { model, pictures: learnt_now })
    }
}

/// With a checkpoint, the key of what it may hold; and the picture, or what is known of it.
type Ready = (Option<[u8; 32]>, FitPicture);

/// The pictures of `paths`, or their tiles, decoded and prepared ahead of the reader unless
/// the checkpoint has their features. Begins when it is first asked, so that the checkpoint
/// can be opened.
fn ahead(
    paths: &[PathBuf],
    preprocessor: &Preprocessor,
    jobs: usize,
    batch: usize,
    checkpoint: Option<&Arc<Checkpoint>>,
) -> impl Iterator<Item = input::Loaded<Ready>> {
    let (preprocessor, checkpoint) = (preprocessor.clone(), checkpoint.cloned());
    let ready = move |path: &Path, give: input::Give<'_, Ready>| -> anyhow::Result<()> {
        let bytes = input::read_file(path)?;
        let file: Option<[u8; 32]> = checkpoint.as_ref().map(|_| Sha256::digest(&bytes).into());
        let known = |key: &Option<[u8; 32]>| checkpoint.as_ref()?.row(key.as_ref()?);
        if preprocessor.tiling().is_none()
            && let Some(row) = known(&file)
        {
            give((file, FitPicture::Computed(row, Placement::WHOLE)), true);
            return Ok(());
        }
        let picture = input::decode_bytes(&bytes)?;
        let mut tiles = preprocessor.prepare_tiles(&picture)?;
        let mut place: u64 = 0;
        while let Some(tile) = tiles.next() {
            let key = match preprocessor.tiling() {
                Some(_) => file.map(|file| {
                    Sha256::new().chain_update(file).chain_update(place.to_le_bytes()).finalize().into()
                }),
                None => file,
            };
            // What is prepared in vain is little beside the network.
            let tile = tile?;
            let tile = match known(&key) {
                Some(row) => FitPicture::Computed(row, tile.placement),
                None => FitPicture::Prepared(tile),
            };
            if !give((key, tile), tiles.len() == 0) {
                break;
            }
            place += 1;
        }
        Ok(())
    };
    std::iter::once_with(move || input::ahead(paths, jobs, batch, ready)).flatten()
}
