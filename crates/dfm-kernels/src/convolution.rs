//! One convolution, by the way that suits it.

use crate::direct::DirectConvolution;
use crate::instructions::InstructionSet;
use crate::layout::Plane;
use crate::network::Convolution;
use crate::winograd::WinogradConvolution;

/// A convolution ready to run.
#[derive(Debug)]
pub(crate) enum Planned {
    /// Tap by tap.
    Direct(DirectConvolution),
    /// By transforms.
    Winograd(WinogradConvolution),
}

impl Planned {
    /// Of a padding that keeps the size, but for the stride.
    pub(crate) fn new(
        convolution: &Convolution,
        input: Plane,
        relu: bool,
        instructions: InstructionSet,
    ) -> Self {
        if WinogradConvolution::suits(convolution) {
            return Self::Winograd(WinogradConvolution::new(convolution, input, relu, instructions));
        }
        Self::Direct(DirectConvolution::new(convolution, input, relu, instructions))
    }

    /// The first convolution, over folded pictures.
    pub(crate) fn stem(stem: &Convolution, folded: Plane, instructions: InstructionSet) -> Self {
        Self::Direct(DirectConvolution::stem(stem, folded, instructions))
    }

    /// Where the output lies.
    pub(crate) fn output(&self) -> Plane {
        match self {
            Self::Direct(convolution) => convolution.output,
            Self::Winograd(convolution) => convolution.output(),
        }
    }

    /// Values that [`run`](Self::run) needs beside input and output.
    pub(crate) fn scratch_len(&self) -> usize {
        match self {
            Self::Direct(convolution) => convolution.scratch_len(),
            Self::Winograd(convolution) => convolution.scratch_len(),
        }
    }

    /// Computes `output` from `input`, adding `residual` (a plane like the
    /// output) before the ReLU.
    pub(crate) fn run(
        &self,
        input: &[f32],
        input_plane: Plane,
        residual: Option<&[f32]>,
        output: &mut [f32],
        scratch: &mut [f32],
    ) {
        match self {
            Self::Direct(convolution) => convolution.run(input, input_plane, residual, output, scratch),
            Self::Winograd(convolution) => convolution.run(input, residual, output, scratch),
        }
    }
}
