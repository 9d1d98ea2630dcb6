//! Finding picture files: in folders, by patterns, by name.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use dfm_image::{FIRST_BYTES, FileKind, PreprocessError, file_kind};

use crate::error::{DataError, Problem};
use crate::left_out::{self, LeftOut, Why, counted};
use crate::names::{
    EXTENSIONS, camera_raw, has_extension, holds_by_products, is_by_product, is_drawing, is_hidden,
    is_our_map, name_of, unread,
};
use crate::pages::{pages, split_page};
use crate::words::{Says, says};

/// The most folders inside folders that are walked: deeper than anyone sorts pictures.
const DEEPEST: usize = 32;
/// The most folders that are named with their counts.
const NAMED: usize = 12;

/// Pictures that were found, and what could not be used.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Listing {
    /// Paths of the pictures. A page of a TIFF file with several is `scan.tif#2`.
    pub pictures: Vec<PathBuf>,
    /// What could not be listed or found, and pictures of formats that are not read.
    pub problems: Vec<Problem>,
    /// What is left out on purpose.
    pub left_out: Vec<LeftOut>,
}

impl Listing {
    /// Says in a few lines what is left out below `root`.
    pub fn remarks(&self, root: &Path) -> Vec<String> {
        left_out::remarks(&self.left_out, root)
    }

    fn extend(&mut self, other: Self) {
        self.pictures.extend(other.pictures);
        self.problems.extend(other.problems);
        self.left_out.extend(other.left_out);
    }
}

/// Lists the pictures that `paths` name: files, folders with everything below them, and patterns
/// such as `shots/*.png`. The order of `paths` is kept; pictures of a folder or pattern are sorted.
pub fn list(paths: &[PathBuf]) -> Listing {
    list_by(paths, list_pattern)
}

/// Lists the pictures that `paths` name, as [`list`] does, but takes no path for a pattern: for
/// paths that a program wrote.
pub fn list_files(paths: &[PathBuf]) -> Listing {
    list_by(paths, |_| Err(DataError::ListedMissing))
}

fn list_by(paths: &[PathBuf], otherwise: impl Fn(&Path) -> Result<Listing, DataError>) -> Listing {
    let mut listing = Listing::default();
    for path in paths {
        let found = if path.is_dir() {
            list_folder(path)
        } else if path.is_file() {
            Ok(Listing { pictures: pages(path.clone()), ..Listing::default() })
        } else if path.symlink_metadata().is_ok() || split_page(path).is_some() {
            Ok(Listing { pictures: vec![path.clone()], ..Listing::default() })
        } else {
            otherwise(path)
        };
        match found {
            Ok(found) => listing.extend(found),
            Err(error) => listing.problems.push(Problem::new(path, error)),
        }
    }
    listing
}

/// Lists every picture in `folder` and below, sorted. Links to folders are followed, but no folder is
/// walked twice. A folder below that cannot be listed is a problem, and the rest is returned.
///
/// A file is a picture if its extension is that of one, or its first bytes are. One of a format that
/// is not read is a problem. Hidden files, maps that we wrote ourselves, and what its name calls a
/// mask or a thumbnail of another picture are left out.
///
/// # Errors
///
/// [`DataError::Io`] if `folder` itself cannot be listed; [`DataError::NoPictures`] if nothing is
/// found.
pub fn list_folder(folder: &Path) -> Result<Listing, DataError> {
    walk(folder, Walk::default())
}

/// Lists the pictures in `folder` and below that may be learnt as good, as [`list_folder`] does.
/// Where the name of a folder says that it holds good pictures, nothing beside such folders is taken. A folder whose name
/// says that it holds defects is left out. The name of `folder` itself counts nothing.
///
/// # Errors
///
/// Those of [`list_folder`].
pub fn list_good(folder: &Path) -> Result<Listing, DataError> {
    walk(folder, Walk { is_choosy: true, ..Walk::default() })
}

