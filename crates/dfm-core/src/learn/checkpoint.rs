//! Features of a fit that has not ended: how they are laid out in the file that keeps them.
//!
//! A header says what the features come from; then there is a record of fixed length for
//! every picture that went through the network, in that order. Whole records can be read
//! whatever happened while the next one was written.

use std::io::Read;

use dfm_backbone::{BackboneError, FeatureExtractor, Region, Resampling, Tap, hexadecimal};
use sha2::{Digest, Sha256};

use crate::device;
use crate::learn::error::CheckpointError;
use crate::pieces::FeatureRow;

const MAGIC: [u8; 8] = *b"dfm part";
const VERSION: u32 = 1;
/// Magic, version and the length of what follows.
const PREFIX: usize = 16;
/// The length of a SHA-256, in bytes.
const HASH: usize = 32;
/// A description takes some hundred bytes.
const MAX_DESCRIPTION: u32 = 4096;

/// The layout of a checkpoint of features from one extractor.
///
/// Everything that decides their bits is in its header: the program, the device with its
/// instructions, the weights, the input, the region, the tiles, the layer, the pool, the precision and
/// the steps of int8. What is made of the features later is not.
#[derive(Debug, Clone)]
pub struct CheckpointLayout {
    description: Vec<[String; 2]>,
    header: Vec<u8>,
    columns: usize,
}

/// What a checkpoint holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointContent {
    /// SHA-256 of the file of each picture, or what tells its tiles apart, record by record.
    pub files: Vec<[u8; 32]>,
    /// Bytes behind the last whole record: what was being written when the fit ended.
    pub torn: u64,
}

impl CheckpointLayout {
    /// The layout for the features of `extractor`.
    pub fn of(extractor: &FeatureExtractor) -> Self {
        let weights = extractor.weights();
        let input = weights.header().input;
        let mut description = vec![
            entry("program", format!("dfm {}", env!("CARGO_PKG_VERSION"))),
            entry("device", device::describe(extractor.compute())),
            entry("network", weights.header().architecture.name()),
            entry("layers", extractor.taps().iter().map(Tap::to_string).collect::<Vec<_>>().join(" and ")),
            entry("input size", format!("{}×{}", input.height, input.width)),
            entry("resize", input.resize),
            entry("region", extractor.region().map_or("the whole picture".to_owned(), Region::to_string)),
            entry(
                "tiles",
                extractor.preprocessor().tiling().map_or("none".to_owned(), |tiling| tiling.to_string()),
            ),
            // This hash also covers everything else that the weights expect of pictures.
            entry("backbone weights", weights.sha256()),
            entry("precision", extractor.precision()),
        ];
        if input.resampling != Resampling::default() {
            description.push(entry("resampling", input.resampling));
        }
        let levels = extractor.preprocessor().levels();
        if !levels.is_auto() {
            description.push(entry("levels", levels));
        }
        if let Some(ranges) = extractor.ranges() {
            let bytes: Vec<u8> = ranges.to_list().into_iter().flat_map(f32::to_le_bytes).collect();
            description.push(entry("steps of int8", hexadecimal(&Sha256::digest(bytes))));
        }
        if extractor.takes_details() {
            description.push(entry("details", "behind each row"));
        }
        let columns = extractor.row_len() + extractor.detail_len();
        Self { header: header(&description), description, columns }
    }

    /// The layout of a checkpoint that a fit with fine maps left, for an extractor that takes no details:
    /// rows of the same features, with details behind each. A fit can read such a checkpoint, and adds
    /// nothing to it.
    ///
    /// # Errors
    ///
    /// If the extractor can have no details.
    pub fn with_details(extractor: &FeatureExtractor) -> Result<Self, BackboneError> {
        let mut with_details = extractor.clone();
        with_details.set_details(true)?;
        Ok(Self::of(&with_details))
    }

    /// How many values a record has.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The bytes that such a checkpoint begins with.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Where the record with index `place` begins, in bytes from the start.
    pub fn offset(&self, place: usize) -> u64 {
        self.header.len() as u64 + place as u64 * self.record_len() as u64
    }

    /// Bytes of a record.
    pub fn record_len(&self) -> usize {
        HASH + HASH + size_of::<f32>() * self.columns + HASH
    }

    /// The record of a picture whose file has the SHA-256 `file`.
    pub fn record(&self, file: &[u8; 32], row: &FeatureRow) -> Vec<u8> {
        let mut record = Vec::with_capacity(self.record_len());
        record.extend(file);
        record.extend(row.content_hash);
        record.extend(row.values.iter().copied().flat_map(f32::to_le_bytes));
        record.extend(self.digest(&record));
        record
    }

