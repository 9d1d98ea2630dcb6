//! Convolutions and pools of maps.

use dfm_graph::{Activation, Convolution, LARGEST_WINDOW, MOST_CHANNELS, Operation, Padding, Window};

use super::call::Call;
use super::reader::Reader;
use super::tensor::Reason;
use super::value::{Padded, Value};

/// A convolution.
pub(super) fn convolution<'g>(reader: &mut Reader<'g>, call: &Call<'g>) -> Result<Value, Reason> {
    let (node, padded) = map(reader, call)?;
    let weight = call.constant(1)?;
    let [out, inputs, rows, columns] = weight.dims[..] else {
        return Err(format!("a weight {:?}: expected [out, in, rows, columns]", weight.dims));
    };
    let channels = reader.drafts.nodes()[node].channels;
    let groups = usize::try_from(call.int("group", 1)).unwrap_or(0);
    let fits = groups > 0
        && (1..=MOST_CHANNELS).contains(&out)
        && out.is_multiple_of(groups)
        && inputs.checked_mul(groups) == Some(channels);
    if !fits {
        return Err(format!("a weight {:?} of {groups} groups for {channels} channels", weight.dims));
    }
    if padded.is_some_and(|padded| padded.number != 0.0) {
        return Err("padding that is not zero before a convolution".to_owned());
    }
    let sides = reader.drafts.nodes()[node].sides;
    let window = window(call, Some([rows, columns]), sides, padded)?;
    let bias = match call.optional(2)? {
        None => vec![0.0; out],
        Some(bias) if bias.dims == [out] => bias.weights()?.to_vec(),
        Some(bias) => return Err(format!("a bias {:?}, expected [{out}]", bias.dims)),
    };
    let operation = Operation::Convolution(Convolution { out, groups, window });
    let values = vec![weight.weights()?.to_vec(), bias];
    let node = reader.drafts.add(operation, &[node], values)?;
    Ok(Value::Data(reader.drafts.whole(node)))
}

/// The maximum or average of each window.
pub(super) fn pool<'g>(reader: &mut Reader<'g>, call: &Call<'g>) -> Result<Value, Reason> {
    if call.node.output.iter().skip(1).any(|output| !output.is_empty()) {
        return Err("the places of the maxima".to_owned());
    }
    let (node, padded) = map(reader, call)?;
    let draft = &reader.drafts.nodes()[node];
    let is_max = call.node.op_type == "MaxPool";
    let is_positive = matches!(
        draft.operation,
        Operation::Activation(
            Activation::Relu | Activation::Relu6 | Activation::Sigmoid | Activation::HardSigmoid
        )
    );
    let fits = match padded {
        None => true,
        // A zero never decides the maximum of what is not below zero, and a window holds an element of the map.
        Some(padded) if is_max => padded.number == f32::NEG_INFINITY || (padded.number == 0.0 && is_positive),
        Some(padded) => padded.number == 0.0,
    };
    if !fits {
        return Err("padding before a pool, which decides what it gives".to_owned());
    }
    let sides = draft.sides;
    let mut window = window(call, None, sides, padded)?;
    let counts =
        window.padding != Padding::NONE && (padded.is_some() || call.int("count_include_pad", 0) != 0);
    if call.int("ceil_mode", 0) != 0 {
        // A last window that would reach beyond the map. Only what is padded without counting may be added.
        let Padding::Explicit { begin, mut end } = window.padding else {
            return Err("ceil_mode with padding that is not stated in numbers".to_owned());
        };
        for axis in 0..2 {
            let length = sides[axis] + begin[axis] + end[axis];
            let over = length.saturating_sub(window.extent(axis)) % window.stride[axis];
            let starts = length.saturating_sub(window.extent(axis)).next_multiple_of(window.stride[axis]);
            if over > 0 && starts < sides[axis] + begin[axis] {
                end[axis] += window.stride[axis] - over;
                if !is_max && counts {
                    return Err("ceil_mode with padding that counts".to_owned());
                }
            }
        }
        window.padding = Padding::Explicit { begin, end };
    }
    if window.dilation != [1; 2] {
        return Err(format!("a pool with the dilations {:?}", window.dilation));
    }
    let operation = match is_max {
        true => Operation::MaxPool(window),
        false => Operation::AveragePool { window, count_padding: counts },
    };
    let node = reader.drafts.add(operation, &[node], Vec::new())?;
    Ok(Value::Data(reader.drafts.whole(node)))
}

/// The average of each channel.
pub(super) fn global_average<'g>(reader: &mut Reader<'g>, call: &Call<'g>) -> Result<Value, Reason> {
    let view = reader.data(call, 0)?;
    let map = reader.drafts.map(&view)?;
    let node = reader.drafts.add(Operation::GlobalAverage, &[map], Vec::new())?;
    Ok(Value::Data(reader.drafts.whole(node)))
}

