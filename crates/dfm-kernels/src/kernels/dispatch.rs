//! Which vector code runs on this processor.

use super::portable;
use super::routine::Routine;
use super::set::Kernels;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::instructions::InstructionSet;

impl Kernels {
    /// The vector code of `instructions` for `f32`, or the portable one if this processor lacks them.
    pub(crate) fn of(instructions: InstructionSet) -> Self {
        match instructions {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 | InstructionSet::Amx if instructions.is_available() => avx512::KERNELS,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 if instructions.is_available() => avx2::KERNELS,
            _ => portable::KERNELS,
        }
    }

    /// Runs a routine with the instructions of this set.
    ///
    /// # Safety
    ///
    /// That of the routine, but for the instructions.
    pub(super) unsafe fn run<R: Routine>(&self, routine: R) -> R::Output {
        // SAFETY: `of` has looked whether the processor has the instructions. The caller vouches for
        // what the routine describes.
        unsafe {
            match self.instructions {
                #[cfg(target_arch = "x86_64")]
                InstructionSet::Avx512 | InstructionSet::Amx => avx512::routine(routine),
                #[cfg(target_arch = "x86_64")]
                InstructionSet::Avx2 => avx2::routine(routine),
                _ => portable::routine(routine),
            }
        }
    }
}
