//! Our own weights file: safetensors with one metadata entry, which holds the header as canonical
//! JSON. There is only one entry because several would be written in any order, and the same weights
//! must give the same bytes.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use dfm_image::hexadecimal;
use half::f16;
use half::slice::HalfFloatSliceExt;
use half::vec::HalfFloatVecExt;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, View};
use sha2::{Digest, Sha256};

use super::error::WeightsError;
use super::header::{Precision, WeightsHeader};
use super::network::BackboneWeights;

/// The metadata entry.
pub(super) const KEY: &str = "dfm-weights";
/// The deepest network has some hundred tensors of about a hundred bytes each.
pub(super) const MAX_HEADER_BYTES: u64 = 1 << 20;

impl BackboneWeights {
    /// Reads weights of our own format.
    ///
    /// # Errors
    ///
    /// If the file is damaged or names a network that cannot be built, or if a tensor is missing, left
    /// over, of another shape, or not finite.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WeightsError> {
        let (metadata, tensors) = parse(bytes)?;
        let json =
            metadata.get(KEY).ok_or_else(|| WeightsError::Header { reason: format!("no '{KEY}' entry") })?;
        let header: WeightsHeader =
            serde_json::from_str(json).map_err(|error| WeightsError::Header { reason: error.to_string() })?;
        let parameters = header.architecture.graph_to(header.deepest)?.parameters();
        let all = parameters.iter().map(|it| values(&tensors, &it.name, &it.dims, &header));
        let all = all.collect::<Result<Vec<_>, _>>()?;
        let names: HashSet<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        if let Some(tensor) = tensors.names().into_iter().find(|name| !names.contains(name)) {
            let (tensor, architecture) = (tensor.to_owned(), header.architecture.name().to_owned());
            return Err(WeightsError::Unused { tensor, architecture });
        }
        Self::of_rounded(header, all)
    }

    /// [`from_bytes`](Self::from_bytes) for bytes that [`to_bytes`](Self::to_bytes) made. The SHA-256
    /// of the weights is then that of the bytes, so the weights need not be written again to be hashed.
    ///
    /// # Errors
    ///
    /// Those of [`from_bytes`](Self::from_bytes).
    pub fn from_own_bytes(bytes: &[u8]) -> Result<Self, WeightsError> {
        let weights = Self::from_bytes(bytes)?;
        weights.known_sha256().get_or_init(|| hexadecimal(&Sha256::digest(bytes)));
        Ok(weights)
    }

    /// Writes the weights in our own format, with the precision that the header says. The
    /// same weights give the same bytes.
    ///
    /// # Errors
    ///
    /// None for checked weights.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WeightsError> {
        let header = self.header();
        let json = serde_json::to_string(header)
            .map_err(|error| WeightsError::Header { reason: error.to_string() })?;
        let parameters = self.graph().parameters();
        let tensors = parameters.into_iter().zip(self.values()).map(|(parameter, values)| {
            (parameter.name, Written { dims: parameter.dims, values, precision: header.precision })
        });
        let bytes = safetensors::serialize(tensors, Some(HashMap::from([(KEY.to_owned(), json)])))
            .map_err(|error| WeightsError::Container { format: "safetensors", reason: error.to_string() })?;
        self.known_sha256().get_or_init(|| hexadecimal(&Sha256::digest(&bytes)));
        Ok(bytes)
    }

    /// SHA-256, in hexadecimal, of [`to_bytes`](Self::to_bytes). Computed once.
    ///
    /// # Panics
    ///
    /// Never: checked weights can be written, and there are no others.
    pub fn sha256(&self) -> String {
        if self.known_sha256().get().is_none() {
            self.to_bytes().expect("checked weights can be written");
        }
        self.known_sha256().get().cloned().expect("writing weights leaves their hash")
    }
}

