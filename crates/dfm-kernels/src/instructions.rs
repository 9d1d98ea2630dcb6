//! Which instructions the processor has.

use std::fmt;

/// A set of vector instructions that the kernels are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstructionSet {
    /// Plain Rust, on any processor.
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512F.
    Avx512,
    /// AVX-512 with VNNI, and tiles of eight-bit numbers (AMX-INT8). Only whole numbers use the tiles.
    Amx,
}

impl InstructionSet {
    /// Every set that this processor has, the fastest last.
    pub fn available() -> Vec<Self> {
        let mut sets = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                sets.push(Self::Avx2);
            }
            if is_x86_feature_detected!("avx512f") {
                sets.push(Self::Avx512);
            }
            if crate::kernels::tiles_are_available() {
                sets.push(Self::Amx);
            }
        }
        sets
    }

    /// Whether this processor has the set.
    pub fn is_available(self) -> bool {
        Self::available().contains(&self)
    }

    /// The fastest set that this processor has.
    pub fn best() -> Self {
        Self::available().pop().unwrap_or(Self::Portable)
    }
}

impl fmt::Display for InstructionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Portable => "portable",
            Self::Avx2 => "AVX2",
            Self::Avx512 => "AVX-512",
            Self::Amx => "AVX-512 and AMX",
        })
    }
}
