//! Filling the margins around a picture that does not cover the network's input.

use crate::input::InputContract;
use crate::resize::Resize;

/// The network's input, `[3, H, W]`: normalised `planes`, `[3, height, width]`, in the rectangle
/// `target` (left, top, width, height), with the margins filled.
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

/// Which of `count` pixels shows at `position`, if the first is at `start`. Outside of them no pixel
/// shows, unless they are mirrored at their ends, as often as needed.
fn from(position: usize, start: usize, count: usize, mirrors: bool) -> Option<usize> {
    if !mirrors {
        return position.checked_sub(start).filter(|position| *position < count);
    }
    let period = 2 * count as isize;
    let position = (position as isize - start as isize).rem_euclid(period);
    Some(position.min(period - 1 - position) as usize)
}
