//! How far apart two results are.

/// `‖actual − expected‖₂ / ‖expected‖₂`; the absolute distance where `expected` is zero.
///
/// # Panics
///
/// If the lengths differ, or either side holds a value that is not finite.
pub fn relative_l2(actual: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(actual.len(), expected.len(), "lengths differ");
    assert!(actual.iter().chain(expected).all(|value| value.is_finite()), "a value is not finite");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let distance = norm(&mut actual.iter().zip(expected).map(|(a, e)| a - e));
    let scale = norm(&mut expected.iter().copied());
    if scale == 0.0 { distance } else { distance / scale }
}

/// [`relative_l2`] of two `f32` slices, computed in `f64`.
pub fn relative_l2_f32(actual: &[f32], expected: &[f32]) -> f64 {
    let widen = |values: &[f32]| values.iter().copied().map(f64::from).collect::<Vec<_>>();
    relative_l2(&widen(actual), &widen(expected))
}

/// Asserts that two numbers agree to `tolerance`, relative to the larger one.
///
/// # Panics
///
/// If they do not, naming `what`.
#[track_caller]
pub fn assert_close(what: &str, actual: f64, expected: f64, tolerance: f64) {
    let scale = actual.abs().max(expected.abs()).max(f64::MIN_POSITIVE);
    assert!(
        (actual - expected).abs() <= tolerance * scale,
        "{what}: {actual} against {expected}, more than {tolerance} apart"
    );
}
