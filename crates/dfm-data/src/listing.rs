//! Finding picture files: in folders, by patterns, by name.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::error::{DataError, Problem};
use crate::names::{EXTENSIONS, has_extension, is_hidden, is_our_map};

/// The most folders inside folders that are walked: deeper than anyone sorts pictures.
const DEEPEST: usize = 32;

/// Pictures that were found, and what could not be used.
#[derive(Debug, Default)]
pub struct Listing {
    /// Paths of the pictures.
    pub pictures: Vec<PathBuf>,
    /// What could not be listed or found.
    pub problems: Vec<Problem>,
}

/// Lists the pictures that `paths` name: files, folders with everything below them, and patterns
/// such as `shots/*.png`. The order of `paths` is kept; pictures of a folder or pattern are sorted.
pub fn list(paths: &[PathBuf]) -> Listing {
    let mut listing = Listing::default();
    for path in paths {
        let found = if path.is_dir() {
            list_folder(path)
        } else if path.symlink_metadata().is_ok() {
            Ok(Listing { pictures: vec![path.clone()], problems: Vec::new() })
        } else {
            list_pattern(path)
        };
        match found {
            Ok(found) => {
                listing.pictures.extend(found.pictures);
                listing.problems.extend(found.problems);
            }
            Err(error) => listing.problems.push(Problem::new(path, error)),
        }
    }
    listing
}

/// Lists every picture in `folder` and below, sorted. Hidden files and maps that we wrote
/// ourselves are left out. Links to folders are followed, but no folder is walked twice. A folder
/// below that cannot be listed is a problem, and the rest is returned.
///
/// # Errors
///
/// [`DataError::Io`] if `folder` itself cannot be listed; [`DataError::NoPictures`] if nothing is
/// found.
pub fn list_folder(folder: &Path) -> Result<Listing, DataError> {
    let mut walk = Walk::default();
    let failed = |cause| DataError::Io { operation: "list", path: folder.to_owned(), cause };
    walk.folder(folder, 0).map_err(failed)?;
    // After everything that lies here itself, so that it keeps its plain name.
    while !walk.links.is_empty() {
        let mut links = std::mem::take(&mut walk.links);
        links.sort();
        for (link, depth) in links {
            walk.below(&link, depth);
        }
    }
    let mut listing = walk.listing;
    if listing.pictures.is_empty() {
        return Err(DataError::NoPictures { extensions: EXTENSIONS.join(", ") });
    }
    listing.pictures.sort();
    Ok(listing)
}

fn list_pattern(path: &Path) -> Result<Listing, DataError> {
    let text = path.to_str().filter(|text| text.contains(['*', '?', '['])).ok_or(DataError::Nothing)?;
    let matches = glob::glob(text).map_err(|error| DataError::Pattern { reason: error.to_string() })?;
    let mut listing = Listing::default();
    for found in matches {
        match found {
            Ok(path) if path.is_file() && !is_our_map(&path) => listing.pictures.push(path),
            Ok(_) => {}
            Err(error) => {
                let path = error.path().to_owned();
                listing.problems.push(Problem::new(path, DataError::Match { cause: error.into() }));
            }
        }
    }
    if listing.pictures.is_empty() { Err(DataError::NoMatch) } else { Ok(listing) }
}

/// A walk through a folder.
#[derive(Default)]
struct Walk {
    listing: Listing,
    /// Links to folders, and how deep they lie.
    links: Vec<(PathBuf, usize)>,
    /// Folders that were walked, without links in their paths.
    seen: HashSet<PathBuf>,
}

impl Walk {
    fn folder(&mut self, folder: &Path, depth: usize) -> std::io::Result<()> {
        let entries = std::fs::read_dir(folder)?;
        if folder.canonicalize().is_ok_and(|real| !self.seen.insert(real)) {
            return Ok(());
        }
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            if is_hidden(&path) {
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.below(&path, depth + 1);
            } else if kind.is_symlink() && path.is_dir() {
                self.links.push((path, depth + 1));
            } else if has_extension(&path) && !is_our_map(&path) {
                // Opening a pipe would wait for whoever fills it.
                if kind.is_file() || path.is_file() || !path.exists() {
                    self.listing.pictures.push(path);
                } else {
                    self.problem(&path, DataError::NotAFile);
                }
            }
        }
        Ok(())
    }

    /// Walks a folder below the one that was asked for.
    fn below(&mut self, folder: &Path, depth: usize) {
        if depth > DEEPEST {
            self.problem(folder, DataError::TooDeep { limit: DEEPEST });
        } else if let Err(cause) = self.folder(folder, depth) {
            self.problem(folder, DataError::Unlisted { cause });
        }
    }

    fn problem(&mut self, path: &Path, error: DataError) {
        self.listing.problems.push(Problem::new(path, error));
    }
}

