//! From features to a verdict: scores of layers and places, maps and their regions, explanations.

pub(crate) mod cells;
mod components;
pub(crate) mod detail;
pub(crate) mod explain;
pub(crate) mod fine;
pub(crate) mod joined;
pub(crate) mod judging;
pub(crate) mod layers;
mod looking;
pub(crate) mod map;
pub(crate) mod marked;
pub(crate) mod options;
pub(crate) mod parts;
pub(crate) mod places;
pub(crate) mod regions;
pub(crate) mod rule;
pub(crate) mod scale;
pub(crate) mod score;
pub(crate) mod statistics;
pub(crate) mod verdict;

pub(crate) use components::components;
