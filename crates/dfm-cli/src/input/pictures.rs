//! Pictures decoded and prepared ahead of the network, in order.

use std::any::Any;
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use anyhow::{Context, anyhow};
use dfm_core::{DecodeLimits, PreparedPicture, Preprocessor, RgbImage, decode};
use tracing::debug;

/// Pictures that each thread may be ahead, if a batch does not ask for more.
const AHEAD: usize = 4;

/// A picture on its way to the network.
#[derive(Debug)]
pub(crate) struct Loaded<T = PreparedPicture> {
    /// Place in the list of paths.
    pub(crate) index: usize,
    /// Whether it is the last of its path: of pictures in tiles, there are several.
    pub(crate) last: bool,
    /// What the network sees, or why not.
    pub(crate) picture: anyhow::Result<T>,
}

/// Decodes and prepares `paths` on `jobs` threads, together at least one batch ahead
/// of the reader, and returns them in order; of pictures in tiles every tile, none of
/// which is prepared before there is room for it.
pub(crate) fn load(
    paths: &[PathBuf],
    preprocessor: &Preprocessor,
    jobs: usize,
    batch: usize,
) -> impl Iterator<Item = Loaded> + use<> {
    let preprocessor = preprocessor.clone();
    ahead(paths, jobs, batch, move |_, path, give| {
        let begun = Instant::now();
        let picture = decode_file(path)?;
        debug!("{}: decoded in {:.1?}", path.display(), begun.elapsed());
        let mut tiles = preprocessor.prepare_tiles(&picture)?;
        while let Some(tile) = tiles.next() {
            if !give(tile?, tiles.len() == 0) {
                break;
            }
        }
        Ok(())
    })
}

/// Takes what was prepared, and whether it is the last of its path; whether the reader
/// wants more.
pub(crate) type Give<'g, T> = &'g mut dyn FnMut(T, bool) -> bool;

/// [`load`] with any way to `prepare` a path and its place in the list, which gives one thing or more or fails. One
/// that panics costs that path alone.
pub(crate) fn ahead<
    T: Send + 'static,
    P: Fn(usize, &Path, Give<'_, T>) -> anyhow::Result<()> + Send + Sync + 'static,
>(
    paths: &[PathBuf],
    jobs: usize,
    batch: usize,
    prepare: P,
) -> impl Iterator<Item = Loaded<T>> + use<T, P> {
    let paths: Arc<[PathBuf]> = paths.into();
    let prepare = Arc::new(prepare);
    let count = paths.len();
    let depth = AHEAD.max(batch.div_ceil(jobs));
    // Thread `k` takes every `jobs`-th picture, so that reading the threads in
    // turn gives the order back without sorting.
    let channels: Vec<Receiver<Loaded<T>>> = (0..jobs.min(count))
        .map(|first| {
            let (sender, receiver) = sync_channel(depth);
            let (paths, prepare) = (Arc::clone(&paths), Arc::clone(&prepare));
            std::thread::spawn(move || {
                for index in (first..paths.len()).step_by(jobs) {
                    let mut wanted = true;
                    let mut give = |picture, last| {
                        wanted = sender.send(Loaded { index, last, picture: Ok(picture) }).is_ok();
                        wanted
                    };
                    // Nothing that a preparation could leave half done outlives it.
                    let done = catch_unwind(AssertUnwindSafe(|| prepare(index, &paths[index], &mut give)))
                        .unwrap_or_else(|panic| Err(anyhow!("the decoder panicked: {}", words(&*panic))));
                    if let Err(error) = done {
                        wanted = sender.send(Loaded { index, last: true, picture: Err(error) }).is_ok();
                    }
                    // The reader is gone: nobody needs the rest.
                    if !wanted {
                        break;
                    }
                }
            });
            receiver
        })
        .collect();
    let mut index = 0;
    std::iter::from_fn(move || {
        let next = channels.get(index % jobs).filter(|_| index < count)?.recv().unwrap_or_else(|_| Loaded {
            index,
            last: true,
            picture: Err(anyhow!("the thread that decodes this picture has ended")),
        });
        index += usize::from(next.last);
        Some(next)
    })
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word")
}

/// Reads and decodes one file.
pub(crate) fn decode_file(path: &Path) -> anyhow::Result<RgbImage> {
    decode_bytes(&read_file(path)?)
}

/// The bytes of one file, or of a larger one as many as the decoder will refuse.
pub(crate) fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    let file = File::open(path).context("cannot open the picture")?;
    let mut bytes = Vec::new();
    // One byte more than allowed, so that the decoder notices.
    let most = DecodeLimits::default().max_bytes + 1;
    file.take(most).read_to_end(&mut bytes).context("cannot read the picture")?;
    Ok(bytes)
}

/// The picture that a file holds.
pub(crate) fn decode_bytes(bytes: &[u8]) -> anyhow::Result<RgbImage> {
    Ok(decode(bytes, &DecodeLimits::default())?)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    fn paths(count: usize) -> Vec<PathBuf> {
        (0..count).map(|index| PathBuf::from(index.to_string())).collect()
    }

    #[test]
    fn a_decoder_that_panics_costs_one_picture() {
        let loaded: Vec<_> = ahead(&paths(7), 2, 1, |_, path, give| {
            assert!(path != Path::new("2"), "cannot stand twos");
            give(path.to_owned(), true);
            Ok(())
        })
        .collect();
        for (index, loaded) in loaded.iter().enumerate() {
            assert_eq!(loaded.index, index);
            match &loaded.picture {
                Ok(path) => assert_eq!(path, &paths(7)[index]),
                Err(error) => {
                    assert_eq!(index, 2);
                    assert!(error.to_string().contains("cannot stand twos"), "{error}");
                }
            }
        }
        assert_eq!(loaded.iter().filter(|loaded| loaded.picture.is_ok()).count(), 6);
    }

    #[test]
    fn a_path_gives_what_it_has_and_no_more_than_there_is_room_for() {
        let given = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&given);
        let mut loaded = ahead(&paths(3), 2, 1, move |_, path, give| {
            for part in 0..100 {
                counted.fetch_add(1, Ordering::SeqCst);
                if path == Path::new("1") && part == 3 {
                    return Err(anyhow!("no fourth"));
                }
                if !give(part, part == 99) {
                    break;
                }
            }
            Ok(())
        });
        assert!(loaded.next().is_some());
        std::thread::sleep(Duration::from_millis(50));
        // Of each thread what its channel holds and what waits; one was taken.
        assert!(given.load(Ordering::SeqCst) <= 2 * (AHEAD + 1) + 1);
        let rest: Vec<_> = loaded.map(|loaded| (loaded.index, loaded.last, loaded.picture.ok())).collect();
        let whole = |index| (0..100).map(move |part| (index, part == 99, Some(part)));
        let broken = (0..3).map(|part| (1, false, Some(part))).chain([(1, true, None)]);
        assert_eq!(rest, whole(0).skip(1).chain(broken).chain(whole(2)).collect::<Vec<_>>());
    }

    #[test]
    fn a_whole_batch_is_prepared_while_the_network_is_busy() {
        let done = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&done);
        let mut loaded = ahead(&paths(64), 2, 32, move |_, _, give| {
            counted.fetch_add(1, Ordering::SeqCst);
            give((), true);
            Ok(())
        });
        assert!(loaded.next().is_some());
        // The reader takes no more, and the threads go on without it.
        let begun = Instant::now();
        while done.load(Ordering::SeqCst) < 33 && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let ahead = done.load(Ordering::SeqCst) - 1;
        assert!(ahead >= 32, "{ahead} pictures ahead");
    }
}
