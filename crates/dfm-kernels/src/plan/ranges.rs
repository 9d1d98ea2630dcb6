//! Measuring how large the values between the layers become.

use dfm_graph::{Graph, Operation};
use rayon::prelude::*;

use super::prepared::{Plan, Ranged};
use crate::error::KernelError;
use crate::layout::{LANES, Lanes};

/// How large the values of a graph become. This decides how large one step of eight bits is. A larger
/// value counts as the largest one.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeRanges {
    /// The largest magnitude of a value in a picture.
    pub input: f32,
    /// The name of each convolution, and the largest result behind the sum and the activation that are
    /// computed with it; in the order of the nodes.
    outputs: Vec<(String, f32)>,
}

impl NodeRanges {
    /// Ranges from a list: that of the picture, then those of the convolutions of `graph` in the order of
    /// its nodes.
    ///
    /// # Errors
    ///
    /// [`KernelError::Ranges`] if there are not as many, or one cannot be a range.
    pub fn from_list(graph: &Graph, list: &[f32]) -> Result<Self, KernelError> {
        let is_convolution = |operation: &Operation| matches!(operation, Operation::Convolution(_));
        let nodes = graph.nodes().iter().filter(|node| is_convolution(node.operation()));
        let names: Vec<String> = nodes.map(|node| node.name().to_owned()).collect();
        let wrong = |got: String| KernelError::Ranges {
            expected: format!("one for each of {} convolutions", names.len()),
            got,
        };
        let (input, outputs) = list.split_first().ok_or_else(|| wrong("none".to_owned()))?;
        if outputs.len() != names.len() {
            return Err(wrong(outputs.len().to_string()));
        }
        let ranges =
            Self { input: *input, outputs: names.into_iter().zip(outputs.iter().copied()).collect() };
        ranges.check()?;
        Ok(ranges)
    }

    /// The list that [`from_list`](Self::from_list) reads.
    pub fn to_list(&self) -> Vec<f32> {
        std::iter::once(self.input).chain(self.outputs.iter().map(|(_, range)| *range)).collect()
    }

    /// The name and the range of each convolution, in the order of the nodes.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, f32)> {
        self.outputs.iter().map(|(name, range)| (name.as_str(), *range))
    }

    /// The range behind a convolution.
    pub(super) fn range(&self, node: &str) -> Result<f32, KernelError> {
        let found = self.outputs().find(|(name, _)| *name == node);
        found.map(|(_, range)| range).ok_or_else(|| KernelError::Ranges {
            expected: format!("one for the convolution '{node}'"),
            got: "none".to_owned(),
        })
    }

    /// Checks that all numbers can be ranges.
    pub(super) fn check(&self) -> Result<(), KernelError> {
        match self.to_list().into_iter().find(|range| !range.is_finite() || *range < 0.0) {
            Some(range) => Err(KernelError::Ranges {
                expected: "finite numbers of 0 or more".to_owned(),
                got: range.to_string(),
            }),
            None => Ok(()),
        }
    }
}

impl Plan {
    /// How large the values become over all `pictures`. Each picture is computed on one thread.
    /// Pictures with values that are not finite are left out.
    ///
    /// # Errors
    ///
    /// If a picture has another size, no picture is left, the values of a convolution cannot be had, or this
    /// plan is in int8.
    pub fn ranges(&self, pictures: &[&[f32]]) -> Result<NodeRanges, KernelError> {
        self.fitting(pictures)?;
        if self.is_int8() {
            return Err(KernelError::Ranges { expected: "a plan in f32".to_owned(), got: "int8".to_owned() });
        }
        let each: Vec<Vec<f32>> = pictures.par_iter().map(|picture| self.largest(picture)).collect();
        let finite = each.into_iter().filter(|values| values.iter().all(|value| value.is_finite()));
        let largest =
            finite.reduce(|most, values| most.into_iter().zip(values).map(|(a, b)| a.max(b)).collect());
        let largest = largest.ok_or_else(|| KernelError::Ranges {
            expected: "a picture with finite activations".to_owned(),
            got: format!("{} without", pictures.len()),
        })?;
        let outputs = self.ranged.iter().map(|Ranged { convolution, value }| {
            // A factor behind a convolution is folded into it, and its values are nowhere.
            let step = self.written().position(|origin| origin.value == Some(*value));
            let step = step.ok_or_else(|| KernelError::Unsupported8 {
                node: convolution.clone(),
                operation: "convolution",
            })?;
            Ok((convolution.clone(), largest[1 + step]))
        });
        Ok(NodeRanges { input: largest[0], outputs: outputs.collect::<Result<_, KernelError>>()? })
    }

    /// The largest magnitude of the picture, and the largest value that each step writes in `f32`.
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
