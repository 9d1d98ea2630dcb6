//! Means and norms.

use dfm_graph::Operation;

use super::call::{Call, decimal};
use super::expression::{Function, Operator};
use super::reader::Reader;
use super::tensor::Reason;
use super::value::{Norm, Value};
use super::view::{Axis, View};

/// The mean along axes: of the channels, as a step of a layer norm, or of the pixels.
pub(super) fn mean<'g>(reader: &mut Reader<'g>, call: &Call<'g>) -> Result<Value, Reason> {
    let keeps = call.int("keepdims", 1) != 0;
    let axes = call.axes("axes", 1)?.ok_or("a mean of everything")?;
    if let Value::Norm(Norm::Square, view, axis) = &call.inputs[0] {
        let same = axes.len() == 1 && view.axis(axes[0])? == *axis;
        return match same && keeps {
            true => Ok(Value::Norm(Norm::Variance(0.0), view.clone(), *axis)),
            false => Err("the mean of squares along other axes".to_owned()),
        };
    }
    let view = reader.data(call, 0)?;
    let mut axes = axes.iter().map(|axis| view.axis(*axis)).collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    axes.dedup();
    let channels = reader.drafts.node(&view).channels;
    if let ([axis], true) = (&axes[..], keeps)
        && view.channels(channels) == Some(*axis)
    {
        return Ok(Value::Norm(Norm::Mean, view, *axis));
    }
    let view = reader.drafts.pixels(&view)?;
    let of_positions = |axis: &usize| view.sides[*axis].iter().all(|part| part.axis == Axis::Position);
    let rest = (0..view.sides.len()).filter(|axis| !axes.contains(axis));
    let mut others = rest.flat_map(|axis| &view.sides[axis]);
    let positions = reader.drafts.node(&view).positions();
    let fits = axes.iter().all(of_positions)
        && others.all(|part| part.axis != Axis::Position)
        && view.covers(positions, channels, 0);
    if !fits {
        return Err("expected the mean of all channels, or of all pixels".to_owned());
    }
    let node = reader.drafts.add(Operation::GlobalAverage, &[view.node], Vec::new())?;
    let mut mean = reader.drafts.moved(&view, node);
    axes.iter().for_each(|axis| mean.sides[*axis].clear());
    Ok(Value::Data(if keeps { mean } else { mean.squeeze(&axes)? }))
}

/// A layer norm in one node.
pub(super) fn layer_norm<'g>(reader: &mut Reader<'g>, call: &Call<'g>) -> Result<Value, Reason> {
    let view = reader.data(call, 0)?;
    let axis = view.axis(call.int("axis", -1))?;
    let channels = reader.drafts.node(&view).channels;
    if view.channels(channels) != Some(axis) || axis + 1 != view.sides.len() {
        return Err("expected a norm of the channels, which must be the last axis".to_owned());
    }
    let vector = |index: usize, default: f32| match call.optional(index)? {
        None => Ok(vec![default; channels]),
        Some(tensor) if tensor.dims == [channels] => Ok(tensor.weights()?.to_vec()),
        Some(tensor) => Err(format!("numbers {:?}, expected [{channels}]", tensor.dims)),
    };
    let values = vec![vector(1, 1.0)?, vector(2, 0.0)?];
    norm(reader, &view, call.float("epsilon", 1e-5), values)
}

/// A batch norm, which is a factor and a sum for each channel.
pub(super) fn batch_norm<'g>(reader: &mut Reader<'g>, call: &Call<'g>) -> Result<Value, Reason> {
    if call.int("training_mode", 0) != 0 {
        return Err("a batch norm that learns; export the network for inference".to_owned());
    }
    let view = reader.data(call, 0)?;
    let channels = reader.drafts.node(&view).channels;
    if view.channels(channels) != Some(1) {
        return Err("expected the channels as the second axis".to_owned());
    }
    let vector = |index: usize| {
        let tensor = call.constant(index)?;
        match tensor.dims == [channels] {
            true => tensor.weights(),
            false => Err(format!("numbers {:?}, expected [{channels}]", tensor.dims)),
        }
    };
    let (scale, shift, mean, variance) = (vector(1)?, vector(2)?, vector(3)?, vector(4)?);
    if let Some(value) = variance.iter().find(|value| !value.is_finite() || **value < 0.0) {
        return Err(format!("the variance {value}, expected finite numbers of zero or more"));
    }
    let epsilon = call.float("epsilon", 1e-5);
    let root = |channel: usize| (f64::from(variance[channel]) + epsilon).sqrt();
    let factors: Vec<f64> = (0..channels).map(|channel| f64::from(scale[channel]) / root(channel)).collect();
    let shifts: Vec<f64> = (0..channels)
        .map(|channel| f64::from(shift[channel]) - f64::from(mean[channel]) * factors[channel])
        .collect();
    if let Some(number) = factors.iter().chain(&shifts).find(|number| !number.is_finite()) {
        return Err(format!("a factor or a sum of {number}, expected finite numbers"));
    }
    Ok(Value::Data(reader.drafts.affine(&view, &factors, &shifts)?))
}

