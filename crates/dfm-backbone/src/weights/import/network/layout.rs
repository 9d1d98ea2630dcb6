//! Operations that move no number: other shapes, other orders of axes, parts.

use super::call::Call;
use super::reader::Reader;
use super::tensor::{Reason, Tensor, Whole, known};
use super::value::Value;
use super::view::{View, place, shown};

/// The shape of a value.
pub(super) fn shape(call: &Call<'_>) -> Result<Value, Reason> {
    let view = call.inputs[0].view().ok_or_else(|| format!("the shape of {}", call.inputs[0].kind()))?;
    let shape = view.shape();
    Ok(Value::Constant(Tensor::list(part_of_shape(call, &shape)?)))
}

/// The sides that `Shape` asks for.
pub(super) fn part_of_shape(call: &Call<'_>, shape: &[Whole]) -> Result<Vec<Whole>, Reason> {
    let length = shape.len() as i64;
    let bound = |name: &str, default: i64| {
        let bound = call.int(name, default);
        (if bound < 0 { bound.saturating_add(length) } else { bound }).clamp(0, length) as usize
    };
    let (start, end) = (bound("start", 0), bound("end", length));
    Ok(shape.get(start..end).unwrap_or_default().to_vec())
}

/// The same numbers in another arrangement.
pub(super) fn moved<'g>(reader: &mut Reader<'g>, call: &Call<'g>) -> Result<Value, Reason> {
    let (view, expression) = match &call.inputs[0] {
        Value::Function(view, expression) => {
            reader.steps.insert(call.node.input[0].clone(), reader.drafts.origin);
            (view.clone(), Some(expression.clone()))
        }
        Value::Constant(_) if call.node.op_type == "Expand" => {
            let kind = call.inputs.get(1).unwrap_or(&Value::Nothing).kind();
            return Err(format!("a constant is repeated to a shape that is {kind}"));
        }
        _ => (reader.data(call, 0)?, None),
    };
    let view = arranged(reader, call, &view)?;
    Ok(match expression {
        None => Value::Data(view),
        Some(expression) => Value::Function(view, expression),
    })
}

/// What a dropout passes on, which is everything unless it learns.
pub(super) fn dropout<'g>(reader: &mut Reader<'g>, call: &Call<'g>) -> Result<Value, Reason> {
    if call.optional(2)?.is_some_and(|learns| learns.only() != Some(0.0)) {
        return Err("a dropout that learns; export the network for inference".to_owned());
    }
    match call.inputs.first() {
        Some(Value::Data(_) | Value::Function(..)) => moved(reader, call),
        Some(value) => Ok(value.clone()),
        None => Err("a dropout of nothing".to_owned()),
    }
}

fn arranged<'g>(reader: &Reader<'g>, call: &Call<'g>, view: &View) -> Result<View, Reason> {
    match call.node.op_type.as_str() {
        "Identity" | "Dropout" => Ok(view.clone()),
        "Cast" => match call.int("to", 1) {
            1 => Ok(view.clone()),
            other => Err(format!("features become numbers of the type {other}, expected float32")),
        },
        "Transpose" => {
            let reversed: Vec<i64> = (0..view.sides.len() as i64).rev().collect();
            let order = call.node.ints("perm", &reversed);
            let order = order.iter().map(|axis| view.axis(*axis)).collect::<Result<Vec<_>, _>>()?;
            view.transpose(&order)
        }
        "Reshape" => {
            let target = call.constant(1)?.as_wholes()?;
            let shape = resolved(&view.shape(), target, call.int("allowzero", 0) != 0)?;
            view.reshape(&shape, reader.one_picture)
        }
        "Flatten" => {
            let (shape, axis) = (view.shape(), call.int("axis", 1));
            let axis = if axis == shape.len() as i64 { shape.len() } else { view.axis(axis)? };
            let joined = |sides: &[Whole]| Whole {
                value: sides.iter().map(|side| side.value).product(),
                pictures: sides.iter().any(|side| side.pictures),
            };
            view.reshape(&[joined(&shape[..axis]), joined(&shape[axis..])], reader.one_picture)
        }
        "Squeeze" => {
            let axes = match call.axes("axes", 1)? {
                Some(axes) => axes.iter().map(|axis| view.axis(*axis)).collect::<Result<Vec<_>, _>>()?,
                None => (0..view.sides.len()).filter(|axis| view.sides[*axis].is_empty()).collect(),
            };
            view.squeeze(&axes)
        }
        "Unsqueeze" => view.unsqueeze(&call.axes("axes", 1)?.ok_or("no axes")?),
        "Expand" => {
            let target = call.constant(1)?.as_wholes()?;
            let shape = view.shape();
            let same = target.len() <= shape.len()
                && target.iter().rev().zip(shape.iter().rev()).all(|(to, from)| {
                    to == from || (to.value == 1 && !to.pictures) || (from.pictures && to.value == from.value)
                });
            if same { Ok(view.clone()) } else { Err("features are repeated".to_owned()) }
        }
        "Slice" => slice(call, view),
        "Gather" => {
            let axis = view.axis(call.int("axis", 0))?;
            let indices = call.constant(1)?;
            let [index] = indices.as_known()?[..] else {
                return Err(format!("{} places, expected one", indices.len()));
            };
            let side = view.shape()[axis];
            let first = place(index, usize::try_from(known(&side)?).unwrap_or(0))?;
            let view = view.slice(axis, first, 1)?;
            if indices.dims.is_empty() { view.squeeze(&[axis]) } else { Ok(view) }
        }
        other => Err(format!("{other} is not an arrangement")),
    }
}