fn walk(folder: &Path, mut walk: Walk) -> Result<Listing, DataError> {
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
        return Err(DataError::NoPictures { extensions: EXTENSIONS.join(", "), but: but(&listing, folder) });
    }
    listing.pictures.sort();
    Ok(listing)
}

/// What is there in place of pictures, each part behind a semicolon.
fn but(listing: &Listing, folder: &Path) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut parts = Vec::new();
    for problem in &listing.problems {
        match &problem.error {
            DataError::Picture(PreprocessError::OtherFormat { format }) => {
                *kinds.entry(format).or_default() += 1
            }
            error => parts.push(format!("{}: {error}", problem.path.display())),
        }
    }
    parts.extend(kinds.into_iter().map(|(kind, count)| format!("{count} of {kind}, which is not read")));
    parts.extend(listing.remarks(folder));
    parts.truncate(NAMED);
    parts.iter().map(|part| format!("; {part}")).collect()
}

/// Says how many of `pictures` lie in each folder of `root`, if they lie in several.
pub(crate) fn together(root: &Path, pictures: &[PathBuf]) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for picture in pictures {
        let below = picture.strip_prefix(root).unwrap_or(picture).parent();
        *counts.entry(below.map(|folder| folder.display().to_string()).unwrap_or_default()).or_default() += 1;
    }
    if counts.len() < 2 {
        return None;
    }
    let more = counts.len().saturating_sub(NAMED);
    let named = counts.iter().take(NAMED).map(|(folder, count)| match folder.as_str() {
        "" => format!("{count} directly in it"),
        folder => format!("{count} in {folder}"),
    });
    let named = named.collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(", and {}", counted(more, "more folder")) } else { String::new() };
    Some(format!("pictures of {} folders are learnt together: {named}{more}", counts.len()))
}

fn list_pattern(path: &Path) -> Result<Listing, DataError> {
    let text = path.to_str().filter(|text| text.contains(['*', '?', '['])).ok_or(DataError::Nothing)?;
    let matches = glob::glob(text).map_err(|error| DataError::Pattern { reason: error.to_string() })?;
    let mut listing = Listing::default();
    for found in matches {
        match found {
            Ok(path) if !path.is_file() => {}
            Ok(path) if is_our_map(&path) => {
                listing.left_out.push(LeftOut { path, count: 1, why: Why::Map });
            }
            Ok(path) if is_by_product(&path, |stem| has_picture_beside(&path, stem)) => {
                listing.left_out.push(LeftOut { path, count: 1, why: Why::ByProduct });
            }
            Ok(path) => listing.pictures.extend(pages(path)),
            Err(error) => {
                let path = error.path().to_owned();
                listing.problems.push(Problem::new(path, DataError::Match { cause: error.into() }));
            }
        }
    }
    if listing.pictures.is_empty() { Err(DataError::NoMatch) } else { Ok(listing) }
}

/// Whether a picture of this stem lies in the folder of `path`.
fn has_picture_beside(path: &Path, stem: &str) -> bool {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    files_in(folder).is_ok_and(|files| files.iter().any(|file| stem_of(file) == stem))
}

/// The name of a file without its extension, in small letters.
fn stem_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase()
}

/// A walk through a folder.
#[derive(Default)]
struct Walk {
    listing: Listing,
    /// Links to folders, and how deep they lie.
    links: Vec<(PathBuf, usize)>,
    /// Folders that were walked, without links in their paths.
    seen: HashSet<PathBuf>,
    /// Whether folders are chosen by what their names say.
    is_choosy: bool,
}

