//! Small graphs of several families, with random parameters.

use dfm_graph::{Activation, Builder, Convolution, Graph, Interpolation, Operation, Padding, Window};

use super::support::Noise;

/// Parameters at a scale at which values keep their size, so that no layer hides another.
pub(crate) fn drawn(graph: &Graph, noise: &mut Noise) -> Vec<Vec<f32>> {
    let draw = |parameter: &dfm_graph::Parameter| {
        let each: usize = parameter.dims[1..].iter().product();
        match (graph.node(parameter.node).operation(), parameter.suffix) {
            (Operation::Convolution(_) | Operation::Linear { .. }, "weight") => {
                noise.take(parameter.len(), (3.0 / each as f32).sqrt())
            }
            (_, "weight") => noise.take(parameter.len(), 0.5).into_iter().map(|value| 1.0 + value).collect(),
            _ => noise.take(parameter.len(), 0.3),
        }
    };
    graph.parameters().iter().map(draw).collect()
}

/// Inverted residuals with squeeze-and-excite, as in MobileNetV3 and EfficientNet.
pub(crate) fn efficient(activation: Activation, padding: Padding) -> Graph {
    let mut net = Builder::new();
    let picture = net.picture();
    let stem = Convolution::new(20, 3).stride(2).padded(padding);
    let stem = net.convolution("conv_stem", picture, stem);
    let mut x = net.activation("conv_stem.act", stem, activation);
    for (index, (kernel, stride, out)) in [(3, 1, 20), (5, 2, 24), (5, 1, 24)].into_iter().enumerate() {
        let name = |part: &str| format!("blocks.{index}.{part}");
        let (input, inner) = (x, 3 * net.channels(x));
        let wide = net.convolution(&name("conv_pw"), x, Convolution::new(inner, 1));
        let wide = net.activation(&name("act1"), wide, activation);
        let padding = if stride == 2 { padding } else { Padding::even(kernel / 2) };
        let deep = Convolution::new(inner, kernel).stride(stride).grouped(inner).padded(padding);
        let deep = net.convolution(&name("conv_dw"), wide, deep);
        let deep = net.activation(&name("act2"), deep, activation);
        let squeezed = net.global_average(&name("se.mean"), deep);
        let squeezed = net.convolution(&name("se.conv_reduce"), squeezed, Convolution::new(7, 1));
        let squeezed = net.activation(&name("se.act"), squeezed, Activation::Relu);
        let squeezed = net.convolution(&name("se.conv_expand"), squeezed, Convolution::new(inner, 1));
        let gate = net.activation(&name("se.gate"), squeezed, Activation::Sigmoid);
        let deep = net.multiply(&name("se"), deep, gate);
        x = net.convolution(&name("conv_pwl"), deep, Convolution::new(out, 1));
        if stride == 1 && net.channels(input) == out {
            x = net.add(&name("sum"), x, input);
        }
        net.tap(&format!("blocks.{index}"), x);
    }
    net.finish().expect("a network that fits together")
}

/// ConvNeXt V1 with layer scale, and V2 with global response norm.
pub(crate) fn convnext(is_second: bool) -> Graph {
    let mut net = Builder::new();
    let picture = net.picture();
    let patches = Convolution::new(24, 4).stride(4).padded(Padding::NONE);
    let x = net.convolution("stem.0", picture, patches);
    let mut x = net.layer_norm("stem.1", x, 1e-6);
    for stage in 0..2 {
        if stage > 0 {
            let before = net.layer_norm("stages.1.downsample.0", x, 1e-6);
            let halved = Convolution::new(40, 2).stride(2).padded(Padding::NONE);
            x = net.convolution("stages.1.downsample.1", before, halved);
        }
        for index in 0..2 {
            let name = |part: &str| format!("stages.{stage}.blocks.{index}.{part}");
            let channels = net.channels(x);
            let deep = net.convolution(&name("conv_dw"), x, Convolution::new(channels, 7).grouped(channels));
            let value = net.layer_norm(&name("norm"), deep, 1e-6);
            let value = net.linear(&name("mlp.fc1"), value, 4 * channels);
            let mut value = net.activation(&name("mlp.act"), value, Activation::GeluErf);
            if is_second {
                let norm = Operation::GlobalResponseNorm { epsilon: 1e-6 };
                value = net.add_node(&name("mlp.grn"), norm, &[value]);
            }
            value = net.linear(&name("mlp.fc2"), value, channels);
            if !is_second {
                value = net.scale(&name("gamma"), value);
            }
            x = net.add(&name("sum"), value, x);
        }
        net.tap(&format!("stages.{stage}"), x);
    }
    net.finish().expect("a network that fits together")
}

