//! Weights from other people's files.
//!
//! Every importer is strict: a tensor that the network needs and the file lacks,
//! one that the file holds and the network does not use, and one of another shape
//! are errors that name it. What belongs to layers after the tap and to the
//! classifier is not read. No format here can run code.

mod names;
mod onnx;
mod onnx_graph;
mod onnx_scan;
mod pytorch;
mod safetensors;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{BackboneWeights, Checksum, Precision, WeightsError, WeightsHeader, format};
use crate::architecture::Architecture;
use crate::layer::Layer;
use dfm_image::InputContract;
use dfm_image::hexadecimal;

/// The largest weights file that is read: the largest known network has half a
/// gigabyte.
const MAX_BYTES: u64 = 4 << 30;

/// What a file does not say of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportOptions {
    /// The network; needed unless the file is of our own format.
    pub architecture: Option<Architecture>,
    /// The last layer to import.
    pub deepest: Layer,
    /// What the network expects of pictures; without it,
    /// that of the [architecture's usual weights](Architecture::usual_input).
    pub input: Option<InputContract>,
    /// How precisely to keep the weights; without it, as a file of our own format
    /// does, and any other in `f32`.
    pub precision: Option<Precision>,
    /// Their licence.
    pub license: Option<String>,
    /// Where they came from.
    pub source: Option<String>,
    /// What the file must hash to, checked before anything in it is read.
    pub checksum: Option<Checksum>,
}

impl Default for ImportOptions {
    /// Everything up to `layer4`, nothing else known.
    fn default() -> Self {
        Self {
            architecture: None,
            deepest: Layer::Layer4,
            input: None,
            precision: None,
            license: None,
            source: None,
            checksum: None,
        }
    }
}

/// Reads the weights at `path`: our own format, PyTorch's `.pth` (zip or legacy
/// pickle), safetensors with torchvision's or timm's names, or ONNX, told apart by
/// content. A file of our own format says all of [`ImportOptions`] itself; what
/// `options` say takes its place, but `architecture` must not contradict it.
///
/// Takes a path where the rest of this crate takes bytes, because PyTorch's
/// checkpoints are read tensor by tensor.
///
/// # Errors
///
/// If the file is of no known format, damaged, or not of that network.
pub fn import_weights(path: &Path, options: &ImportOptions) -> Result<BackboneWeights, WeightsError> {
    let failed = |operation| move |source| WeightsError::Io { operation, source };
    let mut file = File::open(path).map_err(failed("opening the weights"))?;
    let length = file.metadata().map_err(failed("opening the weights"))?.len();
    if length > MAX_BYTES {
        return Err(WeightsError::TooLarge { what: "weights file", limit: MAX_BYTES, got: length });
    }
    let mut bytes = Vec::new();
    (&mut file).take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed("reading the weights"))?;

    let sha256 = hexadecimal(&Sha256::digest(&bytes));
    if let Some(checksum) = options.checksum.filter(|checksum| !checksum.matches(&sha256)) {
        return Err(WeightsError::Checksum { expected: checksum.digits().to_owned(), got: sha256 });
    }
    let kind = Kind::of(&bytes).ok_or_else(|| WeightsError::UnknownFormat { found: start_of(&bytes) })?;
    if kind == Kind::Own {
        return own(&bytes, options);
    }
    let architecture = options
        .architecture
        .clone()
        .ok_or_else(|| WeightsError::ArchitectureNeeded { known: Architecture::names().join(", ") })?;
    architecture.check()?;
    let deepest = options.deepest;
    let convolutions = match kind {
        Kind::PyTorch => names::assemble(&pytorch::open(path)?, &architecture, deepest)?,
        Kind::Onnx => onnx::convolutions(&bytes, &architecture, deepest)?,
        Kind::SafeTensors | Kind::Own => {
            names::assemble(&safetensors::open(&bytes)?, &architecture, deepest)?
        }
    };
    let header = WeightsHeader {
        input: options.input.unwrap_or_else(|| architecture.usual_input()),
        architecture,
        deepest,
        precision: options.precision.unwrap_or(Precision::F32),
        license: options.license.clone().unwrap_or_else(|| "not stated".to_owned()),
        source: options.source.clone().unwrap_or_else(|| "not stated".to_owned()),
        source_sha256: Some(sha256),
    };
    BackboneWeights::new(header, convolutions)
}

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Own,
    PyTorch,
    SafeTensors,
    Onnx,
}

impl Kind {
    fn of(bytes: &[u8]) -> Option<Self> {
        // Eight bytes of length, then JSON. A length may begin like any of the
        // others, but those have no brace there with so small a number before it.
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
            // Damaged, and reported as such.
            _ if braced => Some(Self::SafeTensors),
            _ => None,
        }
    }
}

fn start_of(bytes: &[u8]) -> String {
    match bytes {
        [] => "an empty file".to_owned(),
        _ => format!("bytes {:02x?}", &bytes[..bytes.len().min(8)]),
    }
}

/// A file of our own format, as far as `options` ask for it.
fn own(bytes: &[u8], options: &ImportOptions) -> Result<BackboneWeights, WeightsError> {
    let weights = BackboneWeights::from_bytes(bytes)?;
    let got = &weights.header().architecture;
    if let Some(expected) = options.architecture.as_ref().filter(|expected| *expected != got) {
        if expected.name == got.name {
            let reason = format!("they describe '{}' otherwise than this program does", got.name);
            return Err(WeightsError::Header { reason });
        }
        let (expected, got) = (expected.name.clone(), got.name.clone());
        return Err(WeightsError::OtherArchitecture { expected, got });
    }
    let tap = options.deepest.min(weights.header().deepest);
    let BackboneWeights { mut header, convolutions } = weights.truncate(tap)?;
    header.input = options.input.unwrap_or(header.input);
    header.precision = options.precision.unwrap_or(header.precision);
    header.license = options.license.clone().unwrap_or(header.license);
    header.source = options.source.clone().unwrap_or(header.source);
    BackboneWeights::new(header, convolutions)
}
