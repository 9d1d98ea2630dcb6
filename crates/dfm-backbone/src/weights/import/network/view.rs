//! How the axes of an ONNX tensor lie in the value of a node.
//!
//! A value of our graph has three axes: pictures, positions (row by row, prefix tokens first) and channels. ONNX
//! moves, splits and joins axes freely. A view keeps, for each axis of the ONNX tensor, which parts of those
//! three it runs over. Transposing and reshaping then move no number, and what comes out is recognised by its
//! parts, in whatever order a file takes to get there.

use super::tensor::{MOST_AXES, Reason, Whole};

/// An axis of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    Pictures,
    Position,
    Channel,
}

/// A part of an axis: so many steps of the stride. Pictures have the size 1, which stands for their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) axis: Axis,
    pub(super) size: usize,
    pub(super) stride: usize,
}

/// What an axis of an ONNX tensor runs over: nothing if its side is 1.
pub(super) type Side = Vec<Part>;

/// A whole axis, or the outer part of one.
pub(super) fn side(axis: Axis, size: usize, stride: usize) -> Side {
    if size == 1 { Vec::new() } else { vec![Part { axis, size, stride }] }
}

/// All pictures.
pub(super) fn pictures() -> Side {
    vec![Part { axis: Axis::Pictures, size: 1, stride: 0 }]
}

/// An ONNX tensor that is the value of a node.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct View {
    /// The node.
    pub(super) node: usize,
    /// The state of the node: what is folded into it makes it another.
    pub(super) state: usize,
    pub(super) sides: Vec<Side>,
    /// The first position and the first channel.
    pub(super) first: [usize; 2],
    /// Whether nothing else reads the node's value.
    pub(super) sole: bool,
}

impl View {
    /// Whether two views are the same numbers in the same arrangement.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.node, self.state, &self.sides, self.first)
            == (other.node, other.state, &other.sides, other.first)
    }

    /// The shape of the ONNX tensor.
    pub(super) fn shape(&self) -> Vec<Whole> {
        let of_side = |side: &Side| Whole {
            value: side.iter().map(|part| part.size as i64).product(),
            pictures: side.iter().any(|part| part.axis == Axis::Pictures),
        };
        self.sides.iter().map(of_side).collect()
    }

    /// The axis with this number, which may count from the end.
    pub(super) fn axis(&self, axis: i64) -> Result<usize, Reason> {
        place(axis, self.sides.len())
    }

    /// The axes in another order.
    pub(super) fn transpose(&self, order: &[usize]) -> Result<Self, Reason> {
        let mut seen = order.to_vec();
        seen.sort_unstable();
        if !seen.into_iter().eq(0..self.sides.len()) {
            return Err(format!("the order {order:?} for {} axes", self.sides.len()));
        }
        Ok(Self { sides: order.iter().map(|axis| self.sides[*axis].clone()).collect(), ..self.clone() })
    }

    /// The same numbers in another shape. With `one_picture`, a side of 1 may stand for the pictures.
    pub(super) fn reshape(&self, shape: &[Whole], one_picture: bool) -> Result<Self, Reason> {
        if shape.len() > MOST_AXES {
            return Err(format!("{} axes, the limit is {MOST_AXES}", shape.len()));
        }
        let mut parts: Vec<Part> = self.sides.iter().flatten().rev().copied().collect();
        let differs = || format!("the shape {} cannot become {}", shown(&self.shape()), shown(shape));
        let mut sides = Vec::with_capacity(shape.len());
        for target in shape {
            let mut rest = usize::try_from(target.value).map_err(|_| differs())?;
            let mut pictures = target.pictures;
            let mut side = Side::new();
            while let Some(part) = parts.last().copied() {
                if part.axis == Axis::Pictures && (pictures || one_picture) {
                    pictures = false;
                } else if rest <= 1 || part.axis == Axis::Pictures {
                    break;
                } else if rest.is_multiple_of(part.size) {
                    rest /= part.size;
                } else if part.size.is_multiple_of(rest) {
                    // The outer steps belong to this side, the inner ones to the next.
                    let inner = part.size / rest;
                    side.push(Part { size: rest, stride: part.stride * inner, ..part });
                    parts.pop();
                    parts.push(Part { size: inner, ..part });
                    rest = 1;
                    continue;
                } else {
                    return Err(differs());
                }
                side.push(part);
                parts.pop();
            }
            if rest != 1 || pictures {
                return Err(differs());
            }
            sides.push(joined(side));
        }
        match parts.is_empty() {
            true => Ok(Self { sides, ..self.clone() }),
            false => Err(differs()),
        }
    }

    /// Without these axes, whose sides must be 1.
    pub(super) fn squeeze(&self, axes: &[usize]) -> Result<Self, Reason> {
        if let Some(axis) = axes.iter().find(|axis| !self.sides[**axis].is_empty()) {
            return Err(format!("axis {axis} of {} is not 1", shown(&self.shape())));
        }
        let kept = self.sides.iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
        Ok(Self { sides: kept.map(|(_, side)| side.clone()).collect(), ..self.clone() })
    }

    /// With new axes of side 1 at these places of the result.
    pub(super) fn unsqueeze(&self, axes: &[i64]) -> Result<Self, Reason> {
        let all = self.sides.len() + axes.len();
        if all > MOST_AXES {
            return Err(format!("{all} axes, the limit is {MOST_AXES}"));
        }
        let mut new = axes.iter().map(|axis| place(*axis, all)).collect::<Result<Vec<_>, _>>()?;
        new.sort_unstable();
        new.dedup();
        if new.len() != axes.len() {
            return Err(format!("the axes {axes:?}"));
        }
        let mut sides = self.sides.clone();
        new.into_iter().for_each(|axis| sides.insert(axis, Side::new()));
        Ok(Self { sides, ..self.clone() })
    }

    /// `count` steps of an axis from `first` on.
    pub(super) fn slice(&self, axis: usize, first: usize, count: usize) -> Result<Self, Reason> {
        let shape = self.shape()[axis];
        if first == 0 && shape == (Whole { value: count as i64, pictures: false }) {
            return Ok(self.clone());
        }
        let [part] = self.sides[axis][..] else {
            return Err(format!("a part of axis {axis} of {}", shown(&self.shape())));
        };
        if part.axis == Axis::Pictures || count == 0 || first + count > part.size {
            let last = first + count;
            return Err(format!("the part {first}..{last} of axis {axis} of {}", shown(&self.shape())));
        }
        let mut view = self.clone();
        view.sole = false;
        view.sides[axis] = side(part.axis, count, part.stride);
        view.first[usize::from(part.axis == Axis::Channel)] += first * part.stride;
        Ok(view)
    }

    /// The axis that runs over `channels` channels, one by one; `None` if there is no such axis.
    pub(super) fn channels(&self, channels: usize) -> Option<usize> {
        let whole = side(Axis::Channel, channels, 1);
        let axis = self.sides.iter().position(|side| !side.is_empty() && *side == whole)?;
        (self.first[1] == 0).then_some(axis)
    }

    /// Whether the axes run over all pictures and channels, and over the positions from `first` on, each once.
    pub(super) fn covers(&self, positions: usize, channels: usize, first: usize) -> bool {
        let all = |axis: Axis| {
            let parts = self.sides.iter().flatten().filter(|part| part.axis == axis);
            parts.map(|part| part.size).product::<usize>()
        };
        let has_pictures = self.sides.iter().flatten().any(|part| part.axis == Axis::Pictures);
        has_pictures
            && self.first == [first, 0]
            && all(Axis::Position) + first == positions
            && all(Axis::Channel) == channels
    }
}

