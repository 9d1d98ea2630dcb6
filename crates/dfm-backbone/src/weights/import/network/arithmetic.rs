//! Operations on each number of one or two values.

use std::rc::Rc;

use dfm_graph::{Activation, Operation};

use super::call::{Call, decimal};
use super::draft::fixed_positions;
use super::expression::{Expression, Function, Operator, Step};
use super::norms;
use super::reader::Reader;
use super::tensor::{MOST_MADE, Reason, Tensor};
use super::value::{Scores, Value};
use super::view::{Axis, View, shown};

/// A function of one number.
pub(super) fn unary<'g>(reader: &mut Reader<'g>, call: &Call<'g>) -> Result<Value, Reason> {
    let function = match call.node.op_type.as_str() {
        "Relu" => Function::Known(Activation::Relu),
        "Sigmoid" => Function::Sigmoid,
        "Tanh" => Function::Tanh,
        "Erf" => Function::Erf,
        "Exp" => Function::Exp,
        "Neg" => Function::Negative,
        "Sqrt" => Function::Sqrt,
        "Reciprocal" => Function::Reciprocal,
        "HardSwish" => Function::Known(Activation::HardSwish),
        "HardSigmoid" => {
            let (alpha, beta) = (call.float("alpha", 0.2), call.float("beta", 0.5));
            if (alpha - 1.0 / 6.0).abs() > 1e-6 || (beta - 0.5).abs() > 1e-6 {
                return Err(format!("alpha {alpha} and beta {beta}: known are 1/6 and 1/2"));
            }
            Function::Known(Activation::HardSigmoid)
        }
        "Gelu" => match call.text("approximate", "none").as_str() {
            "none" => Function::Known(Activation::GeluErf),
            "tanh" => Function::Known(Activation::GeluTanh),
            other => return Err(format!("approximate '{other}'")),
        },
        "Min" | "Max" => {
            let (index, number) = match &call.inputs[..] {
                [_, Value::Constant(number)] => (0, number.only()),
                [Value::Constant(number), _] => (1, number.only()),
                _ => return Err("expected features and a number".to_owned()),
            };
            let number = f64::from(number.ok_or("expected features and a number")?);
            let (least, most) = match call.node.op_type.as_str() {
                "Min" => (f64::NEG_INFINITY, number),
                _ => (number, f64::INFINITY),
            };
            return step(reader, call, index, |one| Step::Of(Function::Clip(least, most), one));
        }
        _ => {
            let bound = |name: &str, index: usize, default: f64| match (call.node.attribute(name), index) {
                (Some(attribute), _) => Ok(f64::from(attribute.f)),
                (None, index) => match call.optional(index)? {
                    None => Ok(default),
                    Some(number) => {
                        number.only().map(f64::from).ok_or_else(|| "expected one number".to_owned())
                    }
                },
            };
            let least = bound("min", 1, f64::NEG_INFINITY)?;
            Function::Clip(least, bound("max", 2, f64::INFINITY)?)
        }
    };
    if let Value::Norm(norm, view, axis) = &call.inputs[0] {
        return norms::unary(*norm, view, *axis, function);
    }
    step(reader, call, 0, |one| Step::Of(function, one))
}

/// An operation of two values.
pub(super) fn binary<'g>(reader: &mut Reader<'g>, call: &Call<'g>) -> Result<Value, Reason> {
    let operator = match call.node.op_type.as_str() {
        "Add" => Operator::Add,
        "Sub" => Operator::Subtract,
        "Mul" => Operator::Multiply,
        "Div" => Operator::Divide,
        _ => Operator::Power,
    };
    let [one, other] = &call.inputs[..] else {
        return Err(format!("expected two inputs, found {}", call.inputs.len()));
    };
    match (one, other) {
        (Value::Norm(..), _) | (_, Value::Norm(..)) => norms::binary(reader, call, operator),
        (Value::Scores(scores), Value::Constant(number)) if !scores.is_softmax => {
            scaled(scores, operator, number)
        }
        (Value::Constant(number), Value::Scores(scores))
            if !scores.is_softmax && operator == Operator::Multiply =>
        {
            scaled(scores, operator, number)
        }
        (_, Value::Constant(number)) => with(reader, call, 0, operator, number, false),
        (Value::Constant(number), _) => with(reader, call, 1, operator, number, true),
        _ => both(reader, call, operator),
    }
}

/// A step of a function of the value that an input is.
fn step<'g>(
    reader: &mut Reader<'g>,
    call: &Call<'g>,
    index: usize,
    step: impl Fn(Rc<Expression>) -> Step,
) -> Result<Value, Reason> {
    let origin = reader.drafts.origin;
    if let Value::Function(view, one) = &call.inputs[index]
        && let Some(expression) = Expression::new(step(one.clone()), origin)
    {
        reader.steps.insert(call.node.input[index].clone(), origin);
        return Ok(Value::Function(view.clone(), Rc::new(expression)));
    }
    let view = reader.data(call, index)?;
    let value = Rc::new(Expression::new(Step::Value, origin).ok_or("a function of no step")?);
    let expression = Expression::new(step(value), origin).ok_or("a function of too many steps")?;
    Ok(Value::Function(view, Rc::new(expression)))
}

