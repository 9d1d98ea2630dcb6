//! A network laid out in `f32`.

use super::placed::{Placed, TapsToCome};
use super::prepared::Plan;
use crate::activation::Activation;
use crate::buffers::Buffers;
use crate::choice::choose;
use crate::error::{KernelError, check_size};
use crate::instructions::InstructionSet;
use crate::kernels::{Direct, Ends, Kernels, Stem, Step, Winograd};
use crate::layout::Map;
use crate::network::{Convolution, Network};
use crate::way::Way;

impl Plan {
    /// Lays out `network` for pictures of `size` (height, width), and packs its weights for
    /// `instructions`. If this processor lacks them, the portable kernels are used.
    ///
    /// # Errors
    ///
    /// If the network contradicts itself, a side is longer than 65 536 pixels, or pictures of
    /// this size leave nothing of the feature map.
    pub fn new(
        network: &Network,
        size: [usize; 2],
        instructions: InstructionSet,
    ) -> Result<Self, KernelError> {
        network.check()?;
        check_size(size)?;
        let too_small = || KernelError::TooSmall { height: size[0], width: size[1] };
        let mut layout = Layout {
            instructions,
            kernels: Kernels::of(instructions),
            buffers: Buffers::default(),
            steps: Vec::new(),
        };
        let mut input = layout.stem(network, size).ok_or_else(too_small)?;
        let mut taps = TapsToCome::of(network);
        layout.steps.extend(taps.after(0, &input));
        for (index, block) in network.blocks.iter().enumerate() {
            // The branch is added to the shortcut, in the memory of the shortcut.
            let shortcut = match &block.projection {
                Some(projection) => layout.convolution(projection, &input, None, false),
                None => input.clone(),
            };
            let mut value = input.clone();
            for (index, convolution) in block.branch.iter().enumerate() {
                let onto = (index + 1 == block.branch.len()).then(|| shortcut.clone());
                let next = layout.convolution(convolution, &value, onto, true);
                if value.at != shortcut.at {
                    layout.buffers.give(value.at);
                }
                value = next;
            }
            input = value;
            layout.steps.extend(taps.after(index + 1, &input));
        }
        Self::assemble(network, size, layout.steps, &layout.buffers).ok_or_else(too_small)
    }
}

/// A plan while it is made.
struct Layout {
    instructions: InstructionSet,
    kernels: Kernels,
    buffers: Buffers,
    steps: Vec<Step>,
}

impl Layout {
    /// Adds the step of the stem. `None` if pictures of this size leave nothing.
    fn stem(&mut self, network: &Network, size: [usize; 2]) -> Option<Placed> {
        let channels = network.stem.out_channels;
        let [height, width] = size.map(|side| side.div_ceil(2));
        let convolved = Map { channels, height, width };
        let map = network.pool.output(convolved)?;
        let output = Placed { at: self.buffers.take(map.len()), map };
        let to = (output.at.clone(), map);
        let step = Stem::new(&network.stem, network.pool, self.kernels, size, convolved, to);
        self.steps.push(Step::Stem(step));
        Some(output)
    }

    /// Adds the step of a convolution. If `onto` is given, the result is added to the values there.
    fn convolution(
        &mut self,
        convolution: &Convolution,
        input: &Placed,
        onto: Option<Placed>,
        relu: bool,
    ) -> Placed {
        let side = |side: usize| side.div_ceil(convolution.stride);
        let map = Map {
            channels: convolution.out_channels,
            height: side(input.map.height),
            width: side(input.map.width),
        };
        let add = onto.is_some();
        let output = onto.unwrap_or_else(|| Placed { at: self.buffers.take(map.len()), map });
        let ends = Ends {
            input: input.at.clone(),
            input_map: input.map,
            output: output.at.clone(),
            output_map: map,
            add,
            activation: Activation::relu_if(relu),
        };
        self.steps.push(match choose(convolution, map, self.instructions) {
            Way::Direct => Step::Direct(Direct::new(convolution, self.kernels, ends)),
            Way::Winograd => Step::Winograd(Winograd::new(convolution, self.kernels, ends)),
        });
        output
    }
}
