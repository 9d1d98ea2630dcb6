//! What lies around a picture that does not fill the network's input.

use crate::input::InputContract;
use crate::placement::Resize;

/// `planes` `[3, height, width]`, normalised, as the part `target` (left, top, width,
/// height) of an input of the contract's size, with its surroundings filled.
pub(super) fn surround(planes: Vec<f32>, target: [usize; 4], contract: &InputContract) -> Vec<f32> {
    let [left, top, width, height] = target;
    if [width, height] == [contract.width, contract.height] {
        return planes;
    }
    let mirrors = contract.resize == Resize::Mirror;
    let columns: Vec<_> = (0..contract.width).map(|x| from(x, left, width, mirrors)).collect();
    let mut filled = Vec::with_capacity(3 * contract.height * contract.width);
    for plane in planes.chunks_exact(width * height) {
        for y in 0..contract.height {
            let row = from(y, top, height, mirrors).map(|y| &plane[y * width..][..width]);
            // The mean is zero once normalised.
            let value = |x: &Option<usize>| row.zip(*x).map_or(0.0, |(row, x)| row[x]);
            filled.extend(columns.iter().map(value));
        }
    }
    filled
}

/// Which of the `count` pixels that begin at `start` shows at `place`; none beside them,
/// unless they are mirrored at their ends, as often as it takes.
fn from(place: usize, start: usize, count: usize, mirrors: bool) -> Option<usize> {
    if !mirrors {
        return place.checked_sub(start).filter(|place| *place < count);
    }
    let period = 2 * count as isize;
    let place = (place as isize - start as isize).rem_euclid(period);
    Some(place.min(period - 1 - place) as usize)
}
