//! The directories of a TIFF file: which pictures it holds.

use std::collections::HashSet;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

use super::alpha::Alpha;
use crate::error::PreprocessError;

pub(super) const FORMAT: &str = "TIFF";
/// The most directories that are followed.
const MOST: usize = 10_000;
/// The most entries of one directory.
const MOST_ENTRIES: u64 = 4096;

const NEW_SUBFILE_TYPE: u16 = 254;
const SUBFILE_TYPE: u16 = 255;
const SUB_DIRECTORIES: u16 = 330;
const EXTRA_SAMPLES: u16 = 338;
const DNG_VERSION: u16 = 50706;

/// One directory, which describes one picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Directory {
    /// Where it begins.
    at: u64,
    /// Where the position of the next one is written.
    link: u64,
    /// Whether it is a smaller copy or a mask of another picture.
    is_by_product: bool,
    /// Whether larger pictures are hidden below it.
    has_children: bool,
    is_raw: bool,
    alpha: Alpha,
}

/// Which pictures a file holds, in order.
#[derive(Debug)]
pub(super) struct Directories {
    is_big: bool,
    is_little: bool,
    /// The first directory of the file.
    first: u64,
    pages: Vec<Directory>,
}

impl Directories {
    /// Follows the directories of a file, without reading pixels.
    pub(super) fn read(file: impl Read + Seek) -> Result<Self, PreprocessError> {
        let mut file = Reader { file, is_little: true };
        let mut header = [0; 16];
        let header_length = file.fill(&mut header)?;
        file.is_little = header.starts_with(b"II");
        let is_big = file.number(&header[2..4]) == 43;
        if header_length < if is_big { 16 } else { 8 } {
            return Err(PreprocessError::CutShort { format: FORMAT, got: header_length as u64 });
        }
        let first = if is_big { file.number(&header[8..16]) } else { file.number(&header[4..8]) };
        let (mut all, mut seen, mut next) = (Vec::new(), HashSet::new(), first);
        while next != 0 {
            if !seen.insert(next) {
                return Err(damaged("its pages lead in a circle"));
            }
            if all.len() == MOST {
                return Err(PreprocessError::Unsupported {
                    format: FORMAT,
                    found: format!("more than {MOST} pages"),
                });
            }
            let (directory, follows) = file.directory(next, is_big)?;
            all.push(directory);
            next = follows;
        }
        if all.iter().any(|directory| directory.is_raw) {
            return Err(PreprocessError::Unsupported { format: FORMAT, found: "camera raw".to_owned() });
        }
        let mut pages: Vec<Directory> = all.iter().filter(|page| !page.is_by_product).copied().collect();
        if pages.is_empty() {
            // A smaller copy that is the only page is taken as the picture.
            match all.as_slice() {
                [only] if !only.has_children => pages.push(*only),
                [] => return Err(damaged("it has no page")),
                _ => {
                    let found = "smaller copies of pictures that are not read, as in camera raw".to_owned();
                    return Err(PreprocessError::Unsupported { format: FORMAT, found });
                }
            }
        }
        Ok(Self { is_big, is_little: file.is_little, first, pages })
    }

    /// The number of pictures.
    pub(super) fn count(&self) -> usize {
        self.pages.len()
    }

    /// The relation between the colours of page `index` and its alpha channel.
    pub(super) fn alpha(&self, index: usize) -> Alpha {
        self.pages[index].alpha
    }

    /// Whether the file begins with page `index` and holds no other.
    pub(super) fn is_alone(&self, index: usize) -> bool {
        self.pages.len() == 1 && self.pages[index].at == self.first
    }

    /// Makes page `index` the first and only one of `bytes`, the file.
    pub(super) fn keep(&self, index: usize, bytes: &mut [u8]) {
        let Directory { at, link, .. } = self.pages[index];
        let width = if self.is_big { 8 } else { 4 };
        let mut put = |place: usize, value: u64| {
            let little = value.to_le_bytes();
            let target = &mut bytes[place..place + width];
            target.copy_from_slice(&little[..width]);
            if !self.is_little {
                target.reverse();
            }
        };
        put(width, at);
        put(link as usize, 0);
    }
}

/// Reads numbers of a file.
struct Reader<F> {
    file: F,
    is_little: bool,
}

