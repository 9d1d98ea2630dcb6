//! A weights file in memory.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use dfm_image::hexadecimal;
use sha2::{Digest, Sha256};

use super::kind::Kind;
use super::onnx_network::{self, OnnxNodes};
use super::options::ImportOptions;
use super::{names, onnx, pytorch, safetensors};
use crate::architecture::Architecture;
use crate::weights::error::WeightsError;
use crate::weights::header::{Precision, WeightsHeader};
use crate::weights::network::BackboneWeights;

/// The largest weights file that is read. ViT-Large has 1.2 GB.
const MAX_BYTES: u64 = 4 << 30;

/// The bytes of a weights file and their SHA-256. A file is read once, and the bytes that were
/// hashed are the bytes that are parsed: whoever replaces the file meanwhile changes nothing.
pub struct WeightsFile {
    bytes: Vec<u8>,
    sha256: String,
}

impl WeightsFile {
    /// Reads the file at `path`, up to 4 GiB.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is larger.
    pub fn read(path: &Path) -> Result<Self, WeightsError> {
        let failed = |operation| move |source| WeightsError::Io { operation, source };
        let mut file = File::open(path).map_err(failed("opening the weights"))?;
        let length = file.metadata().map_err(failed("opening the weights"))?.len();
        let within = |got: u64| match got > MAX_BYTES {
            true => Err(WeightsError::TooLarge { what: "weights file", limit: MAX_BYTES, got }),
            false => Ok(()),
        };
        within(length)?;
        let mut bytes = Vec::new();
        // The file may grow while it is read, and a pipe has no length.
        (&mut file).take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed("reading the weights"))?;
        within(bytes.len() as u64)?;
        Ok(Self::new(bytes))
    }

    /// A file with these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        let sha256 = hexadecimal(&Sha256::digest(&bytes));
        Self { bytes, sha256 }
    }

    /// SHA-256 of the bytes, in lower-case hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The weights in the file. The format is told by the content: our own, PyTorch's `.pth` (zip
    /// or legacy pickle), safetensors with torchvision's or timm's names, or ONNX.
    ///
    /// A file of our own format itself holds everything that is in [`ImportOptions`]. A value in
    /// `options` replaces that of the file, but the architecture must be the same.
    ///
    /// # Errors
    ///
    /// If the file is of no known format, damaged, or not of that network.
    pub fn import(&self, options: &ImportOptions) -> Result<BackboneWeights, WeightsError> {
        let (bytes, sha256) = (self.bytes.as_slice(), &self.sha256);
        if let Some(checksum) = options.checksum.filter(|checksum| !checksum.matches(sha256)) {
            let (expected, got) = (checksum.digits().to_owned(), sha256.clone());
            return Err(WeightsError::Checksum { expected, got });
        }
        let kind = Kind::of(bytes).ok_or_else(|| WeightsError::UnknownFormat { found: start_of(bytes) })?;
        if kind == Kind::Own {
            return import_own(bytes, options);
        }
        let described = options.architecture.as_ref().is_none_or(Architecture::is_for_one_size);
        if kind == Kind::Onnx && described {
            return onnx_network::import(bytes, sha256, options);
        }
        let architecture = options
            .architecture
            .clone()
            .ok_or_else(|| WeightsError::ArchitectureNeeded { known: Architecture::names().join(", ") })?;
        architecture.check()?;
        let deepest = options.deepest;
        let (architecture, values) = match kind {
            Kind::PyTorch => names::assemble(&pytorch::open(bytes)?, &architecture, deepest)?,
            Kind::Onnx => {
                let values = onnx::values(bytes, &architecture, deepest)?;
                (architecture, values)
            }
            Kind::SafeTensors => names::assemble(&safetensors::open(bytes)?, &architecture, deepest)?,
            Kind::Own => return import_own(bytes, options),
        };
        let header = WeightsHeader {
            input: options.input_or(|| architecture.usual_input()),
            architecture,
            deepest,
            precision: options.precision.unwrap_or(Precision::F32),
            license: options.license.clone().unwrap_or_else(|| "not stated".to_owned()),
            source: options.source.clone().unwrap_or_else(|| "not stated".to_owned()),
            source_sha256: Some(sha256.clone()),
        };
        BackboneWeights::new(header, values)
    }
}

impl WeightsFile {
    /// The nodes of the network that an ONNX file describes, for pictures of `size` (height, width); of the size
    /// that [`ImportOptions::size`] says if `None`.
    ///
    /// # Errors
    ///
    /// If the file is not an ONNX file, is damaged, or takes no pictures of this size.
    pub fn nodes(&self, size: Option<[usize; 2]>) -> Result<OnnxNodes, WeightsError> {
        match Kind::of(&self.bytes) {
            Some(Kind::Onnx) => onnx_network::nodes(&self.bytes, size),
            _ => Err(WeightsError::Network {
                reason: format!("expected an ONNX file, found {}", start_of(&self.bytes)),
            }),
        }
    }
}

/// Shows the hash and the length. The bytes would help nobody.
impl fmt::Debug for WeightsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WeightsFile({} bytes, SHA-256 {})", self.bytes.len(), self.sha256)
    }
}

/// Reads the weights at `path`: [`WeightsFile::read`], then [`WeightsFile::import`].
///
/// # Errors
///
/// Those of both.
pub fn import_weights(path: &Path, options: &ImportOptions) -> Result<BackboneWeights, WeightsError> {
    WeightsFile::read(path)?.import(options)
}

fn start_of(bytes: &[u8]) -> String {
    match bytes {
        [] => "an empty file".to_owned(),
        _ => format!("bytes {:02x?}", &bytes[..bytes.len().min(8)]),
    }
}

/// Weights from a file of our own format. The values in `options` replace those of the file.
fn import_own(bytes: &[u8], options: &ImportOptions) -> Result<BackboneWeights, WeightsError> {
    let weights = BackboneWeights::from_bytes(bytes)?;
    let got = &weights.header().architecture;
    if let Some(expected) = options.architecture.as_ref().filter(|expected| *expected != got) {
        // Weights decide the grid of positions.
        let differs = !expected.is_known() || !got.is_of_its_family();
        if expected.name() == got.name() && differs {
            let reason = format!("their description of '{}' differs from that of this program", got.name());
            return Err(WeightsError::Header { reason });
        }
        if expected.name() != got.name() {
            let (expected, got) = (expected.name().to_owned(), got.name().to_owned());
            return Err(WeightsError::OtherArchitecture { expected, got });
        }
    }
    // Weights that end before the layer are taken as they are; the error comes when that layer is tapped.
    let tap = if weights.reaches(options.deepest) { options.deepest } else { weights.header().deepest };
    let (mut header, values) = weights.truncate(tap)?.into_parts();
    header.input = options.input_or(|| header.input);
    header.precision = options.precision.unwrap_or(header.precision);
    header.license = options.license.clone().unwrap_or(header.license);
    header.source = options.source.clone().unwrap_or(header.source);
    BackboneWeights::new(header, values)
}
