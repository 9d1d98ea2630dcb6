//! A family of networks.

use dfm_image::InputContract;

use super::draft::Draft;

/// The shape of a tensor in a file, by its name; `None` for a file that lacks it, or without a file. A
/// network takes from it what weights may decide, such as the grid of its positions.
pub(crate) type Shapes<'a> = &'a dyn Fn(&str) -> Option<Vec<usize>>;

/// A family of networks, which one file describes.
pub(crate) struct Family {
    /// The names of its networks, as timm calls them.
    pub(crate) names: fn() -> &'static [&'static str],
    /// The network of this name, if it is one of them.
    pub(crate) network: fn(&str, Shapes<'_>) -> Option<Known>,
}

/// A network that is known by name.
pub(crate) struct Known {
    /// The network, whole but for its classifier.
    pub(crate) draft: Draft,
    /// What the usual weights expect of pictures.
    pub(crate) input: InputContract,
}