/// The place of an axis that may count from the end.
pub(super) fn place(axis: i64, axes: usize) -> Result<usize, Reason> {
    let place = if axis < 0 { axis + axes as i64 } else { axis };
    usize::try_from(place)
        .ok()
        .filter(|place| *place < axes)
        .ok_or_else(|| format!("there is no axis {axis} of {axes}"))
}

/// A shape for people. `N` is the number of pictures.
pub(super) fn shown(shape: &[Whole]) -> String {
    let of_side = |side: &Whole| match (side.pictures, side.value) {
        (true, 1) => "N".to_owned(),
        (true, value) => format!("{value}N"),
        (false, value) => value.to_string(),
    };
    format!("[{}]", shape.iter().map(of_side).collect::<Vec<_>>().join(", "))
}

/// Neighbouring parts that are one.
fn joined(parts: Side) -> Side {
    let mut side = Side::new();
    for part in parts {
        match side.last_mut() {
            Some(last) if last.axis == part.axis && last.stride == part.size * part.stride => {
                *last = Part { size: last.size * part.size, ..part };
            }
            _ => side.push(part),
        }
    }
    side
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(count: usize, channels: usize) -> View {
        let sides = vec![pictures(), side(Axis::Position, count, 1), side(Axis::Channel, channels, 1)];
        View { node: 0, state: 0, sides, first: [0; 2], sole: true }
    }

    fn shape(sides: &[i64]) -> Vec<Whole> {
        let first = Whole { value: sides[0], pictures: true };
        std::iter::once(first).chain(sides[1..].iter().map(|side| Whole::from(*side))).collect()
    }

    #[test]
    fn splitting_and_joining_the_same_way_changes_nothing() {
        let whole = tokens(5, 24);
        let split = whole.reshape(&shape(&[1, 5, 3, 2, 4]), false).unwrap();
        let heads = split.transpose(&[2, 0, 3, 1, 4]).unwrap();
        let keys = heads.slice(0, 1, 1).unwrap().squeeze(&[0]).unwrap();
        assert_eq!((keys.first, keys.sole), ([0, 8], false));
        assert_eq!(keys.sides[1], side(Axis::Channel, 2, 4));
        assert_eq!(heads.transpose(&[1, 3, 0, 2, 4]).unwrap().reshape(&shape(&[1, 5, 24]), false), Ok(whole));
    }

    #[test]
    fn a_grid_is_told_from_a_grid_that_is_turned() {
        let map = tokens(6, 4).reshape(&shape(&[1, 2, 3, 4]), false).unwrap();
        assert_eq!(map.sides[1], side(Axis::Position, 2, 3));
        let turned = map.transpose(&[0, 2, 1, 3]).unwrap();
        let flat = turned.reshape(&shape(&[1, 6, 4]), false).unwrap();
        assert_ne!(flat, tokens(6, 4));
        assert_eq!(flat.sides[1].len(), 2);
        assert!(map.reshape(&shape(&[1, 5, 4]), false).is_err());
        // The pictures may share an axis, but not disappear.
        assert_eq!(map.reshape(&shape(&[2, 3, 4]), false).unwrap().sides[0].len(), 2);
        assert!(map.reshape(&[2, 3, 4].map(Whole::from), false).is_err());
    }

    #[test]
    fn pictures_are_never_lost() {
        let one: Vec<Whole> = [5, 24].map(Whole::from).to_vec();
        assert!(tokens(5, 24).reshape(&one, false).is_err());
        let joined = tokens(5, 24).reshape(&one, true).unwrap();
        assert_eq!(joined.sides[0].len(), 2);
        assert!(tokens(5, 24).squeeze(&[0]).is_err());
        assert!(tokens(5, 24).slice(0, 0, 1).is_err());
    }
}
