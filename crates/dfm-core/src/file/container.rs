//! The container below the header: reading within limits, typed access to
//! tensors, and the digest over everything.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{Read, Write};

use dfm_backbone::hexadecimal;
use half::f16;
use safetensors::tensor::{Dtype, Metadata, View};
use sha2::{Digest, Sha256};

use crate::file::error::ModelFileError;
use crate::file::faults::mismatch;
use crate::file::header::Header;

/// The one metadata key: a hash map with more would be written in any order.
const KEY: &str = "dfm";
/// A model's header is a few kilobytes; this leaves room for any number of tensors.
const MAX_HEADER_BYTES: u64 = 4 << 20;

/// A tensor on its way to a file.
pub(crate) struct OwnedTensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl OwnedTensor {
    pub(crate) fn u8(shape: &[usize], bytes: Vec<u8>) -> Self {
        Self { dtype: Dtype::U8, shape: shape.to_vec(), bytes }
    }

    pub(crate) fn f32(shape: &[usize], values: impl IntoIterator<Item = f32>) -> Self {
        let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
        Self { dtype: Dtype::F32, shape: shape.to_vec(), bytes }
    }

    /// Values that half precision can hold.
    pub(crate) fn f16(shape: &[usize], values: impl IntoIterator<Item = f32>) -> Self {
        let narrow = |value| f16::from_f32(value).to_le_bytes();
        Self {
            dtype: Dtype::F16,
            shape: shape.to_vec(),
            bytes: values.into_iter().flat_map(narrow).collect(),
        }
    }

    pub(crate) fn f64(shape: &[usize], values: &[f64]) -> Self {
        let bytes = values.iter().copied().flat_map(f64::to_le_bytes).collect();
        Self { dtype: Dtype::F64, shape: shape.to_vec(), bytes }
    }
}

impl View for &OwnedTensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Writes `header` (its digest filled in) and `tensors`; returns the bytes written.
pub(crate) fn write(
    writer: &mut impl Write,
    mut header: Header,
    tensors: &[(Cow<'static, str>, OwnedTensor)],
) -> Result<u64, ModelFileError> {
    let entries = || tensors.iter().map(|(name, tensor)| (name.as_ref(), tensor));
    let mut sorted: Vec<_> = entries().collect();
    sorted.sort_by_key(|(name, _)| *name);
    header.digest = String::new();
    header.digest = digest(
        &header.to_json()?,
        sorted
            .into_iter()
            .map(|(name, tensor)| (name, tensor.dtype, tensor.shape.as_slice(), tensor.bytes.as_slice())),
    );
    let metadata = HashMap::from([(KEY.to_owned(), header.to_json()?)]);
    let bytes = safetensors::serialize(entries(), Some(metadata))
        .map_err(|error| ModelFileError::Container { reason: error.to_string() })?;
    writer
        .write_all(&bytes)
        .and_then(|()| writer.flush())
        .map_err(|cause| ModelFileError::Io { operation: "writing", cause })?;
    Ok(bytes.len() as u64)
}

/// A file in memory, and where its tensors lie in it.
pub(crate) struct RawFile {
    bytes: Vec<u8>,
    metadata: Metadata,
    /// Where the tensors begin.
    start: usize,
}

impl RawFile {
    /// Reads a whole file into memory. What it declares is compared with `limit`
    /// before it is believed, and memory grows with what really arrives.
    pub(crate) fn read(reader: &mut impl Read, limit: u64) -> Result<Self, ModelFileError> {
        let failed = |cause| ModelFileError::Io { operation: "reading", cause };
        let mut bytes = Vec::new();
        reader.by_ref().take(8).read_to_end(&mut bytes).map_err(failed)?;
        let Ok(length) = <[u8; 8]>::try_from(bytes.as_slice()).map(u64::from_le_bytes) else {
            return Err(ModelFileError::Truncated { part: "file", expected: 8, got: bytes.len() as u64 });
        };
        if length > MAX_HEADER_BYTES {
            return Err(ModelFileError::TooLarge { part: "header", limit: MAX_HEADER_BYTES, got: length });
        }
        reader.by_ref().take(length).read_to_end(&mut bytes).map_err(failed)?;
        let got = bytes.len() as u64 - 8;
        if got < length {
            return Err(ModelFileError::Truncated { part: "header", expected: length, got });
        }
        let start = bytes.len();
        // That tensors lie one behind the other and are as long as their shapes say is checked
        // here.
        let metadata: Metadata = serde_json::from_slice(&bytes[8..])
            .map_err(|error| ModelFileError::Container { reason: error.to_string() })?;
        let declared = metadata.data_len() as u64;
        if declared > limit {
            return Err(ModelFileError::TooLarge { part: "tensors", limit, got: declared });
        }
        // One byte more than declared, to notice a file that goes on.
        reader.by_ref().take(declared.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        match (bytes.len() - start) as u64 {
            got if got < declared => {
                Err(ModelFileError::Truncated { part: "tensors", expected: declared, got })
            }
            got if got > declared => {
                let reason = format!("there is more behind the {declared} bytes of its tensors");
                Err(ModelFileError::Container { reason })
            }
            _ => Ok(Self { bytes, metadata, start }),
        }
    }

    /// Bytes of the file.
    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// A tensor by its name.
    fn tensor(&self, name: &str) -> Option<Tensor<'_>> {
        let info = self.metadata.info(name)?;
        let (from, to) = info.data_offsets;
        let bytes = &self.bytes[self.start + from..self.start + to];
        Some(Tensor { dtype: info.dtype, shape: &info.shape, bytes })
    }
}

/// A tensor of a file.
struct Tensor<'a> {
    dtype: Dtype,
    shape: &'a [usize],
    bytes: &'a [u8],
}

/// A parsed file.
pub(crate) struct Container<'a> {
    pub(crate) header: Header,
    /// The header as it lies in the file.
    json: &'a str,
    file: &'a RawFile,
}

