//! Many products at once: a folder with a sub-folder for each, and a folder with a model for each.
//!
//! A failure of one product is reported to the observer and in its row. The other products go on.

mod evaluate;
mod fit;
mod list;
mod record;

pub use evaluate::{
    EvaluatedProduct, MeanFigures, PRODUCTS, ProductsEvaluation, ProductsEvaluator, Worst, WorstFigures,
};
pub use fit::{FitStatus, FittedProduct, ProductsLearner};
pub use list::{Product, model_of, products};
