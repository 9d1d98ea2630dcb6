//! The way of the pictures of a source into a model: read ahead, prepared, learnt, and what becomes of each.

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use dfm_core::{
    Dfm, DfmError, FeatureExtractor, Learnt, MapKind, PictureSize, Piece, Preparer, SizeRange, ValidFitParams,
};
use tracing::info;

use crate::checkpoint::{Checkpoint, first_keys};
use crate::coarse_because::CoarseBecause;
use crate::error::Error;
use crate::levels::{FitLevels, LevelsWatch};
use crate::note::Note;
use crate::observer::{Reporter, Stage};
use crate::pieces::{Ready, prepare};
use crate::source::{Give, Loaded, Source, ahead};
use crate::workers::Workers;

/// The source of pictures, and the observer of a fit.
#[derive(Clone, Copy)]
pub(crate) struct Learning<'l> {
    pub(crate) source: &'l dyn Source,
    /// The levels, and the depth that the pictures must have.
    pub(crate) levels: FitLevels,
    pub(crate) workers: &'l Workers,
    pub(crate) reporter: &'l Reporter<'l>,
}

/// Is told what becomes of each picture.
pub(crate) type Each<'a> = &'a mut dyn FnMut(Learnt<'_>) -> Result<(), DfmError>;

/// Gives pictures that were learnt once more, by their content hashes, except those that cannot be read
/// again.
pub(crate) type Again<'a> = &'a mut dyn FnMut(&[[u8; 32]]) -> Vec<Piece>;

/// A model, and the pictures that it has just learnt.
pub(crate) struct Fitted {
    pub(crate) model: Dfm,
    /// The content hash of each picture, and its index in the source.
    pub(crate) pictures: Vec<([u8; 32], usize)>,
    /// The indices of pictures that stay left out as foreign.
    pub(crate) stay_out: Vec<usize>,
}

impl Learning<'_> {
    /// Fits a model with these parameters. It says so if its maps are coarse though fine ones were asked for.
    ///
    /// # Errors
    ///
    /// Those of a fit, and of a checkpoint that is not one of this fit.
    pub(crate) fn fit(
        self,
        params: &ValidFitParams,
        extractor: FeatureExtractor,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<Fitted, Error> {
        self.reporter.tell_engine(&extractor);
        let preparer = Preparer::for_fit(&extractor);
        let batch = params.params().run.batch.min(extractor.largest_batch());
        let fitted = self.learn(&preparer, batch, checkpoint, |mut pieces, each, again| {
            let (extractor, first) = params.in_precision(extractor, &mut pieces)?;
            if let Some(checkpoint) = checkpoint {
                let mut keys = first_keys(self.source, preparer.makes_tiles());
                checkpoint.open(&extractor, batch, &mut keys, self.reporter)?;
            }
            Ok(params.fit_each_rereading(extractor, first.into_iter().chain(pieces), each, again)?)
        })?;
        let map = fitted.model.map_kind();
        if params.method().map_kind() == MapKind::Fine && map == MapKind::Coarse {
            let why = match fitted.model.record().set_aside {
                Some(_) => CoarseBecause::SetAside,
                None => CoarseBecause::NotReadAgain,
            };
            self.reporter.note(Note::FitCoarse { why });
        }
        Ok(fitted)
    }

    /// Lets `learn` make a model of the pictures. What is learnt goes into the checkpoint. Pictures that the
    /// checkpoint holds already are not learnt again. Pictures that cannot be used are reported.
    pub(crate) fn learn(
        self,
        preparer: &Preparer,
        batch: usize,
        checkpoint: Option<&Checkpoint>,
        learn: impl FnOnce(&mut dyn Iterator<Item = Piece>, Each<'_>, Again<'_>) -> Result<Dfm, Error>,
    ) -> Result<Fitted, Error> {
        let Self { source, levels, workers, reporter } = self;
        let watch = LevelsWatch::new(preparer.preprocessor().levels());
        let begun = Instant::now();
        let progress = RefCell::new(Some(reporter.stage(Stage::Learning, Some(source.count()))));
        let step = || progress.borrow().iter().for_each(|progress| progress.step());
        let statistics = RefCell::new(None);
        // The checkpoint's keys of pieces that were given to `learn` and are not reported yet.
        let keys = RefCell::new(std::collections::VecDeque::new());
        let sizes = Mutex::new(None);
        let see = |size: PictureSize| {
            let mut sizes = sizes.lock().unwrap_or_else(PoisonError::into_inner);
            let one = SizeRange::of(size);
            *sizes = Some(sizes.map_or(one, |range: SizeRange| range.with(one)));
        };
        let prepare = |index: usize, give: Give<'_, Ready>| {
            let seen = (&levels, &watch);
            prepare(source, index, preparer, seen, checkpoint, &see, give)
        };
        let learnt_now: RefCell<Vec<([u8; 32], usize)>> = RefCell::new(Vec::with_capacity(source.count()));
        let mut stay_out = Vec::new();
        let mut each = |learnt: Learnt<'_>| {
            match learnt {
                Learnt::Features(_, row) | Learnt::NotFinite(_, row) => {
                    let key: Option<[u8; 32]> = keys.borrow_mut().pop_front().flatten();
                    if let (Some(key), Some(checkpoint)) = (key, checkpoint) {
                        checkpoint.keep(&key, row, reporter);
                    }
                }
                Learnt::Picture(index, hash) => {
                    step();
                    learnt_now.borrow_mut().push((hash, index));
                }
                Learnt::LeftOut(index) => {
                    step();
                    reporter.problem(&source.path(index), Error::NotFinite);
                }
                Learnt::Known(_) => step(),
                Learnt::StaysOut(index) => {
                    step();
                    stay_out.push(index);
                }
                _ => {}
            }
            Ok(())
        };
        let model = ahead(source.count(), workers.jobs(), batch, prepare, |loaded| {
            let ready = loaded.filter_map(|Loaded { index, found, .. }| match found {
                Ok((key, piece)) => {
                    if checkpoint.is_some() {
                        keys.borrow_mut().push_back(key);
                    }
                    Some(piece)
                }
                Err(error) => {
                    reporter.problem(&source.path(index), error);
                    step();
                    None
                }
            });
            // When the fit asks for a picture after the last one, it is about to compute the components.
            let end = std::iter::from_fn(|| {
                progress.replace(None);
                statistics.borrow_mut().get_or_insert_with(|| reporter.stage(Stage::Statistics, None));
                None
            });
            let mut again = |hashes: &[[u8; 32]]| self.again(preparer, hashes, &learnt_now.borrow());
            learn(&mut ready.chain(end), &mut each, &mut again)
        });
        let model = model.map_err(|error| watch.explain(error, source))?;
        watch.tell(reporter);
        let learnt_now = learnt_now.into_inner();
        let names = learnt_now.iter().map(|(hash, index)| (*hash, source.name(*index)));
        let model = model
            .with_names(names)
            .with_sizes(sizes.into_inner().unwrap_or_else(PoisonError::into_inner))
            .with_depth(levels.depth());
        info!(
            "{} of {} pictures learnt in {:.1?}; the model: {} pictures, {} components of {} directions",
            learnt_now.len(),
            source.count(),
            begun.elapsed(),
            model.record().picture_count,
            model.component_count(),
            model.record().taps.iter().map(|tap| tap.rank).sum::<usize>()
        );
        Ok(Fitted { model, pictures: learnt_now, stay_out })
    }

    /// Reads pictures that were learnt once more, those that still can be read. Each was learnt in one
    /// piece.
    fn again(self, preparer: &Preparer, hashes: &[[u8; 32]], learnt: &[([u8; 32], usize)]) -> Vec<Piece> {
        let index_of = |hash: &[u8; 32]| learnt.iter().find(|(other, _)| other == hash).map(|found| found.1);
        let indices: Vec<usize> = hashes.iter().filter_map(index_of).collect();
        // What is clamped in a picture was counted when it was learnt.
        let watch = LevelsWatch::default();
        let prepare = |number: usize, give: Give<'_, Ready>| {
            prepare(self.source, indices[number], preparer, (&self.levels, &watch), None, &|_| (), give)
        };
        ahead(indices.len(), self.workers.jobs(), hashes.len(), prepare, |loaded| {
            loaded.filter_map(|loaded| loaded.found.ok()).map(|(_, piece)| piece).collect()
        })
    }
}
