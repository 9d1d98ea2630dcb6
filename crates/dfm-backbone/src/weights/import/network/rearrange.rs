//! Constants in another arrangement.

use dfm_graph::{Interpolation, LONGEST_GRID};

use super::broadcast::{common, places};
use super::call::Call;
use super::layout::{Cut, cuts, resolved};
use super::tensor::{MOST_AXES, Numbers, Reason, Tensor, Whole, count, made, sides};
use super::view::place;

/// The numbers at these places.
fn taken(tensor: &Tensor, dims: Vec<usize>, places: &[usize]) -> Tensor {
    match &tensor.numbers {
        Numbers::Floats(values) => Tensor::floats(dims, places.iter().map(|place| values[*place]).collect()),
        Numbers::Wholes(values) => Tensor::wholes(dims, places.iter().map(|place| values[*place]).collect()),
    }
}

fn in_shape(tensor: &Tensor, dims: Vec<usize>) -> Result<Tensor, Reason> {
    if dims.len() > MOST_AXES || count(&dims)? != tensor.len() {
        return Err(format!("the shape {:?} cannot become {dims:?}", tensor.dims));
    }
    Ok(Tensor { dims, numbers: tensor.numbers.clone() })
}

pub(super) fn reshaped(call: &Call<'_>) -> Result<Tensor, Reason> {
    let tensor = call.constant(0)?;
    let from: Vec<Whole> = tensor.dims.iter().map(|side| Whole::from(*side as i64)).collect();
    let shape = resolved(&from, call.constant(1)?.as_wholes()?, call.int("allowzero", 0) != 0)?;
    in_shape(tensor, sides(&shape)?)
}

pub(super) fn squeezed(call: &Call<'_>) -> Result<Tensor, Reason> {
    let tensor = call.constant(0)?;
    let axes = match call.axes("axes", 1)? {
        None => (0..tensor.dims.len()).filter(|axis| tensor.dims[*axis] == 1).collect(),
        Some(axes) => {
            axes.iter().map(|axis| place(*axis, tensor.dims.len())).collect::<Result<Vec<_>, _>>()?
        }
    };
    let kept = tensor.dims.iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
    in_shape(tensor, kept.map(|(_, side)| *side).collect())
}

pub(super) fn unsqueezed(call: &Call<'_>) -> Result<Tensor, Reason> {
    let tensor = call.constant(0)?;
    let axes = call.axes("axes", 1)?.ok_or("no axes")?;
    let all = tensor.dims.len() + axes.len();
    if all > MOST_AXES {
        return Err(format!("{all} axes, the limit is {MOST_AXES}"));
    }
    let mut axes = axes.iter().map(|axis| place(*axis, all)).collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    let mut dims = tensor.dims.clone();
    for axis in axes {
        if axis > dims.len() {
            return Err("axes that are named twice".to_owned());
        }
        dims.insert(axis, 1);
    }
    in_shape(tensor, dims)
}

pub(super) fn transposed(call: &Call<'_>) -> Result<Tensor, Reason> {
    let tensor = call.constant(0)?;
    let rank = tensor.dims.len();
    let reversed: Vec<i64> = (0..rank as i64).rev().collect();
    let order = call.node.ints("perm", &reversed);
    let order = order.iter().map(|axis| place(*axis, rank)).collect::<Result<Vec<_>, _>>()?;
    let mut seen = order.clone();
    seen.sort_unstable();
    if !seen.into_iter().eq(0..rank) {
        return Err(format!("the order {order:?} for {rank} axes"));
    }
    let dims: Vec<usize> = order.iter().map(|axis| tensor.dims[*axis]).collect();
    let stride = |axis: usize| tensor.dims[axis + 1..].iter().product::<usize>();
    let strides: Vec<usize> = order.iter().map(|axis| stride(*axis)).collect();
    let mut places = vec![0; tensor.len()];
    let mut inner = 1;
    for axis in (0..rank).rev() {
        places
            .iter_mut()
            .enumerate()
            .for_each(|(at, place)| *place += at / inner % dims[axis] * strides[axis]);
        inner *= dims[axis];
    }
    Ok(taken(tensor, dims, &places))
}

/// The elements of an axis with these numbers, in this order.
fn of_axis(tensor: &Tensor, axis: usize, elements: &[usize]) -> Tensor {
    let inner: usize = tensor.dims[axis + 1..].iter().product();
    let outer: usize = tensor.dims[..axis].iter().product();
    let side = tensor.dims[axis];
    let mut places = Vec::with_capacity(outer * elements.len() * inner);
    for block in 0..outer {
        for element in elements {
            let first = (block * side + element) * inner;
            places.extend(first..first + inner);
        }
    }
    let mut dims = tensor.dims.clone();
    dims[axis] = elements.len();
    taken(tensor, dims, &places)
}

pub(super) fn sliced(call: &Call<'_>) -> Result<Tensor, Reason> {
    let mut tensor = call.constant(0)?.clone();
    let shape: Vec<Whole> = tensor.dims.iter().map(|side| Whole::from(*side as i64)).collect();
    for Cut { axis, first, last, step } in cuts(call, &shape)? {
        let mut elements = Vec::new();
        let mut next = first;
        while (step > 0 && next < last) || (step < 0 && next > last) {
            elements.extend(usize::try_from(next));
            next = next.saturating_add(step);
        }
        tensor = of_axis(&tensor, axis, &elements);
    }
    Ok(tensor)
}

