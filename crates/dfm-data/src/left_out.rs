//! What lies among pictures and is not taken for one.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// A file or a folder that is left out of a listing on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// Where it is.
    pub path: PathBuf,
    /// Pictures in it: 1 for a file.
    pub count: usize,
    /// Why it is left out.
    pub why: Why,
}

/// Why something is left out of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Why {
    /// Its name begins with a dot.
    Hidden,
    /// A map, an overlay or a legend that we drew.
    Map,
    /// A mask, a map or a thumbnail of the picture beside it, by its name.
    ByProduct,
    /// A folder of masks, maps or thumbnails, or of the system, by its name.
    ByProducts,
    /// A drawing or an icon.
    Drawing,
    /// A folder whose name says that it holds defects.
    Defects,
    /// A folder or a picture beside a folder of good pictures.
    BesideGood,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hidden => "hidden",
            Self::Map => "drawn by an earlier run",
            Self::ByProduct => "named as a mask, a map or a thumbnail of the picture beside it",
            Self::ByProducts => "a folder of masks, thumbnails or system files by its name",
            Self::Drawing => "a drawing or an icon",
            Self::Defects => "its name says that it holds defects",
            Self::BesideGood => "beside a folder of good pictures",
        })
    }
}

/// Says in a few lines what is left out below `root`: folders one by one, files by their kind.
pub(crate) fn remarks(left_out: &[LeftOut], root: &Path) -> Vec<String> {
    let below = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    let mut folders: BTreeMap<(Why, &Path), usize> = BTreeMap::new();
    let mut files: BTreeMap<Why, Vec<&Path>> = BTreeMap::new();
    for one in left_out {
        match one.path.is_dir() {
            true => *folders.entry((one.why, &one.path)).or_default() += one.count,
            false => files.entry(one.why).or_default().push(&one.path),
        }
    }
    let folders = folders.into_iter().map(|((why, path), count)| {
        format!("{} left out with {}: {why}", below(path), counted(count, "picture"))
    });
    let files = files.into_iter().map(|(why, mut paths)| {
        paths.sort();
        match paths.as_slice() {
            [only] => format!("{} left out: {why}", below(only)),
            all => format!("{} left out, such as {}: {why}", counted(all.len(), "file"), below(all[0])),
        }
    });
    folders.chain(files).collect()
}

/// A number of things, with the noun in the plural unless the number is 1.
///
/// ```
/// assert_eq!([1, 2].map(|count| dfm_data::counted(count, "picture")), ["1 picture", "2 pictures"]);
/// ```
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
