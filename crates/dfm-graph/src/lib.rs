//! The description of a neural network: a graph of named nodes with few operations.
//!
//! A [`Graph`] says what a network computes from a picture, and nothing about how. It holds no numbers: the
//! names and shapes of its parameters follow from it ([`Graph::parameters`]). Batch norms do not occur,
//! because they are folded into the convolutions before them. What engines and files need to know follows
//! from the graph, too: shapes ([`Graph::shapes`]), the number of multiplications
//! ([`Graph::multiply_adds`]), the memory that values take ([`Graph::activation_bytes`]), and the part that
//! the features of some layers need ([`Graph::up_to`]).
//!
//! A [`Builder`] makes graphs. Whoever has a `Graph` has a checked one: a graph that is read by serde passes
//! the same checks as one that was built.
//!
//! ```
//! use dfm_graph::{Activation, Builder, Convolution, Window};
//!
//! let mut network = Builder::new();
//! let picture = network.picture();
//! let stem = network.convolution("stem", picture, Convolution::new(64, 7).stride(2));
//! let stem = network.activation("stem.relu", stem, Activation::Relu);
//! let pooled = network.max_pool("pool", stem, Window::new(3).stride(2));
//! network.tap("layer0", pooled);
//! let graph = network.finish()?;
//!
//! let tap = graph.tap("layer0").expect("a name that was given");
//! let shape = graph.shapes([224, 224])?[tap.index()];
//! assert_eq!((shape.channels(), shape.sides), (64, [56, 56]));
//! assert_eq!(graph.parameter_count(), 64 * 3 * 7 * 7 + 64);
//! # Ok::<(), dfm_graph::GraphError>(())
//! ```

mod activation;
mod builder;
mod cost;
mod description;
mod error;
mod form;
mod graph;
mod interpolation;
mod limits;
mod memory;
mod node;
mod nodes;
mod operation;
mod parameter;
mod shape;
mod window;

pub use activation::Activation;
pub use builder::Builder;
pub use error::GraphError;
pub use form::{Form, Layout};
pub use graph::Graph;
pub use limits::{
    LARGEST_WINDOW, LONGEST_GRID, MOST_CHANNELS, MOST_INPUTS, MOST_NODES, MOST_PARAMETERS, MOST_PREFIX,
    MOST_SIDE,
};
pub use memory::attention_scratch;
pub use node::{Node, NodeId};
pub use operation::{Convolution, Interpolation, Operation};
pub use parameter::Parameter;
pub use shape::Shape;
pub use window::{Padding, Window};