impl<'a> Container<'a> {
    /// Parses the header of a file, and checks its version. Nothing read from it may be used before
    /// [`check_digest`](Self::check_digest) has passed.
    pub(crate) fn parse(file: &'a RawFile) -> Result<Self, ModelFileError> {
        let entries = file.metadata.metadata().as_ref();
        let json = entries
            .and_then(|entries| entries.get(KEY))
            .ok_or_else(|| ModelFileError::Header { reason: format!("it has no '{KEY}' entry") })?;
        if let Some(name) = entries.and_then(|entries| entries.keys().find(|name| *name != KEY)) {
            return Err(ModelFileError::Unknown { what: "metadata entry", name: name.clone() });
        }
        let header = Header::parse(json)?;
        let expected = header.tensors()?;
        if let Some(name) = file.metadata.offset_keys().into_iter().find(|name| !expected.contains(name)) {
            return Err(ModelFileError::Unknown { what: "tensor", name });
        }
        Ok(Self { header, json, file })
    }

    /// Compares the digest of the file with the one that its header states.
    ///
    /// Cost: one pass over all bytes, on one thread.
    pub(crate) fn check_digest(&self) -> Result<(), ModelFileError> {
        let (file, expected) = (self.file, &self.header.digest);
        let mut names = file.metadata.offset_keys();
        names.sort_unstable();
        let tensors = names.iter().filter_map(|name| Some((name.as_str(), file.tensor(name)?)));
        let got = digest(
            &self.json.replacen(expected, "", 1),
            tensors.map(|(name, tensor)| (name, tensor.dtype, tensor.shape, tensor.bytes)),
        );
        match got == *expected {
            true => Ok(()),
            false => Err(ModelFileError::Digest { expected: expected.clone(), got }),
        }
    }

    /// Bytes of the tensor `name`, 0 if there is none.
    pub(crate) fn byte_len(&self, name: &str) -> u64 {
        self.file.tensor(name).map_or(0, |tensor| tensor.bytes.len() as u64)
    }

