//! Pictures decoded and prepared ahead of the network, in order.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use anyhow::Context;
use dfm_core::{DecodeLimits, PreparedPicture, Preprocessor, RgbImage, decode};

/// Pictures that each thread may be ahead.
const AHEAD: usize = 4;

/// A picture on its way to the network.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Place in the list of paths.
    pub(crate) index: usize,
    /// What the network sees, or why not.
    pub(crate) picture: anyhow::Result<PreparedPicture>,
}

/// Decodes and prepares `paths` on `jobs` threads, each a few pictures ahead of
/// the reader, and returns them in order.
pub(crate) fn load(
    paths: &[PathBuf],
    preprocessor: &Preprocessor,
    jobs: usize,
) -> impl Iterator<Item = Loaded> + use<> {
    let paths: Arc<[PathBuf]> = paths.into();
    let count = paths.len();
    // Thread `k` takes every `jobs`-th picture, so that reading the threads in
    // turn gives the order back without sorting.
    let channels: Vec<Receiver<Loaded>> = (0..jobs.min(count))
        .map(|first| {
            let (sender, receiver) = sync_channel(AHEAD);
            let (paths, preprocessor) = (Arc::clone(&paths), preprocessor.clone());
            std::thread::spawn(move || {
                for index in (first..paths.len()).step_by(jobs) {
                    let picture = prepare(&paths[index], &preprocessor);
                    // The reader is gone: nobody needs the rest.
                    if sender.send(Loaded { index, picture }).is_err() {
                        break;
                    }
                }
            });
            receiver
        })
        .collect();
    (0..count).map(move |index| {
        channels[index % channels.len()].recv().unwrap_or_else(|_| Loaded {
            index,
            picture: Err(anyhow::anyhow!("the thread that decodes this picture has ended")),
        })
    })
}

fn prepare(path: &Path, preprocessor: &Preprocessor) -> anyhow::Result<PreparedPicture> {
    Ok(preprocessor.prepare(&decode_file(path)?)?)
}

/// Reads and decodes one file.
pub(crate) fn decode_file(path: &Path) -> anyhow::Result<RgbImage> {
    let limits = DecodeLimits::default();
    let file = File::open(path).context("cannot open the picture")?;
    let mut bytes = Vec::new();
    // One byte more than allowed, so that the decoder notices.
    file.take(limits.max_bytes + 1).read_to_end(&mut bytes).context("cannot read the picture")?;
    Ok(decode(&bytes, &limits)?)
}
