//! How files of pictures, and files that are made from pictures, are named.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// Extensions of the files that are taken from a folder. A file that is named itself is tried
/// whatever its extension, and so is a file whose first bytes are those of such a picture.
pub const EXTENSIONS: [&str; 21] = [
    "apng", "bmp", "dib", "gif", "jfi", "jfif", "jif", "jpe", "jpeg", "jpg", "mpo", "pam", "pbm", "pgm",
    "png", "pnm", "ppm", "qoi", "tif", "tiff", "webp",
];

/// Extensions of pictures that are not read, and what they are.
const UNREAD: &[(&str, &[&str])] = &[
    ("HEIC", &["heic", "heif", "hif", "heics", "heifs"]),
    ("AVIF", &["avif", "avifs"]),
    ("JPEG XL", &["jxl"]),
    ("JPEG 2000", &["jp2", "j2k", "j2c", "jpc", "jpf", "jpx", "jpm"]),
    ("JPEG XR", &["jxr", "wdp", "hdp"]),
    ("JPEG-LS", &["jls"]),
    ("Photoshop", &["psd", "psb"]),
    ("GIMP", &["xcf"]),
    ("OpenEXR", &["exr"]),
    ("Radiance HDR", &["hdr"]),
    ("PFM", &["pfm"]),
    ("FITS", &["fits", "fit", "fts"]),
    ("DICOM", &["dcm", "dicom"]),
    ("TGA", &["tga"]),
    ("PCX", &["pcx"]),
    ("SGI", &["sgi"]),
    ("DDS", &["dds"]),
    ("BPG", &["bpg"]),
    ("FLIF", &["flif"]),
    ("farbfeld", &["ff"]),
];

/// Extensions of camera raw files. Some begin as TIFF does, with a small copy of the picture.
const CAMERA_RAW: &[&str] = &[
    "dng", "cr2", "cr3", "crw", "nef", "nrw", "arw", "srf", "sr2", "orf", "rw2", "raf", "pef", "srw", "x3f",
    "3fr", "iiq", "rwl", "dcr", "kdc", "mrw", "erf", "mef", "mos", "raw",
];

/// Extensions of drawings and icons.
const DRAWINGS: &[&str] = &["svg", "svgz", "ico", "cur", "icns", "emf", "wmf"];

/// Endings of the stems of files that are made from the picture beside them.
const BY_PRODUCT: &[&str] =
    &["mask", "masks", "gt", "groundtruth", "heatmap", "overlay", "thumb", "thumbnail"];

/// Folders of files that are made from pictures, and folders of the system.
const BY_PRODUCTS: &[&str] = &[
    "ground_truth",
    "groundtruth",
    "mask",
    "masks",
    "heatmaps",
    "overlays",
    "thumb",
    "thumbs",
    "thumbnail",
    "thumbnails",
    "annotations",
    "__macosx",
    "@eadir",
    "#recycle",
    "$recycle.bin",
    "system volume information",
    "lost+found",
];

/// A file that marks a folder, and those below it, as a place of our maps. Where it holds
/// [`MAPS_MARK_TEXT`], those are known by [`MAP_CHUNK`]; an empty one is of an earlier version, whose
/// maps are known by their names.
pub const MAPS_MARK: &str = ".dfm-maps";
/// What a [`MAPS_MARK`] holds.
pub const MAPS_MARK_TEXT: &str = "maps written by dfm\n";
/// The chunk of a PNG file that says that it is one of our maps, right behind its header: the text
/// `Software` is `dfm map`.
pub const MAP_CHUNK: &[u8; 28] = b"\0\0\0\x10tEXtSoftware\0dfm map\xb9&R\xc4";
/// Where [`MAP_CHUNK`] begins: behind the signature and the header.
pub const MAP_CHUNK_AT: usize = 33;

/// The end of the name of a heat map.
pub const HEATMAP: &str = "-heatmap.png";

/// The end of the name of an overlay.
pub const OVERLAY: &str = "-overlay.png";

/// The end of the name of a mask.
pub const MASK: &str = "-mask.png";
/// The name of the legend beside maps, without its extension.
pub const LEGEND: &str = "dfm-legend";
/// The name of a legend whose digits are not needed, and of every legend of earlier versions.
const EARLIER_LEGEND: &str = "dfm-legend.png";

/// Gives the name by which a model knows the picture at `path`: relative to the `folder` in which
/// it was found, with `/` between the parts, so that it says nothing of the machine.
pub fn name_below(folder: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(folder).ok().or_else(|| path.file_name().map(Path::new));
    let parts = relative.into_iter().flat_map(Path::components);
    parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Names for files that are made from pictures, such as maps: each picture's path below the
/// deepest folder that all pictures share. Different pictures have different names.
///
/// ```
/// use dfm_data::RelativeNames;
/// use std::path::Path;
///
/// let names = RelativeNames::new(["line/a/x.png", "line/b/x.png"].map(Path::new));
/// assert_eq!(names.of(Path::new("line/b/x.png")), Path::new("b/x.png"));
/// ```
#[derive(Debug, Clone)]
pub struct RelativeNames {
    common: PathBuf,
}

impl RelativeNames {
    /// Finds the folder that all `pictures` share. Paths may be relative and absolute at once;
    /// relative ones begin at the current folder.
    pub fn new<'p>(pictures: impl IntoIterator<Item = &'p Path>) -> Self {
        let mut folders = pictures.into_iter().map(|picture| {
            let mut folder = plain(picture);
            folder.pop();
            folder
        });
        let first = folders.next().unwrap_or_default();
        let common = folders.fold(first, |common, folder| {
            let shared = common.components().zip(folder.components()).take_while(|(one, other)| one == other);
            shared.map(|(part, _)| part).collect()
        });
        Self { common }
    }

    /// The folder that all pictures share; empty if they share none.
    pub fn folder(&self) -> &Path {
        &self.common
    }

    /// Gives the path of `picture` below the shared folder, made of plain names alone.
    pub fn of(&self, picture: &Path) -> PathBuf {
        let picture = plain(picture);
        let relative = picture.strip_prefix(&self.common).unwrap_or(&picture);
        relative.components().filter_map(plain_name).collect()
    }
}

