//! Which products a folder has.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use dfm_data::{MAPS_MARK, is_dataset};

use crate::error::{At, Error};

/// A sub-folder with the pictures of one product.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Product {
    /// The name of the sub-folder.
    pub name: String,
    /// The path of the sub-folder.
    pub folder: PathBuf,
}

/// Lists the products in `root`, sorted by name. They are its sub-folders, except hidden ones, folders of
/// our maps, VisA's `split_csv`, and those at the paths `except`, such as the folder of the models.
///
/// # Errors
///
/// [`Error::Products`] if `root` is one data set itself, whose classes would be taken for products, or
/// has no sub-folder; [`Error::Data`] if it cannot be listed.
pub fn products(root: &Path, except: &[&Path]) -> Result<Vec<Product>, Error> {
    let refused = |found| Error::Products { path: root.to_owned(), found };
    if is_dataset(root)? {
        return Err(refused("one data set"));
    }
    let except: Vec<PathBuf> = except.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let mut products = Vec::new();
    for entry in std::fs::read_dir(root).at(root)? {
        let folder = entry.at(root)?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_ours = || {
            folder.join(MAPS_MARK).is_file()
                || folder.join("1cls.csv").is_file()
                || folder.canonicalize().is_ok_and(|real| except.contains(&real))
        };
        if !name.starts_with('.') && folder.is_dir() && !is_ours() {
            products.push(Product { name, folder });
        }
    }
    products.sort_by(|one, other| one.folder.cmp(&other.folder));
    if products.is_empty() { Err(refused("no sub-folder")) } else { Ok(products) }
}

/// The path of the model of `product` in the folder `models`.
pub fn model_of(product: &Product, models: &Path) -> PathBuf {
    models.join(with_ending(product, ".dfm"))
}

/// A file name: the name of the product's folder, with an ending.
pub(super) fn with_ending(product: &Product, ending: &str) -> OsString {
    let mut name = product.folder.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    name
}
