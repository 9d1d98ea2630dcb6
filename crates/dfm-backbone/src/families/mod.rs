//! The networks that are known by name, one file for each family. To add one, write its file and put it
//! into the list.

mod convnext;
pub(crate) mod draft;
mod efficientnet;
pub(crate) mod family;
mod inverted;
mod mobilenet;
pub(crate) mod resnet;
mod vit;

use std::sync::LazyLock;

use family::{Family, Known, Shapes};

/// Every family.
const FAMILIES: [Family; 5] =
    [resnet::RESNETS, mobilenet::MOBILENETS, efficientnet::EFFICIENTNETS, convnext::CONVNEXTS, vit::VITS];

/// The names of all networks.
pub(crate) fn names() -> &'static [&'static str] {
    static NAMES: LazyLock<Vec<&str>> =
        LazyLock::new(|| FAMILIES.iter().flat_map(|family| (family.names)()).copied().collect());
    &NAMES
}

/// The network of this name.
pub(crate) fn find(name: &str, shapes: Shapes<'_>) -> Option<Known> {
    FAMILIES.iter().find_map(|family| (family.network)(name, shapes))
}