/// The part as a folder or file name. A drive of another disk counts as a name, so that pictures of
/// two disks keep apart.
fn plain_name(part: Component<'_>) -> Option<OsString> {
    match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::Prefix(prefix) => {
            let letters = prefix.as_os_str().to_string_lossy();
            Some(letters.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>().into())
        }
        Component::RootDir | Component::CurDir | Component::ParentDir => None,
    }
}

/// The path from the root, without `.` and `..`. Two spellings of one path become equal, and two
/// different files stay different unless a link lies before a `..`.
fn plain(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// Whether the name of `path` begins with a dot.
pub(crate) fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// The extension of `path` in small letters.
pub(crate) fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// Whether `path` has the extension of a picture.
pub(crate) fn has_extension(path: &Path) -> bool {
    EXTENSIONS.contains(&extension(path).as_str())
}

/// What a file is by its extension, if that is one of camera raw.
pub(crate) fn camera_raw(path: &Path) -> Option<&'static str> {
    CAMERA_RAW.contains(&extension(path).as_str()).then_some("camera raw")
}

/// What a picture is by its extension, if that is one that is not read.
pub(crate) fn unread(path: &Path) -> Option<&'static str> {
    let extension = extension(path);
    UNREAD.iter().find(|(_, all)| all.contains(&extension.as_str())).map(|(name, _)| *name)
}

/// Whether `path` has the extension of a drawing or an icon.
pub(crate) fn is_drawing(path: &Path) -> bool {
    DRAWINGS.contains(&extension(path).as_str())
}

/// Whether a folder holds what is made from pictures, or belongs to the system, by its name.
pub(crate) fn holds_by_products(folder: &Path) -> bool {
    BY_PRODUCTS.contains(&name_of(folder).to_lowercase().as_str())
}

/// Whether `path` is named as something that is made from a picture beside it: as a mask or a
/// thumbnail of one that `is_beside` knows by its stem in small letters, or as our own maps of a
/// file.
pub(crate) fn is_by_product(path: &Path, is_beside: impl Fn(&str) -> bool) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    if name_of(path) == EARLIER_LEGEND {
        return true;
    }
    let base = BY_PRODUCT.iter().find_map(|ending| stem.strip_suffix(ending)?.strip_suffix(['_', '-', '.']));
    let base = base.or_else(|| stem.strip_prefix("thumb_"));
    base.is_some_and(|base| is_beside(base) || has_extension(Path::new(base)))
}

/// Whether `path` is one of our maps, in a folder that is marked as a place of some.
pub(crate) fn is_our_map(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let earlier = name.ends_with(HEATMAP) || name.ends_with(OVERLAY) || name == EARLIER_LEGEND;
    let called_so = earlier || name.ends_with(MASK) || name.starts_with(LEGEND) && name.ends_with(".png");
    if !called_so {
        return false;
    }
    let marks = path.ancestors().skip(1).map(|folder| folder.join(MAPS_MARK));
    let Some(mark) = marks.into_iter().find(|mark| mark.is_file()) else { return false };
    has_chunk(path) || earlier && mark.metadata().is_ok_and(|mark| mark.len() == 0)
}

/// Whether the file at `path` says that it is one of our maps.
fn has_chunk(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path)
        .and_then(|file| file.take((MAP_CHUNK_AT + MAP_CHUNK.len()) as u64).read_to_end(&mut head));
    read.is_ok() && head.get(MAP_CHUNK_AT..) == Some(&MAP_CHUNK[..])
}

/// The last part of `path`, as text.
pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn absolute_and_relative_paths_have_a_common_folder() {
        let here = std::env::current_dir().unwrap();
        let absolute = here.join("abs/x.png");
        let names = RelativeNames::new([absolute.as_path(), Path::new("rel/y.png")]);
        assert_eq!(names.folder(), here);
        assert_eq!(names.of(&absolute), Path::new("abs/x.png"));
        assert_eq!(names.of(Path::new("rel/y.png")), Path::new("rel/y.png"));
    }

    #[test]
    fn pictures_of_one_name_keep_apart() {
        for paths in [["../a/x.png", "a/x.png"], ["a/x.png", "./a/b/../c/x.png"], ["/x.png", "x.png"]] {
            let [one, other] = paths.map(Path::new);
            let names = RelativeNames::new([one, other]);
            assert_ne!(names.of(one), names.of(other), "{paths:?}");
        }
        let names = RelativeNames::new(["a/x.png", "a/./x.png"].map(Path::new));
        assert_eq!(names.of(Path::new("a/x.png")), Path::new("x.png"));
    }

    #[test]
    fn one_picture_and_none_have_names_too() {
        let names = RelativeNames::new([Path::new("some/where/x.png")]);
        assert_eq!(names.of(Path::new("some/where/x.png")), Path::new("x.png"));
        assert_eq!(RelativeNames::new([]).folder(), Path::new(""));
    }
}
