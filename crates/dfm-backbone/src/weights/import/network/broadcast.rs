//! Shapes that are stretched to one another.

use super::tensor::{Reason, made};

/// The shape that all shapes are repeated to.
pub(super) fn common(shapes: &[&[usize]]) -> Result<Vec<usize>, Reason> {
    let rank = shapes.iter().map(|dims| dims.len()).max().unwrap_or(0);
    let mut dims = vec![1; rank];
    for shape in shapes {
        for (common, side) in dims[rank - shape.len()..].iter_mut().zip(*shape) {
            match (*common, *side) {
                (_, 1) => {}
                (1, side) => *common = side,
                (common, side) if common == side => {}
                _ => return Err(format!("the shapes {shapes:?} do not fit")),
            }
        }
    }
    made(&dims)?;
    Ok(dims)
}

/// For each element of the shape `to`, its place in the shape `from`, which is repeated along sides of 1.
pub(super) fn places(to: &[usize], from: &[usize]) -> Vec<usize> {
    let count: usize = to.iter().product();
    let mut places = vec![0; count];
    let (mut inner, mut stride) = (1, 1);
    for axis in (0..to.len()).rev() {
        let of_from = (axis + from.len()).checked_sub(to.len()).map_or(1, |axis| from[axis]);
        if of_from > 1 {
            places.iter_mut().enumerate().for_each(|(at, place)| *place += at / inner % to[axis] * stride);
        }
        inner *= to[axis];
        stride *= of_from;
    }
    places
}
