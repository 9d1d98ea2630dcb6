//! The picture that an ONNX graph reads.

use dfm_graph::LONGEST_GRID;

use super::super::onnx_graph::{DimensionProto, GraphProto, ValueInfoProto};
use super::call::shown;
use crate::weights::error::WeightsError;

/// The size of pictures for a file that takes any.
const USUAL_SIDE: usize = 224;

/// The input of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input<'g> {
    pub(super) name: &'g str,
    /// Whether the channels come behind the pixels.
    pub(super) channels_last: bool,
    /// Height and width, where the file states them.
    pub(super) sides: [Option<usize>; 2],
    /// Whether the file is for one picture at a time.
    pub(super) one_picture: bool,
}

impl<'g> Input<'g> {
    /// The one input of the graph that is no constant.
    pub(super) fn of(
        graph: &'g GraphProto,
        is_constant: impl Fn(&str) -> bool,
    ) -> Result<Self, WeightsError> {
        let inputs: Vec<&ValueInfoProto> =
            graph.input.iter().filter(|input| !is_constant(&input.name)).collect();
        let [input] = inputs[..] else {
            let names: Vec<String> = inputs.iter().take(8).map(|input| shown(&input.name)).collect();
            return Err(refused(
                "one input, the picture",
                &format!("{} ({})", inputs.len(), names.join(", ")),
            ));
        };
        let tensor = input.r#type.as_ref().and_then(|of| of.tensor_type.as_ref());
        let tensor = tensor.ok_or_else(|| refused("an input of a stated type", "none"))?;
        if tensor.elem_type != 1 {
            return Err(refused("pictures of float32", &format!("the type {}", tensor.elem_type)));
        }
        let dims = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.dim);
        let known = |dim: &DimensionProto| dim.dim_value;
        let all: Vec<Option<i64>> = dims.iter().map(known).collect();
        let expected = "pictures [N, 3, H, W] or [N, H, W, 3]";
        let (channels_last, sides) = match all[..] {
            [_, Some(3), height, width] => (false, [height, width]),
            [_, height, width, Some(3)] => (true, [height, width]),
            _ => {
                let of_side =
                    |side: &Option<i64>| side.map_or_else(|| "?".to_owned(), |side| side.to_string());
                let sides: Vec<String> = all.iter().take(8).map(of_side).collect();
                return Err(refused(expected, &format!("[{}]", sides.join(", "))));
            }
        };
        let mut stated = [None; 2];
        for (stated, side) in stated.iter_mut().zip(sides) {
            *stated = match side {
                None => None,
                Some(side) if (1..=LONGEST_GRID as i64).contains(&side) => Some(side as usize),
                Some(side) => return Err(refused(&pixels(), &side.to_string())),
            };
        }
        let one_picture = match all[0] {
            None => false,
            Some(1) => true,
            Some(count) => {
                return Err(refused("any number of pictures, or one", &format!("{count}; export it again")));
            }
        };
        Ok(Self { name: &input.name, channels_last, sides: stated, one_picture })
    }

    /// The size (height, width) at which the graph is read, where `wanted` is asked for.
    pub(super) fn size(&self, wanted: Option<[usize; 2]>) -> Result<[usize; 2], WeightsError> {
        let of_side = |axis: usize| match (self.sides[axis], wanted) {
            (Some(stated), _) => stated,
            (None, Some(wanted)) => wanted[axis],
            (None, None) => self.sides[1 - axis].unwrap_or(USUAL_SIDE),
        };
        let size = [of_side(0), of_side(1)];
        match wanted {
            Some(wanted) if wanted != size => Err(WeightsError::FixedSize { expected: size, got: wanted }),
            _ if size.iter().all(|side| (1..=LONGEST_GRID).contains(side)) => Ok(size),
            _ => Err(refused(&pixels(), &format!("{}×{}", size[0], size[1]))),
        }
    }
}

fn pixels() -> String {
    format!("sides of 1 to {LONGEST_GRID} pixels")
}

fn refused(expected: &str, got: &str) -> WeightsError {
    WeightsError::Network { reason: format!("expected {expected}, found {got}") }
}
