//! Weights from the files of other programs.
//!
//! An ONNX file also describes its network, which need not be known then (`network`).
//!
//! Every importer is strict. A tensor that the network needs and the file lacks, a tensor that
//! the file holds and the network does not use, and a tensor of another shape are errors that
//! name the tensor. Tensors of the layers behind the tap and of the classifier are not read. No
//! format here can run code.

mod file;
mod kind;
mod named;
mod names;
mod network;
mod official;
mod onnx;
mod onnx_graph;
mod onnx_network;
mod onnx_scan;
mod options;
mod pytorch;
mod safetensors;

pub use file::{WeightsFile, import_weights};
pub use onnx_network::{OnnxNode, OnnxNodes};
pub use options::ImportOptions;
