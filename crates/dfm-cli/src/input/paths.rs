//! From what was typed to a list of picture files.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::messages::Messages;

/// Extensions of files that are taken from a folder. A file that is named itself
/// is tried whatever it is called.
const EXTENSIONS: [&str; 7] = ["bmp", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

/// Folders inside folders inside folders: deeper than anyone sorts pictures.
const DEEPEST: usize = 32;

/// The pictures that `paths` name: files, folders with everything below them, and
/// patterns. What cannot be found is reported; the rest is returned in the order
/// given, and sorted within folders and patterns.
pub(crate) fn expand(paths: &[PathBuf], messages: &Messages) -> anyhow::Result<Vec<PathBuf>> {
    let mut pictures = Vec::new();
    for path in paths {
        if path.is_dir() {
            match folder(path) {
                Ok(found) => pictures.extend(found),
                Err(error) => messages.error(path, format_args!("{error:#}")),
            }
        } else if path.exists() {
            pictures.push(path.clone());
        } else {
            match pattern(path) {
                Ok(found) => pictures.extend(found),
                Err(error) => messages.error(path, format_args!("{error:#}")),
            }
        }
    }
    Ok(pictures)
}

/// Every picture in `folder` and below, sorted.
pub(crate) fn folder(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut pictures = Vec::new();
    walk(folder, DEEPEST, &mut pictures)?;
    if pictures.is_empty() {
        bail!("expected pictures ({}), found none in this folder", EXTENSIONS.join(", "));
    }
    pictures.sort();
    Ok(pictures)
}

fn walk(folder: &Path, deeper: usize, pictures: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        // A link to a folder could lead round in a circle.
        if path.is_dir() && !path.is_symlink() {
            if deeper > 0 {
                walk(&path, deeper - 1, pictures)?;
            }
        } else if has_extension(&path) {
            pictures.push(path);
        }
    }
    Ok(())
}

fn has_extension(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

fn pattern(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let text = path.to_str().filter(|text| text.contains(['*', '?', '[']));
    let text = text.context("expected a picture, a folder or a pattern, found nothing of that name")?;
    let matches = glob::glob(text).context("not a pattern")?;
    let found: Vec<PathBuf> = matches.filter_map(Result::ok).filter(|path| path.is_file()).collect();
    if found.is_empty() {
        bail!("the pattern matches no file");
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_walked_sorted_and_only_pictures_are_taken() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("b/c")).unwrap();
        for name in ["z.png", "b/ä.JPG", "b/c/x.tiff", "notes.txt", ".hidden.png"] {
            std::fs::write(root.path().join(name), b"").unwrap();
        }
        let found = folder(root.path()).unwrap();
        let names: Vec<_> = found.iter().map(|path| path.strip_prefix(root.path()).unwrap()).collect();
        assert_eq!(names, [Path::new("b/c/x.tiff"), Path::new("b/ä.JPG"), Path::new("z.png")]);
    }

    #[test]
    fn an_empty_folder_and_a_missing_file_are_errors() {
        let root = tempfile::tempdir().unwrap();
        assert!(folder(root.path()).unwrap_err().to_string().contains("found none"));
        let messages = Messages::new(true);
        let missing = [root.path().join("a.png"), root.path().join("*.png")];
        assert!(expand(&missing, &messages).unwrap().is_empty());
        assert_eq!(messages.error_count(), 2);
    }
}
