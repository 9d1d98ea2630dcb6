//! ConvNeXt and ConvNeXt V2.
//!
//! Sources: Liu et al., *A ConvNet for the 2020s* (2022); Woo et al., *ConvNeXt V2* (2023); names as in timm.

use dfm_graph::{Activation, Convolution, NodeId, Operation, Padding};
use dfm_image::InputContract;

use super::draft::Draft;
use super::family::{Family, Known, Shapes};

/// The family, by timm's names.
pub(crate) const CONVNEXTS: Family = Family { names: || &NAMES, network };

const NAMES: [&str; 15] = [
    "convnext_atto",
    "convnext_femto",
    "convnext_pico",
    "convnext_nano",
    "convnext_tiny",
    "convnext_small",
    "convnext_base",
    "convnext_large",
    "convnextv2_atto",
    "convnextv2_femto",
    "convnextv2_pico",
    "convnextv2_nano",
    "convnextv2_tiny",
    "convnextv2_base",
    "convnextv2_large",
];

/// The number that layer norms add to a variance.
const EPSILON: f64 = 1e-6;

fn network(name: &str, _: Shapes<'_>) -> Option<Known> {
    if !NAMES.contains(&name) {
        return None;
    }
    let (version, size) = name.split_once('_')?;
    let (depths, width) = match size {
        "atto" => ([2, 2, 6, 2], 40),
        "femto" => ([2, 2, 6, 2], 48),
        "pico" => ([2, 2, 6, 2], 64),
        "nano" => ([2, 2, 8, 2], 80),
        "tiny" => ([3, 3, 9, 3], 96),
        "small" => ([3, 3, 27, 3], 96),
        "base" => ([3, 3, 27, 3], 128),
        "large" => ([3, 3, 27, 3], 192),
        _ => return None,
    };
    let draft = convnext(depths, width, version == "convnextv2");
    Some(Known { draft, input: InputContract::imagenet().with_size(224, 224) })
}

/// A ConvNeXt whose first stage has `width` channels, doubled in each later one.
fn convnext(depths: [usize; 4], width: usize, second: bool) -> Draft {
    let mut net = Draft::new(&["head", "norm_pre"]);
    let picture = net.picture();
    let patches = Convolution::new(width, 4).stride(4).padded(Padding::NONE);
    let stem = net.convolution("stem.0", picture, patches);
    net.plain(stem, "stem.0");
    let mut x = net.plain_norm("stem.1", stem, EPSILON);
    for (stage, depth) in depths.into_iter().enumerate() {
        let path = |part: &str| format!("stages.{stage}.{part}");
        if stage > 0 {
            let norm = net.plain_norm(&path("downsample.0"), x, EPSILON);
            let halved = Convolution::new(width << stage, 2).stride(2).padded(Padding::NONE);
            x = net.convolution(&path("downsample.1"), norm, halved);
            net.plain(x, &path("downsample.1"));
        }
        for index in 0..depth {
            x = block(&mut net, &path(&format!("blocks.{index}")), x, second);
        }
        net.tap(&format!("stages.{stage}"), x);
    }
    net
}

/// The sum of a value and of a branch: a depthwise 7×7, a norm, and two matrix products.
fn block(net: &mut Draft, name: &str, input: NodeId, second: bool) -> NodeId {
    let path = |part: &str| format!("{name}.{part}");
    let width = net.channels(input);
    let deep = net.convolution(&path("conv_dw"), input, Convolution::new(width, 7).grouped(width));
    net.plain(deep, &path("conv_dw"));
    let x = net.plain_norm(&path("norm"), deep, EPSILON);
    let x = net.plain_linear(&path("mlp.fc1"), x, 4 * width);
    let mut x = net.activation(&path("mlp.act"), x, Activation::GeluErf);
    if second {
        let norm = Operation::GlobalResponseNorm { epsilon: 1e-6 };
        x = net.add_node(&path("mlp.grn"), norm, &[x]);
        net.plain(x, &path("mlp.grn"));
    }
    let x = net.linear(&path("mlp.fc2"), x, width);
    match second {
        true => net.plain(x, &path("mlp.fc2")),
        false => net.scaled(x, &path("mlp.fc2"), &path("gamma")),
    }
    net.add(name, x, input)
}