/// Parses a safetensors file within the limit on its header.
pub(super) fn parse(bytes: &[u8]) -> Result<(HashMap<String, String>, SafeTensors<'_>), WeightsError> {
    let refused = |reason: String| WeightsError::Container { format: "safetensors", reason };
    let length = bytes.first_chunk().map(|length| u64::from_le_bytes(*length));
    let length = length.ok_or_else(|| refused(format!("{} bytes, expected 8 and more", bytes.len())))?;
    if length > MAX_HEADER_BYTES {
        return Err(WeightsError::TooLarge {
            what: "safetensors header",
            limit: MAX_HEADER_BYTES,
            got: length,
        });
    }
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| refused(error.to_string()))?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| refused(error.to_string()))?;
    Ok((metadata.metadata().clone().unwrap_or_default(), tensors))
}

/// The values of a floating-point tensor as `f32`; `None` for another type.
pub(super) fn widen(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let data = view.data();
    Some(match view.dtype() {
        Dtype::F32 => data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        Dtype::F16 => {
            let halves: Vec<f16> =
                data.as_chunks().0.iter().map(|bytes| f16::from_le_bytes(*bytes)).collect();
            halves.to_f32_vec()
        }
        Dtype::BF16 => {
            data.as_chunks().0.iter().map(|bytes| half::bf16::from_le_bytes(*bytes).to_f32()).collect()
        }
        Dtype::F64 => data.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect(),
        _ => return None,
    })
}

fn values(
    tensors: &SafeTensors<'_>,
    name: &str,
    dims: &[usize],
    header: &WeightsHeader,
) -> Result<Vec<f32>, WeightsError> {
    let dtype = match header.precision {
        Precision::F32 => Dtype::F32,
        Precision::F16 => Dtype::F16,
    };
    let expected = || format!("{dtype:?} {dims:?}");
    let view = tensors.tensor(name).map_err(|_| WeightsError::Missing {
        tensor: name.to_owned(),
        expected: expected(),
        architecture: header.architecture.name().to_owned(),
    })?;
    let got = format!("{:?} {:?}", view.dtype(), view.shape());
    match widen(&view) {
        Some(values) if view.dtype() == dtype && view.shape() == dims => Ok(values),
        _ => Err(WeightsError::Shape { tensor: name.to_owned(), expected: expected(), got }),
    }
}

/// A tensor on its way to a file.
struct Written<'a> {
    dims: Vec<usize>,
    values: &'a [f32],
    precision: Precision,
}

impl View for Written<'_> {
    fn dtype(&self) -> Dtype {
        match self.precision {
            Precision::F32 => Dtype::F32,
            Precision::F16 => Dtype::F16,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.dims
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(match self.precision {
            Precision::F32 => self.values.iter().copied().flat_map(f32::to_le_bytes).collect(),
            Precision::F16 => {
                Vec::from_f32_slice(self.values).into_iter().flat_map(f16::to_le_bytes).collect()
            }
        })
    }

    fn data_len(&self) -> usize {
        self.values.len() * if self.precision == Precision::F32 { 4 } else { 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, Layer};

    /// A hash that is kept must be that of the weights as they are now.
    #[test]
    fn the_hash_is_that_of_the_bytes_whatever_was_asked_before() {
        let input = dfm_image::InputContract::imagenet().with_size(64, 64);
        let network = Architecture::known("resnet18").unwrap();
        let weights = BackboneWeights::random(network, Layer::named("layer2"), input, 0).unwrap();
        let of_bytes = |weights: &BackboneWeights| hexadecimal(&Sha256::digest(weights.to_bytes().unwrap()));
        let first = weights.sha256();
        assert_eq!(first, of_bytes(&weights));
        let other_input = weights.clone().with_input(input.with_size(32, 32));
        assert_eq!(other_input.sha256(), of_bytes(&other_input));
        assert_ne!(other_input.sha256(), first);
        let shorter = weights.clone().truncate(Layer::named("layer1")).unwrap();
        assert_eq!(shorter.sha256(), of_bytes(&shorter));
        assert_ne!(shorter.sha256(), first);
        let read = BackboneWeights::from_own_bytes(&weights.to_bytes().unwrap()).unwrap();
        assert_eq!((read.sha256(), &read), (first, &weights));
        let changed = read.truncate(Layer::named("layer1")).unwrap().with_input(input.with_size(32, 32));
        assert_eq!(changed.sha256(), of_bytes(&changed));
    }
}
