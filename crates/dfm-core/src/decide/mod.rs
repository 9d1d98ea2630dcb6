//! From good pictures that a model is fitted without to decisions: the threshold, p-values, which
//! picture stands out, and whether today's pictures have drifted.

pub(crate) mod audit;
pub(crate) mod calibration;
pub(crate) mod conformal;
pub(crate) mod decision;
pub(crate) mod drift;
pub(crate) mod fine;
pub(crate) mod held_out;
pub(crate) mod joint;
pub(crate) mod layer_out;
pub(crate) mod left_out;
pub(crate) mod set_aside;
pub(crate) mod split;
pub(crate) mod support;
pub(crate) mod validation;