/// Features and a constant.
fn with<'g>(
    reader: &mut Reader<'g>,
    call: &Call<'g>,
    index: usize,
    operator: Operator,
    constant: &Tensor,
    is_first: bool,
) -> Result<Value, Reason> {
    let rank = call.inputs[index].view().map_or(0, |view| view.sides.len());
    if let Some(number) = constant.only().filter(|_| constant.dims.len() <= rank) {
        let number = decimal(number);
        return step(reader, call, index, |one| match is_first {
            true => Step::Behind(operator, number, one),
            false => Step::With(operator, one, number),
        });
    }
    let view = reader.data(call, index)?;
    let numbers = constant.weights()?;
    if let Some(number) = numbers.iter().find(|number| !number.is_finite()) {
        return Err(format!("the constant holds {number}, expected finite numbers"));
    }
    let table = Table::new(&view, &constant.dims)?;
    let channels = reader.drafts.node(&view).channels;
    let plain = vec![1.0; channels];
    let none = vec![0.0; channels];
    if !table.has(Axis::Position) {
        let each = table.channels(&numbers, channels)?;
        let reciprocal = || each.iter().map(|value| value.recip()).collect::<Vec<f64>>();
        let negative = |values: &[f64]| values.iter().map(|value| -value).collect::<Vec<f64>>();
        let (factors, shifts) = match (operator, is_first) {
            (Operator::Add, _) => (plain, each),
            (Operator::Subtract, false) => (plain, negative(&each)),
            (Operator::Subtract, true) => (negative(&plain), each),
            (Operator::Multiply, _) => (each, none),
            (Operator::Divide, false) => (reciprocal(), none),
            _ => return Err("a constant that is divided, or a power for each channel".to_owned()),
        };
        if factors.iter().chain(&shifts).any(|number| !number.is_finite()) {
            return Err("the constant holds a zero that divides".to_owned());
        }
        return Ok(Value::Data(reader.drafts.affine(&view, &factors, &shifts)?));
    }
    let sign = match (operator, is_first) {
        (Operator::Add, _) => 1.0,
        (Operator::Subtract, false) => -1.0,
        _ => return Err("positions that are not added".to_owned()),
    };
    let view = reader.drafts.tokens(&view)?;
    let draft = reader.drafts.node(&view);
    let (positions, grid, prefix) = (draft.positions(), draft.sides, draft.prefix);
    let values = table.positions(&numbers, positions, channels, sign)?;
    let node = reader.drafts.add(fixed_positions(grid, prefix), &[view.node], vec![values])?;
    Ok(Value::Data(reader.drafts.moved(&view, node)))
}

/// Two values that both depend on the picture.
fn both<'g>(reader: &mut Reader<'g>, call: &Call<'g>, operator: Operator) -> Result<Value, Reason> {
    let origin = reader.drafts.origin;
    if let (Some(one), Some(other)) = (call.inputs[0].view(), call.inputs[1].view())
        && one.is_same(other)
    {
        let [left, right] = [0, 1].map(|index| match &call.inputs[index] {
            Value::Function(_, expression) => Some(expression.clone()),
            _ => Expression::new(Step::Value, origin).map(Rc::new),
        });
        if let (Some(left), Some(right)) = (left, right)
            && let Some(expression) = Expression::new(Step::Both(operator, left, right), origin)
        {
            reader.steps.extend(call.node.input.iter().map(|input| (input.clone(), origin)));
            let view = View { sole: false, ..one.clone() };
            return Ok(Value::Function(view, Rc::new(expression)));
        }
    }
    let (mut one, mut other) = (reader.data(call, 0)?, reader.data(call, 1)?);
    let operation = match operator {
        Operator::Add => Operation::Add,
        Operator::Multiply => Operation::Multiply,
        _ => return Err("expected a constant as one of the inputs".to_owned()),
    };
    if operation == Operation::Multiply && is_gate(reader, &one, &other) {
        (one, other) = (other, one);
    }
    let gates = operation == Operation::Multiply && is_gate(reader, &other, &one);
    if !gates {
        if reader.drafts.node(&one).prefix.is_some() != reader.drafts.node(&other).prefix.is_some() {
            (one, other) = (reader.drafts.tokens(&one)?, reader.drafts.tokens(&other)?);
        }
        let [a, b] = [&one, &other].map(|view| {
            let draft = reader.drafts.node(view);
            (draft.channels, draft.sides, draft.prefix, view.first)
        });
        if one.sides != other.sides || a != b {
            let (one, other) = (shown(&one.shape()), shown(&other.shape()));
            return Err(format!(
                "{one} and {other}: expected one arrangement, or a map and one number a channel"
            ));
        }
    }
    let node = reader.drafts.add(operation, &[one.node, other.node], Vec::new())?;
    Ok(Value::Data(reader.drafts.moved(&one, node)))
}

