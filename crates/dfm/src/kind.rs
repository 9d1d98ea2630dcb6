//! What a file is, by its first bytes: an output takes the place of its own kind alone.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// As many bytes of a file are looked at.
const HEAD: u64 = 64 << 10;

/// A kind of files that is written. An output replaces a file of its own kind and an empty one, never
/// anything else.
///
/// ```
/// use dfm::FileKind;
///
/// let list = FileKind::new("a list of mine", |head| head.starts_with(b"# list"));
/// assert!(list.is(b"# list\n1\n") && !list.is(b"\x89PNG"));
/// ```
#[derive(Clone, Copy)]
pub struct FileKind {
    name: &'static str,
    recognise: fn(&[u8]) -> bool,
}

impl FileKind {
    /// A model.
    pub const MODEL: Self = Self::new("a model", is_model);
    /// Rows of features.
    pub const FEATURES: Self = Self::new("rows of features", is_features);
    /// The figures of an evaluation.
    pub const METRICS: Self = Self::new("the figures of an evaluation", |head| {
        head.starts_with(b"{\"image_auroc\":") || head.starts_with(b"{\"part_auroc\":")
    });
    /// The figures of many products.
    pub(crate) const PRODUCTS: Self =
        Self::new("the figures of products", |head| head.starts_with(b"{\"products\":"));
    /// What the model of a product was made of.
    pub(crate) const MADE: Self =
        Self::new("the record of a model", |head| head.starts_with(b"{\"format\":\"dfm-made\""));
    /// Verdicts, one JSON object a line.
    pub const VERDICTS: Self = Self::new("verdicts as JSON lines", |head| head.starts_with(b"{\"path\":"));
    /// The settings of an evaluation.
    pub const SETTINGS: Self = Self::new("the settings of an evaluation", is_settings);
    /// The page of a report.
    pub const PAGE: Self = Self::new("the page of a report", is_page);
    /// A plot of a report.
    pub const PLOT: Self = Self::new("a plot of a report", |head| head.starts_with(PLOT));

    /// A kind with this name, such as "a model", and a test of a file's first bytes: 64 KiB, or all
    /// of a shorter one.
    pub const fn new(name: &'static str, recognise: fn(&[u8]) -> bool) -> Self {
        Self { name, recognise }
    }

    /// What files of this kind are called.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether a file that begins with `head` is of this kind.
    pub fn is(&self, head: &[u8]) -> bool {
        (self.recognise)(head)
    }

    /// What is at `path`, if it is something that must stay.
    ///
    /// # Errors
    ///
    /// If it is there and cannot be read.
    pub(crate) fn other_at(&self, path: &Path) -> io::Result<Option<&'static str>> {
        let mut head = Vec::new();
        match File::open(path) {
            Ok(file) => file.take(HEAD).read_to_end(&mut head)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok((!head.is_empty() && !self.is(&head)).then(|| describe(&head)))
    }
}

impl fmt::Debug for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileKind").field(&self.name).finish()
    }
}

/// The line by which the settings of an evaluation are known again.
pub(crate) const SETTINGS_MARK: &str = "# The settings of an evaluation by dfm\n";
/// How earlier versions began them.
const EARLIER_SETTINGS: &str = "# What this run was told, every flag of it";
/// How every plot begins.
const PLOT: &[u8] = b"<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\"";
/// The policy that every page states near its beginning.
const POLICY: &[u8] = b"default-src 'none'; img-src data:; style-src 'sha256-";

fn is_settings(head: &[u8]) -> bool {
    [SETTINGS_MARK, EARLIER_SETTINGS].iter().any(|mark| head.starts_with(mark.as_bytes()))
}

fn is_page(head: &[u8]) -> bool {
    let start = &head[..head.len().min(1024)];
    start.starts_with(b"<!doctype html>\n") && start.windows(POLICY.len()).any(|part| part == POLICY)
}

fn is_model(head: &[u8]) -> bool {
    safetensors_with(head, "{\"__metadata__\":{\"dfm\":")
}

fn is_features(head: &[u8]) -> bool {
    safetensors_with(head, "{\"__metadata__\":{\"dfm-features\":")
}

/// Whether it is a safetensors file whose header begins so, behind its length in eight bytes.
fn safetensors_with(head: &[u8], start: &str) -> bool {
    head.get(8..).is_some_and(|header| header.starts_with(start.as_bytes()))
}

