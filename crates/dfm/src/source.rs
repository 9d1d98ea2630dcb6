//! Where pictures come from, and how they are decoded ahead of the network.

use std::any::Any;
use std::borrow::Cow;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use dfm_core::{
    DecodeLimits, Levels, Picture, Preprocessor, RgbImage, Transparency, decode_at, page, page_count,
};
use dfm_data::{DataError, Listing, list, list_files, list_folder, name_below, read_picture};

use crate::error::Error;
use crate::note::Note;
use crate::observer::{Observer, Reporter};

/// Pictures that each thread may be ahead, if a batch does not ask for more.
const AHEAD: usize = 4;

/// A picture as a source has it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Content<'s> {
    /// The bytes of a file.
    Encoded(Cow<'s, [u8]>),
    /// Upright RGB pixels, eight bits a channel.
    Decoded(Cow<'s, RgbImage>),
}

impl<'s> Content<'s> {
    /// Decodes what is not decoded yet, to the numbers of the file. Where the picture is transparent, it
    /// shows [`BACKGROUND`](dfm_core::BACKGROUND).
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the bytes are no usable picture.
    pub fn decode(self) -> Result<Picture<'s>, Error> {
        self.decode_with(Transparency::Background, Levels::Auto)
    }

    /// Decodes what is not decoded yet, for what is prepared by these `levels`, and shows what
    /// `transparency` says where the picture is transparent.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the bytes are no usable picture.
    pub fn decode_with(self, transparency: Transparency, levels: Levels) -> Result<Picture<'s>, Error> {
        match self {
            Self::Encoded(bytes) => Ok(decode_at(&bytes, &DecodeLimits::default(), transparency, levels)?),
            Self::Decoded(picture) => Ok(Picture::from(picture)),
        }
    }

    /// Decodes as pictures are decoded for what `preprocessor` prepares.
    pub(crate) fn decode_for(self, preprocessor: &Preprocessor) -> Result<Picture<'s>, Error> {
        self.decode_with(preprocessor.contract().transparency, preprocessor.levels())
    }
}

/// Pictures in an order, which several threads read at once. [`Files`] and [`Pictures`] implement
/// it; other stores of pictures can too.
pub trait Source: Sync {
    /// How many pictures there are.
    fn count(&self) -> usize;

    /// The path of picture `index`, or what stands for one: observers hear it.
    fn path(&self, index: usize) -> Cow<'_, Path>;

    /// The name by which a model knows picture `index`. It should say nothing of the machine.
    fn name(&self, index: usize) -> String;

    /// Reads picture `index`.
    ///
    /// # Errors
    ///
    /// Why it cannot be read. A panic costs that picture alone.
    fn read(&self, index: usize) -> Result<Content<'_>, Error>;
}

/// Picture files.
///
/// ```no_run
/// use dfm::{Files, Silent, Source};
///
/// let good = Files::in_folder("pictures/good".as_ref(), &Silent)?;
/// println!("{} pictures", good.count());
/// # Ok::<(), dfm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    root: PathBuf,
    paths: Vec<PathBuf>,
}

impl Files {
    /// The files at `paths`, known by their names below `root`.
    pub fn new(root: &Path, paths: Vec<PathBuf>) -> Self {
        Self { root: root.to_owned(), paths }
    }

    /// Every picture in `folder` and below, sorted. The observer hears what cannot be listed.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the folder cannot be listed or holds no picture.
    pub fn in_folder(folder: &Path, observer: &dyn Observer) -> Result<Self, Error> {
        let found = list_folder(folder)?;
        Ok(Self::new(folder, tell(found, folder, observer)))
    }

    /// The pictures that `paths` name: files, folders and patterns such as `shots/*.png`. The
    /// observer hears what cannot be found, and what is left out.
    pub fn named(paths: &[PathBuf], observer: &dyn Observer) -> Self {
        Self::new(Path::new(""), tell(list(paths), Path::new(""), observer))
    }

    /// The pictures that `paths` name: files and folders, no patterns. The observer hears what cannot
    /// be found, and what is left out.
    pub fn listed(paths: &[PathBuf], observer: &dyn Observer) -> Self {
        Self::new(Path::new(""), tell(list_files(paths), Path::new(""), observer))
    }

    /// The folder below which the pictures are named.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The paths of the pictures.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }
}

/// Tells what a listing below `root` could not use and what it left out, and gives its pictures.
fn tell(found: Listing, root: &Path, observer: &dyn Observer) -> Vec<PathBuf> {
    let reporter = Reporter::new(observer);
    for text in found.remarks(root) {
        reporter.note(Note::LeftOut { text });
    }
    reporter.problems(found.problems);
    found.pictures
}

impl Source for Files {
    fn count(&self) -> usize {
        self.paths.len()
    }

