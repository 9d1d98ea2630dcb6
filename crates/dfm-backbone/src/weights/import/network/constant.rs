//! Constants that are computed of constants: the arithmetic of shapes that exporters write, and what they do with
//! weights and learnt positions.

use super::broadcast::{common, places};
use super::call::Call;
use super::layout::part_of_shape;
use super::rearrange::{
    concatenated, expanded, gathered, reshaped, resized, sliced, squeezed, transposed, unsqueezed,
};
use super::tensor::{Numbers, Reason, Tensor, Whole, known, made, sides};
use super::view::place;

/// The value of a node that reads constants alone.
pub(super) fn compute(call: &Call<'_>, opset: i64) -> Result<Tensor, Reason> {
    match call.node.op_type.as_str() {
        "Constant" => written(call),
        "Shape" => {
            let shape: Vec<Whole> =
                call.constant(0)?.dims.iter().map(|side| Whole::from(*side as i64)).collect();
            Ok(Tensor::list(part_of_shape(call, &shape)?))
        }
        "Size" => Ok(Tensor::wholes(Vec::new(), vec![Whole::from(call.constant(0)?.len() as i64)])),
        "Identity" | "Dropout" => call.constant(0).cloned(),
        "Cast" => cast(call.constant(0)?, call.int("to", 0)),
        "ConstantOfShape" => filled(call),
        "Range" => range(call),
        "Reshape" => reshaped(call),
        "Transpose" => transposed(call),
        "Squeeze" => squeezed(call),
        "Unsqueeze" => unsqueezed(call),
        "Slice" => sliced(call),
        "Gather" => gathered(call),
        "Concat" => concatenated(call),
        "Expand" => expanded(call),
        "Resize" => resized(call, opset),
        "ReduceProd" => product(call),
        "Where" => chosen(call),
        "Clip" => clipped(call),
        "Sqrt" | "Reciprocal" | "Floor" | "Ceil" | "Neg" | "Abs" | "Exp" | "Tanh" | "Sigmoid" | "Not" => {
            unary(call)
        }
        _ if call.inputs.len() == 2 => binary(call),
        _ => Err("an operation of constants that is not known here".to_owned()),
    }
}

/// The product of all values.
fn product(call: &Call<'_>) -> Result<Tensor, Reason> {
    let tensor = call.constant(0)?;
    let rank = tensor.dims.len();
    if let Some(axes) = call.axes("axes", 1)?.filter(|axes| !axes.is_empty()) {
        let axes = axes.iter().map(|axis| place(*axis, rank)).collect::<Result<Vec<_>, _>>()?;
        if (0..rank).any(|axis| !axes.contains(&axis)) {
            return Err(format!("a product along the axes {axes:?} of {rank}, expected all of them"));
        }
    } else if call.int("noop_with_empty_axes", 0) != 0 {
        return Err("a product along no axis".to_owned());
    }
    let product = tensor.as_known()?.into_iter().try_fold(1_i64, i64::checked_mul);
    let dims = if call.int("keepdims", 1) != 0 { vec![1; rank] } else { Vec::new() };
    Ok(Tensor::wholes(dims, vec![Whole::from(product.ok_or("a product beyond 64 bits")?)]))
}

fn written(call: &Call<'_>) -> Result<Tensor, Reason> {
    let [attribute] = &call.node.attribute[..] else {
        return Err(format!("{} attributes, expected the value", call.node.attribute.len()));
    };
    match (attribute.name.as_str(), &attribute.t) {
        ("value", Some(tensor)) => Tensor::read(tensor),
        ("value_int", _) => Ok(Tensor::wholes(Vec::new(), vec![Whole::from(attribute.i)])),
        ("value_float", _) => Ok(Tensor::floats(Vec::new(), vec![attribute.f])),
        ("value_ints", _) => Ok(Tensor::list(attribute.ints.iter().copied().map(Whole::from))),
        ("value_floats", _) => Ok(Tensor::floats(vec![attribute.floats.len()], attribute.floats.clone())),
        _ => Err("a constant without numbers".to_owned()),
    }
}

fn cast(tensor: &Tensor, to: i64) -> Result<Tensor, Reason> {
    let dims = tensor.dims.clone();
    match (to, &tensor.numbers) {
        (1 | 11, _) => Ok(Tensor { dims, numbers: Numbers::Floats(tensor.as_floats()?) }),
        (6 | 7, Numbers::Wholes(_)) => Ok(tensor.clone()),
        // Towards zero, and to the ends beyond them.
        (6 | 7, Numbers::Floats(values)) => {
            Ok(Tensor::wholes(dims, values.iter().map(|value| Whole::from(*value as i64)).collect()))
        }
        (9, Numbers::Wholes(values)) => {
            let of = |value: &Whole| Whole::from(i64::from(value.value != 0));
            Ok(Tensor::wholes(dims, values.iter().map(of).collect()))
        }
        _ => Err(format!("numbers of the type {to}")),
    }
}

