//! Matrix products, and what is put beside each other.

use std::rc::Rc;

use dfm_graph::{MOST_CHANNELS, MOST_PREFIX, Operation};

use super::attention;
use super::call::Call;
use super::expression::Meaning;
use super::reader::Reader;
use super::tensor::{Reason, Tensor};
use super::value::{Scores, Value};
use super::view::{Axis, View, shown, side};

/// A matrix product: with a constant, of queries and keys, or of attention and values.
pub(super) fn product<'g>(reader: &mut Reader<'g>, call: &Call<'g>) -> Result<Value, Reason> {
    match &call.inputs[..] {
        [_, Value::Constant(weight)] => {
            let view = reader.data(call, 0)?;
            if weight.dims.len() > view.sides.len() {
                let (axes, shape) = (weight.dims.len(), shown(&view.shape()));
                return Err(format!(
                    "a weight of {axes} axes for {shape}, expected no more axes than that has"
                ));
            }
            let [inputs, out] = matrix(weight)?;
            let numbers = weight.weights()?;
            let weight = (0..out).flat_map(|row| (0..inputs).map(move |column| (row, column)));
            let weight = weight.map(|(row, column)| numbers[column * out + row]).collect();
            linear(reader, &view, [inputs, out], weight, vec![0.0; out])
        }
        [Value::Scores(scores), _] if scores.is_softmax => {
            let (scores, values) = (scores.clone(), reader.data(call, 1)?);
            Ok(Value::Data(attention::attend(reader, &scores, &values)?))
        }
        [Value::Data(_) | Value::Function(..), Value::Data(_) | Value::Function(..)] => {
            let (queries, one) = with_factor(reader, call, 0)?;
            let (keys, other) = with_factor(reader, call, 1)?;
            let scores = Scores { queries, keys, scale: one * other, is_softmax: false };
            Ok(Value::Scores(Rc::new(scores)))
        }
        _ => {
            let kinds: Vec<&str> = call.inputs.iter().map(Value::kind).collect();
            Err(format!("the product of {}", kinds.join(" and ")))
        }
    }
}

/// A matrix product with a constant and a bias.
pub(super) fn gemm<'g>(reader: &mut Reader<'g>, call: &Call<'g>) -> Result<Value, Reason> {
    let view = reader.data(call, 0)?;
    let weight = call.constant(1)?;
    let [rows, columns] = weight.dims[..] else {
        return Err(format!("a weight {:?}, expected a matrix", weight.dims));
    };
    if call.int("transA", 0) != 0 || view.sides.len() != 2 {
        return Err("expected features [N, C]".to_owned());
    }
    let transposed = call.int("transB", 0) != 0;
    let [inputs, out] = if transposed { [columns, rows] } else { [rows, columns] };
    let numbers = weight.weights()?;
    let at = |row: usize, column: usize| {
        numbers[if transposed { row * inputs + column } else { column * out + row }]
    };
    let (alpha, beta) = (call.float("alpha", 1.0) as f32, call.float("beta", 1.0) as f32);
    let places = (0..out).flat_map(|row| (0..inputs).map(move |column| (row, column)));
    let weight = places.map(|(row, column)| alpha * at(row, column)).collect();
    let bias = match call.optional(2)? {
        None => vec![0.0; out],
        Some(bias) if bias.len() == out && bias.dims.last() == Some(&out) => {
            bias.weights()?.iter().map(|value| beta * value).collect()
        }
        Some(bias) => match bias.only() {
            Some(number) => vec![beta * number; out],
            None => return Err(format!("a bias {:?}, expected [{out}]", bias.dims)),
        },
    };
    linear(reader, &view, [inputs, out], weight, bias)
}

/// The softmax of products of queries and keys.
pub(super) fn softmax<'g>(reader: &Reader<'g>, call: &Call<'g>) -> Result<Value, Reason> {
    let Value::Scores(scores) = &call.inputs[0] else {
        return Err(format!("of {}: known is that of queries and keys", call.inputs[0].kind()));
    };
    let Scores { queries, keys, scale, is_softmax } = &**scores;
    let last = queries.sides.len() - 1;
    // Before version 13, all axes from the one that is named on were joined, and that was axis 1 if none was named.
    let usual = if reader.opset < 13 { 1 } else { -1 };
    if *is_softmax || queries.axis(call.int("axis", usual))? != last {
        return Err("expected the softmax along the last axis, once".to_owned());
    }
    let (queries, keys, scale) = (queries.clone(), keys.clone(), *scale);
    Ok(Value::Scores(Rc::new(Scores { queries, keys, scale, is_softmax: true })))
}