pub(super) fn gathered(call: &Call<'_>) -> Result<Tensor, Reason> {
    let (tensor, indices) = (call.constant(0)?, call.constant(1)?);
    let axis = place(call.int("axis", 0), tensor.dims.len())?;
    let elements = indices.as_known()?;
    let elements: Vec<usize> =
        elements.iter().map(|index| place(*index, tensor.dims[axis])).collect::<Result<_, _>>()?;
    let mut dims = tensor.dims[..axis].to_vec();
    dims.extend(&indices.dims);
    dims.extend(&tensor.dims[axis + 1..]);
    made(&dims)?;
    in_shape(&of_axis(tensor, axis, &elements), dims)
}

pub(super) fn concatenated(call: &Call<'_>) -> Result<Tensor, Reason> {
    let tensors = (0..call.inputs.len()).map(|index| call.constant(index)).collect::<Result<Vec<_>, _>>()?;
    let first = *tensors.first().ok_or("nothing to join")?;
    let axis = place(call.int("axis", 0), first.dims.len())?;
    let differs = |tensor: &&Tensor| {
        tensor.dims.len() != first.dims.len()
            || (0..first.dims.len()).any(|other| other != axis && tensor.dims[other] != first.dims[other])
    };
    if let Some(other) = tensors.iter().copied().find(differs) {
        return Err(format!("the shapes {:?} and {:?} along axis {axis}", first.dims, other.dims));
    }
    let mut dims = first.dims.clone();
    dims[axis] = tensors.iter().map(|tensor| tensor.dims[axis]).sum();
    let count = made(&dims)?;
    let outer: usize = dims[..axis].iter().product();
    let length = |tensor: &Tensor| tensor.len().checked_div(outer).unwrap_or(0);
    let kinds = || "whole and floating-point numbers beside each other".to_owned();
    if matches!(first.numbers, Numbers::Wholes(_)) {
        let each = tensors.iter().map(|tensor| tensor.as_wholes().map_err(|_| kinds()));
        let each = each.collect::<Result<Vec<_>, _>>()?;
        let mut values = Vec::with_capacity(count);
        for block in 0..outer {
            for (tensor, numbers) in tensors.iter().zip(&each) {
                values.extend_from_slice(&numbers[block * length(tensor)..][..length(tensor)]);
            }
        }
        return Ok(Tensor::wholes(dims, values));
    }
    let each = tensors.iter().map(|tensor| tensor.weights().map_err(|_| kinds()));
    let each = each.collect::<Result<Vec<_>, _>>()?;
    let mut values = Vec::with_capacity(count);
    for block in 0..outer {
        for (tensor, numbers) in tensors.iter().zip(&each) {
            values.extend_from_slice(&numbers[block * length(tensor)..][..length(tensor)]);
        }
    }
    Ok(Tensor::floats(dims, values))
}

/// A constant that is repeated. What is repeated for each picture is kept once.
pub(super) fn expanded(call: &Call<'_>) -> Result<Tensor, Reason> {
    let tensor = call.constant(0)?;
    let target = sides(call.constant(1)?.as_wholes()?)?;
    let dims = common(&[&tensor.dims, &target])?;
    let places = places(&dims, &tensor.dims);
    Ok(taken(tensor, dims, &places))
}

/// Learnt positions for another grid: bicubic, as PyTorch does it.
pub(super) fn resized(call: &Call<'_>, opset: i64) -> Result<Tensor, Reason> {
    let tensor = call.constant(0)?;
    let [1, channels, rows, columns] = tensor.dims[..] else {
        return Err(format!("the shape {:?}, expected positions [1, C, rows, columns]", tensor.dims));
    };
    let sizes =
        call.optional(3)?.filter(|sizes| sizes.len() == 4).ok_or("expected the sizes of the result")?;
    let to = sides(sizes.as_wholes()?)?;
    let [1, of_result, height, width] = to[..] else { return Err(format!("the sizes {to:?}")) };
    let mode = (call.text("mode", "nearest"), call.text("coordinate_transformation_mode", "half_pixel"));
    let cubic = call.float("cubic_coeff_a", -0.75);
    let is_plain = call.int("exclude_outside", 0) == 0 && call.int("antialias", 0) == 0 && opset >= 11;
    let is_known = mode.0 == "cubic"
        && (mode.1 == "half_pixel" || (mode.1 == "pytorch_half_pixel" && height > 1 && width > 1))
        && cubic == -0.75;
    if !is_known || !is_plain || of_result != channels || rows * columns == 0 || height * width == 0 {
        return Err(format!("the mode '{}' of '{}': known is bicubic as in PyTorch", mode.0, mode.1));
    }
    if let Some(side) = [rows, columns, height, width].into_iter().find(|side| *side > LONGEST_GRID) {
        return Err(format!("a grid of {side} along a side, the limit is {LONGEST_GRID}"));
    }
    made(&[channels, height, width])?;
    // The columns are resampled after the rows.
    made(&[channels, height, columns])?;
    let values = tensor.as_floats()?;
    let cells = (0..rows * columns).flat_map(|cell| (0..channels).map(move |channel| (cell, channel)));
    let cells: Vec<f32> = cells.map(|(cell, channel)| values[channel * rows * columns + cell]).collect();
    let cells = Interpolation::Bicubic.resample(&cells, channels, [rows, columns], [height, width]);
    let turned = (0..channels).flat_map(|channel| (0..height * width).map(move |cell| (cell, channel)));
    let values = turned.map(|(cell, channel)| cells[cell * channels + channel]).collect();
    Ok(Tensor::floats(vec![1, channels, height, width], values))
}