    fn path(&self, index: usize) -> Cow<'_, Path> {
        Cow::Borrowed(&self.paths[index])
    }

    fn name(&self, index: usize) -> String {
        name_below(&self.root, &self.paths[index])
    }

    fn read(&self, index: usize) -> Result<Content<'_>, Error> {
        Ok(Content::Encoded(Cow::Owned(read_picture(&self.paths[index])?)))
    }
}

/// Pictures in memory: bytes of files, or pixels.
///
/// ```
/// use dfm::{Pictures, RgbImage, Source};
///
/// let mut pictures = Pictures::default();
/// pictures.push_pixels("first", RgbImage::new(64, 48));
/// assert_eq!((pictures.count(), pictures.name(0)), (1, "first".to_owned()));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Pictures {
    pictures: Vec<(String, Content<'static>)>,
}

impl Pictures {
    /// Adds a picture as the bytes of its file.
    pub fn push_bytes(&mut self, name: impl Into<String>, bytes: Vec<u8>) {
        self.pictures.push((name.into(), Content::Encoded(Cow::Owned(bytes))));
    }

    /// Adds the pictures of a file that may have several pages, each as a picture of its own: `name#1`
    /// and so on. One page has the plain name.
    pub fn push_file(&mut self, name: &str, bytes: Vec<u8>) {
        // What is wrong with the file is said when it is decoded.
        let count = page_count(Cursor::new(&bytes)).unwrap_or(1);
        if count < 2 {
            return self.push_bytes(name, bytes);
        }
        for number in 1..=count {
            if let Ok(bytes) = page(bytes.clone(), number) {
                self.push_bytes(format!("{name}#{number}"), bytes);
            }
        }
    }

    /// Adds a picture as upright RGB pixels.
    pub fn push_pixels(&mut self, name: impl Into<String>, pixels: RgbImage) {
        self.pictures.push((name.into(), Content::Decoded(Cow::Owned(pixels))));
    }
}

impl<N: Into<String>> FromIterator<(N, RgbImage)> for Pictures {
    fn from_iter<I: IntoIterator<Item = (N, RgbImage)>>(pictures: I) -> Self {
        let mut all = Self::default();
        pictures.into_iter().for_each(|(name, pixels)| all.push_pixels(name, pixels));
        all
    }
}

impl Source for Pictures {
    fn count(&self) -> usize {
        self.pictures.len()
    }

    fn path(&self, index: usize) -> Cow<'_, Path> {
        Cow::Borrowed(Path::new(&self.pictures[index].0))
    }

    fn name(&self, index: usize) -> String {
        self.pictures[index].0.clone()
    }

    fn read(&self, index: usize) -> Result<Content<'_>, Error> {
        Ok(match &self.pictures[index].1 {
            Content::Encoded(bytes) => Content::Encoded(Cow::Borrowed(bytes)),
            Content::Decoded(pixels) => Content::Decoded(Cow::Borrowed(pixels)),
        })
    }
}

/// What was prepared for a picture, or the reason why nothing more will be.
#[derive(Debug)]
pub(crate) struct Loaded<T> {
    /// Index of the picture in its source.
    pub(crate) index: usize,
    /// Whether it is the last of its picture: a picture in tiles gives several.
    pub(crate) last: bool,
    /// What was prepared, or what is wrong with the picture.
    pub(crate) found: Result<T, Error>,
}

/// Takes what was prepared, and whether it is the last of its picture. Returns whether the reader
/// wants more.
pub(crate) type Give<'g, T> = &'g mut dyn FnMut(T, bool) -> bool;