/// Whether `gate` has one number for each channel of the map `of`, which has more.
fn is_gate(reader: &Reader<'_>, gate: &View, of: &View) -> bool {
    let (small, large) = (reader.drafts.node(gate), reader.drafts.node(of));
    let is_single = |side: &[super::view::Part], of: &[super::view::Part]| {
        side == of || (side.is_empty() && of.iter().all(|part| part.axis == Axis::Position))
    };
    small.sides == [1; 2]
        && large.sides != [1; 2]
        && small.prefix.is_none()
        && large.prefix.is_none()
        && small.channels == large.channels
        && (gate.first, of.first) == ([0; 2], [0; 2])
        && gate.sides.len() == of.sides.len()
        && gate.sides.iter().zip(&of.sides).all(|(one, other)| is_single(one, other))
}

/// Products of queries and keys with a factor.
fn scaled(scores: &Scores, operator: Operator, number: &Tensor) -> Result<Value, Reason> {
    let number = number
        .only()
        .map(decimal)
        .ok_or("a mask of attention, which is not known here; export the network without one")?;
    let factor = match operator {
        Operator::Multiply => number,
        Operator::Divide => number.recip(),
        Operator::Add if number == 0.0 => 1.0,
        _ => return Err("expected a factor of the products of queries and keys".to_owned()),
    };
    let Scores { queries, keys, scale, is_softmax } = scores;
    let scale = scale * factor;
    Ok(Value::Scores(Rc::new(Scores {
        queries: queries.clone(),
        keys: keys.clone(),
        scale,
        is_softmax: *is_softmax,
    })))
}

/// Where the numbers of a constant, which is repeated along sides of 1, belong in a view.
struct Table<'v> {
    view: &'v View,
    /// The sides of the constant, as many as the view has.
    dims: Vec<usize>,
}

impl<'v> Table<'v> {
    fn new(view: &'v View, dims: &[usize]) -> Result<Self, Reason> {
        let shape = view.shape();
        let missing = shape.len().checked_sub(dims.len()).ok_or("a constant with more axes")?;
        let dims: Vec<usize> = std::iter::repeat_n(1, missing).chain(dims.iter().copied()).collect();
        let fits = dims
            .iter()
            .zip(&shape)
            .all(|(got, side)| *got == 1 || (!side.pictures && i64::try_from(*got) == Ok(side.value)));
        match fits {
            true => Ok(Self { view, dims }),
            false => Err(format!("a constant {dims:?} for {}", shown(&shape))),
        }
    }

    /// Whether the constant differs along an axis.
    fn has(&self, axis: Axis) -> bool {
        let sides = self.view.sides.iter().zip(&self.dims).filter(|(_, dim)| **dim > 1);
        sides.flat_map(|(side, _)| side).any(|part| part.axis == axis)
    }

    /// Calls `each` with the position, the channel and the number of every element of these sides.
    fn elements(&self, sides: &[usize], mut each: impl FnMut(usize, usize, usize)) -> Result<(), Reason> {
        let count: usize = sides.iter().product();
        if count > MOST_MADE {
            return Err(format!("{count} numbers"));
        }
        for element in 0..count {
            let (mut rest, mut stride) = (element, 1);
            let (mut at, mut number) = (self.view.first, 0);
            for axis in (0..sides.len()).rev() {
                let mut place = rest % sides[axis];
                rest /= sides[axis];
                number += if self.dims[axis] > 1 { place * stride } else { 0 };
                stride *= self.dims[axis];
                for part in self.view.sides[axis].iter().rev().filter(|_| sides[axis] > 1) {
                    at[usize::from(part.axis == Axis::Channel)] += place % part.size * part.stride;
                    place /= part.size;
                }
            }
            each(at[0], at[1], number);
        }
        Ok(())
    }

    /// A number for each channel.
    fn channels(&self, numbers: &[f32], channels: usize) -> Result<Vec<f64>, Reason> {
        // A constant of one number for all channels is repeated by the view's own sides.
        let of_channels = |side: &[super::view::Part]| side.iter().any(|part| part.axis == Axis::Channel);
        let shape = self.view.shape();
        let sides: Vec<usize> = (0..shape.len())
            .map(|axis| if of_channels(&self.view.sides[axis]) { shape[axis].value as usize } else { 1 })
            .collect();
        let mut each = vec![None; channels];
        self.elements(&sides, |_, channel, number| each[channel] = Some(f64::from(numbers[number])))?;
        each.into_iter()
            .collect::<Option<Vec<f64>>>()
            .ok_or_else(|| "a constant for some channels alone".to_owned())
    }

    /// A number for each channel of each position.
    fn positions(
        &self,
        numbers: &[f32],
        positions: usize,
        channels: usize,
        sign: f32,
    ) -> Result<Vec<f32>, Reason> {
        super::tensor::made(&[positions, channels])?;
        let sides: Vec<usize> = self.view.shape().iter().map(|side| side.value as usize).collect();
        let mut values = vec![f32::NAN; positions * channels];
        self.elements(&sides, |position, channel, number| {
            values[position * channels + channel] = sign * numbers[number];
        })?;
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(values),
            false => Err("positions for some tokens alone".to_owned()),
        }
    }
}