fn filled(call: &Call<'_>) -> Result<Tensor, Reason> {
    let dims = sides(call.constant(0)?.as_wholes()?)?;
    // A shape of a few bytes must not take gigabytes.
    let count = made(&dims)?;
    let value = match call.node.attribute("value").and_then(|attribute| attribute.t.as_ref()) {
        None => return Ok(Tensor::floats(dims, vec![0.0; count])),
        Some(value) => Tensor::read(value)?,
    };
    match &value.numbers {
        Numbers::Floats(values) if values.len() == 1 => Ok(Tensor::floats(dims, vec![values[0]; count])),
        Numbers::Wholes(values) if values.len() == 1 => Ok(Tensor::wholes(dims, vec![values[0]; count])),
        _ => Err("expected one number to fill a shape with".to_owned()),
    }
}

fn range(call: &Call<'_>) -> Result<Tensor, Reason> {
    let bound = |index: usize| match call.constant(index)?.as_known()?[..] {
        [bound] => Ok(bound),
        _ => Err("expected one number".to_owned()),
    };
    let (start, limit, step) = (bound(0)?, bound(1)?, bound(2)?);
    if step == 0 || limit.abs_diff(start) / step.unsigned_abs() > 1 << 20 {
        return Err(format!("a range from {start} to {limit} in steps of {step}"));
    }
    let mut values = Vec::new();
    let mut value = start;
    while (step > 0 && value < limit) || (step < 0 && value > limit) {
        values.push(Whole::from(value));
        value = value.saturating_add(step);
    }
    Ok(Tensor::list(values))
}

fn unary(call: &Call<'_>) -> Result<Tensor, Reason> {
    let tensor = call.constant(0)?;
    let kind = call.node.op_type.as_str();
    let dims = tensor.dims.clone();
    if let (Numbers::Wholes(values), "Neg" | "Abs" | "Not") = (&tensor.numbers, kind) {
        let of = |number: &Whole| {
            let value = match kind {
                "Neg" => number.value.checked_neg(),
                "Abs" => number.value.checked_abs(),
                _ => Some(i64::from(known(number)? == 0)),
            };
            Ok(Whole { value: value.ok_or("a number beyond 64 bits")?, ..*number })
        };
        return Ok(Tensor::wholes(dims, values.iter().map(of).collect::<Result<_, Reason>>()?));
    }
    let of = |value: f32| match kind {
        "Sqrt" => Ok(value.sqrt()),
        "Reciprocal" => Ok(value.recip()),
        "Floor" => Ok(value.floor()),
        "Ceil" => Ok(value.ceil()),
        "Neg" => Ok(-value),
        "Abs" => Ok(value.abs()),
        "Exp" => Ok(value.exp()),
        "Tanh" => Ok(value.tanh()),
        "Sigmoid" => Ok(1.0 / (1.0 + (-value).exp())),
        _ => Err("an operation of constants that is not known here".to_owned()),
    };
    let values = tensor.as_floats()?.iter().map(|value| of(*value)).collect::<Result<Vec<f32>, Reason>>()?;
    Ok(Tensor::floats(dims, values))
}

/// The operations of two constants.
const BINARY: [&str; 13] =
    ["Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Mod", "Equal", "And", "Or", "Less", "Greater"];

fn binary(call: &Call<'_>) -> Result<Tensor, Reason> {
    let (one, other) = (call.constant(0)?, call.constant(1)?);
    let kind = call.node.op_type.as_str();
    // Before anything is allocated.
    if !BINARY.contains(&kind) {
        return Err("an operation of constants that is not known here".to_owned());
    }
    if kind == "Mod" && call.int("fmod", 0) != 0 {
        return Err("a remainder with the sign of the number that is divided".to_owned());
    }
    let dims = common(&[&one.dims, &other.dims])?;
    let (left, right) = (places(&dims, &one.dims), places(&dims, &other.dims));
    match (&one.numbers, &other.numbers) {
        (Numbers::Wholes(a), Numbers::Wholes(b)) => {
            let each = left.into_iter().zip(right).map(|(left, right)| of_wholes(kind, a[left], b[right]));
            Ok(Tensor::wholes(dims, each.collect::<Result<_, _>>()?))
        }
        _ => {
            let (a, b) = (one.as_floats()?, other.as_floats()?);
            let each = left.into_iter().zip(right).map(|(left, right)| of_floats(kind, a[left], b[right]));
            Ok(Tensor::floats(dims, each.collect::<Result<_, _>>()?))
        }
    }
}

fn of_floats(kind: &str, a: f32, b: f32) -> Result<f32, Reason> {
    Ok(match kind {
        "Add" => a + b,
        "Sub" => a - b,
        "Mul" => a * b,
        "Div" => a / b,
        "Pow" => a.powf(b),
        "Min" => a.min(b),
        "Max" => a.max(b),
        _ => return Err("an operation of constants that is not known here".to_owned()),
    })
}

