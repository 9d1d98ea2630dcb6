//! Pages of a TIFF file, as pictures of their own: `scan.tif#2`.

use std::fs::File;
use std::path::{Path, PathBuf};

use dfm_image::page_count;

/// The paths under which the pictures of the file at `path` are known: `scan.tif#1`, `scan.tif#2`
/// and so on if it has several pages, else its own. What is wrong with it is said when it is read.
pub(crate) fn pages(path: PathBuf) -> Vec<PathBuf> {
    let count = File::open(&path).ok().and_then(|file| page_count(file).ok()).unwrap_or(1);
    match count {
        0 | 1 => vec![path],
        count => (1..=count).map(|number| page_path(&path, number)).collect(),
    }
}

/// The path of page `number`, from 1.
fn page_path(file: &Path, number: usize) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!("#{number}"));
    name.into()
}

/// The file and the number of the page that `path` names; `None` if it names a file.
pub(crate) fn split_page(path: &Path) -> Option<(PathBuf, usize)> {
    let name = path.file_name()?.to_string_lossy();
    let (name, number) = name.rsplit_once('#')?;
    let number = number.parse().ok().filter(|number| *number > 0)?;
    let file = path.with_file_name(name);
    (!path.exists() && file.is_file()).then_some((file, number))
}
