//! Which values of pictures are black and white: from the good pictures of a fit, and what becomes
//! of pictures for which that is not so.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use dfm_core::{
    DecodeLimits, Depth, Levels, LevelsTally, Picture, PictureSize, Piece, PreprocessError, Transparency,
    count_values,
};

use crate::error::Error;
use crate::note::Note;
use crate::observer::{Reporter, Stage};
use crate::source::{Content, Give, Source, ahead};
use crate::workers::Workers;

/// The levels of a fit, and what its pictures are made of.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FitLevels {
    pub(crate) levels: Levels,
    /// What every picture must be made of; `None` if any will do.
    depth: Option<Depth>,
}

impl FitLevels {
    /// The levels that were `asked` for; if they are [`Auto`](Levels::Auto) and the pictures have 16
    /// bits a channel, those of the values of the pictures at `indices`. The first of them that can
    /// be read says what the pictures are made of.
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
        // A source that panics costs that picture alone.
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
            // Black and white of 8 bits and of 16 are stated.
            (Levels::Full, _) => Ok(Self { levels: asked, depth: None }),
            (Levels::Auto, Depth::Bits16) => {
                let found = tally(source, indices, workers, reporter).levels();
                Ok(Self { levels: found.unwrap_or(asked), depth: Some(depth) })
            }
            _ => Ok(Self { levels: asked, depth: Some(depth) }),
        }
    }

    /// Refuses a picture that is made of other numbers than the pictures of the fit.
    pub(crate) fn check(&self, picture: &Picture<'_>) -> Result<(), Error> {
        match (self.depth, picture.depth()) {
            (Some(expected), got) if got != expected => Err(Error::OtherDepth { expected, got }),
            _ => Ok(()),
        }
    }
}

/// Counts the values of pictures, where they are opaque. Those that cannot be read are told when they
/// are learnt.
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

/// Counts pictures of which not every value was judged as it is.
#[derive(Debug, Default)]
pub(crate) struct LevelsWatch {
    levels: Levels,
    /// Pictures with 16 bits a channel, where no levels are stated.
    high_bytes: AtomicUsize,
    /// Pictures with values outside of the levels.
    outside: AtomicUsize,
    /// Pixels outside and all pixels of the picture with the largest share.
    most: Mutex<[u64; 2]>,
}

impl LevelsWatch {
    pub(crate) fn new(levels: Levels) -> Self {
        Self { levels, ..Self::default() }
    }

    /// Sees a picture.
    pub(crate) fn picture(&self, picture: &Picture<'_>) {
        if self.levels.is_auto() && picture.depth() == Depth::Bits16 {
            self.high_bytes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sees the last piece of a picture.
    pub(crate) fn piece(&self, piece: &Piece) {
        if let (Some(outside), Some(size)) = (piece.outside(), piece.size()) {
            self.outside(outside, size);
        }
    }

    /// Sees how many pixels of a picture lie outside of the levels.
    pub(crate) fn outside(&self, pixels: u64, PictureSize { width, height }: PictureSize) {
        if pixels == 0 {
            return;
        }
        self.outside.fetch_add(1, Ordering::Relaxed);
        let all = u64::from(width) * u64::from(height);
        let mut most = self.most.lock().unwrap_or_else(PoisonError::into_inner);
        // Neither product overflows: a picture has fewer than 2^32 pixels.
        if pixels * most[1] > most[0] * all || most[1] == 0 {
            *most = [pixels, all];
        }
    }

    /// Tells what was seen.
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
