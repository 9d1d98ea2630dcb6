//! Inverted residual blocks, of which MobileNets and EfficientNets are made.
//!
//! Sources: Sandler et al., *MobileNetV2* (2018); Howard et al., *Searching for MobileNetV3* (2019); Tan and
//! Le, *EfficientNet* (2019); names as in timm.

use dfm_graph::{Activation, Convolution, NodeId, Padding};

use super::draft::Draft;

/// A network: a stem, and stages of blocks.
#[derive(Debug, Clone)]
pub(crate) struct Inverted {
    /// The channels of the stem.
    pub(crate) stem: usize,
    /// The blocks, stage by stage.
    pub(crate) rows: Vec<Row>,
    /// The activation of the stem and of each block that does not say otherwise.
    pub(crate) activation: Activation,
    /// How blocks are squeezed and excited.
    pub(crate) excite: Excite,
    /// Whether padding is TensorFlow's.
    pub(crate) same: bool,
    /// The number that batch norms add to a variance.
    pub(crate) epsilon: f64,
}

/// Equal blocks one behind the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// The index of the stage.
    pub(crate) stage: usize,
    pub(crate) kind: Kind,
    /// The number of blocks.
    pub(crate) repeats: usize,
    pub(crate) kernel: usize,
    /// The stride of the first block.
    pub(crate) stride: usize,
    /// The factor of the channels inside.
    pub(crate) expansion: f64,
    /// Output channels.
    pub(crate) out: usize,
    /// Whether there is squeeze and excite.
    pub(crate) squeeze: bool,
    /// Whether the activation is a ReLU, whatever that of the network.
    pub(crate) relu: bool,
}

/// The kind of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A depthwise convolution and a pointwise one.
    Separable,
    /// A pointwise convolution that widens, a depthwise one, and a pointwise one that narrows.
    Inverted,
    /// One convolution.
    Plain,
}

/// How blocks are squeezed and excited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excite {
    /// A quarter of the block's input, the activation of the block, a sigmoid (EfficientNet).
    OfInput,
    /// A quarter of the channels inside, rounded to a multiple of 8, a ReLU, a hard sigmoid (MobileNetV3).
    OfInside,
}

/// `channels · multiplier`, rounded to a multiple of 8 that is not more than a tenth lower.
pub(crate) fn rounded(channels: f64, multiplier: f64) -> usize {
    let exact = channels * multiplier;
    let near = (((exact + 4.0) / 8.0) as usize * 8).max(8);
    if (near as f64) < 0.9 * exact { near + 8 } else { near }
}

impl Inverted {
    /// The network without its head, tapped behind each stage (`blocks.2`) and each block (`blocks.2.0`).
    pub(crate) fn draft(&self) -> Draft {
        let mut net = Draft::new(&["conv_head", "bn2", "norm_head", "classifier"]);
        let picture = net.picture();
        let stem = self.padded(Convolution::new(self.stem, 3).stride(2));
        let stem = net.normed_convolution("conv_stem", "bn1", picture, stem, self.epsilon);
        let mut x = net.activation("act1", stem, self.activation);
        let (mut stage, mut index) = (0, 0);
        for row in &self.rows {
            if row.stage != stage {
                net.tap(&format!("blocks.{stage}"), x);
                (stage, index) = (row.stage, 0);
            }
            for repeat in 0..row.repeats {
                let stride = if repeat == 0 { row.stride } else { 1 };
                x = self.block(&mut net, &format!("blocks.{stage}.{index}"), x, row, stride);
                index += 1;
            }
        }
        net.tap(&format!("blocks.{stage}"), x);
        net
    }

    fn block(&self, net: &mut Draft, name: &str, input: NodeId, row: &Row, stride: usize) -> NodeId {
        let path = |part: &str| format!("{name}.{part}");
        let activation = if row.relu { Activation::Relu } else { self.activation };
        let width = net.channels(input);
        let spatial = |channels| self.padded(Convolution::new(channels, row.kernel).stride(stride));
        if row.kind == Kind::Plain {
            let convolution = spatial(row.out);
            let node = net.normed_convolution(&path("conv"), &path("bn1"), input, convolution, self.epsilon);
            return net.activation(name, node, activation);
        }
        let (mut x, mut inside, mut norms) = (input, width, ["bn1", "bn2"]);
        if row.kind == Kind::Inverted {
            inside = rounded(width as f64, row.expansion);
            let wide = Convolution::new(inside, 1);
            x = net.normed_convolution(&path("conv_pw"), &path("bn1"), x, wide, self.epsilon);
            x = net.activation(&path("act1"), x, activation);
            norms = ["bn2", "bn3"];
        }
        let deep = spatial(inside).grouped(inside);
        x = net.normed_convolution(&path("conv_dw"), &path(norms[0]), x, deep, self.epsilon);
        x = net.activation(&path("act2"), x, activation);
        if row.squeeze {
            x = self.excited(net, &path("se"), x, width, activation);
        }
        let last = if row.kind == Kind::Inverted { "conv_pwl" } else { "conv_pw" };
        x = net.normed_convolution(
            &path(last),
            &path(norms[1]),
            x,
            Convolution::new(row.out, 1),
            self.epsilon,
        );
        if stride == 1 && width == row.out {
            return net.add(name, x, input);
        }
        net.tap(name, x);
        x
    }

    /// The factors of a value that its own averages decide, times the value.
    fn excited(
        &self,
        net: &mut Draft,
        name: &str,
        input: NodeId,
        width: usize,
        activation: Activation,
    ) -> NodeId {
        let path = |part: &str| format!("{name}.{part}");
        let inside = net.channels(input);
        let (squeezed, activation, gate) = match self.excite {
            Excite::OfInput => (width / 4, activation, Activation::Sigmoid),
            Excite::OfInside => (rounded(inside as f64, 0.25), Activation::Relu, Activation::HardSigmoid),
        };
        let average = net.global_average(&path("average"), input);
        let reduced = net.plain_linear(&path("conv_reduce"), average, squeezed);
        let reduced = net.activation(&path("act1"), reduced, activation);
        let expanded = net.plain_linear(&path("conv_expand"), reduced, inside);
        let factors = net.activation(&path("gate"), expanded, gate);
        net.multiply(name, input, factors)
    }

    fn padded(&self, convolution: Convolution) -> Convolution {
        if self.same { convolution.padded(Padding::Same) } else { convolution }
    }
}
