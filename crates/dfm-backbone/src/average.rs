//! Averages of several layers, which are tapped as one.

use std::borrow::Cow;
use std::collections::BTreeSet;

use dfm_graph::{Builder, Graph, GraphError, NodeId, Operation};

use crate::architecture::Architecture;
use crate::error::BackboneError;
use crate::layer::Layer;

/// The most layers of an average.
const MOST: usize = 64;

/// What is expected of an average.
const LAYERS: &str = "two to 64 layers";
const TOO_MANY: &str = "two to 64 layers, and these are more";
const UNORDERED: &str = "two to 64 layers, each once, in the order of their names";
const RANGE: &str = "two to 64 layers, and as the ends of a range two names that differ in one number alone";
const REVERSED: &str = "two to 64 layers, and the smaller number first in a range";

impl Layer {
    /// What the name of an average of layers begins with.
    pub const MEAN: &str = "mean:";

    /// The layers that this one is the average of, in order: none unless it is an average.
    ///
    /// An average is written `mean:blocks.3+blocks.5`, or `mean:blocks.3..blocks.8` for all layers whose names
    /// differ in that number only, both ends included.
    ///
    /// ```
    /// use dfm_backbone::Layer;
    ///
    /// let layers = Layer::named("mean:blocks.9..blocks.11+blocks.13").averaged()?;
    /// let names: Vec<&str> = layers.iter().map(Layer::name).collect();
    /// assert_eq!(names, ["blocks.9", "blocks.10", "blocks.11", "blocks.13"]);
    /// assert!(Layer::named("layer3").averaged()?.is_empty());
    /// # Ok::<(), dfm_backbone::BackboneError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`BackboneError::Average`] unless these are two to 64 layers in the order of their names.
    pub fn averaged(&self) -> Result<Vec<Self>, BackboneError> {
        let Some(text) = self.name().strip_prefix(Self::MEAN) else { return Ok(Vec::new()) };
        let wrong = |expected| BackboneError::Average { got: *self, expected };
        let mut layers: Vec<Self> = Vec::new();
        for part in text.split('+') {
            match part.split_once("..") {
                Some((first, last)) => layers.extend(between(first, last).map_err(wrong)?),
                None => layers.push(Self::checked(part).ok_or_else(|| wrong(LAYERS))?),
            }
        }
        if layers.len() < 2 || layers.iter().any(Self::is_average) {
            return Err(wrong(LAYERS));
        }
        if layers.len() > MOST {
            return Err(wrong(TOO_MANY));
        }
        match layers.is_sorted_by(|one, next| one < next) {
            true => Ok(layers),
            false => Err(wrong(UNORDERED)),
        }
    }

    /// The layer up to which a network has to run: the last one of an average, or the layer itself.
    #[must_use]
    pub fn reach(&self) -> Self {
        Self::checked(self.last_name()).unwrap_or(*self)
    }

    pub(crate) fn is_average(&self) -> bool {
        self.name().starts_with(Self::MEAN)
    }

    /// The text that ends the name of an average, which is its last layer; else the name.
    pub(crate) fn last_name(&self) -> &str {
        match self.name().strip_prefix(Self::MEAN) {
            Some(text) => text.rsplit('+').next().and_then(|part| part.rsplit("..").next()).unwrap_or(text),
            None => self.name(),
        }
    }
}

/// The layers from `first` to `last`, whose names differ in one number; else what is expected.
fn between(first: &str, last: &str) -> Result<Vec<Layer>, &'static str> {
    let is_digit = |c: char| c.is_ascii_digit();
    let same = first.bytes().zip(last.bytes()).take_while(|(one, other)| one == other).count();
    // The number that differs begins where the digits before the first other byte begin.
    let begin = first.get(..same).ok_or(RANGE)?.trim_end_matches(is_digit).len();
    let number = |name: &str| -> Option<(u32, usize)> {
        let digits = name[begin..].find(|c| !is_digit(c)).unwrap_or(name.len() - begin);
        let text = &name[begin..begin + digits];
        // `07` would not come back as it was.
        let value: u32 = text.parse().ok()?;
        (value.to_string() == text).then_some((value, begin + digits))
    };
    let ((from, behind), (to, behind_last)) = number(first).zip(number(last)).ok_or(RANGE)?;
    let (before, after) = (&first[..begin], &first[behind..]);
    if last[behind_last..] != *after || from == to {
        return Err(RANGE);
    }
    if from > to {
        return Err(REVERSED);
    }
    if (to - from) as usize >= MOST {
        return Err(TOO_MANY);
    }
    let layers: Option<Vec<_>> =
        (from..=to).map(|number| Layer::checked(&format!("{before}{number}{after}"))).collect();
    layers.ok_or(RANGE)
}

