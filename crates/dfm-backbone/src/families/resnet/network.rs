//! The graph of a ResNet.

use dfm_graph::{Activation, Convolution, NodeId, Padding, Window};
use dfm_image::InputContract;

use super::description::ResNet;
use super::shape::{BlockShape, ConvolutionShape};
use crate::families::draft::{Draft, EPSILON};
use crate::families::family::{Family, Known, Shapes};

/// The family, by timm's names.
pub(crate) const RESNETS: Family = Family { names: ResNet::names, network };

fn network(name: &str, _: Shapes<'_>) -> Option<Known> {
    let input = match name {
        "resnet50_1by2" => InputContract::caffe(),
        _ => InputContract::imagenet(),
    };
    Some(Known { draft: draft(&ResNet::known(name)?), input })
}

/// The network of a checked description. Names and order of its parameters are those of weights files:
/// `stem.weight`, `layer1.0.projection.bias`, …
pub(crate) fn draft(resnet: &ResNet) -> Draft {
    let mut net = Draft::new(&["fc", "classifier"]);
    let picture = net.picture();
    let stem = convolution(&mut net, picture, &resnet.stem(), ["conv1", "bn1"]);
    let stem = net.activation("stem.relu", stem, Activation::Relu);
    let (begin, end) = resnet.max_pool_padding.sides();
    let padding = Padding::Explicit { begin: [begin; 2], end: [end; 2] };
    let mut value = net.max_pool("stem.pool", stem, Window::new(3).stride(2).padded(padding));
    let blocks = resnet.blocks(ResNet::STAGES);
    for (index, block) in blocks.iter().enumerate() {
        value = residual(&mut net, value, block);
        if blocks.get(index + 1).is_none_or(|next| next.stage != block.stage) {
            net.tap(&format!("layer{}", block.stage + 1), value);
        }
    }
    net
}

/// The sum of a branch and a shortcut, then a ReLU.
fn residual(net: &mut Draft, input: NodeId, block: &BlockShape) -> NodeId {
    let name = &block.name;
    let shortcut = match &block.projection {
        Some(shape) => {
            let names = [format!("{name}.downsample.0"), format!("{name}.downsample.1")];
            convolution(net, input, shape, [&names[0], &names[1]])
        }
        None => input,
    };
    let mut branch = input;
    for (index, shape) in block.branch.iter().enumerate() {
        if index > 0 {
            branch = net.activation(&format!("{name}.relu{index}"), branch, Activation::Relu);
        }
        let norm = shape.name.replace("conv", "bn");
        branch = convolution(net, branch, shape, [&shape.name, &norm]);
    }
    let sum = net.add(&format!("{name}.sum"), branch, shortcut);
    net.activation(name, sum, Activation::Relu)
}

/// A convolution, with the names of it and of its batch norm in timm's files.
fn convolution(net: &mut Draft, input: NodeId, shape: &ConvolutionShape, [name, norm]: [&str; 2]) -> NodeId {
    let convolution =
        Convolution::new(shape.out_channels, shape.kernel[0]).stride(shape.stride).grouped(shape.groups);
    let node = net.convolution(&shape.name, input, convolution);
    net.normed(node, name, norm, EPSILON);
    node
}
