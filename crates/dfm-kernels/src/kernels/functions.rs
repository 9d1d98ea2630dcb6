//! Functions of 16 values at once.
//!
//! The order of operands in minima and maxima is chosen so that a value that is not a number stays
//! so.

use super::vector::Vector;
use crate::activation::Activation;
use crate::layout::LANES;

/// An activation.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn activate<V: Vector>(value: V, activation: Activation) -> V {
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        match activation {
            Activation::HardSigmoid => hard_sigmoid(value),
            Activation::Sigmoid => V::splat(1.0).divide(sigmoid_divisor(value)),
            Activation::Silu => value.divide(sigmoid_divisor(value)),
            Activation::QuickGelu => value.divide(sigmoid_divisor(value.multiply(V::splat(1.702)))),
            Activation::GeluTanh => {
                // (1 + tanh u) / 2 is the sigmoid of 2u.
                const TWICE: f32 = 1.595_769;
                let cubic = value.multiply(value).multiply_add(V::splat(0.044_715 * TWICE), V::splat(TWICE));
                value.divide(sigmoid_divisor(value.multiply(cubic)))
            }
            Activation::Gelu => {
                let half = value.multiply(V::splat(0.5));
                let error = error_function(value.multiply(V::splat(std::f32::consts::FRAC_1_SQRT_2)));
                half.multiply(error.add(V::splat(1.0)))
            }
            Activation::HardSwish => value.multiply(hard_sigmoid(value)),
            Activation::Identity | Activation::Relu | Activation::Relu6 => clamp(value, activation.split().0),
        }
    }
}

/// `exp`, to about two units in the last place. Results below 2⁻¹²⁶ become 2⁻¹²⁶, and those beyond
/// 2¹²⁷·⁵ become infinite.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn exp<V: Vector>(value: V) -> V {
    /// Adding and subtracting 1.5 · 2²³ rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        let value = clamp(value, [-87.3, 89.0]);
        let rounded = value.multiply_add(V::splat(std::f32::consts::LOG2_E), V::splat(ROUND));
        let exponent = rounded.subtract(V::splat(ROUND));
        // The logarithm of two in two parts. The first has so few digits that its products are exact.
        let rest = exponent.multiply_add(V::splat(-0.693_359_4), value);
        let rest = exponent.multiply_add(V::splat(2.121_944_4e-4), rest);
        // The polynomial is that of Cephes' `expf`.
        let polynomial = polynomial(
            rest,
            [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5],
        );
        let result = rest.multiply(rest).multiply_add(polynomial, rest).add(V::splat(1.0));
        result.multiply(exponent.power_of_two())
    }
}

/// `1 + exp(−value)`, by which 1 is divided to give the sigmoid.
#[inline(always)]
unsafe fn sigmoid_divisor<V: Vector>(value: V) -> V {
    // SAFETY: the caller vouches for the instructions.
    unsafe { exp(V::splat(0.0).subtract(value)).add(V::splat(1.0)) }
}

/// The error function, to 5·10⁻⁷.
#[inline(always)]
unsafe fn error_function<V: Vector>(value: V) -> V {
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        // Beyond ±4 the result is ±1 in `f32`.
        let value = clamp(value, [-4.0, 4.0]);
        let square = value.multiply(value);
        // A rational function, fitted in the sense of the largest error; the one of Eigen and XLA.
        let above = polynomial(
            square,
            [
                -2.726_142_4e-10,
                2.770_681_5e-8,
                -2.101_024e-6,
                -5.692_506_5e-5,
                -7.349_906_3e-4,
                -2.954_6e-3,
                -1.609_603_3e-2,
            ],
        );
        let below = polynomial(
            square,
            [-1.456_607_2e-5, -2.133_740_6e-4, -1.682_827e-3, -7.373_329_4e-3, -1.426_473_9e-2],
        );
        clamp(value.multiply(above).divide(below), [-1.0, 1.0])
    }
}

/// All 16 values brought together, always in the same order.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn fold<V: Vector>(values: V, join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    // SAFETY: there are 16 values. The caller vouches for the instructions.
    unsafe { values.store(lanes.as_mut_ptr()) };
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            lanes[lane] = join(lanes[lane], lanes[lane + half]);
        }
    }
    lanes[0]
}

#[inline(always)]
unsafe fn hard_sigmoid<V: Vector>(value: V) -> V {
    // SAFETY: the caller vouches for the instructions.
    unsafe { clamp(value.add(V::splat(3.0)), [0.0, 6.0]).multiply(V::splat(1.0 / 6.0)) }
}

/// The value, or the bound that it is beyond.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn clamp<V: Vector>(value: V, [low, high]: [f32; 2]) -> V {
    // SAFETY: the caller vouches for the instructions.
    unsafe { V::splat(high).min(V::splat(low).max(value)) }
}

/// The polynomial with these coefficients, the highest power first.
#[inline(always)]
unsafe fn polynomial<V: Vector, const N: usize>(value: V, coefficients: [f32; N]) -> V {
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        let mut sum = V::splat(coefficients[0]);
        for coefficient in &coefficients[1..] {
            sum = sum.multiply_add(value, V::splat(*coefficient));
        }
        sum
    }
}