fn of_wholes(kind: &str, a: Whole, b: Whole) -> Result<Whole, Reason> {
    let unknown = || "a result that depends on the number of pictures".to_owned();
    let far = || "a number beyond 64 bits".to_owned();
    let both = a.pictures && b.pictures;
    let none = !a.pictures && !b.pictures;
    let whole = |value: Option<i64>, pictures: bool| Ok(Whole { value: value.ok_or_else(far)?, pictures });
    match kind {
        "Mul" if !both => whole(a.value.checked_mul(b.value), a.pictures || b.pictures),
        "Add" if none || both || a.value == 0 || b.value == 0 => {
            whole(a.value.checked_add(b.value), (a.pictures && a.value != 0) || (b.pictures && b.value != 0))
        }
        "Sub" if none || both || b.value == 0 => {
            let value = a.value.checked_sub(b.value);
            whole(value, a.pictures && value != Some(0))
        }
        "Div" if b.value != 0 && (none || both || (a.pictures && a.value % b.value == 0)) => {
            whole(a.value.checked_div(b.value), a.pictures && !b.pictures)
        }
        "Equal" => {
            let equal = match (a.pictures, b.pictures) {
                (one, other) if one == other => a.value == b.value,
                // There is a picture, so a multiple of their number is no number below one.
                (true, _) if b.value < 1 && a.value > 0 => false,
                (_, true) if a.value < 1 && b.value > 0 => false,
                _ => return Err(unknown()),
            };
            Ok(Whole::from(i64::from(equal)))
        }
        _ if !none => Err(unknown()),
        // ONNX gives the remainder the sign of the divisor.
        "Mod" if b.value > 0 => whole(a.value.checked_rem_euclid(b.value), false),
        "Min" => Ok(a.value.min(b.value).into()),
        "Max" => Ok(a.value.max(b.value).into()),
        "And" => Ok(i64::from(a.value != 0 && b.value != 0).into()),
        "Or" => Ok(i64::from(a.value != 0 || b.value != 0).into()),
        "Less" => Ok(i64::from(a.value < b.value).into()),
        "Greater" => Ok(i64::from(a.value > b.value).into()),
        "Pow" => whole(u32::try_from(b.value).ok().and_then(|power| a.value.checked_pow(power)), false),
        "Div" => Err("a division by zero".to_owned()),
        "Mod" => Err(format!("the remainder of a division by {}, expected a number above 0", b.value)),
        _ => Err("an operation of constants that is not known here".to_owned()),
    }
}

/// Numbers within bounds, each of which may be left out.
fn clipped(call: &Call<'_>) -> Result<Tensor, Reason> {
    let tensor = call.constant(0)?;
    let dims = tensor.dims.clone();
    let (least, most) = (call.optional(1)?, call.optional(2)?);
    if let Numbers::Wholes(values) = &tensor.numbers {
        let bound = |tensor: Option<&Tensor>| match tensor.map(Tensor::as_known).transpose()?.as_deref() {
            None => Ok(None),
            Some([bound]) => Ok(Some(*bound)),
            Some(bounds) => Err(format!("{} numbers as a bound", bounds.len())),
        };
        let (least, most) = (bound(least)?.unwrap_or(i64::MIN), bound(most)?.unwrap_or(i64::MAX));
        let each = values.iter().map(|value| Ok(Whole::from(known(value)?.max(least).min(most))));
        return Ok(Tensor::wholes(dims, each.collect::<Result<_, Reason>>()?));
    }
    let bound = |tensor: Option<&Tensor>, default: f32| match tensor.map(Tensor::only) {
        None => Ok(default),
        Some(only) => only.ok_or_else(|| "several numbers as a bound".to_owned()),
    };
    let (least, most) = (bound(least, f32::NEG_INFINITY)?, bound(most, f32::INFINITY)?);
    Ok(Tensor::floats(dims, tensor.as_floats()?.iter().map(|value| value.max(least).min(most)).collect()))
}

/// One of two constants for each element.
fn chosen(call: &Call<'_>) -> Result<Tensor, Reason> {
    let (which, one, other) = (call.constant(0)?, call.constant(1)?, call.constant(2)?);
    let dims = common(&[&which.dims, &one.dims, &other.dims])?;
    let [select, left, right] = [which, one, other].map(|tensor| places(&dims, &tensor.dims));
    let select: Vec<bool> = select
        .into_iter()
        .map(|place| Ok(known(&which.as_wholes()?[place])? != 0))
        .collect::<Result<_, Reason>>()?;
    match (&one.numbers, &other.numbers) {
        (Numbers::Wholes(a), Numbers::Wholes(b)) => {
            let each = select.iter().enumerate();
            let each = each.map(|(at, first)| if *first { a[left[at]] } else { b[right[at]] });
            Ok(Tensor::wholes(dims, each.collect()))
        }
        _ => {
            let (a, b) = (one.as_floats()?, other.as_floats()?);
            let each = select.iter().enumerate();
            let each = each.map(|(at, first)| if *first { a[left[at]] } else { b[right[at]] });
            Ok(Tensor::floats(dims, each.collect()))
        }
    }
}