/// Folders in `folder` that are not hidden, sorted.
pub(crate) fn subfolders(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    entries(folder, |path| path.is_dir())
}

/// Files directly in `folder` that have the extension of a picture, sorted.
pub(crate) fn files_in(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    entries(folder, |path| path.is_file() && has_extension(path))
}

fn entries(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, DataError> {
    let failed = |cause| DataError::Io { operation: "list", path: folder.to_owned(), cause };
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| wanted(path) && !is_hidden(path))
        .collect();
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{MAP_CHUNK, MAP_CHUNK_AT, MAPS_MARK, MAPS_MARK_TEXT};

    fn found(root: &Path) -> Vec<String> {
        let Listing { pictures: found, problems } = list_folder(root).unwrap();
        assert!(problems.is_empty());
        let name = |path: &PathBuf| path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        found.iter().map(name).collect()
    }

    fn write(root: &Path, names: &[&str]) {
        for name in names {
            std::fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            std::fs::write(root.join(name), b"").unwrap();
        }
    }

    #[test]
    fn folders_are_walked_sorted_and_only_pictures_are_taken() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), &["z.png", "b/ä.JPG", "b/c/x.tiff", "notes.txt", ".hidden.png", ".git/y.png"]);
        assert_eq!(found(root.path()), ["b/c/x.tiff", "b/ä.JPG", "z.png"]);
    }

    #[test]
    fn our_own_maps_are_left_out_and_pictures_of_such_names_are_not() {
        let root = tempfile::tempdir().unwrap();
        write(
            root.path(),
            &[
                "a-heatmap.png",
                "maps/x/b.png-overlay.png",
                "maps/b.png-heatmap.png",
                "maps/c.png",
                "maps/dfm-legend.png",
            ],
        );
        std::fs::write(root.path().join("maps").join(MAPS_MARK), b"").unwrap();
        assert_eq!(found(root.path()), ["a-heatmap.png", "maps/c.png"]);
        let pattern = [root.path().join("maps/*.png")];
        assert_eq!(list(&pattern).pictures, [root.path().join("maps/c.png")]);
    }

    #[test]
    fn in_a_folder_of_today_maps_are_known_by_what_they_hold() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), &["a-heatmap.png", "b-mask.png", "dfm-legend.png"]);
        std::fs::write(root.path().join(MAPS_MARK), MAPS_MARK_TEXT).unwrap();
        let map = [&[0; MAP_CHUNK_AT][..], MAP_CHUNK, b"rest"].concat();
        for name in ["a-overlay.png", "a-mask.png", "dfm-legend-0123abcd.png", "x.png"] {
            std::fs::write(root.path().join(name), &map).unwrap();
        }
        assert_eq!(found(root.path()), ["a-heatmap.png", "b-mask.png", "dfm-legend.png", "x.png"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_to_folders_are_followed_and_never_in_circles() {
        use std::os::unix::fs::symlink;
        let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(root.path(), &["b/x.png"]);
        write(elsewhere.path(), &["y.png"]);
        symlink(root.path(), root.path().join("b/circle")).unwrap();
        symlink(root.path().join("b"), root.path().join("a")).unwrap();
        symlink(elsewhere.path(), root.path().join("c")).unwrap();
        assert_eq!(found(root.path()), ["b/x.png", "c/y.png"]);
    }

    /// Nothing is forbidden to root. The test therefore uses a path that is too long for the system.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_cannot_be_listed_costs_itself_alone() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), &["a.png", "z/b.png"]);
        let name = "n".repeat(200);
        let script = format!("for i in $(seq 25); do mkdir {name} && cd -P {name} || exit 1; done");
        let status =
            std::process::Command::new("bash").args(["-c", &script]).current_dir(root.path()).status();
        assert!(status.unwrap().success());
        let listing = list_folder(root.path()).unwrap();
        assert_eq!((listing.pictures.len(), listing.problems.len()), (2, 1));
    }

    #[test]
    fn an_empty_folder_and_a_missing_file_are_errors() {
        let root = tempfile::tempdir().unwrap();
        assert!(list_folder(root.path()).unwrap_err().to_string().contains("found none"));
        let listing = list(&[root.path().join("a.png"), root.path().join("*.png")]);
        assert!(listing.pictures.is_empty());
        assert_eq!(listing.problems.len(), 2);
    }
}
