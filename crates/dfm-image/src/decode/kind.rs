//! What a file is, by its first bytes.

/// The number of first bytes of a file that [`file_kind`] looks at.
pub const FIRST_BYTES: usize = 160;

/// What a file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A picture of a format that [`decode`](crate::decode) reads; its name.
    Picture(&'static str),
    /// A picture of a format that is known and not read; its name.
    OtherPicture(&'static str),
    /// No picture of a known format.
    Unknown,
}

/// Says what a file with these first bytes is. It takes [`FIRST_BYTES`] or fewer. The result only says
/// that the file begins as such a picture does.
///
/// ```
/// use dfm_image::{FileKind, file_kind};
///
/// assert_eq!(file_kind(b"\x89PNG\r\n\x1a\n"), FileKind::Picture("PNG"));
/// assert_eq!(file_kind(b"\0\0\0\x18ftypheic\0\0\0\0"), FileKind::OtherPicture("HEIC"));
/// assert_eq!(file_kind(b"BMW delivers the parts"), FileKind::Unknown);
/// ```
pub fn file_kind(first: &[u8]) -> FileKind {
    let begins = |with: &[u8]| first.starts_with(with);
    let has = |at: usize, with: &[u8]| first.get(at..).is_some_and(|rest| rest.starts_with(with));
    let other = RAW.iter().chain(OTHERS).find(|(magic, _)| begins(magic)).map(|(_, name)| *name);
    if let Some(name) = other {
        FileKind::OtherPicture(name)
    } else if has(8, b"CR\x02\0") && (begins(b"II") || begins(b"MM")) {
        FileKind::OtherPicture("camera raw")
    } else if has(4, b"ftyp") {
        box_kind(first.get(8..12).unwrap_or_default())
    } else if has(128, b"DICM") {
        FileKind::OtherPicture("DICOM")
    } else if begins(&[0xFF, 0xD8, 0xFF]) {
        FileKind::Picture("JPEG")
    } else if begins(b"\x89PNG\r\n\x1a\n") {
        FileKind::Picture("PNG")
    } else if [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|magic| begins(*magic)) {
        FileKind::Picture("TIFF")
    } else if begins(b"RIFF") && has(8, b"WEBP") {
        FileKind::Picture("WebP")
    } else if begins(b"GIF87a") || begins(b"GIF89a") {
        FileKind::Picture("GIF")
    } else if begins(b"qoif") {
        FileKind::Picture("QOI")
    } else if is_bmp(first) {
        FileKind::Picture("BMP")
    } else if is_pnm(first) {
        FileKind::Picture("PNM")
    } else {
        FileKind::Unknown
    }
}

/// Camera raw files that do not begin as TIFF does.
const RAW: &[(&[u8], &str)] = &[
    (b"IIRO", "camera raw"),
    (b"IIRS", "camera raw"),
    (b"MMOR", "camera raw"),
    (b"IIU\0", "camera raw"),
    (b"FUJIFILMCCD-RAW", "camera raw"),
    (b"FOVb", "camera raw"),
];

const OTHERS: &[(&[u8], &str)] = &[
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"\xff\xd8\xff\xf7", "JPEG-LS"),
    (b"8BPS", "Photoshop"),
    (b"gimp xcf ", "GIMP"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"#?RGBE", "Radiance HDR"),
    (b"SIMPLE  =", "FITS"),
    (b"DDS ", "DDS"),
    (b"farbfeld", "farbfeld"),
    (b"BPG\xfb", "BPG"),
    (b"FLIF", "FLIF"),
    (b"PF\n", "PFM"),
    (b"Pf\n", "PFM"),
];

/// A file in boxes, as video files are. Its brand says what it holds.
fn box_kind(brand: &[u8]) -> FileKind {
    match brand {
        b"avif" | b"avis" => FileKind::OtherPicture("AVIF"),
        b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"mif1" | b"msf1" => {
            FileKind::OtherPicture("HEIC")
        }
        b"crx " => FileKind::OtherPicture("camera raw"),
        _ => FileKind::Unknown,
    }
}

/// Two letters alone may begin any text, so the length of the second header must also be a known one.
fn is_bmp(first: &[u8]) -> bool {
    let length = first.get(14..18).and_then(|length| length.try_into().ok()).map(u32::from_le_bytes);
    first.starts_with(b"BM")
        && length.is_some_and(|length| [12, 16, 40, 52, 56, 64, 108, 124].contains(&length))
}

/// A letter and a digit alone may begin any text, so a number or a comment must also follow.
fn is_pnm(first: &[u8]) -> bool {
    let [b'P', b'1'..=b'7', space, rest @ ..] = first else { return false };
    let next = rest.iter().find(|byte| !byte.is_ascii_whitespace());
    let fits = |next: &u8| match first[1] {
        b'7' => rest.starts_with(b"WIDTH") || *next == b'#' || rest.windows(5).any(|word| word == b"WIDTH"),
        _ => next.is_ascii_digit() || *next == b'#',
    };
    space.is_ascii_whitespace() && next.is_some_and(fits)
}
