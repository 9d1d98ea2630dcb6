//! Expected outputs, read from `tests/fixtures`.

use std::path::PathBuf;

use safetensors::{Dtype, SafeTensors};

/// One safetensors file of expectations.
pub struct Golden {
    path: PathBuf,
    bytes: Vec<u8>,
}

/// Where the fixture `relative` lies.
///
/// # Panics
///
/// If it does not exist: a suite must not pass because its expectations are gone.
pub fn path(relative: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(relative);
    assert!(path.exists(), "{}: no such fixture; run the make_*.py beside it", path.display());
    path
}

/// The fixture `relative`, whole.
pub fn bytes(relative: &str) -> Vec<u8> {
    let path = path(relative);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(!bytes.is_empty(), "{}: the fixture is empty", path.display());
    bytes
}

/// The safetensors fixture `relative`.
pub fn tensors(relative: &str) -> Golden {
    let golden = Golden { path: path(relative), bytes: bytes(relative) };
    assert!(!golden.names().is_empty(), "{relative}: holds no tensor");
    golden
}

impl Golden {
    /// The names of its tensors, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.parsed().names().iter().map(|name| name.to_string()).collect();
        names.sort();
        names
    }

    /// Shape and values of an `f64` tensor.
    pub fn f64(&self, name: &str) -> (Vec<usize>, Vec<f64>) {
        self.values(name, Dtype::F64, f64::from_le_bytes)
    }

    /// Shape and values of an `f32` tensor.
    pub fn f32(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        self.values(name, Dtype::F32, f32::from_le_bytes)
    }

    /// Shape and values of an `i64` tensor.
    pub fn i64(&self, name: &str) -> (Vec<usize>, Vec<i64>) {
        self.values(name, Dtype::I64, i64::from_le_bytes)
    }

    /// Shape and values of a `u8` tensor.
    pub fn u8(&self, name: &str) -> (Vec<usize>, Vec<u8>) {
        self.values(name, Dtype::U8, u8::from_le_bytes)
    }

    fn parsed(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes)
            .unwrap_or_else(|error| panic!("{}: {error}", self.path.display()))
    }

    fn values<T, const WIDTH: usize>(
        &self,
        name: &str,
        dtype: Dtype,
        read: impl Fn([u8; WIDTH]) -> T,
    ) -> (Vec<usize>, Vec<T>) {
        let parsed = self.parsed();
        let view =
            parsed.tensor(name).unwrap_or_else(|error| panic!("{}: {name}: {error}", self.path.display()));
        assert_eq!(view.dtype(), dtype, "{}: {name}", self.path.display());
        let (chunks, rest) = view.data().as_chunks::<WIDTH>();
        assert!(rest.is_empty(), "{}: {name}: odd length", self.path.display());
        (view.shape().to_vec(), chunks.iter().map(|chunk| read(*chunk)).collect())
    }
}