    /// The file and the features of a record; `None` unless the record is whole and belongs to such a
    /// checkpoint.
    pub fn parse(&self, record: &[u8]) -> Option<([u8; 32], FeatureRow)> {
        if record.len() != self.record_len() {
            return None;
        }
        let (content, digest) = record.split_last_chunk::<HASH>()?;
        if *digest != self.digest(content) {
            return None;
        }
        let (file, content) = content.split_first_chunk::<HASH>()?;
        let (content_hash, values) = content.split_first_chunk::<HASH>()?;
        let values = values.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Some((*file, FeatureRow { content_hash: *content_hash, values }))
    }

    /// Reads a checkpoint from its beginning to its end and checks all of it.
    ///
    /// Memory: one record, and 32 bytes for each that is whole.
    ///
    /// # Errors
    ///
    /// If reading fails, it is no checkpoint, one of other features, its header is cut
    /// short, or a record before the last whole one is damaged. Damage behind that is what
    /// an interrupted fit leaves.
    pub fn read(&self, reader: &mut impl Read) -> Result<CheckpointContent, CheckpointError> {
        self.check_header(reader)?;
        let (mut files, mut broken, mut torn) = (Vec::new(), 0, 0);
        let mut record = Vec::with_capacity(self.record_len());
        loop {
            record.clear();
            reader.by_ref().take(self.record_len() as u64).read_to_end(&mut record)?;
            match self.parse(&record) {
                Some(_) if broken > 0 => return Err(CheckpointError::Damaged { record: files.len() }),
                Some((file, _)) => files.push(file),
                None if record.is_empty() => return Ok(CheckpointContent { files, torn }),
                None => {
                    broken += 1;
                    torn += record.len() as u64;
                }
            }
        }
    }

    fn check_header(&self, reader: &mut impl Read) -> Result<(), CheckpointError> {
        let mut bytes = Vec::new();
        let mut fill = |bytes: &mut Vec<u8>, expected: usize| {
            reader.by_ref().take((expected - bytes.len()) as u64).read_to_end(bytes)?;
            match bytes.len() {
                got if got < expected => Err(CheckpointError::Truncated { expected, got }),
                _ => Ok(()),
            }
        };
        let filled = fill(&mut bytes, PREFIX);
        // A file that does not begin like a checkpoint is not one, however short it is.
        if !bytes.starts_with(&MAGIC[..bytes.len().min(MAGIC.len())]) {
            return Err(CheckpointError::NotOne);
        }
        filled?;
        let number = |at: usize| u32::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        let (version, length) = (number(8), number(12));
        if version != VERSION {
            return Err(CheckpointError::Version { expected: VERSION, got: version });
        }
        if length > MAX_DESCRIPTION {
            return Err(CheckpointError::DamagedHeader);
        }
        fill(&mut bytes, PREFIX + length as usize + HASH)?;
        let Some((content, digest)) = bytes.split_last_chunk::<HASH>() else {
            return Err(CheckpointError::DamagedHeader);
        };
        if *digest != <[u8; HASH]>::from(Sha256::digest(content)) {
            return Err(CheckpointError::DamagedHeader);
        }
        let found: Vec<[String; 2]> =
            serde_json::from_slice(&content[PREFIX..]).map_err(|_| CheckpointError::DamagedHeader)?;
        self.agree(&found)
    }

    /// Whether `found` describes the same features; if not, the first difference.
    fn agree(&self, found: &[[String; 2]]) -> Result<(), CheckpointError> {
        let count = self.description.len().max(found.len());
        for place in 0..count {
            let (ours, theirs) = (self.description.get(place), found.get(place));
            if ours == theirs {
                continue;
            }
            let what = ours.or(theirs).map_or_else(String::new, |[what, _]| what.clone());
            let value = |entry: Option<&[String; 2]>| match entry {
                Some([name, value]) if *name == what => value.clone(),
                _ => "nothing".to_owned(),
            };
            return Err(CheckpointError::OtherFeatures { expected: value(ours), got: value(theirs), what });
        }
        Ok(())
    }

    /// Hashes a record's content and the header, so that no record belongs to another checkpoint.
    fn digest(&self, content: &[u8]) -> [u8; 32] {
        let header = &self.header[self.header.len() - HASH..];
        Sha256::new().chain_update(header).chain_update(content).finalize().into()
    }
}

fn entry(name: &str, value: impl ToString) -> [String; 2] {
    [name.to_owned(), value.to_string()]
}

