//! Engines that run graphs.

mod activation;
mod attention;
mod burn;
mod kernels;
mod norm;
mod step;
#[cfg(all(test, feature = "flex"))]
mod tests;
mod value;

pub(crate) use burn::BurnNetwork;
pub(crate) use kernels::{left_to_burn, plan, without_int8};
