//! The page of an evaluation, and the small pictures on it.

mod gallery;
mod page;

pub(crate) use gallery::{Gallery, images, small};
pub use page::PAGE;
pub(crate) use page::{check, write};