/// Gives what `make` turns every one of `pieces` into; `make` is also told which piece is the last.
/// Returns whether the reader wants more.
///
/// # Errors
///
/// The first error among `pieces`. What comes before it has been given.
pub(crate) fn give_all<P, T, E>(
    mut pieces: impl ExactSizeIterator<Item = Result<P, E>>,
    give: Give<'_, T>,
    mut make: impl FnMut(P, bool) -> T,
) -> Result<bool, E> {
    while let Some(piece) = pieces.next() {
        let last = pieces.len() == 0;
        if !give(make(piece?, last), last) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Decodes and prepares `count` pictures on `jobs` threads, together at least one `batch` ahead of
/// the reader, and lets `read` take them in order. Nothing is prepared before the reader first asks,
/// nor before there is room for it.
///
/// `prepare` gives one thing or more for the picture of an index, or fails; a panic in it costs that
/// picture alone.
pub(crate) fn ahead<T: Send, R>(
    count: usize,
    jobs: usize,
    batch: usize,
    prepare: impl Fn(usize, Give<'_, T>) -> Result<(), Error> + Sync,
    read: impl FnOnce(&mut dyn Iterator<Item = Loaded<T>>) -> R,
) -> R {
    let jobs = jobs.max(1);
    let depth = AHEAD.max(batch.div_ceil(jobs));
    let prepare = &prepare;
    std::thread::scope(|scope| {
        // Thread `k` takes every `jobs`-th picture, so that reading the threads in turn gives the
        // order back without sorting. They begin when the reader first asks.
        let start = move |first: usize| {
            let (sender, receiver) = sync_channel(depth);
            scope.spawn(move || prepare_all((first..count).step_by(jobs), prepare, &sender));
            receiver
        };
        let mut channels: Option<Vec<Receiver<Loaded<T>>>> = None;
        let mut index = 0;
        read(&mut std::iter::from_fn(move || {
            let channels = channels.get_or_insert_with(|| (0..jobs.min(count)).map(start).collect());
            let channel = channels.get(index % jobs).filter(|_| index < count)?;
            let next = channel.recv().expect("each thread sends the end of each of its pictures");
            index += usize::from(next.last);
            Some(next)
        }))
    })
}

/// Prepares the pictures of these indices until nobody wants more.
fn prepare_all<T>(
    indices: impl Iterator<Item = usize>,
    prepare: &(impl Fn(usize, Give<'_, T>) -> Result<(), Error> + Sync),
    sender: &SyncSender<Loaded<T>>,
) {
    for index in indices {
        let mut wanted = true;
        let mut give = |found, last| {
            wanted = sender.send(Loaded { index, last, found: Ok(found) }).is_ok();
            wanted
        };
        // Nothing that a preparation could leave half done outlives it.
        let done = catch_unwind(AssertUnwindSafe(|| prepare(index, &mut give)))
            .unwrap_or_else(|panic| Err(Error::Panicked { words: words(&*panic) }));
        if let Err(error) = done {
            wanted = sender.send(Loaded { index, last: true, found: Err(error) }).is_ok();
        }
        if !wanted {
            break;
        }
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words").to_owned()
}

impl From<dfm_core::PreprocessError> for Error {
    fn from(error: dfm_core::PreprocessError) -> Self {
        Self::Data(DataError::from(error))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_decoder_that_panics_costs_one_picture() {
        let prepare = |index: usize, give: Give<'_, usize>| {
            assert!(index != 2, "cannot stand twos");
            give(index, true);
            Ok(())
        };
        let loaded: Vec<_> = ahead(7, 2, 1, prepare, |loaded| loaded.collect());
        for (index, loaded) in loaded.iter().enumerate() {
            assert_eq!(loaded.index, index);
            match &loaded.found {
                Ok(found) => assert_eq!(*found, index),
                Err(error) => {
                    assert_eq!(index, 2);
                    assert!(error.to_string().contains("cannot stand twos"), "{error}");
                }
            }
        }
        assert_eq!(loaded.iter().filter(|loaded| loaded.found.is_ok()).count(), 6);
    }

    #[test]
    fn a_picture_gives_what_it_has_and_no_more_than_there_is_room_for() {
        let given = AtomicUsize::new(0);
        let prepare = |index: usize, give: Give<'_, usize>| {
            for part in 0..100 {
                given.fetch_add(1, Ordering::SeqCst);
                if index == 1 && part == 3 {
                    return Err(Error::Changed);
                }
                if !give(part, part == 99) {
                    break;
                }
            }
            Ok(())
        };
        ahead(3, 2, 1, prepare, |loaded| {
            assert!(loaded.next().is_some());
            std::thread::sleep(Duration::from_millis(50));
            // Each thread has filled its channel and waits with one more; one was taken.
            assert!(given.load(Ordering::SeqCst) <= 2 * (AHEAD + 1) + 1);
            let rest: Vec<_> = loaded.map(|loaded| (loaded.index, loaded.last, loaded.found.ok())).collect();
            let whole = |index| (0..100).map(move |part| (index, part == 99, Some(part)));
            let broken = (0..3).map(|part| (1, false, Some(part))).chain([(1, true, None)]);
            assert_eq!(rest, whole(0).skip(1).chain(broken).chain(whole(2)).collect::<Vec<_>>());
        });
    }

    #[test]
    fn a_whole_batch_is_prepared_while_the_network_is_busy() {
        let done = AtomicUsize::new(0);
        let prepare = |_: usize, give: Give<'_, ()>| {
            done.fetch_add(1, Ordering::SeqCst);
            give((), true);
            Ok(())
        };
        ahead(64, 2, 32, prepare, |loaded| {
            assert!(loaded.next().is_some());
            // The reader takes no more, and the threads go on without it.
            let begun = Instant::now();
            while done.load(Ordering::SeqCst) < 33 && begun.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(5));
            }
            let ahead = done.load(Ordering::SeqCst) - 1;
            assert!(ahead >= 32, "{ahead} pictures ahead");
        });
    }

    #[test]
    fn a_reader_that_leaves_ends_the_threads() {
        let done = AtomicUsize::new(0);
        let prepare = |_: usize, give: Give<'_, ()>| {
            done.fetch_add(1, Ordering::SeqCst);
            give((), true);
            Ok(())
        };
        ahead(10_000, 2, 1, prepare, |loaded| assert!(loaded.next().is_some()));
        assert!(done.load(Ordering::SeqCst) < 100, "{done:?}");
    }
}
