//! Whether this processor has tiles.

#[cfg(target_arch = "x86_64")]
use super::amx;
use super::kernels::TileKernels;
use crate::instructions::InstructionSet;

impl TileKernels {
    /// The code for `instructions`; `None` if they have no tiles, or this processor lacks them.
    pub(crate) fn of(instructions: InstructionSet) -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if instructions == InstructionSet::Amx && instructions.is_available() {
            return Some(amx::KERNELS);
        }
        let _ = instructions;
        None
    }
}