/// Padding around a map.
pub(super) fn pad<'g>(reader: &mut Reader<'g>, call: &Call<'g>) -> Result<Value, Reason> {
    let view = reader.data(call, 0)?;
    let mode = call.text("mode", "constant");
    if mode != "constant" {
        return Err(format!("padding of the mode '{mode}'"));
    }
    let pads = call.axes("pads", 1)?.ok_or("no pads")?;
    let number = match call.optional(2)? {
        None => call.node.attribute("value").map_or(0.0, |attribute| attribute.f),
        Some(number) => number.only().ok_or("expected one number to pad with")?,
    };
    let axes = match call.optional(3)? {
        None => (0..view.sides.len()).collect(),
        Some(axes) => axes.as_known()?.iter().map(|axis| view.axis(*axis)).collect::<Result<Vec<_>, _>>()?,
    };
    if pads.len() != 2 * axes.len() {
        return Err(format!("{} pads for {} axes", pads.len(), axes.len()));
    }
    let mut each = vec![[0_usize; 2]; view.sides.len()];
    for (index, pad) in pads.iter().enumerate() {
        let pad = usize::try_from(*pad).map_err(|_| format!("padding of {pad}, expected 0 or more"))?;
        each[axes[index % axes.len()]][index / axes.len()] = pad;
    }
    if each.iter().all(|pads| *pads == [0; 2]) {
        return Ok(Value::Data(view));
    }
    let [[0, 0], [0, 0], rows, columns] = each[..] else {
        return Err(format!("the pads {pads:?}: expected some along rows and columns alone"));
    };
    let padded = Padded { begin: [rows[0], columns[0]], end: [rows[1], columns[1]], number };
    Ok(Value::Padded(view, padded))
}

/// The map that a node reads, and the padding around it.
fn map<'g>(reader: &mut Reader<'g>, call: &Call<'g>) -> Result<(usize, Option<Padded>), Reason> {
    match call.inputs.first() {
        Some(Value::Padded(view, padded)) => Ok((reader.drafts.map(view)?, Some(*padded))),
        Some(_) => {
            let view = reader.data(call, 0)?;
            Ok((reader.drafts.map(&view)?, None))
        }
        None => Err("no input".to_owned()),
    }
}

/// The window of a node for a map with these sides.
fn window(
    call: &Call<'_>,
    kernel: Option<[usize; 2]>,
    sides: [usize; 2],
    padded: Option<Padded>,
) -> Result<Window, Reason> {
    let pair = |name: &str, default: Option<[usize; 2]>| {
        let numbers = call.node.ints(name, &[]);
        match (&numbers[..], default) {
            ([], Some(default)) => Ok(default),
            ([rows, columns], _)
                if *rows > 0 && *columns > 0 && *rows.max(columns) <= LARGEST_WINDOW as i64 =>
            {
                Ok([*rows as usize, *columns as usize])
            }
            _ => Err(format!("{name} {numbers:?}: expected two numbers between 1 and {LARGEST_WINDOW}")),
        }
    };
    let shape = pair("kernel_shape", kernel)?;
    if kernel.is_some_and(|kernel| kernel != shape)
        || shape.iter().any(|side| !(1..=LARGEST_WINDOW).contains(side))
    {
        return Err(format!("the kernel {shape:?} for a weight of {kernel:?}"));
    }
    let mut window = Window {
        kernel: shape,
        stride: pair("strides", Some([1; 2]))?,
        padding: Padding::NONE,
        dilation: pair("dilations", Some([1; 2]))?,
    };
    let mode = call.text("auto_pad", "NOTSET");
    let before = padded.map_or([[0; 2]; 2], |padded| [padded.begin, padded.end]);
    let [begin, end] = match mode.as_str() {
        "NOTSET" | "" => match &call.node.ints("pads", &[0; 4])[..] {
            [top, left, bottom, right]
                if [top, left, bottom, right]
                    .iter()
                    .all(|pad| (0..=LARGEST_WINDOW as i64).contains(*pad)) =>
            {
                [[*top as usize, *left as usize], [*bottom as usize, *right as usize]]
            }
            pads => return Err(format!("the pads {pads:?}: expected four numbers of 0 or more")),
        },
        "VALID" => [[0; 2]; 2],
        "SAME_UPPER" | "SAME_LOWER" => {
            let sides = [0, 1].map(|axis| sides[axis] + before[0][axis] + before[1][axis]);
            window.padding = Padding::Same;
            let [begin, end] = window.padding_of(sides);
            if mode == "SAME_UPPER" { [begin, end] } else { [end, begin] }
        }
        _ => return Err(format!("auto_pad '{mode}'")),
    };
    if padded.is_some() && kernel.is_none() && [begin, end] != [[0; 2]; 2] {
        return Err("a pool that pads a map with padding".to_owned());
    }
    let sum = |one: [usize; 2], other: [usize; 2]| [0, 1].map(|axis| one[axis].saturating_add(other[axis]));
    window.padding = Padding::Explicit { begin: sum(before[0], begin), end: sum(before[1], end) };
    Ok(window)
}
