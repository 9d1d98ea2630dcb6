//! From pictures of good parts to a model: features are gathered, their statistics kept, and the
//! model derived from those. Models are merged, updated and made to forget in the same way.

mod again;
pub(crate) mod aside;
pub(crate) mod checkpoint;
pub(crate) mod derive;
pub(crate) mod detail;
pub(crate) mod error;
pub(crate) mod fit;
mod foreign;
mod gather;
mod int8;
pub(crate) mod kept;
pub(crate) mod moments;
pub(crate) mod not_searched;
pub(crate) mod record;
pub(crate) mod sizes;
mod standing_out;
pub(crate) mod union;