fn header(description: &[[String; 2]]) -> Vec<u8> {
    let json = serde_json::Value::from_iter(description.iter().map(|pair| pair.to_vec())).to_string();
    let mut header = MAGIC.to_vec();
    header.extend(VERSION.to_le_bytes());
    header.extend((json.len() as u32).to_le_bytes());
    header.extend(json.as_bytes());
    header.extend(Sha256::digest(&header));
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A layout for rows of three values.
    fn layout(device: &str) -> CheckpointLayout {
        let description = vec![entry("program", "dfm"), entry("device", device), entry("pool", 4)];
        CheckpointLayout { header: header(&description), description, columns: 3 }
    }

    fn row(number: u8) -> FeatureRow {
        FeatureRow { content_hash: [number; 32], values: vec![f32::from(number), -0.0, f32::INFINITY] }
    }

    /// A checkpoint of `count` records, of the files 0, 1, 2 …
    fn written(layout: &CheckpointLayout, count: u8) -> Vec<u8> {
        let records = (0..count).flat_map(|number| layout.record(&[number; 32], &row(number)));
        layout.header().iter().copied().chain(records).collect()
    }

    fn files(count: usize) -> Vec<[u8; 32]> {
        (0..count).map(|number| [number as u8; 32]).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let layout = layout("cpu");
        let bytes = written(&layout, 4);
        assert_eq!(layout.offset(4), bytes.len() as u64);
        let content = layout.read(&mut bytes.as_slice()).unwrap();
        assert_eq!(content, CheckpointContent { files: files(4), torn: 0 });
        for place in 0..4 {
            let at = layout.offset(place) as usize;
            let parsed = layout.parse(&bytes[at..at + layout.record_len()]);
            assert_eq!(parsed, Some(([place as u8; 32], row(place as u8))));
        }
    }

    #[test]
    fn cut_anywhere_it_holds_the_whole_records_or_says_that_its_header_is_cut() {
        let layout = layout("cpu");
        let bytes = written(&layout, 3);
        for length in 0..bytes.len() {
            match layout.read(&mut &bytes[..length]) {
                Ok(CheckpointContent { files: found, torn }) => {
                    let whole = (length - layout.header.len()) / layout.record_len();
                    assert_eq!(found, files(whole), "{length}");
                    assert_eq!(layout.offset(whole) + torn, length as u64);
                }
                Err(CheckpointError::Truncated { expected, got }) => {
                    assert!(length < layout.header.len());
                    assert_eq!(got, length);
                    assert!(expected > got);
                }
                Err(error) => panic!("{length}: {error}"),
            }
        }
    }

    #[test]
    fn with_any_byte_changed_no_record_is_believed_that_was_not_written() {
        let layout = layout("cpu");
        let bytes = written(&layout, 3);
        for at in 0..bytes.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= change;
                let read = layout.read(&mut damaged.as_slice());
                match at.checked_sub(layout.header.len()).map(|at| at / layout.record_len()) {
                    None => assert!(read.is_err(), "byte {at}"),
                    // The last one: as if it were being written.
                    Some(2) => {
                        let torn = layout.record_len() as u64;
                        assert_eq!(read.unwrap(), CheckpointContent { files: files(2), torn });
                    }
                    Some(place) => {
                        let error = read.unwrap_err();
                        assert!(
                            matches!(error, CheckpointError::Damaged { record } if record == place),
                            "{error}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn other_files_and_other_features_are_told_apart() {
        let layout = layout("cpu");
        let read = |bytes: &[u8]| layout.read(&mut &*bytes).unwrap_err();
        assert!(matches!(read(b"PK\x03\x04 and more of an archive"), CheckpointError::NotOne));
        assert!(matches!(read(b"no"), CheckpointError::NotOne));
        let other = self::layout("another");
        match read(&written(&other, 2)) {
            CheckpointError::OtherFeatures { what, expected, got } => {
                assert_eq!([what.as_str(), &expected, &got], ["device", "cpu", "another"]);
            }
            error => panic!("{error}"),
        }
        // One entry more or fewer.
        let mut more = layout.clone();
        more.description.push(entry("steps of int8", "0"));
        more.header = header(&more.description);
        assert!(matches!(read(&written(&more, 1)), CheckpointError::OtherFeatures { .. }));
        assert!(matches!(
            more.read(&mut written(&layout, 1).as_slice()),
            Err(CheckpointError::OtherFeatures { .. })
        ));
        // A record of another checkpoint is no record of this one.
        assert_eq!(layout.parse(&other.record(&[0; 32], &row(0))), None);
    }

    #[test]
    fn a_hostile_header_takes_no_memory() {
        let layout = layout("cpu");
        let mut bytes = written(&layout, 1);
        bytes[12..16].fill(0xff);
        assert!(matches!(layout.read(&mut bytes.as_slice()), Err(CheckpointError::DamagedHeader)));
        bytes[8..12].copy_from_slice(&2_u32.to_le_bytes());
        let error = layout.read(&mut bytes.as_slice()).unwrap_err();
        assert!(matches!(error, CheckpointError::Version { expected: 1, got: 2 }), "{error}");
    }
}
