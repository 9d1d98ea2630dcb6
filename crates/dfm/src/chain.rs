//! Pictures of several sources.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use crate::error::Error;
use crate::source::{Content, Source};

/// The pictures of several sources, one source behind the other.
///
/// ```
/// use dfm::{Chain, Files, Pictures, Source};
///
/// let (files, mut piped) = (Files::new("".as_ref(), vec!["a.png".into()]), Pictures::default());
/// piped.push_bytes("-", b"\x89PNG".to_vec());
/// let all = Chain::new(vec![&files, &piped]);
/// assert_eq!((all.count(), all.name(1)), (2, "-".to_owned()));
/// ```
pub struct Chain<'s> {
    sources: Vec<&'s dyn Source>,
}

impl fmt::Debug for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain").field("count", &self.count()).finish_non_exhaustive()
    }
}

impl<'s> Chain<'s> {
    /// The pictures of `sources`, in order.
    pub fn new(sources: Vec<&'s dyn Source>) -> Self {
        Self { sources }
    }

    /// The source of picture `index`, and its index there.
    fn find(&self, mut index: usize) -> (&'s dyn Source, usize) {
        for source in &self.sources {
            match index.checked_sub(source.count()) {
                None => return (*source, index),
                Some(rest) => index = rest,
            }
        }
        panic!("expected the index of a picture, got one beyond the last by {index}")
    }
}

impl Source for Chain<'_> {
    fn count(&self) -> usize {
        self.sources.iter().map(|source| source.count()).sum()
    }

    fn path(&self, index: usize) -> Cow<'_, Path> {
        let (source, index) = self.find(index);
        source.path(index)
    }

    fn name(&self, index: usize) -> String {
        let (source, index) = self.find(index);
        source.name(index)
    }

    fn read(&self, index: usize) -> Result<Content<'_>, Error> {
        let (source, index) = self.find(index);
        source.read(index)
    }
}
