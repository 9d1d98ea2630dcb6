//! An activation over values in memory.

use super::functions::activate;
use super::routine::Routine;
use super::vector::Vector;
use crate::activation::Activation;
use crate::layout::LANES;

/// Replaces each value by its activation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Activate {
    pub(super) values: *mut f32,
    /// The number of [`Lanes`](crate::layout::Lanes).
    pub(super) count: usize,
    pub(super) activation: Activation,
}

impl Routine for Activate {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller vouches for the values.
        unsafe {
            for index in 0..self.count {
                let at = self.values.add(index * LANES);
                activate(V::load(at), self.activation).store(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instructions::InstructionSet;
    use crate::kernels::layers::check::plain;
    use crate::kernels::set::Kernels;
    use crate::kernels::shared::flat_mut;
    use crate::layout::Lanes;

    fn computed(instructions: InstructionSet, values: &[f32], activation: Activation) -> Vec<f32> {
        let mut lanes = vec![Lanes::ZERO; values.len().div_ceil(LANES)];
        flat_mut(&mut lanes)[..values.len()].copy_from_slice(values);
        let count = lanes.len();
        // SAFETY: all values are written by nobody else.
        unsafe {
            let values = lanes.as_mut_ptr().cast();
            Kernels::of(instructions).run(Activate { values, count, activation });
        }
        flat_mut(&mut lanes)[..values.len()].to_vec()
    }

    #[test]
    fn activations_agree_with_f64() {
        let near = (-3000..=3000).map(|step| step as f32 * 0.005);
        let far = (-120..=120).map(|step| step as f32 * 3.0);
        let huge = [1e4, -1e4, 1e18, -1e18, 1e30, -1e30, 3e38, -3e38, 1e-30, -1e-30, 0.0];
        let values: Vec<f32> = near.chain(far).chain(huge).collect();
        for instructions in InstructionSet::available() {
            for activation in Activation::ALL {
                for (x, got) in values.iter().zip(computed(instructions, &values, activation)) {
                    let expected = plain(f64::from(*x), activation);
                    // Exponentials are right to a few units in the last place. The error function is
                    // right to 5e-7, and the value is multiplied by half of it.
                    let size = if activation == Activation::Gelu { x.abs() } else { got.abs() };
                    let allowed = 4e-7 * f64::from(size).max(1.0);
                    let error = (f64::from(got) - expected).abs();
                    assert!(error <= allowed, "{instructions}: {activation} of {x} is {got}, not {expected}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        for instructions in InstructionSet::available() {
            for activation in Activation::ALL {
                assert!(computed(instructions, &[f32::NAN], activation)[0].is_nan(), "{activation}");
            }
        }
    }
}