/// Values beside each other: channels, or learnt tokens before others.
pub(super) fn concatenate<'g>(reader: &mut Reader<'g>, call: &Call<'g>) -> Result<Value, Reason> {
    let mut constants: Vec<&Tensor> = Vec::new();
    let mut views: Vec<View> = Vec::new();
    for (index, input) in call.inputs.iter().enumerate() {
        match input {
            Value::Constant(tensor) if views.is_empty() => constants.push(tensor),
            Value::Constant(_) => return Err("learnt tokens behind others".to_owned()),
            _ => views.push(reader.data(call, index)?),
        }
    }
    let axis = views.first().ok_or("nothing to join")?.axis(call.int("axis", 0))?;
    match (&constants[..], &views[..]) {
        ([], [_, _, ..]) => channels(reader, &views, axis),
        ([_, ..], [view]) => prefix(reader, &constants, view, axis),
        _ => Err("expected features alone, or learnt tokens and features".to_owned()),
    }
}

fn channels(reader: &mut Reader<'_>, views: &[View], axis: usize) -> Result<Value, Reason> {
    let mut views = views.to_vec();
    if views.iter().any(|view| reader.drafts.node(view).prefix.is_some()) {
        for view in &mut views {
            *view = reader.drafts.tokens(view)?;
        }
    }
    let arrangement = |view: &View| {
        let draft = reader.drafts.node(view);
        let mut sides = view.sides.clone();
        if let Some(side) = sides.get_mut(axis) {
            side.clear();
        }
        (sides, view.first, draft.sides, draft.prefix)
    };
    let first = arrangement(&views[0]);
    for view in &views {
        if arrangement(view) != first || view.channels(reader.drafts.node(view).channels) != Some(axis) {
            let shapes: Vec<String> = views.iter().take(8).map(|view| shown(&view.shape())).collect();
            return Err(format!("{}: expected all channels of values of one size", shapes.join(", ")));
        }
    }
    let nodes: Vec<usize> = views.iter().map(|view| view.node).collect();
    let node = reader.drafts.add(Operation::Concatenate, &nodes, Vec::new())?;
    let mut view = reader.drafts.moved(&views[0], node);
    view.sides[axis] = side(Axis::Channel, reader.drafts.node(&view).channels, 1);
    Ok(Value::Data(view))
}

fn prefix(reader: &mut Reader<'_>, constants: &[&Tensor], view: &View, axis: usize) -> Result<Value, Reason> {
    let view = reader.drafts.tokens(view)?;
    if view != (View { sole: view.sole, ..reader.drafts.whole(view.node) }) || axis != 1 {
        return Err("expected learnt tokens before whole tokens [N, T, C]".to_owned());
    }
    let channels = reader.drafts.node(&view).channels;
    let mut tokens = Vec::new();
    for constant in constants {
        match constant.dims[..] {
            [1, _, width] if width == channels => tokens.extend_from_slice(&constant.weights()?),
            _ => return Err(format!("tokens {:?}, expected [1, …, {channels}]", constant.dims)),
        }
    }
    let count = tokens.len() / channels;
    if !(1..=MOST_PREFIX).contains(&count) {
        return Err(format!("{count} learnt tokens, expected 1 to {MOST_PREFIX}"));
    }
    let node = reader.drafts.add(Operation::PrefixTokens { count }, &[view.node], vec![tokens])?;
    Ok(Value::Data(reader.drafts.whole(node)))
}

/// The sides of a matrix, whose other sides must be 1.
fn matrix(weight: &Tensor) -> Result<[usize; 2], Reason> {
    match weight.dims[..] {
        [ref ones @ .., inputs, out] if ones.iter().all(|side| *side == 1) => Ok([inputs, out]),
        _ => Err(format!("a weight {:?}, expected a matrix", weight.dims)),
    }
}

/// A matrix product `[inputs] → [out]` along the last axis. The weight is `[out, inputs]`.
fn linear(
    reader: &mut Reader<'_>,
    view: &View,
    [inputs, out]: [usize; 2],
    weight: Vec<f32>,
    bias: Vec<f32>,
) -> Result<Value, Reason> {
    let channels = reader.drafts.node(view).channels;
    let last = view.sides.len().checked_sub(1).ok_or("no axis")?;
    if view.channels(channels) != Some(last) {
        return Err(format!("the last axis of {} is not all channels", shown(&view.shape())));
    }
    if inputs != channels || !(1..=MOST_CHANNELS).contains(&out) {
        return Err(format!("a weight of {inputs} → {out} for {channels} channels"));
    }
    let node = reader.drafts.add(Operation::Linear { out }, &[view.node], vec![weight, bias])?;
    let mut view = reader.drafts.moved(view, node);
    view.sides[last] = side(Axis::Channel, out, 1);
    Ok(Value::Data(view))
}

/// Features, and a factor of all of them that is not yet multiplied.
fn with_factor<'g>(reader: &mut Reader<'g>, call: &Call<'g>, index: usize) -> Result<(View, f64), Reason> {
    if let Value::Function(view, expression) = &call.inputs[index]
        && let Some(Meaning::Affine(factor, 0.0)) = expression.meaning()
    {
        reader.steps.insert(call.node.input[index].clone(), reader.drafts.origin);
        return Ok((view.clone(), factor));
    }
    Ok((reader.data(call, index)?, 1.0))
}
