//! Reading a container: within limits, and every byte once, in the order of the digest.
//!
//! A tensor is read to where its values stay, and hashed while it is in the cache of the processor. What
//! is not kept is hashed and forgotten. [`OpenedFile::load`] reads all tensors on one thread. Other threads
//! take each of them as soon as it is there, before the digest is known. What they make of it may be used
//! only if `load` finds the digest that the header states.

use std::io::{Cursor, Read, Seek, SeekFrom};

use half::f16;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};

use crate::file::arrivals::{Arrivals, Values};
use crate::file::container::{FileDigest, KEY, type_name};
use crate::file::error::ModelFileError;
use crate::file::faults::mismatch;
use crate::file::header::Header;
use crate::file::wanted::Wanted;

/// A model's header is a few kilobytes; this leaves room for any number of tensors.
const MAX_HEADER_BYTES: u64 = 4 << 20;
/// Bytes that are read and hashed at a time: they stay in the cache between the two.
const AT_ONCE: usize = 128 << 10;

/// A file whose header was read. Its tensors follow from [`load`](Self::load).
pub(super) struct OpenedFile {
    pub(super) header: Header,
    /// The header as it lies in the file.
    json: String,
    metadata: Metadata,
    /// Where the tensors begin.
    start: u64,
    arrivals: Arrivals,
}

impl OpenedFile {
    /// Reads a whole stream into memory, and its header. What it declares is compared with `limit` before
    /// it is believed, and memory grows with what really arrives.
    ///
    /// # Errors
    ///
    /// Those of [`of_file`](Self::of_file).
    pub(super) fn of_stream(
        reader: &mut impl Read,
        limit: u64,
    ) -> Result<(Self, Cursor<Vec<u8>>), ModelFileError> {
        let (mut bytes, metadata) = read_head(reader, limit)?;
        let (start, declared) = (bytes.len(), metadata.data_len() as u64);
        // One byte more than declared, to notice a stream that goes on.
        reader.by_ref().take(declared.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        check_length(declared, (bytes.len() - start) as u64)?;
        Ok((Self::parse(metadata, start as u64)?, Cursor::new(bytes)))
    }

    /// Reads the header of a file. What it declares is compared with `limit` and with the length of the
    /// file before memory is taken.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is shorter or longer than it declares, is beyond the limit, or has a
    /// header that no model has.
    pub(super) fn of_file(file: &mut (impl Read + Seek), limit: u64) -> Result<Self, ModelFileError> {
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let (head, metadata) = read_head(file, limit)?;
        let start = head.len() as u64;
        let end = file.seek(SeekFrom::End(0)).map_err(failed)?;
        check_length(metadata.data_len() as u64, end.saturating_sub(start))?;
        Self::parse(metadata, start)
    }

    fn parse(metadata: Metadata, start: u64) -> Result<Self, ModelFileError> {
        let entries = metadata.metadata().as_ref();
        let json = entries
            .and_then(|entries| entries.get(KEY))
            .ok_or_else(|| ModelFileError::Header { reason: format!("it has no '{KEY}' entry") })?
            .clone();
        if let Some(name) = entries.and_then(|entries| entries.keys().find(|name| *name != KEY)) {
            return Err(ModelFileError::Unknown { what: "metadata entry", name: name.clone() });
        }
        let header = Header::parse(&json)?;
        let expected = header.tensors()?;
        if let Some(name) = metadata.offset_keys().into_iter().find(|name| !expected.contains(name)) {
            return Err(ModelFileError::Unknown { what: "tensor", name });
        }
        Ok(Self { header, json, metadata, start, arrivals: Arrivals::default() })
    }

    /// Reads all tensors from the `file` of this header, keeps what is `wanted` of each, and compares the
    /// digest of everything with the one that the header states.
    ///
    /// Cost: one pass over all bytes, on this thread.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or has another digest.
    pub(super) fn load(
        &self,
        file: &mut (impl Read + Seek),
        wanted: impl Fn(&str) -> Wanted,
    ) -> Result<(), ModelFileError> {
        let _closed_at_the_end = self.arrivals.closing();
        let expected = &self.header.digest;
        let mut digest = FileDigest::new(&self.json.replacen(expected, "", 1));
        let mut names = self.metadata.offset_keys();
        names.sort_unstable();
        let mut scratch = Vec::new();
        for name in names {
            let Some(tensor) = self.metadata.info(&name) else { continue };
            let (from, to) = tensor.data_offsets;
            digest.tensor(&name, tensor.dtype, &tensor.shape, to - from);
            file.seek(SeekFrom::Start(self.start + from as u64)).map_err(failed)?;
            let kept = kept_bytes(tensor, wanted(&name));
            let mut values = Values::zeros(tensor.dtype, kept);
            let mut read = |into: &mut [u8]| -> Result<(), ModelFileError> {
                for part in into.chunks_mut(AT_ONCE) {
                    file.read_exact(part).map_err(failed)?;
                    digest.bytes(part);
                }
                Ok(())
            };
            read(values.as_bytes_mut())?;
            let mut rest = to - from - kept;
            while rest > 0 {
                scratch.resize(AT_ONCE, 0);
                let now = rest.min(AT_ONCE);
                read(&mut scratch[..now])?;
                rest -= now;
            }
            if wanted(&name) != Wanted::Nothing {
                self.arrivals.put(name, values.in_native_order());
            }
        }
        let got = digest.finish();
        match got == *expected {
            true => Ok(()),
            false => Err(ModelFileError::Digest { expected: expected.clone(), got }),
        }
    }

    /// Bytes of the whole file.
    pub(super) fn len(&self) -> u64 {
        self.start + self.metadata.data_len() as u64
    }

    /// Bytes of the tensor `name`, 0 if there is none.
    pub(super) fn byte_len(&self, name: &str) -> u64 {
        self.metadata.info(name).map_or(0, |tensor| (tensor.data_offsets.1 - tensor.data_offsets.0) as u64)
    }

    /// Takes the shape and the bytes of a byte tensor; waits until it is there.
    ///
    /// # Errors
    ///
    /// Here and for the other types: if the file has no such tensor or one of another type, or the tensor
    /// was not read, not wanted, or taken before.
    pub(super) fn bytes(&self, name: &str) -> Result<(Vec<usize>, Vec<u8>), ModelFileError> {
        self.take(name, Dtype::U8, |values| match values {
            Values::Bytes(bytes) => Some(bytes),
            _ => None,
        })
    }

    /// Takes the shape and the values of an `f32` tensor; waits until it is there. The values are those of
    /// the first rows if only those were wanted.
    pub(super) fn f32(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), ModelFileError> {
        self.take(name, Dtype::F32, |values| match values {
            Values::F32(values) => Some(values),
            _ => None,
        })
    }

    /// [`f32`](Self::f32) of an `f16` tensor, widened.
    pub(super) fn f16(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), ModelFileError> {
        let (shape, bytes) = self.take(name, Dtype::F16, |values| match values {
            Values::Bytes(bytes) => Some(bytes),
            _ => None,
        })?;
        let halves = bytes.as_chunks().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32());
        Ok((shape, halves.collect()))
    }