/// What a file in a folder is.
enum Found {
    Picture,
    /// A picture of a format that is not read.
    Unread(&'static str),
    LeftOut(Why),
    NoPicture,
}

impl Walk {
    fn folder(&mut self, folder: &Path, depth: usize) -> std::io::Result<()> {
        let entries = std::fs::read_dir(folder)?;
        if folder.canonicalize().is_ok_and(|real| !self.seen.insert(real)) {
            return Ok(());
        }
        let (mut folders, mut files, mut found) = (Vec::new(), Vec::new(), Vec::new());
        for entry in entries {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() || kind.is_symlink() && path.is_dir() {
                if !is_hidden(&path) {
                    folders.push((path, kind.is_symlink()));
                }
            } else {
                files.push((path, kind.is_file()));
            }
        }
        let stems: HashSet<String> =
            files.iter().filter(|(path, _)| has_extension(path)).map(|(path, _)| stem_of(path)).collect();
        for (path, is_file) in files {
            if has_extension(&path) && !is_file && !path.is_file() && path.exists() {
                // Opening a pipe would wait for whoever fills it.
                self.problem(&path, DataError::NotAFile);
                continue;
            }
            let kind = kind_of(&path, &stems);
            found.push((path, kind));
        }
        let has_good = self.is_choosy && folders.iter().any(|(path, _)| says(&name_of(path)) == Says::Good);
        for (path, kind) in found {
            match kind {
                Found::Picture if has_good => self.leave_out(path, Why::BesideGood),
                Found::Picture => self.listing.pictures.extend(pages(path)),
                Found::Unread(format) => self.problem(&path, PreprocessError::OtherFormat { format }.into()),
                Found::LeftOut(why) => self.leave_out(path, why),
                Found::NoPicture => {}
            }
        }
        for (path, is_link) in folders {
            let says = if self.is_choosy { says(&name_of(&path)) } else { Says::Nothing };
            match says {
                _ if holds_by_products(&path) => self.leave_folder_out(path, Why::ByProducts),
                Says::Defects => self.leave_folder_out(path, Why::Defects),
                Says::Nothing if has_good => self.leave_folder_out(path, Why::BesideGood),
                _ if is_link => self.links.push((path, depth + 1)),
                _ => self.below(&path, depth + 1),
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

    fn leave_out(&mut self, path: PathBuf, why: Why) {
        self.listing.left_out.push(LeftOut { path, count: 1, why });
    }

    /// Leaves out a folder with the pictures in it, if there are any.
    fn leave_folder_out(&mut self, path: PathBuf, why: Why) {
        let count = list_folder(&path).map_or(0, |found| found.pictures.len());
        if count > 0 {
            self.listing.left_out.push(LeftOut { path, count, why });
        }
    }

    fn problem(&mut self, path: &Path, error: DataError) {
        self.listing.problems.push(Problem::new(path, error));
    }
}

/// What the file at `path` is, by its name and its first bytes. Beside it lie pictures of these
/// `stems`.
fn kind_of(path: &Path, stems: &HashSet<String>) -> Found {
    let is_named_so = has_extension(path);
    if is_hidden(path) {
        return if is_named_so { Found::LeftOut(Why::Hidden) } else { Found::NoPicture };
    }
    if is_our_map(path) {
        return Found::LeftOut(Why::Map);
    }
    if is_named_so {
        let is_beside = |stem: &str| stems.contains(stem);
        return if is_by_product(path, is_beside) { Found::LeftOut(Why::ByProduct) } else { Found::Picture };
    }
    if is_drawing(path) {
        return Found::LeftOut(Why::Drawing);
    }
    // A small copy in camera raw must not pass for the picture.
    if let Some(raw) = camera_raw(path) {
        return Found::Unread(raw);
    }
    match first_bytes(path).as_deref().map(file_kind) {
        Some(FileKind::Picture(_)) => Found::Picture,
        Some(FileKind::OtherPicture(format)) => Found::Unread(format),
        _ => unread(path).map_or(Found::NoPicture, Found::Unread),
    }
}

/// The first bytes of a file; `None` of what is no file or cannot be read.
fn first_bytes(path: &Path) -> Option<Vec<u8>> {
    if !path.is_file() {
        return None;
    }
    let mut bytes = Vec::with_capacity(FIRST_BYTES);
    File::open(path).ok()?.take(FIRST_BYTES as u64).read_to_end(&mut bytes).ok()?;
    Some(bytes)
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
        let Listing { pictures: found, problems, .. } = list_folder(root).unwrap();
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
        assert_eq!(found(root.path()), ["a-heatmap.png", "b-mask.png", "x.png"]);
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