/// A vision transformer with layer scale, a class token, registers behind the positions, and an average of
/// blocks.
pub(crate) fn transformer(width: usize, heads: usize, grid: [usize; 2], activation: Activation) -> Graph {
    let mut net = Builder::new();
    let picture = net.picture();
    let patches = Convolution::new(width, 14).stride(14).padded(Padding::NONE);
    let patches = net.convolution("patch_embed", picture, patches);
    let tokens = net.to_tokens("patch_embed.flatten", patches);
    let tokens = net.prefix_tokens("cls", tokens, 1);
    let tokens = net.positions("pos", tokens, grid, 1, Interpolation::Bicubic);
    let mut x = net.prefix_tokens("reg", tokens, 4);
    let mut blocks = Vec::new();
    for index in 0..3 {
        let name = |part: &str| format!("blocks.{index}.{part}");
        let value = net.layer_norm(&name("norm1"), x, 1e-6);
        let value = net.linear(&name("attn.qkv"), value, 3 * width);
        let value = net.attention(&name("attn"), value, heads);
        let value = net.linear(&name("attn.proj"), value, width);
        let value = net.scale(&name("ls1"), value);
        x = net.add(&name("sum1"), x, value);
        let value = net.layer_norm(&name("norm2"), x, 1e-6);
        let value = net.linear(&name("mlp.fc1"), value, 4 * width);
        let value = net.activation(&name("mlp.act"), value, activation);
        let value = net.linear(&name("mlp.fc2"), value, width);
        let value = net.scale(&name("ls2"), value);
        x = net.add(&name("sum2"), x, value);
        net.tap(&format!("blocks.{index}"), x);
        blocks.push(x);
    }
    net.add_node("mean", Operation::Mean, &blocks);
    let x = net.layer_norm("norm", x, 1e-6);
    net.to_map("map", x);
    net.finish().expect("a network that fits together")
}

/// What no family has all of: channels that are concatenated and lie across blocks, pools of all kinds,
/// products, sums of a value with itself, groups, dilation, and readers of the picture itself.
pub(crate) fn odd() -> Graph {
    let mut net = Builder::new();
    let picture = net.picture();
    let raw = net.average_pool("raw", picture, Window::new(3).stride(2));
    let mirrored = net.convolution("mirrored", picture, Convolution::new(3, 3).stride(2).grouped(3));
    let wide = net.convolution("wide", picture, Convolution::new(9, 5).stride(2));
    let wide = net.activation("wide.act", wide, Activation::GeluTanh);
    let all = net.add_node("all", Operation::Concatenate, &[raw, mirrored, wide, raw]);
    let dilated = Window::new(3).dilated(2).padded(Padding::even(2));
    let dilated = dfm_graph::Convolution { out: 18, groups: 2, window: dilated };
    let one = net.convolution("dilated", all, dilated);
    let other = net.convolution("other", all, Convolution::new(18, 3));
    let product = net.multiply("product", one, other);
    let product = net.activation("product.act", product, Activation::QuickGelu);
    let twice = net.add("twice", product, product);
    let scaled = net.scale("scaled", twice);
    let pool = Operation::AveragePool { window: Window::new(3).padded(Padding::Same), count_padding: true };
    let average = net.add_node("average", pool, &[scaled]);
    let largest = net.max_pool("largest", scaled, Window::new(5));
    // The other value of this sum is read again behind it, so that it is not overwritten.
    let kept = net.convolution("kept", largest, Convolution::new(18, 1));
    let sum = net.add("sum", kept, scaled);
    let sum = net.activation("sum.act", sum, Activation::HardSigmoid);
    let again = net.add("again", sum, scaled);
    let all = net.add_node("mean", Operation::Mean, &[average, largest, again]);
    let all = net.activation("mean.act", all, Activation::HardSwish);
    let stepped = Window { kernel: [3, 2], stride: [3, 1], ..Window::new(1) };
    net.convolution("last", all, dfm_graph::Convolution { out: 5, groups: 1, window: stepped });
    net.finish().expect("a network that fits together")
}
