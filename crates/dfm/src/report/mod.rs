//! The page of an evaluation, and the small pictures on it.

mod gallery;
mod page;

pub(crate) use gallery::{Gallery, images, small_of};
pub use page::PAGE;
pub(crate) use page::{Reasons, area, check, drawn, figure, image_figures, remark, rows, write, write_page};
