//! The formats of weights files.

use crate::weights::format;

/// The formats that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Own,
    PyTorch,
    SafeTensors,
    Onnx,
}

impl Kind {
    /// The format of a file, by its first bytes.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        // Safetensors begins with eight bytes of length, then JSON. The length may begin like another
        // format, but in another format no brace follows such a small number.
        let braced = bytes.get(8) == Some(&b'{');
        let length = bytes.first_chunk().map(|length| u64::from_le_bytes(*length));
        if braced && length.is_some_and(|length| length <= bytes.len() as u64) {
            let own = format::parse(bytes).is_ok_and(|(metadata, _)| metadata.contains_key(format::KEY));
            return Some(if own { Self::Own } else { Self::SafeTensors });
        }
        match bytes {
            // A zip archive, or a pickle of protocol 2 and later.
            [b'P', b'K', 3, 4, ..] | [0x80, 2..=5, ..] => Some(Self::PyTorch),
            // A protocol buffer whose first field is the version of the format.
            [0x08, ..] => Some(Self::Onnx),
            // The file is damaged, and the parser says so.
            _ if braced => Some(Self::SafeTensors),
            _ => None,
        }
    }
}