/// What the file at `path` is, if its first bytes say that it is of a format that others write. It need
/// not be there.
pub(crate) fn foreign(path: &Path) -> Option<&'static str> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(HEAD).read_to_end(&mut head).ok()?;
    known(&head)
}

/// What a file of a known format is that begins with `head`.
fn known(head: &[u8]) -> Option<&'static str> {
    const STARTS: [(&[u8], &str); 14] = [
        (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        (b"\xff\xd8\xff", "a JPEG picture"),
        (b"GIF8", "a GIF picture"),
        (b"II*\0", "a TIFF picture"),
        (b"MM\0*", "a TIFF picture"),
        (b"II+\0", "a TIFF picture"),
        (b"BM", "a BMP picture"),
        (b"%PDF", "a PDF document"),
        (b"PK\x03\x04", "a ZIP archive, as of PyTorch weights"),
        (b"\x80\x02", "a Python pickle, as of PyTorch weights"),
        (b"\x93NUMPY", "a NumPy array"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"<svg", "an SVG picture"),
        (b"<!", "a page"),
    ];
    if let Some((_, name)) = STARTS.iter().find(|(start, _)| head.starts_with(start)) {
        return Some(name);
    }
    match head {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("a WebP picture"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("a HEIF or AVIF picture, or a video"),
        _ => None,
    }
}

/// What a file is that begins with `head`, for people.
fn describe(head: &[u8]) -> &'static str {
    if is_model(head) {
        return "a model";
    }
    if is_features(head) {
        return "rows of features";
    }
    if safetensors_with(head, "{\"") {
        return "a safetensors file of another program";
    }
    if let Some(name) = known(head) {
        return name;
    }
    match head {
        [b'{' | b'[', ..] => "JSON of another kind",
        head => match std::str::from_utf8(head) {
            // A head may end within a character.
            Err(error) if error.error_len().is_some() => "data of an unknown kind",
            _ if head.contains(&0) => "data of an unknown kind",
            _ => "text of another kind",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_knows_its_own_files_alone() {
        let safetensors = |header: &str| [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
        let page = "<!doctype html>\n<html lang=\"en\">\n<meta content=\"default-src 'none'; img-src data:; style-src \
                    'sha256-x\">";
        let files = [
            (FileKind::MODEL, safetensors("{\"__metadata__\":{\"dfm\":\"{}\"}}")),
            (FileKind::FEATURES, safetensors("{\"__metadata__\":{\"dfm-features\":\"{}\"}}")),
            (FileKind::METRICS, b"{\"image_auroc\":1.0}".to_vec()),
            (FileKind::VERDICTS, b"{\"path\":\"a.png\"}".to_vec()),
            (FileKind::SETTINGS, SETTINGS_MARK.into()),
            (FileKind::PAGE, page.into()),
            (
                FileKind::PLOT,
                b"<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" id=\"roc\">".to_vec(),
            ),
        ];
        for (number, (kind, _)) in files.iter().enumerate() {
            for (other, (_, bytes)) in files.iter().enumerate() {
                assert_eq!(kind.is(bytes), number == other, "{kind:?}, {other}");
            }
            for bytes in
                [&b"\x89PNG\r\n\x1a\n"[..], b"\xff\xd8\xff\xe0", b"{}", b"[fit]\n", b"<svg>", b"x", b""]
            {
                assert!(!kind.is(bytes), "{kind:?}, {bytes:?}");
            }
        }
    }

    #[test]
    fn what_is_found_is_named() {
        let found = |bytes: &[u8]| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), bytes).unwrap();
            FileKind::MODEL.other_at(file.path()).unwrap()
        };
        assert_eq!(found(b""), None);
        assert_eq!(found(b"\xff\xd8\xff\xe0"), Some("a JPEG picture"));
        assert_eq!(found(b"RIFF\x10\0\0\0WEBPVP8 "), Some("a WebP picture"));
        assert_eq!(found(b"\x02\0\0\0\0\0\0\0{\"a\":1}"), Some("a safetensors file of another program"));
        assert_eq!(found("größer".as_bytes()), Some("text of another kind"));
        assert_eq!(found(b"\0\xff\xfe"), Some("data of an unknown kind"));
        assert_eq!(FileKind::MODEL.other_at(Path::new("/no/such/file")).unwrap(), None);
    }
}
