//! How large the values between the layers become.

use rayon::prelude::*;

use super::Plan;
use crate::kernels::{Shared, Work};
use crate::layout::{LANES, Lanes};
use crate::network::{KernelError, Network};

/// How large the values between the layers become, which decides what one step of eight
/// bits is. What is larger later counts as being this large.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivationRanges {
    /// The largest magnitude of a value of a picture.
    pub input: f32,
    /// The largest result of the stem and then of every block's projection (if it has
    /// one) and the convolutions of its branch, after what is added and the ReLU.
    pub outputs: Vec<f32>,
}

impl ActivationRanges {
    /// The numbers one after the other, the input's first.
    pub fn to_vec(&self) -> Vec<f32> {
        std::iter::once(self.input).chain(self.outputs.iter().copied()).collect()
    }

    /// From what [`to_vec`](Self::to_vec) gave; `None` of nothing.
    pub fn from_slice(values: &[f32]) -> Option<Self> {
        let (input, outputs) = values.split_first()?;
        Some(Self { input: *input, outputs: outputs.to_vec() })
    }

    /// Whether these can be ranges of `network`.
    pub(super) fn check(&self, network: &Network) -> Result<(), KernelError> {
        let wrong = |expected: String, got: String| Err(KernelError::Ranges { expected, got });
        let expected = network.convolutions().len();
        if self.outputs.len() != expected {
            return wrong(format!("one for each of {expected} convolutions"), self.outputs.len().to_string());
        }
        match self.to_vec().into_iter().find(|range| !range.is_finite() || *range < 0.0) {
            Some(range) => wrong("finite numbers of 0 or more".to_owned(), range.to_string()),
            None => Ok(()),
        }
    }
}

impl Plan {
    /// How large the values become over all `pictures`, each of which is computed on one
    /// thread. Pictures for which some are not finite are left out.
    ///
    /// # Errors
    ///
    /// If a picture is of another size, none is left, or this plan is in int8.
    pub fn ranges(&self, pictures: &[&[f32]]) -> Result<ActivationRanges, KernelError> {
        self.fitting(pictures)?;
        if self.steps.iter().filter(|step| step.output().is_some()).count() + self.outputs.len()
            != self.steps.len()
        {
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

    /// The largest magnitude of the picture, and the largest output of every step.
    fn largest(&self, picture: &[f32]) -> Vec<f32> {
        let mut memory = self.memory_for(1);
        let mut features = vec![0.0; self.output_len()];
        let mut largest = vec![picture.iter().fold(0.0, |most: f32, value| most.max(value.abs()))];
        for (index, step) in self.steps.iter().enumerate() {
            {
                let arena = &Shared::new(&mut memory.arena);
                let work = Work { picture, arena, features: Shared::new(&mut features), threads: 1 };
                for worker in &mut memory.workers {
                    (0..step.items(1)).for_each(|item| step.run(&work, worker, index + 1, item));
                }
            }
            largest.extend(step.output().map(|range| most(&memory.arena[range])));
        }
        self.give_back(memory);
        largest
    }
}

/// The largest of all values and zero; not a number unless all are finite.
fn most(values: &[Lanes]) -> f32 {
    // Lane by lane, which a compiler can do with vectors.
    let (mut most, mut finite) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    for Lanes(values) in values {
        for lane in 0..LANES {
            most[lane] = if values[lane] > most[lane] { values[lane] } else { most[lane] };
            finite[lane] += values[lane] * 0.0;
        }
    }
    most.into_iter().fold(0.0, f32::max) + finite.iter().sum::<f32>()
}
