//! The backbones against PyTorch and ONNX Runtime, and weights files of every
//! format, sound and broken. `fixtures/backbone/make_backbone.py` made what is
//! expected.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a suite")]

mod agreement;
mod architecture;
mod cells;
mod default_weights;
mod families;
mod generated;
mod import;
mod kernels;
mod limits;
mod malformed;
mod onnx;
mod onnx_hostile;
mod onnx_networks;
mod support;