impl Architecture {
    /// The `graph` of this network or a part of it with a node for each average among `layers`, directly behind the
    /// last of its layers. Other nodes stay as they are.
    ///
    /// # Errors
    ///
    /// If an average is none, a layer of one is unknown, or they have different shapes.
    pub(crate) fn with_averages<'g>(
        &self,
        graph: &'g Graph,
        layers: impl IntoIterator<Item = Layer>,
    ) -> Result<Cow<'g, Graph>, BackboneError> {
        let is_new = |layer: &Layer| layer.is_average() && graph.tap(layer.name()).is_none();
        let new: BTreeSet<Layer> = layers.into_iter().filter(is_new).collect();
        if new.is_empty() {
            return Ok(Cow::Borrowed(graph));
        }
        let find = |layer: Layer| self.find(graph, layer);
        let averages = new
            .into_iter()
            .map(|layer| {
                let members: Vec<NodeId> =
                    layer.averaged()?.into_iter().map(find).collect::<Result<_, _>>()?;
                let last = members
                    .iter()
                    .copied()
                    .max()
                    .ok_or(BackboneError::Average { got: layer, expected: LAYERS })?;
                Ok((last, layer, members))
            })
            .collect::<Result<Vec<_>, BackboneError>>()?;
        let mut net = Builder::new();
        let mut moved: Vec<NodeId> = Vec::with_capacity(graph.nodes().len());
        for id in graph.ids() {
            let node = graph.node(id);
            let inputs: Vec<NodeId> = node.inputs().iter().map(|input| moved[input.index()]).collect();
            moved.push(net.add_node(node.name(), node.operation().clone(), &inputs));
            for (_, layer, members) in averages.iter().filter(|(last, ..)| *last == id) {
                let members: Vec<NodeId> = members.iter().map(|member| moved[member.index()]).collect();
                net.add_node(layer.name(), Operation::Mean, &members);
            }
        }
        graph.taps().for_each(|(name, id)| net.tap(name, moved[id.index()]));
        match net.finish() {
            Ok(graph) => Ok(Cow::Owned(graph)),
            Err(GraphError::Inputs { node, got, .. }) if node.starts_with(Layer::MEAN) => {
                Err(BackboneError::AverageShapes { got: node, shapes: got })
            }
            Err(cause) => Err(self.graph_error(cause)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn averaged(name: &str) -> Option<Vec<String>> {
        let layer = Layer::checked(name)?;
        Some(layer.averaged().ok()?.iter().map(|layer| layer.name().to_owned()).collect())
    }

    #[test]
    fn ranges_and_sums_are_lists_of_layers() {
        let got = |name| averaged(name).unwrap_or_default().join(" ");
        assert_eq!(got("mean:blocks.8..blocks.10"), "blocks.8 blocks.9 blocks.10");
        assert_eq!(got("mean:blocks.10..blocks.12"), "blocks.10 blocks.11 blocks.12");
        assert_eq!(got("mean:layer1+layer3"), "layer1 layer3");
        assert_eq!(got("mean:stages.1.blocks.0..stages.1.blocks.1"), "stages.1.blocks.0 stages.1.blocks.1");
        assert_eq!(got("mean:a1.x..a3.x+b"), "a1.x a2.x a3.x b");
        for wrong in [
            "mean:",
            "mean:layer1",
            "mean:layer3+layer1",
            "mean:layer1+layer1",
            "mean:layer1+",
            "mean:layer3..layer1",
            "mean:layer1..stage2",
            "mean:layer1..layer1",
            "mean:a1.x..a3.y",
            "mean:a01..a03",
            "mean:a1..a65",
            "mean:a1..a2..a3",
            "mean:mean:a1..a2+b",
        ] {
            assert_eq!(averaged(wrong), None, "{wrong}");
            assert!(wrong.parse::<Layer>().is_err(), "{wrong}");
        }
        let cause = |name: &str| Layer::named(name).averaged().unwrap_err().to_string();
        assert!(cause("mean:layer3..layer1").contains("the smaller number first"));
        assert!(cause("mean:a1..a65").contains("these are more"));
        assert!(cause("mean:layer1..stage2").contains("differ in one number alone"));
        assert!(cause("mean:layer3+layer1").contains("in the order of their names"));
        assert_eq!(averaged("layer1"), Some(Vec::new()));
        assert!(Layer::checked("layer1+layer2").is_none());
    }

    #[test]
    fn an_average_lies_behind_its_last_layer() {
        let average = Layer::named("mean:blocks.2..blocks.9");
        assert_eq!(average.reach(), Layer::named("blocks.9"));
        assert!(Layer::named("blocks.9") < average && average < Layer::named("blocks.10"));
        assert_eq!(Layer::named("layer2").reach(), Layer::named("layer2"));
    }

    #[test]
    fn layers_of_different_shapes_have_no_average() {
        let network = Architecture::known("resnet18").unwrap();
        let graph = network.graph().unwrap();
        let refused = network.with_averages(&graph, [Layer::named("mean:layer1+layer2")]);
        assert!(matches!(refused, Err(BackboneError::AverageShapes { .. })), "{refused:?}");
        let unknown = network.with_averages(&graph, [Layer::named("mean:layer1+layer9")]);
        assert!(matches!(unknown, Err(BackboneError::UnknownLayer { .. })), "{unknown:?}");
        let none = network.with_averages(&graph, [Layer::named("layer1")]).unwrap();
        assert!(matches!(none, Cow::Borrowed(_)));
    }
}
