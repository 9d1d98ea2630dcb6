//! Which vector code runs on this processor.

use super::portable;
use super::set::Kernels;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::instructions::InstructionSet;

impl Kernels {
    /// The vector code of `instructions`, or the portable one if this processor lacks them.
    pub(crate) fn of(instructions: InstructionSet) -> Self {
        match instructions {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 if instructions.is_available() => avx512::KERNELS,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 if instructions.is_available() => avx2::KERNELS,
            _ => portable::KERNELS,
        }
    }
}