/// A function of a step of a layer norm.
pub(super) fn unary(norm: Norm, view: &View, axis: usize, function: Function) -> Result<Value, Reason> {
    let next = match (norm, function) {
        (Norm::Variance(epsilon), Function::Sqrt) => Norm::Deviation(epsilon),
        (Norm::Deviation(epsilon), Function::Reciprocal) => Norm::Inverse(epsilon),
        _ => return Err("a part of a layer norm that is used otherwise".to_owned()),
    };
    Ok(Value::Norm(next, view.clone(), axis))
}

/// An operator with a step of a layer norm.
pub(super) fn binary<'g>(
    reader: &mut Reader<'g>,
    call: &Call<'g>,
    operator: Operator,
) -> Result<Value, Reason> {
    let otherwise = || "a part of a layer norm that is used otherwise".to_owned();
    let (norm, view, axis) = match (&call.inputs[0], operator, &call.inputs[1]) {
        (Value::Data(_) | Value::Function(..), Operator::Subtract, Value::Norm(Norm::Mean, of, axis)) => {
            let view = reader.data(call, 0)?;
            if !view.is_same(of) {
                return Err("the mean of another value is subtracted".to_owned());
            }
            (Norm::Centred, view, *axis)
        }
        (Value::Norm(Norm::Centred, view, axis), Operator::Power, Value::Constant(two))
            if two.only() == Some(2.0) =>
        {
            (Norm::Square, view.clone(), *axis)
        }
        (
            Value::Norm(Norm::Centred, view, axis),
            Operator::Multiply,
            Value::Norm(Norm::Centred, other, other_axis),
        ) if view.is_same(other) && axis == other_axis => (Norm::Square, view.clone(), *axis),
        (Value::Norm(Norm::Variance(before), view, axis), Operator::Add, Value::Constant(more))
        | (Value::Constant(more), Operator::Add, Value::Norm(Norm::Variance(before), view, axis)) => {
            let more = more.only().map(decimal).filter(|more| (0.0..1.0).contains(more));
            (Norm::Variance(before + more.ok_or_else(otherwise)?), view.clone(), *axis)
        }
        (Value::Norm(Norm::Variance(epsilon), view, axis), Operator::Power, Value::Constant(half))
            if half.only() == Some(0.5) =>
        {
            (Norm::Deviation(*epsilon), view.clone(), *axis)
        }
        (Value::Constant(one), Operator::Divide, Value::Norm(Norm::Deviation(epsilon), view, axis))
            if one.only() == Some(1.0) =>
        {
            (Norm::Inverse(*epsilon), view.clone(), *axis)
        }
        (
            Value::Norm(Norm::Centred, view, axis),
            Operator::Divide,
            Value::Norm(Norm::Deviation(epsilon), other, other_axis),
        )
        | (
            Value::Norm(Norm::Centred, view, axis),
            Operator::Multiply,
            Value::Norm(Norm::Inverse(epsilon), other, other_axis),
        ) if view.is_same(other) && axis == other_axis => {
            let channels = reader.drafts.node(view).channels;
            return self::norm(reader, view, *epsilon, vec![vec![1.0; channels], vec![0.0; channels]]);
        }
        _ => return Err(otherwise()),
    };
    Ok(Value::Norm(norm, view, axis))
}

fn norm(reader: &mut Reader<'_>, view: &View, epsilon: f64, values: Vec<Vec<f32>>) -> Result<Value, Reason> {
    if !(0.0..1.0).contains(&epsilon) {
        return Err(format!("epsilon {epsilon}: expected a number from 0 up to 1"));
    }
    let node = reader.drafts.add(Operation::LayerNorm { epsilon }, &[view.node], values)?;
    Ok(Value::Data(reader.drafts.moved(view, node)))
}