    /// Shape and bytes of a byte tensor.
    pub(crate) fn bytes(&self, name: &str) -> Result<(Vec<usize>, &'a [u8]), ModelFileError> {
        let tensor = self.tensor(name)?;
        match tensor.dtype {
            Dtype::U8 => Ok((tensor.shape.to_vec(), tensor.bytes)),
            dtype => Err(mismatch(name, "U8", type_name(dtype).to_owned())),
        }
    }

    /// Shape and values of an `f32` tensor, widened.
    pub(crate) fn f32(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), ModelFileError> {
        self.values(name, Dtype::F32, f32::from_le_bytes)
    }

    /// [`f32`](Self::f32), of the first `rows` alone.
    pub(crate) fn f32_rows(&self, name: &str, rows: usize) -> Result<(Vec<usize>, Vec<f32>), ModelFileError> {
        self.leading(name, rows, Dtype::F32, f32::from_le_bytes)
    }

    /// [`f32_rows`](Self::f32_rows) of an `f16` tensor, widened.
    pub(crate) fn f16_rows(&self, name: &str, rows: usize) -> Result<(Vec<usize>, Vec<f32>), ModelFileError> {
        self.leading(name, rows, Dtype::F16, |bytes| f16::from_le_bytes(bytes).to_f32())
    }

    /// Shape and values of an `f64` tensor.
    pub(crate) fn f64(&self, name: &str) -> Result<(Vec<usize>, Vec<f64>), ModelFileError> {
        self.values(name, Dtype::F64, f64::from_le_bytes)
    }

    fn tensor(&self, name: &str) -> Result<Tensor<'a>, ModelFileError> {
        self.file.tensor(name).ok_or_else(|| mismatch(name, "a tensor", "none".to_owned()))
    }

    fn values<T, const WIDTH: usize>(
        &self,
        name: &str,
        dtype: Dtype,
        read: impl Fn([u8; WIDTH]) -> T,
    ) -> Result<(Vec<usize>, Vec<T>), ModelFileError> {
        self.leading(name, usize::MAX, dtype, read)
    }

    fn leading<T, const WIDTH: usize>(
        &self,
        name: &str,
        rows: usize,
        dtype: Dtype,
        read: impl Fn([u8; WIDTH]) -> T,
    ) -> Result<(Vec<usize>, Vec<T>), ModelFileError> {
        let tensor = self.tensor(name)?;
        if tensor.dtype != dtype {
            return Err(mismatch(name, type_name(dtype), type_name(tensor.dtype).to_owned()));
        }
        let (shape, (chunks, _)) = (tensor.shape.to_vec(), tensor.bytes.as_chunks::<WIDTH>());
        let count = shape.iter().skip(1).fold(rows, |count, side| count.saturating_mul(*side));
        Ok((shape, chunks.iter().take(count).map(|chunk| read(*chunk)).collect()))
    }
}

/// The name of a type as the digest spells it: part of the format, so not left to
/// how another crate prints it.
fn type_name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::U8 => "U8",
        Dtype::F16 => "F16",
        Dtype::F32 => "F32",
        Dtype::F64 => "F64",
        // No tensor of ours has another; it is refused when it is read.
        _ => "another type",
    }
}

/// SHA-256 over the undigested header and, in the order of their names, each
/// tensor's name, type, shape and bytes; every part is preceded by its length,
/// so that no two files feed the hash the same bytes.
fn digest<'t>(
    undigested_header: &str,
    tensors: impl Iterator<Item = (&'t str, Dtype, &'t [usize], &'t [u8])>,
) -> String {
    let mut hasher = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(undigested_header.as_bytes());
    for (name, dtype, shape, bytes) in tensors {
        part(name.as_bytes());
        let sides: Vec<String> = shape.iter().map(usize::to_string).collect();
        part(format!("{}[{}]", type_name(dtype), sides.join(", ")).as_bytes());
        part(bytes);
    }
    hexadecimal(&hasher.finalize())
}