/// A shape with 0 (the side that was) and -1 (what is left) filled in.
pub(super) fn resolved(from: &[Whole], target: &[Whole], zeros: bool) -> Result<Vec<Whole>, Reason> {
    let zero = Whole::from(0);
    let mut shape = target.to_vec();
    if !zeros {
        for (axis, side) in shape.iter_mut().enumerate().filter(|(_, side)| **side == zero) {
            *side = *from.get(axis).ok_or_else(|| format!("no axis {axis} to copy"))?;
        }
    }
    let rest = Whole::from(-1);
    if let Some(open) = shape.iter().position(|side| *side == rest) {
        let times = |(product, pictures): (i64, i32), side: &Whole| {
            Some((product.checked_mul(side.value)?, pictures + i32::from(side.pictures)))
        };
        let all = from.iter().try_fold((1, 0), times);
        let mut others = shape.iter().enumerate().filter(|(axis, _)| *axis != open);
        let given = others.try_fold((1, 0), |product, (_, side)| times(product, side));
        let differs = || format!("the shape {} cannot become {}", shown(from), shown(target));
        let ((all, pictures), (given, used)) = (all.ok_or_else(differs)?, given.ok_or_else(differs)?);
        if given <= 0 || all % given != 0 || !(0..=1).contains(&(pictures - used)) {
            return Err(differs());
        }
        shape[open] = Whole { value: all / given, pictures: pictures > used };
    }
    Ok(shape)
}

fn slice(call: &Call<'_>, view: &View) -> Result<View, Reason> {
    let mut view = view.clone();
    for Cut { axis, first, last, step } in cuts(call, &view.shape())? {
        if step != 1 {
            return Err(format!("every element of axis {axis} in steps of {step}"));
        }
        view = view.slice(axis, first as usize, last.saturating_sub(first).max(0) as usize)?;
    }
    Ok(view)
}

/// The elements of an axis from `first` on, in steps, before `last`; behind it for a step below zero. `first` is
/// an element unless there is none, and `last` may be one beyond either end.
pub(super) struct Cut {
    pub(super) axis: usize,
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) step: i64,
}

/// Each axis that `Slice` cuts.
pub(super) fn cuts(call: &Call<'_>, shape: &[Whole]) -> Result<Vec<Cut>, Reason> {
    let list = |name: &str, index: usize| call.axes(name, index)?.ok_or_else(|| format!("no {name}"));
    let (starts, ends) = (list("starts", 1)?, list("ends", 2)?);
    let axes = call.axes("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = call.optional(4)?.map(Tensor::as_known).transpose()?;
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err("starts, ends, axes and steps of different lengths".to_owned());
    }
    let mut cut = Vec::new();
    let mut named = vec![false; shape.len()];
    for (((start, end), axis), step) in starts.into_iter().zip(ends).zip(axes).zip(steps) {
        let axis = place(axis, shape.len())?;
        if std::mem::replace(&mut named[axis], true) {
            return Err(format!("axis {axis} is cut twice"));
        }
        if step == 0 {
            return Err("a step of 0".to_owned());
        }
        if shape[axis].pictures {
            // All pictures, however many.
            match (start, end, step) {
                (0, end, 1) if end >= i64::from(i32::MAX) => continue,
                _ => return Err("some of the pictures".to_owned()),
            }
        }
        let side = shape[axis].value;
        let counted = |bound: i64| if bound < 0 { bound.saturating_add(side) } else { bound };
        let (first, last) = match step > 0 {
            true => (counted(start).clamp(0, side), counted(end).clamp(0, side)),
            false => (counted(start).min(side - 1).max(-1), counted(end).min(side - 1).max(-1)),
        };
        cut.push(Cut { axis, first, last, step });
    }
    Ok(cut)
}

/// The parts of a value along an axis.
pub(super) fn split<'g>(reader: &mut Reader<'g>, call: &Call<'g>) -> Result<Vec<Value>, Reason> {
    let view = reader.data(call, 0)?;
    let axis = view.axis(call.int("axis", 0))?;
    let all = usize::try_from(known(&view.shape()[axis])?).unwrap_or(0);
    let parts = call.node.output.len();
    let sizes = match call.axes("split", 1)? {
        Some(sizes) => sizes,
        None => {
            let each = all.div_ceil(parts.max(1));
            let first = |part: usize| (part * each).min(all);
            (0..parts).map(|part| (first(part + 1) - first(part)) as i64).collect()
        }
    };
    let mut first = 0;
    let mut outputs = Vec::with_capacity(sizes.len());
    for size in sizes.iter().take(parts) {
        let size = usize::try_from(*size).map_err(|_| format!("a part of {size}"))?;
        outputs.push(Value::Data(view.slice(axis, first, size)?));
        first += size;
    }
    match first == all && outputs.len() == parts {
        true => Ok(outputs),
        false => Err(format!("parts of {first} in all, expected {all}")),
    }
}
