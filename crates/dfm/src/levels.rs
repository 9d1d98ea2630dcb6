//! Which values of pictures are black and white. A fit takes them from its good pictures. Pictures with
//! other values are counted and reported.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use dfm_core::{
    DecodeLimits, Depth, Dfm, DfmError, Levels, LevelsTally, Picture, PictureSize, Piece, PreprocessError,
    Transparency, count_values,
};

use dfm_backbone::hexadecimal;

use crate::error::Error;
use crate::note::Note;
use crate::observer::{Reporter, Stage};
use crate::source::{Content, Give, Source, ahead};
use crate::workers::Workers;

/// The levels of a fit, and what its pictures are made of.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FitLevels {
    pub(crate) levels: Levels,
    /// The depth that every picture must have. `None` if every depth is allowed.
    depth: Option<Depth>,
}

impl FitLevels {
    /// The levels that were `asked` for. If they are [`Auto`](Levels::Auto) and the pictures have 16 bits a
    /// channel, the levels come from the values of the pictures at `indices`. The first of these that can
    /// be read decides which depth all pictures must have.
    ///
    /// # Errors
    ///
    /// If the pictures have floating-point numbers, and no range is stated.
    pub(crate) fn of(
        asked: Levels,
        source: &dyn Source,
        indices: &[usize],
        workers: &Workers,
        reporter: &Reporter<'_>,
    ) -> Result<Self, Error> {
        // If the source panics, only this picture is lost.
        let prepare = |number: usize, give: Give<'_, (usize, Depth)>| {
            give((indices[number], source.read(indices[number])?.depth()?), true);
            Ok(())
        };
        let first =
            ahead(indices.len(), 1, 1, prepare, |loaded| loaded.filter_map(|one| one.found.ok()).next());
        let Some((first, depth)) = first else { return Ok(Self { levels: asked, depth: None }) };
        match (asked, depth) {
            (Levels::Auto | Levels::Full, Depth::Float32) => {
                Err(Error::from(PreprocessError::LevelsNeeded).at(&source.path(first)))
            }
            // With `Full`, black and white are known for 8 bits and for 16.
            (Levels::Full, _) => Ok(Self { levels: asked, depth: None }),
            (Levels::Auto, Depth::Bits16) => {
                let found = tally(source, indices, workers, reporter).levels();
                Ok(Self { levels: found.unwrap_or(asked), depth: Some(depth) })
            }
            _ => Ok(Self { levels: asked, depth: Some(depth) }),
        }
    }

    /// The levels of `model`, for pictures that it judges.
    pub(crate) fn of_model(model: &Dfm) -> Self {
        let record = model.record();
        Self { levels: record.params.method.levels, depth: record.depth }
    }

    /// The levels of `model`, for pictures that it learns. A model without levels learns pictures with 8 bits
    /// alone.
    pub(crate) fn of_update(model: &Dfm) -> Self {
        let levels = Self::of_model(model);
        Self { depth: levels.depth.or(levels.levels.is_auto().then_some(Depth::Bits8)), ..levels }
    }

    /// What the channels of all pictures are made of, if one kind is allowed.
    pub(crate) fn depth(&self) -> Option<Depth> {
        self.depth
    }

    /// Notes if levels that the fit took from pictures would be others without those that it left out.
    /// `learnt` are the content hashes and the indices of all pictures.
    pub(crate) fn tell_without_foreign(
        &self,
        model: &Dfm,
        learnt: &[([u8; 32], usize)],
        (source, workers, reporter): (&dyn Source, &Workers, &Reporter<'_>),
    ) {
        let (Some(foreign), Some(Depth::Bits16)) = (&model.record().foreign, self.depth) else { return };
        let out: HashSet<&str> =
            foreign.pictures.iter().map(|picture| picture.content_hash.as_str()).collect();
        let stays = |(hash, _): &&([u8; 32], usize)| !out.contains(hexadecimal(hash).as_str());
        let indices: Vec<usize> = learnt.iter().filter(stays).map(|(_, index)| *index).collect();
        let without = tally(source, &indices, workers, reporter).levels();
        if let Some(without) = without.filter(|without| *without != self.levels) {
            reporter.note(Note::LevelsOfForeign {
                levels: self.levels.to_string(),
                without: without.to_string(),
                pictures: foreign.count(),
            });
        }
    }

    /// Refuses a picture whose depth is not that of the pictures of the fit.
    pub(crate) fn check(&self, picture: &Picture<'_>) -> Result<(), Error> {
        match (self.depth, picture.depth()) {
            (Some(expected), got) if got != expected => Err(Error::OtherDepth { expected, got }),
            _ => Ok(()),
        }
    }
}

