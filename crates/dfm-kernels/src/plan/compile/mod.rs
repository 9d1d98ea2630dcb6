//! A graph laid out as steps.
//!
//! `source.rs` has the graph with what follows from it. `values.rs` knows where values lie and until
//! when. `chain.rs` finds the nodes that one step computes together. `floats.rs`, `layers.rs` and
//! `integer.rs` make the steps.

mod chain;
mod draft;
mod floats;
mod integer;
mod layers;
mod source;
mod tap;
mod taps;
mod values;
mod weights;

use dfm_graph::Graph;

use super::prepared::Plan;
use crate::error::KernelError;
use crate::instructions::InstructionSet;
use floats::Layout;
use source::Source;
pub use tap::GraphTap;
use taps::Features;

impl Plan {
    /// Lays out the part of `graph` that `taps` need, for pictures of `size` (height, width), and packs
    /// its weights for `instructions`. If this processor lacks them, the portable kernels are used.
    ///
    /// Nodes that one step can compute are computed together: a convolution with the factors, the sum
    /// and the activation behind it, and the first convolution of a residual network with the maximum
    /// behind it.
    ///
    /// # Shapes
    ///
    /// - parameters: the values of each of [`Graph::parameters`], in this order and row by row
    ///
    /// # Errors
    ///
    /// [`KernelError::Unsupported`] names a node that these kernels do not compute. Other errors: the
    /// taps or the parameters do not fit the graph, or the size leaves nothing of a tap.
    pub fn compile<V: AsRef<[f32]>>(
        graph: &Graph,
        parameters: &[V],
        size: [usize; 2],
        taps: &[GraphTap],
        instructions: InstructionSet,
    ) -> Result<Self, KernelError> {
        let source = Source::new(graph, parameters, size, taps)?;
        let features = Features::new(&source, size)?;
        let mut layout = Layout::new(&source, &features, instructions);
        for node in 0..source.nodes().len() {
            if !layout.draft.is_done(node) {
                layout.node(node)?;
            }
        }
        let (steps, arena) = layout.draft.finish();
        let Features { outputs, maps, .. } = features;
        Ok(Self::of_steps(source.picture(), [outputs, maps], steps, arena))
    }
}
