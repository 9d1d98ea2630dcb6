//! Measuring how large the values between the layers become.

use std::collections::BTreeMap;

use dfm_graph::{Graph, Operation};
use rayon::prelude::*;

use super::prepared::Plan;
use crate::error::KernelError;
use crate::layout::{LANES, Lanes};
use crate::network::Network;

/// How large the values between the layers become. This decides how large one step of eight
/// bits is. A larger value counts as the largest one.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivationRanges {
    /// The largest magnitude of a value in a picture.
    pub input: f32,
    /// The largest result of each convolution, behind the sum and the ReLU: of the stem, then block
    /// by block of the projection (if there is one) and of the branch.
    pub outputs: Vec<f32>,
}

impl ActivationRanges {
    /// All numbers in one list, with that of the input first.
    pub fn to_vec(&self) -> Vec<f32> {
        std::iter::once(self.input).chain(self.outputs.iter().copied()).collect()
    }

    /// Ranges from the list that [`to_vec`](Self::to_vec) gave; `None` for an empty list.
    pub fn from_slice(values: &[f32]) -> Option<Self> {
        let (input, outputs) = values.split_first()?;
        Some(Self { input: *input, outputs: outputs.to_vec() })
    }

    /// Checks that these can be ranges of `network`.
    pub(super) fn check(&self, network: &Network) -> Result<(), KernelError> {
        let expected = network.convolutions().len();
        if self.outputs.len() != expected {
            return Err(KernelError::Ranges {
                expected: format!("one for each of {expected} convolutions"),
                got: self.outputs.len().to_string(),
            });
        }
        check(self.to_vec().into_iter())
    }
}

/// How large the values of a graph become. It is what [`ActivationRanges`] are, by the names of nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeRanges {
    /// The largest magnitude of a value in a picture.
    pub input: f32,
    /// For each convolution, the largest result behind the sum and the activation that are computed
    /// with it.
    pub outputs: BTreeMap<String, f32>,
}

impl NodeRanges {
    /// The ranges of the convolutions of `graph`, in the order of its nodes; `None` if there are not as
    /// many.
    pub fn of(graph: &Graph, ranges: &ActivationRanges) -> Option<Self> {
        let is_convolution = |operation: &Operation| matches!(operation, Operation::Convolution(_));
        let nodes = graph.nodes().iter().filter(|node| is_convolution(node.operation()));
        let names: Vec<String> = nodes.map(|node| node.name().to_owned()).collect();
        let outputs = (names.len() == ranges.outputs.len())
            .then(|| names.into_iter().zip(ranges.outputs.iter().copied()).collect())?;
        Some(Self { input: ranges.input, outputs })
    }

    /// The range behind a convolution.
    pub(super) fn range(&self, node: &str) -> Result<f32, KernelError> {
        self.outputs.get(node).copied().ok_or_else(|| KernelError::Ranges {
            expected: format!("one for the convolution '{node}'"),
            got: "none".to_owned(),
        })
    }

    /// Checks that these are ranges.
    pub(super) fn check(&self) -> Result<(), KernelError> {
        check(std::iter::once(self.input).chain(self.outputs.values().copied()))
    }
}

/// Checks that all numbers can be ranges.
fn check(mut ranges: impl Iterator<Item = f32>) -> Result<(), KernelError> {
    match ranges.find(|range| !range.is_finite() || *range < 0.0) {
        Some(range) => Err(KernelError::Ranges {
            expected: "finite numbers of 0 or more".to_owned(),
            got: range.to_string(),
        }),
        None => Ok(()),
    }
}

impl Plan {
    /// [`ranges`](Self::ranges) by the names of the nodes, for a plan of a graph.
    ///
    /// # Errors
    ///
    /// Those of [`ranges`](Self::ranges).
    pub fn node_ranges(&self, pictures: &[&[f32]]) -> Result<NodeRanges, KernelError> {
        let ActivationRanges { input, outputs: all } = self.ranges(pictures)?;
        let mut outputs = BTreeMap::new();
        for (name, range) in self.written_nodes().zip(all) {
            // A node of several steps has the largest range of them.
            let most = outputs.entry(name.to_owned()).or_insert(range);
            *most = range.max(*most);
        }
        Ok(NodeRanges { input, outputs })
    }

    /// How large the values become over all `pictures`. Each picture is computed on one thread.
    /// Pictures with values that are not finite are left out.
    ///
    /// # Errors
    ///
    /// If a picture has another size, no picture is left, or this plan is in int8.
    pub fn ranges(&self, pictures: &[&[f32]]) -> Result<ActivationRanges, KernelError> {
        self.fitting(pictures)?;
        if self.is_int8() {
            return Err(KernelError::Ranges { expected: "a plan in f32".to_owned(), got: "int8".to_owned() });
        }
        let each: Vec<Vec<f32>> = pictures.par_iter().map(|picture| self.largest(picture)).collect();
        let finite = each.into_iter().filter(|values| values.iter().all(|value| value.is_finite()));
        let largest =
            finite.reduce(|most, values| most.into_iter().zip(values).map(|(a, b)| a.max(b)).collect());
        largest.and_then(|values| ActivationRanges::from_slice(&values)).ok_or_else(|| KernelError::Ranges {
            expected: "a picture with finite activations".to_owned(),
            got: format!("{} without", pictures.len()),
        })
    }

    /// The largest magnitude of the picture, and the largest output of every convolution.
    fn largest(&self, picture: &[f32]) -> Vec<f32> {
        let mut largest = vec![picture.iter().fold(0.0, |most: f32, value| most.max(value.abs()))];
        self.run_step_by_step(picture, |output| largest.push(most(output)));
        largest
    }
}

/// The largest of all values and zero. The result is not a number if a value is not finite.
fn most(values: &[Lanes]) -> f32 {
    // Lane by lane, so that a compiler can use vectors.
    let (mut most, mut finite) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    for Lanes(values) in values {
        for lane in 0..LANES {
            most[lane] = if values[lane] > most[lane] { values[lane] } else { most[lane] };
            finite[lane] += values[lane] * 0.0;
        }
    }
    most.into_iter().fold(0.0, f32::max) + finite.iter().sum::<f32>()
}
