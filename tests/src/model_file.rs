//! Model files taken apart and put together again with a digest that fits, written
//! from `docs/model-format.md` alone: what a hostile hand could do.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use sha2::{Digest, Sha256};

/// A model file, open for changes.
#[derive(Debug, Clone)]
pub struct ModelFile {
    /// The model header's JSON, its digest empty.
    pub header: String,
    /// Metadata entries beside it.
    pub metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>,
}

impl ModelFile {
    /// Takes `bytes` apart.
    ///
    /// # Panics
    ///
    /// If they are no model file.
    pub fn open(bytes: &[u8]) -> Self {
        let (_, metadata) = SafeTensors::read_metadata(bytes).expect("safetensors");
        let json = metadata.metadata().as_ref().expect("metadata")["dfm"].clone();
        let parsed: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let header = json.replacen(parsed["digest"].as_str().expect("a digest"), "", 1);
        let views = SafeTensors::deserialize(bytes).expect("safetensors");
        let owned = |(name, view): (String, TensorView<'_>)| {
            (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec()))
        };
        let tensors = views.tensors().into_iter().map(owned).collect();
        Self { header, metadata: BTreeMap::new(), tensors }
    }

    /// The type of a tensor.
    ///
    /// # Panics
    ///
    /// If there is none of that name.
    pub fn dtype(&self, name: &str) -> Dtype {
        self.tensors[name].0
    }

    /// Replaces the first `old` of the header.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn replace(mut self, old: &str, new: &str) -> Self {
        assert!(self.header.contains(old), "no {old} in {}", self.header);
        self.header = self.header.replacen(old, new, 1);
        self
    }

    /// Sets or adds a tensor.
    #[must_use]
    pub fn with(mut self, name: &str, dtype: Dtype, shape: &[usize], bytes: Vec<u8>) -> Self {
        self.tensors.insert(name.to_owned(), (dtype, shape.to_vec(), bytes));
        self
    }

    /// Leaves a tensor out.
    ///
    /// # Panics
    ///
    /// If there is no such tensor.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.tensors.remove(name).expect("a tensor");
        self
    }

    /// Sets the values of an `f64` tensor to what `change` makes of them.
    ///
    /// # Panics
    ///
    /// If there is no such tensor.
    #[must_use]
    pub fn with_f64(mut self, name: &str, change: impl Fn(usize, f64) -> f64) -> Self {
        let bytes = &mut self.tensors.get_mut(name).expect("a tensor").2;
        for (index, bytes) in bytes.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            *bytes = change(index, f64::from_le_bytes(*bytes)).to_le_bytes();
        }
        self
    }

    /// [`with_f64`](Self::with_f64), for an `f32` tensor.
    ///
    /// # Panics
    ///
    /// If there is no such tensor.
    #[must_use]
    pub fn with_f32(mut self, name: &str, change: impl Fn(usize, f32) -> f32) -> Self {
        let bytes = &mut self.tensors.get_mut(name).expect("a tensor").2;
        for (index, bytes) in bytes.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            *bytes = change(index, f32::from_le_bytes(*bytes)).to_le_bytes();
        }
        self
    }

    /// Bytes of a tensor.
    ///
    /// # Panics
    ///
    /// If there is no such tensor.
    pub fn bytes_of(&self, name: &str) -> &[u8] {
        &self.tensors[name].2
    }

    /// The values of an `f64` tensor.
    ///
    /// # Panics
    ///
    /// If there is no such tensor.
    pub fn f64_of(&self, name: &str) -> Vec<f64> {
        self.bytes_of(name).as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
    }

    /// The values of an `f32` tensor.
    ///
    /// # Panics
    ///
    /// If there is no such tensor.
    pub fn f32_of(&self, name: &str) -> Vec<f32> {
        self.bytes_of(name).as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    /// Shape of a tensor.
    ///
    /// # Panics
    ///
    /// If there is no such tensor.
    pub fn shape_of(&self, name: &str) -> &[usize] {
        &self.tensors[name].1
    }

    /// The file, with the digest of what it now holds.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn close(&self) -> Vec<u8> {
        let mut hasher = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        part(self.header.as_bytes());
        for (name, (dtype, shape, bytes)) in &self.tensors {
            part(name.as_bytes());
            part(format!("{dtype:?}{shape:?}").as_bytes());
            part(bytes);
        }
        let digest: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let json = self.header.replacen("\"digest\":\"\"", &format!("\"digest\":\"{digest}\""), 1);
        let mut metadata: std::collections::HashMap<_, _> = self.metadata.clone().into_iter().collect();
        metadata.insert("dfm".to_owned(), json);
        let views = self.tensors.iter().map(|(name, (dtype, shape, bytes))| {
            (name, TensorView::new(*dtype, shape.clone(), bytes).expect("a tensor of that shape"))
        });
        serialize(views, Some(metadata)).expect("a written file")
    }
}