impl<F: Read + Seek> Reader<F> {
    /// Reads as many bytes as there are, up to the length, and returns their number.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, PreprocessError> {
        let mut length = 0;
        while length < buffer.len() {
            match self.file.read(&mut buffer[length..]) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(damaged(error.to_string())),
            }
        }
        Ok(length)
    }

    fn number(&self, bytes: &[u8]) -> u64 {
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        if self.is_little { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) }
    }

    /// Reads the directory at `at`, and where the next one is.
    fn directory(&mut self, at: u64, is_big: bool) -> Result<(Directory, u64), PreprocessError> {
        let outside = || damaged(format!("a page lies beyond the end of the file, at byte {at}"));
        let (count_width, entry_width, link_width) = if is_big { (8, 20, 8) } else { (2, 12, 4) };
        self.file.seek(SeekFrom::Start(at)).map_err(|_| outside())?;
        let mut count = [0; 8];
        if self.fill(&mut count[..count_width])? < count_width {
            return Err(outside());
        }
        let count = self.number(&count[..count_width]);
        if count > MOST_ENTRIES {
            return Err(damaged(format!("a page has {count} entries, more than {MOST_ENTRIES}")));
        }
        let length = count as usize * entry_width;
        let mut body = vec![0; length + link_width];
        if self.fill(&mut body)? < body.len() {
            return Err(outside());
        }
        let mut directory = Directory {
            at,
            link: at + count_width as u64 + length as u64,
            is_by_product: false,
            has_children: false,
            is_raw: false,
            alpha: Alpha::Straight,
        };
        let mut extra = None;
        for entry in body[..length].chunks_exact(entry_width) {
            let (tag, kind) = (self.number(&entry[..2]) as u16, self.number(&entry[2..4]));
            let values = &entry[entry_width - link_width..];
            let value = match kind {
                1 => u64::from(values[0]),
                3 => self.number(&values[..2]),
                _ => self.number(&values[..4]),
            };
            match tag {
                NEW_SUBFILE_TYPE => directory.is_by_product |= value & 0b101 != 0,
                SUBFILE_TYPE => directory.is_by_product |= value == 2,
                SUB_DIRECTORIES => directory.has_children = true,
                EXTRA_SAMPLES => extra = Some(value),
                DNG_VERSION => directory.is_raw = true,
                _ => {}
            }
        }
        directory.alpha = match extra {
            Some(1) => Alpha::Multiplied,
            Some(2) => Alpha::Straight,
            // A channel that the file does not call alpha may be infrared.
            Some(_) => Alpha::None,
            None => Alpha::Doubtful,
        };
        Ok((directory, self.number(&body[length..])))
    }
}

fn damaged(reason: impl Into<String>) -> PreprocessError {
    PreprocessError::Decode { format: FORMAT, reason: reason.into() }
}

/// The number of pictures in a file: the pages of a TIFF, without smaller copies and masks; 1 for
/// every other format. Reads the directories and no pixels.
///
/// # Errors
///
/// [`PreprocessError::Decode`] if the directories are damaged, [`PreprocessError::Unsupported`] if
/// there are too many, or it is camera raw.
pub fn page_count(mut file: impl Read + Seek) -> Result<usize, PreprocessError> {
    let mut start = [0; 4];
    let read = file.read_exact(&mut start).and_then(|()| file.rewind());
    match read {
        Ok(()) if is_tiff(&start) => Ok(Directories::read(file)?.count()),
        _ => Ok(1),
    }
}

/// The file of page `number`, counted from 1, of the file `bytes`. A file with one picture stays as it is.
///
/// # Errors
///
/// [`PreprocessError::NoPage`] if there is no such page; those of [`page_count`].
pub fn page(mut bytes: Vec<u8>, number: usize) -> Result<Vec<u8>, PreprocessError> {
    let directories = if is_tiff(&bytes) { Some(Directories::read(Cursor::new(&bytes))?) } else { None };
    let got = directories.as_ref().map_or(1, Directories::count);
    if number == 0 || number > got {
        return Err(PreprocessError::NoPage { number, got });
    }
    if let Some(directories) = directories {
        directories.keep(number - 1, &mut bytes);
    }
    Ok(bytes)
}

pub(super) fn is_tiff(bytes: &[u8]) -> bool {
    [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|magic| bytes.starts_with(*magic))
}