    /// Shape and values of an `f64` tensor; waits until it is there. They stay, too.
    pub(super) fn f64(&self, name: &str) -> Result<(Vec<usize>, Vec<f64>), ModelFileError> {
        let shape = self.shape(name, Dtype::F64)?;
        let values = self.arrivals.wait(name, |values| match values.get(name)? {
            Values::F64(values) => Some(values.clone()),
            _ => None,
        });
        Ok((shape, values.ok_or_else(|| none(name))?))
    }

    fn take<T>(
        &self,
        name: &str,
        dtype: Dtype,
        of_type: impl Fn(Values) -> Option<T>,
    ) -> Result<(Vec<usize>, T), ModelFileError> {
        let shape = self.shape(name, dtype)?;
        let values = self.arrivals.wait(name, |values| values.remove(name)).and_then(of_type);
        Ok((shape, values.ok_or_else(|| none(name))?))
    }

    /// The shape of a tensor of this type.
    fn shape(&self, name: &str, dtype: Dtype) -> Result<Vec<usize>, ModelFileError> {
        let tensor = self.metadata.info(name).ok_or_else(|| none(name))?;
        match tensor.dtype == dtype {
            true => Ok(tensor.shape.clone()),
            false => Err(mismatch(name, type_name(dtype), type_name(tensor.dtype).to_owned())),
        }
    }
}

/// Reads what stands before the tensors: its bytes, and what they say of the tensors.
fn read_head(reader: &mut impl Read, limit: u64) -> Result<(Vec<u8>, Metadata), ModelFileError> {
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
    // That tensors lie one behind the other and are as long as their shapes say is checked here.
    let metadata: Metadata = serde_json::from_slice(&bytes[8..])
        .map_err(|error| ModelFileError::Container { reason: error.to_string() })?;
    let declared = metadata.data_len() as u64;
    match declared > limit {
        true => Err(ModelFileError::TooLarge { part: "tensors", limit, got: declared }),
        false => Ok((bytes, metadata)),
    }
}

/// Refuses a file that has fewer or more bytes of tensors than it declares.
fn check_length(declared: u64, got: u64) -> Result<(), ModelFileError> {
    if got < declared {
        return Err(ModelFileError::Truncated { part: "tensors", expected: declared, got });
    }
    if got > declared {
        let reason = format!("there is more behind the {declared} bytes of its tensors");
        return Err(ModelFileError::Container { reason });
    }
    Ok(())
}

/// How many of its first bytes are kept of a tensor.
fn kept_bytes(tensor: &TensorInfo, wanted: Wanted) -> usize {
    let (from, to) = tensor.data_offsets;
    let rows = tensor.shape.first().copied().unwrap_or(1);
    match wanted {
        Wanted::Nothing => 0,
        Wanted::Rows(few) if few < rows => (to - from) / rows * few,
        Wanted::Rows(_) | Wanted::All => to - from,
    }
}

fn failed(cause: std::io::Error) -> ModelFileError {
    ModelFileError::Io { operation: "reading", cause }
}

fn none(name: &str) -> ModelFileError {
    mismatch(name, "a tensor", "none".to_owned())
}