/// The smallest and the largest value of the pictures of `source` that can be read; `None` if there is none.
fn value_range(source: &dyn Source, levels: Levels) -> Option<[f64; 2]> {
    fn range_of<S: Copy + Into<f64>>(samples: &[S]) -> Option<[f64; 2]> {
        let values = samples.iter().map(|sample| -> f64 { (*sample).into() });
        values.map(|value| [value, value]).reduce(joined)
    }
    fn joined([low, high]: [f64; 2], [other_low, other_high]: [f64; 2]) -> [f64; 2] {
        [low.min(other_low), high.max(other_high)]
    }
    let of_picture = |index: usize| {
        let picture = source.read(index).ok()?.decode_with(Transparency::Background, levels).ok()?;
        match &picture {
            Picture::Bytes(picture) => range_of(picture.as_raw()),
            Picture::Words(picture) => range_of(picture.as_raw()),
            Picture::Floats(picture) => range_of(picture.as_raw()),
            _ => None,
        }
    };
    (0..source.count()).filter_map(of_picture).reduce(joined)
}

/// Counts the values of the opaque pixels of pictures. Pictures that cannot be read are reported later, when
/// they are learnt.
fn tally(source: &dyn Source, indices: &[usize], workers: &Workers, reporter: &Reporter<'_>) -> LevelsTally {
    let all = Mutex::new(LevelsTally::default());
    let prepare = |number: usize, give: Give<'_, ()>| {
        let mut own = LevelsTally::default();
        if let Content::Encoded(bytes) = source.read(indices[number])? {
            count_values(&bytes, &DecodeLimits::default(), Transparency::Background, &mut own)?;
        }
        all.lock().unwrap_or_else(PoisonError::into_inner).join(&own);
        give((), true);
        Ok(())
    };
    let progress = reporter.stage(Stage::Reading, Some(indices.len()));
    ahead(indices.len(), workers.jobs(), 1, prepare, |read| read.for_each(|_| progress.step()));
    drop(progress);
    all.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Counts pictures whose values were clamped or reduced to 8 bits.
#[derive(Debug, Default)]
pub(crate) struct LevelsWatch {
    levels: Levels,
    /// The number of pictures with 16 bits a channel, if no levels are stated.
    high_bytes: AtomicUsize,
    /// The number of pictures with values outside of the levels.
    outside: AtomicUsize,
    /// The number of pictures of which every pixel was compared with the levels.
    seen: AtomicUsize,
    /// The number of those of which every pixel lies outside.
    wholly_outside: AtomicUsize,
    /// For the picture with the largest share of pixels outside: those pixels, and all of its pixels.
    most: Mutex<[u64; 2]>,
}

impl LevelsWatch {
    pub(crate) fn new(levels: Levels) -> Self {
        Self { levels, ..Self::default() }
    }

    /// Counts a picture with 16 bits, if no levels are stated.
    pub(crate) fn picture(&self, picture: &Picture<'_>) {
        if self.levels.is_auto() && picture.depth() == Depth::Bits16 {
            self.high_bytes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts the pixels outside of the levels, at the last piece of a picture.
    pub(crate) fn piece(&self, piece: &Piece) {
        if let (Some(outside), Some(size)) = (piece.outside(), piece.size()) {
            self.outside(outside, size);
        }
    }

    /// Counts a picture of which `pixels` lie outside of the levels.
    pub(crate) fn outside(&self, pixels: u64, PictureSize { width, height }: PictureSize) {
        self.seen.fetch_add(1, Ordering::Relaxed);
        if pixels == 0 {
            return;
        }
        self.outside.fetch_add(1, Ordering::Relaxed);
        let all = u64::from(width) * u64::from(height);
        if pixels == all {
            self.wholly_outside.fetch_add(1, Ordering::Relaxed);
        }
        let mut most = self.most.lock().unwrap_or_else(PoisonError::into_inner);
        // Neither product overflows: a picture has fewer than 2^32 pixels.
        if pixels * most[1] > most[0] * all || most[1] == 0 {
            *most = [pixels, all];
        }
    }

    /// The `error` of a fit to the pictures of `source`. If pictures do not vary because every pixel of all of
    /// them lies outside of the levels, the error says so.
    pub(crate) fn explain(&self, error: Error, source: &dyn Source) -> Error {
        let [seen, wholly] = [&self.seen, &self.wholly_outside].map(|count| count.load(Ordering::Relaxed));
        let Error::Model(DfmError::NoVariation { pictures }) = error else { return error };
        let range = if seen > 0 && seen == wholly { value_range(source, self.levels) } else { None };
        match range {
            Some([low, high]) => Error::AllOutsideLevels { levels: self.levels, pictures, low, high },
            None => error,
        }
    }

    /// Reports the counts.
    pub(crate) fn tell(&self, reporter: &Reporter<'_>) {
        let high_bytes = self.high_bytes.load(Ordering::Relaxed);
        if high_bytes > 0 {
            reporter.note(Note::HighBytes { pictures: high_bytes });
        }
        let pictures = self.outside.load(Ordering::Relaxed);
        if pictures > 0 {
            let [pixels, of] = *self.most.lock().unwrap_or_else(PoisonError::into_inner);
            reporter.note(Note::OutsideLevels { pictures, levels: self.levels.to_string(), pixels, of });
        }
    }
}

impl Content<'_> {
    /// What the channels of the picture are made of, by its headers.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the bytes are no picture.
    pub fn depth(&self) -> Result<Depth, Error> {
        match self {
            Self::Encoded(bytes) => Ok(dfm_data::picture_depth(bytes)?),
            Self::Decoded(_) => Ok(Depth::Bits8),
        }
    }
}
