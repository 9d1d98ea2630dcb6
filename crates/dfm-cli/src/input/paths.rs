//! From what was typed to a list of picture files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::messages::Messages;

/// Extensions of files that are taken from a folder. A file that is named itself
/// is tried whatever it is called.
const EXTENSIONS: [&str; 7] = ["bmp", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

/// Folders inside folders inside folders: deeper than anyone sorts pictures.
const DEEPEST: usize = 32;

/// A file that says of its folder, and of those below, that our maps lie there.
pub(crate) const MAPS_MARK: &str = ".dfm-maps";

/// How the names of our maps end.
pub(crate) const HEATMAP: &str = "-heatmap.png";
/// What says what the colours of our maps mean.
pub(crate) const LEGEND: &str = "dfm-legend.png";

/// How the names of our overlays end.
pub(crate) const OVERLAY: &str = "-overlay.png";

/// The pictures that `paths` name: files, folders with everything below them, and
/// patterns. What cannot be found is reported; the rest is returned in the order
/// given, and sorted within folders and patterns.
pub(crate) fn expand(paths: &[PathBuf], messages: &Messages) -> Vec<PathBuf> {
    let mut pictures = Vec::new();
    for path in paths {
        let found = if path.is_dir() {
            folder(path, messages)
        } else if path.symlink_metadata().is_ok() {
            Ok(vec![path.clone()])
        } else {
            pattern(path, messages)
        };
        match found {
            Ok(found) => pictures.extend(found),
            Err(error) => messages.error(path, format_args!("{error:#}")),
        }
    }
    pictures
}

/// Every picture in `folder` and below, sorted. Left out are what is hidden and maps
/// that we wrote ourselves. Links to folders are followed, but no folder is walked
/// twice. What cannot be listed is reported, and the rest returned.
///
/// # Errors
///
/// If `folder` itself cannot be listed, or nothing is found.
pub(crate) fn folder(folder: &Path, messages: &Messages) -> anyhow::Result<Vec<PathBuf>> {
    let mut walk = Walk { messages, pictures: Vec::new(), links: Vec::new(), seen: HashSet::new() };
    walk.folder(folder, 0).with_context(|| format!("cannot list {}", folder.display()))?;
    // After everything that lies here itself, so that it keeps its plain name.
    while !walk.links.is_empty() {
        let mut links = std::mem::take(&mut walk.links);
        links.sort();
        for (link, depth) in links {
            walk.below(&link, depth);
        }
    }
    let mut pictures = walk.pictures;
    if pictures.is_empty() {
        bail!("expected pictures ({}), found none in this folder", EXTENSIONS.join(", "));
    }
    pictures.sort();
    Ok(pictures)
}

struct Walk<'a> {
    messages: &'a Messages,
    pictures: Vec<PathBuf>,
    /// Links to folders, with how deep they lie.
    links: Vec<(PathBuf, usize)>,
    /// Folders that were walked, without links in their paths.
    seen: HashSet<PathBuf>,
}

impl Walk<'_> {
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
                    self.pictures.push(path);
                } else {
                    self.messages.error(&path, "expected a file, found a device, a pipe or a socket");
                }
            }
        }
        Ok(())
    }

    /// A folder below the one that was asked for.
    fn below(&mut self, folder: &Path, depth: usize) {
        if depth > DEEPEST {
            self.messages.error(folder, format_args!("not listed: more than {DEEPEST} folders deep"));
        } else if let Err(error) = self.folder(folder, depth) {
            self.messages.error(folder, format_args!("cannot list this folder: {error}"));
        }
    }
}

/// How a model knows the picture at `path`: relative to the `folder` that it was found in,
/// with `/` between the parts, so that it says nothing of the machine.
pub(crate) fn name_below(folder: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(folder).ok().or_else(|| path.file_name().map(Path::new));
    let parts = relative.into_iter().flat_map(Path::components);
    parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The folder that all `pictures` share, the deepest.
pub(crate) fn common_folder(pictures: &[PathBuf]) -> PathBuf {
    let mut parents = pictures.iter().filter_map(|picture| picture.parent());
    let mut common = parents.next().unwrap_or(Path::new("")).to_owned();
    for parent in parents {
        while !parent.starts_with(&common) {
            common.pop();
        }
    }
    common
}

/// Whether the name of `path` begins with a dot.
pub(crate) fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

pub(super) fn has_extension(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// Whether `path` is called as our maps are, and lies where we put some.
fn is_our_map(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let called_so = name.ends_with(HEATMAP) || name.ends_with(OVERLAY) || name == LEGEND;
    called_so && path.ancestors().skip(1).any(|folder| folder.join(MAPS_MARK).is_file())
}

fn pattern(path: &Path, messages: &Messages) -> anyhow::Result<Vec<PathBuf>> {
    let text = path.to_str().filter(|text| text.contains(['*', '?', '[']));
    let text = text.context("expected a picture, a folder or a pattern, found nothing of that name")?;
    let mut found = Vec::new();
    for path in glob::glob(text).context("not a pattern")? {
        match path {
            Ok(path) if path.is_file() && !is_our_map(&path) => found.push(path),
            Ok(_) => {}
            Err(error) => messages.error(error.path(), error.error()),
        }
    }
    if found.is_empty() {
        bail!("the pattern matches no file");
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(root: &Path) -> Vec<String> {
        let messages = Messages::new(true);
        let found = folder(root, &messages).unwrap();
        assert_eq!(messages.error_count(), 0);
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
    fn names_are_relative_whatever_the_folder_was_called() {
        for (folder, path, name) in [
            ("good", "good/a.png", "a.png"),
            ("/data/good/", "/data/good/line/b.png", "line/b.png"),
            (".", "./c.png", "c.png"),
            ("elsewhere", "/data/d.png", "d.png"),
        ] {
            assert_eq!(name_below(Path::new(folder), Path::new(path)), name);
        }
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
        let messages = Messages::new(true);
        let pattern = [root.path().join("maps/*.png")];
        assert_eq!(expand(&pattern, &messages), [root.path().join("maps/c.png")]);
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

    /// As root nothing is forbidden, so a path too long for the system stands in.
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
        let messages = Messages::new(true);
        assert_eq!(folder(root.path(), &messages).unwrap().len(), 2);
        assert_eq!(messages.error_count(), 1);
    }

    #[test]
    fn an_empty_folder_and_a_missing_file_are_errors() {
        let root = tempfile::tempdir().unwrap();
        let messages = Messages::new(true);
        assert!(folder(root.path(), &messages).unwrap_err().to_string().contains("found none"));
        let missing = [root.path().join("a.png"), root.path().join("*.png")];
        assert!(expand(&missing, &messages).is_empty());
        assert_eq!(messages.error_count(), 2);
    }
}
