//! The container below the header: writing it, and the digest over everything.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;

use dfm_backbone::hexadecimal;
use half::f16;
use safetensors::tensor::{Dtype, View};
use sha2::{Digest, Sha256};

use crate::file::error::ModelFileError;
use crate::file::header::Header;

/// The one metadata key: a hash map with more would be written in any order.
pub(super) const KEY: &str = "dfm";

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
    let mut digest = FileDigest::new(&header.to_json()?);
    for (name, tensor) in sorted {
        digest.tensor(name, tensor.dtype, &tensor.shape, tensor.bytes.len());
        digest.bytes(&tensor.bytes);
    }
    header.digest = digest.finish();
    let metadata = HashMap::from([(KEY.to_owned(), header.to_json()?)]);
    let bytes = safetensors::serialize(entries(), Some(metadata))
        .map_err(|error| ModelFileError::Container { reason: error.to_string() })?;
    writer
        .write_all(&bytes)
        .and_then(|()| writer.flush())
        .map_err(|cause| ModelFileError::Io { operation: "writing", cause })?;
    Ok(bytes.len() as u64)
}

/// The name of a type as the digest spells it: part of the format, so not left to
/// how another crate prints it.
pub(super) fn type_name(dtype: Dtype) -> &'static str {
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
pub(super) struct FileDigest(Sha256);

impl FileDigest {
    /// Begins the digest of a file with this header, in which the digest itself is empty.
    pub(super) fn new(undigested_header: &str) -> Self {
        let mut digest = Self(Sha256::new());
        digest.part(undigested_header.as_bytes());
        digest
    }

    /// Adds what stands before the bytes of a tensor. All of its `length` bytes must follow.
    pub(super) fn tensor(&mut self, name: &str, dtype: Dtype, shape: &[usize], length: usize) {
        self.part(name.as_bytes());
        let sides: Vec<String> = shape.iter().map(usize::to_string).collect();
        self.part(format!("{}[{}]", type_name(dtype), sides.join(", ")).as_bytes());
        self.0.update((length as u64).to_le_bytes());
    }

    /// Adds the next bytes of a tensor.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest in hexadecimal.
    pub(super) fn finish(self) -> String {
        hexadecimal(&self.0.finalize())
    }

    fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}
