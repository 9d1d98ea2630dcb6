//! Attention, recognised by what its queries, keys and values are parts of.

use dfm_graph::Operation;

use super::reader::Reader;
use super::tensor::Reason;
use super::value::Scores;
use super::view::{Axis, Part, Side, View, shown, side};

/// The heads of queries, keys or values `[…, T, d]`.
struct Heads {
    /// The channel of each number, head by head.
    channels: Vec<usize>,
    heads: usize,
    /// The channels of each head.
    width: usize,
}

/// `softmax(scale · q kᵀ) v`.
pub(super) fn attend(reader: &mut Reader<'_>, scores: &Scores, values: &View) -> Result<View, Reason> {
    let axes = scores.queries.sides.len();
    if axes < 3 || [&scores.keys, values].iter().any(|view| view.sides.len() != axes) {
        return Err("queries, keys and values of different numbers of axes".to_owned());
    }
    let mut order: Vec<usize> = (0..axes).collect();
    order.swap(axes - 1, axes - 2);
    let views = [scores.queries.clone(), scores.keys.transpose(&order)?, values.clone()];
    let alike = views.iter().all(|view| view.shape() == views[0].shape());
    if !alike {
        let shapes: Vec<String> = views.iter().map(|view| shown(&view.shape())).collect();
        return Err(format!("queries {}, keys {}, values {}", shapes[0], shapes[1], shapes[2]));
    }
    let [queries, keys, of_values] = [0, 1, 2].map(|index| heads(reader, &views[index]));
    let parts = [queries?, keys?, of_values?];
    let Heads { heads, width, .. } = parts[0];
    if parts.iter().any(|part| (part.heads, part.width) != (heads, width)) {
        return Err("queries, keys and values of different heads".to_owned());
    }
    let forms = [0, 1, 2].map(|index| {
        let draft = reader.drafts.node(&views[index]);
        (draft.sides, draft.prefix)
    });
    if forms.iter().any(|form| *form != forms[0]) {
        return Err("queries, keys and values of different tokens".to_owned());
    }
    let factor = scores.scale * (width as f64).sqrt();
    if !factor.is_finite() {
        return Err(format!("a factor of {factor}"));
    }
    let joined = join(reader, &views, &parts, if (factor - 1.0).abs() < 1e-6 { 1.0 } else { factor })?;
    let whole = reader.drafts.whole(joined);
    let tokens = reader.drafts.tokens(&whole)?;
    let node = reader.drafts.add(Operation::Attention { heads }, &[tokens.node], Vec::new())?;
    let mut view = reader.drafts.moved(&views[0], node);
    let mut stride = heads * width;
    for part in view.sides[..axes - 2].iter_mut().flatten().filter(|part| part.axis == Axis::Channel) {
        stride /= part.size;
        part.stride = stride;
    }
    view.sides[axes - 1] = side(Axis::Channel, width, 1);
    view.first = [0; 2];
    Ok(view)
}

/// The heads of a view `[…, T, d]`: pictures and heads stand before, in this order or another.
fn heads(reader: &Reader<'_>, view: &View) -> Result<Heads, Reason> {
    let axes = view.sides.len();
    let (before, last) = view.sides.split_at(axes - 2);
    let draft = reader.drafts.node(view);
    let of_channels = |side: &Side| side.iter().all(|part| part.axis == Axis::Channel);
    let all_tokens = last[0] == side(Axis::Position, draft.positions(), 1) && view.first[0] == 0;
    let before: Vec<Part> = before.iter().flatten().copied().collect();
    let pictures = before.iter().filter(|part| part.axis == Axis::Pictures).count();
    let heads: Side = before.into_iter().filter(|part| part.axis == Axis::Channel).collect();
    let none_else = view.sides[..axes - 2].iter().flatten().all(|part| part.axis != Axis::Position);
    if view.state != draft.state || !all_tokens || !of_channels(&last[1]) || pictures != 1 || !none_else {
        return Err(format!("{}: expected [N, heads, T, d] of all tokens", shown(&view.shape())));
    }
    let places = |parts: &[Part]| {
        parts.iter().fold(vec![0], |places, part| {
            let next =
                places.iter().flat_map(|place| (0..part.size).map(move |step| place + step * part.stride));
            next.collect::<Vec<usize>>()
        })
    };
    let (outer, inner) = (places(&heads), places(&last[1]));
    let channels =
        outer.iter().flat_map(|outer| inner.iter().map(move |inner| view.first[1] + outer + inner));
    Ok(Heads { channels: channels.collect(), heads: outer.len(), width: inner.len() })
}

/// A node with the queries, times `factor`, the keys and the values.
fn join(
    reader: &mut Reader<'_>,
    views: &[View; 3],
    parts: &[Heads; 3],
    factor: f64,
) -> Result<usize, Reason> {
    let all: Vec<usize> = parts.iter().flat_map(|part| part.channels.iter().copied()).collect();
    let first = reader.drafts.node(&views[0]);
    let is_one = views.iter().all(|view| view.node == views[0].node);
    if is_one && factor == 1.0 && first.channels == all.len() && all.iter().copied().eq(0..all.len()) {
        return Ok(views[0].node);
    }
    let input = first.inputs.clone();
    let are_products = views.iter().all(|view| {
        let draft = reader.drafts.node(view);
        matches!(draft.operation, Operation::Linear { .. }) && draft.inputs == input
    });
    if are_products {
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for (index, (view, part)) in views.iter().zip(parts).enumerate() {
            let draft = reader.drafts.node(view);
            let length = draft.values[0].len() / draft.channels;
            let factor = if index == 0 { factor } else { 1.0 };
            let scaled = |value: &f32| (f64::from(*value) * factor) as f32;
            for channel in &part.channels {
                weight.extend(draft.values[0][channel * length..][..length].iter().map(scaled));
                bias.push(scaled(&draft.values[1][*channel]));
            }
        }
        return reader.drafts.add(Operation::Linear { out: all.len() }, &input, vec![weight, bias]);
    }
    let mut nodes = Vec::with_capacity(3);
    for (index, (view, part)) in views.iter().zip(parts).enumerate() {
        let channels = reader.drafts.node(view).channels;
        if !part.channels.iter().copied().eq(0..channels) {
            return Err(
                "queries, keys or values are a part of channels that no matrix product gives".to_owned()
            );
        }
        let mut whole = View { sole: false, ..reader.drafts.whole(view.node) };
        if index == 0 {
            whole = reader.drafts.affine(&whole, &vec![factor; channels], &vec![0.0; channels])?;
        }
        nodes.push(whole.node);
    }
    reader.drafts.add(Operation::Concatenate, &nodes, Vec::new())
}
