//! Three networks as their papers describe them.

use dfm_graph::{Activation, Builder, Convolution, Graph, Interpolation, NodeId, Padding, Window};

/// ResNet-50 as in torchvision, up to `layer4`.
pub(crate) fn resnet50() -> Graph {
    let mut net = Builder::new();
    let picture = net.picture();
    let stem = net.convolution("conv1", picture, Convolution::new(64, 7).stride(2));
    let stem = net.activation("relu", stem, Activation::Relu);
    let mut x = net.max_pool("maxpool", stem, Window::new(3).stride(2));
    for (stage, depth) in [3, 4, 6, 3].into_iter().enumerate() {
        for index in 0..depth {
            let name = format!("layer{}.{index}", stage + 1);
            let planes = 64 << stage;
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            x = bottleneck(&mut net, &name, x, planes, stride);
        }
        net.tap(&format!("layer{}", stage + 1), x);
    }
    net.finish().expect("a network that fits together")
}

fn bottleneck(net: &mut Builder, name: &str, x: NodeId, planes: usize, stride: usize) -> NodeId {
    let out = 4 * planes;
    let shortcut = match stride != 1 || net.channels(x) != out {
        true => net.convolution(&format!("{name}.downsample"), x, Convolution::new(out, 1).stride(stride)),
        false => x,
    };
    let branch = net.convolution(&format!("{name}.conv1"), x, Convolution::new(planes, 1));
    let branch = net.activation(&format!("{name}.relu1"), branch, Activation::Relu);
    let branch =
        net.convolution(&format!("{name}.conv2"), branch, Convolution::new(planes, 3).stride(stride));
    let branch = net.activation(&format!("{name}.relu2"), branch, Activation::Relu);
    let branch = net.convolution(&format!("{name}.conv3"), branch, Convolution::new(out, 1));
    let sum = net.add(&format!("{name}.sum"), branch, shortcut);
    net.activation(name, sum, Activation::Relu)
}

/// MobileNetV2 of width 1, without its classifier.
pub(crate) fn mobilenet_v2() -> Graph {
    let mut net = Builder::new();
    let picture = net.picture();
    let stem = net.convolution("conv_stem", picture, Convolution::new(32, 3).stride(2));
    let mut x = net.activation("conv_stem.act", stem, Activation::Relu6);
    let stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1)];
    let stages = stages.into_iter().chain([(6, 160, 3, 2), (6, 320, 1, 1)]);
    for (stage, (expansion, out, depth, stride)) in stages.enumerate() {
        for index in 0..depth {
            let name = format!("blocks.{stage}.{index}");
            let (input, inner) = (x, net.channels(x) * expansion);
            if expansion > 1 {
                let wide = net.convolution(&format!("{name}.conv_pw"), x, Convolution::new(inner, 1));
                x = net.activation(&format!("{name}.act1"), wide, Activation::Relu6);
            }
            let stride = if index == 0 { stride } else { 1 };
            let depthwise = Convolution::new(inner, 3).stride(stride).grouped(inner);
            let deep = net.convolution(&format!("{name}.conv_dw"), x, depthwise);
            let deep = net.activation(&format!("{name}.act2"), deep, Activation::Relu6);
            x = net.convolution(&format!("{name}.conv_pwl"), deep, Convolution::new(out, 1));
            if stride == 1 && net.channels(input) == out {
                x = net.add(&format!("{name}.sum"), x, input);
            }
        }
        net.tap(&format!("blocks.{stage}"), x);
    }
    let head = net.convolution("conv_head", x, Convolution::new(1280, 1));
    net.activation("bn2", head, Activation::Relu6);
    net.finish().expect("a network that fits together")
}

/// The ViT-S/14 of DINOv2, with positions for 37×37 cells.
pub(crate) fn vit_small() -> Graph {
    const WIDTH: usize = 384;
    let mut net = Builder::new();
    let picture = net.picture();
    let patches = Convolution::new(WIDTH, 14).stride(14).padded(Padding::NONE);
    let patches = net.convolution("patch_embed", picture, patches);
    let tokens = net.to_tokens("patch_embed.flatten", patches);
    let tokens = net.prefix_tokens("cls", tokens, 1);
    let mut x = net.positions("pos", tokens, [37; 2], 1, Interpolation::BicubicAntialiased);
    for index in 0..12 {
        let name = |part: &str| format!("blocks.{index}.{part}");
        let value = net.layer_norm(&name("norm1"), x, 1e-6);
        let value = net.linear(&name("attn.qkv"), value, 3 * WIDTH);
        let value = net.attention(&name("attn"), value, 6);
        let value = net.linear(&name("attn.proj"), value, WIDTH);
        let value = net.scale(&name("ls1"), value);
        x = net.add(&name("sum1"), x, value);
        let value = net.layer_norm(&name("norm2"), x, 1e-6);
        let value = net.linear(&name("mlp.fc1"), value, 4 * WIDTH);
        let value = net.activation(&name("mlp.act"), value, Activation::GeluErf);
        let value = net.linear(&name("mlp.fc2"), value, WIDTH);
        let value = net.scale(&name("ls2"), value);
        x = net.add(&name("sum2"), x, value);
        net.tap(&format!("blocks.{index}"), x);
    }
    let x = net.layer_norm("norm", x, 1e-6);
    let map = net.to_map("map", x);
    net.tap("tokens", map);
    net.finish().expect("a network that fits together")
}
