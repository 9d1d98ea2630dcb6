//! Pictures through a model, in batches, each with its verdict or its error.

use std::path::PathBuf;
use std::time::Instant;

use dfm_core::{Dfm, DfmError, PictureSize, PredictOptions, Prediction, PreparedPicture};
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
    pub(crate) prediction: Prediction,
}

/// Judges `paths` in order and hands the verdicts of each batch to `sink` as soon as
/// it is done. Pictures that cannot be judged are reported.
pub(super) fn judge(
    model: &Dfm,
    paths: &[PathBuf],
    jobs: usize,
    options: PredictOptions,
    messages: &Messages,
    mut sink: impl FnMut(Vec<Judged>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut tiles = Tiles::default();
    in_batches(model, paths, jobs, messages, |places, pictures| {
        let begun = Instant::now();
        let mut judged = Vec::with_capacity(pictures.len());
        for ((place, picture), prediction) in
            places.iter().zip(pictures).zip(predict_each(model, pictures, options))
        {
            let index = place.index;
            let Some(whole) = tiles.push(index, prediction, place.last) else { continue };
            match whole.map(Prediction::of_tiles) {
                Ok(Some(prediction)) => judged.push(Judged { index, size: picture.original, prediction }),
                Ok(None) => {}
                Err(error) => messages.error(&paths[index], error),
            }
        }
        debug!("a batch of {} pictures judged in {:.1?}", pictures.len(), begun.elapsed());
        sink(judged)
    })?;
    info!("{} pictures read and judged in {:.1?}", paths.len(), begun.elapsed());
    Ok(())
}

/// What was found of the tiles of one picture so far: one error spoils it. A picture in one
/// piece is its only tile.
pub(super) struct Tiles<T> {
    /// Place of the picture in the list of paths.
    index: usize,
    found: Result<Vec<T>, DfmError>,
}

impl<T> Default for Tiles<T> {
    fn default() -> Self {
        Self { index: 0, found: Ok(Vec::new()) }
    }
}

impl<T> Tiles<T> {
    /// Adds what was found of the next, which is one of picture `index`; all of them if it is
    /// the `last`. What is left of a picture whose other tiles never came is forgotten.
    pub(super) fn push(
        &mut self,
        index: usize,
        found: Result<T, DfmError>,
        last: bool,
    ) -> Option<Result<Vec<T>, DfmError>> {
        if index != self.index {
            *self = Self { index, found: Ok(Vec::new()) };
        }
        if let Ok(tiles) = &mut self.found {
            match found {
                Ok(tile) => tiles.push(tile),
                Err(error) => self.found = Err(error),
            }
        }
        last.then(|| std::mem::replace(&mut self.found, Ok(Vec::new())))
    }
}

/// Which picture it is that a network is to see.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Place in the list of paths.
    pub(super) index: usize,
    /// Whether it is the last of its path: of pictures in tiles, there are several.
    pub(super) last: bool,
}

/// Prepares `paths` for `model` and hands each batch to `sink`, with the places of its
/// pictures in the list. Pictures that cannot be read are reported.
pub(super) fn in_batches(
    model: &Dfm,
    paths: &[PathBuf],
    jobs: usize,
    messages: &Messages,
    mut sink: impl FnMut(&[Place], &[PreparedPicture]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let batch = model.batch();
    let loaded = input::load(paths, &model.preprocessor(), jobs, batch);
    in_batches_of(loaded, "judging", paths, batch, messages, |places, pictures| sink(places, &pictures))
}

/// Hands what is `loaded` of `paths` to `sink`, `batch` at a time, with the places in the list;
/// the bar says what is being done. What cannot be read is reported.
pub(super) fn in_batches_of<T>(
    mut loaded: impl Iterator<Item = input::Loaded<T>>,
    doing: &'static str,
    paths: &[PathBuf],
    batch: usize,
    messages: &Messages,
    mut sink: impl FnMut(&[Place], Vec<T>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut progress = Progress::new(doing, paths.len(), messages.is_quiet());
    loop {
        let (mut places, mut pictures) = (Vec::new(), Vec::new());
        let mut ended = true;
        for next in loaded.by_ref() {
            match readable(&paths[next.index], next.picture, messages) {
                Some(picture) => {
                    places.push(Place { index: next.index, last: next.last });
                    pictures.push(picture);
                }
                None => progress.step(),
            }
            if pictures.len() == batch {
                ended = false;
                break;
            }
        }
        sink(&places, pictures)?;
        places.iter().filter(|place| place.last).for_each(|_| progress.step());
        if ended {
            return Ok(());
        }
    }
}

/// The whole batch at once; should it fail, one by one, so that a single picture
/// does not take the others with it.
pub(super) fn predict_each(
    model: &Dfm,
    pictures: &[PreparedPicture],
    options: PredictOptions,
) -> Vec<Result<Prediction, DfmError>> {
    match model.predict(pictures, options) {
        Ok(predictions) => predictions.into_iter().map(Ok).collect(),
        Err(_) => {
            let one = |picture: &PreparedPicture| {
                let mut predictions = model.predict(std::slice::from_ref(picture), options)?;
                predictions.pop().ok_or(DfmError::NonFiniteFeatures { picture: 0 })
            };
            pictures.iter().map(one).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_of_a_picture_that_never_ended_are_not_those_of_the_next() {
        let mut tiles = Tiles::default();
        assert!(tiles.push(0, Ok('a'), false).is_none());
        assert!(tiles.push(2, Ok('b'), false).is_none());
        assert_eq!(tiles.push(2, Ok('c'), true).unwrap().unwrap(), ['b', 'c']);
        assert!(tiles.push(3, Err(DfmError::NotCalibrated), false).is_none());
        assert!(tiles.push(3, Ok('d'), true).unwrap().is_err());
        assert_eq!(tiles.push(4, Ok('e'), true).unwrap().unwrap(), ['e']);
    }
}
