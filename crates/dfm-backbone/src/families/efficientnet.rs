//! EfficientNets and EfficientNet-Lites.

use dfm_graph::Activation;
use dfm_image::InputContract;

use super::draft::EPSILON;
use super::family::{Family, Known, Shapes};
use super::inverted::{Excite, Inverted, Kind, Row, rounded};

/// The family, by timm's names: those of TensorFlow (`tf_`) have its padding and its batch norms.
pub(crate) const EFFICIENTNETS: Family = Family { names: || &NAMES, network };

const NAMES: [&str; 19] = [
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_lite0",
    "tf_efficientnet_b0",
    "tf_efficientnet_b1",
    "tf_efficientnet_b2",
    "tf_efficientnet_b3",
    "tf_efficientnet_b4",
    "tf_efficientnet_b5",
    "tf_efficientnet_b6",
    "tf_efficientnet_lite0",
    "tf_efficientnet_lite1",
    "tf_efficientnet_lite2",
    "tf_efficientnet_lite3",
    "tf_efficientnet_lite4",
];

fn network(name: &str, _: Shapes<'_>) -> Option<Known> {
    if !NAMES.contains(&name) {
        return None;
    }
    let (same, size) = match name.strip_prefix("tf_") {
        Some(size) => (true, size),
        None => (false, name),
    };
    // Width, depth, and the side of the pictures.
    let (width, depth, side, lite) = match size.strip_prefix("efficientnet_")? {
        "b0" => (1.0, 1.0, 224, false),
        "b1" => (1.0, 1.1, 240, false),
        "b2" => (1.1, 1.2, 260, false),
        "b3" => (1.2, 1.4, 300, false),
        "b4" => (1.4, 1.8, 380, false),
        "b5" => (1.6, 2.2, 456, false),
        "b6" => (1.8, 2.6, 528, false),
        "lite0" => (1.0, 1.0, 224, true),
        "lite1" => (1.0, 1.1, 240, true),
        "lite2" => (1.1, 1.2, 260, true),
        "lite3" => (1.2, 1.4, 300, true),
        "lite4" => (1.4, 1.8, 380, true),
        _ => return None,
    };
    let input = InputContract::imagenet().with_size(side, side);
    let input = match (lite, same) {
        // (RGB − 127) / 128 in TensorFlow; timm rounds it to this.
        (true, true) => InputContract { mean: [0.5; 3], standard_deviation: [0.5; 3], ..input },
        _ => input,
    };
    let epsilon = if same { 1e-3 } else { EPSILON };
    Some(Known { draft: efficientnet(width, depth, lite, same, epsilon).draft(), input })
}

/// An EfficientNet, or a Lite: without squeeze and excite, with ReLU6, and with the stem and the number of
/// blocks of the first and the last stage as in the smallest.
fn efficientnet(width: f64, depth: f64, lite: bool, same: bool, epsilon: f64) -> Inverted {
    // Stage by stage: expansion, output channels, blocks, stride, kernel.
    let stages = [
        (1.0, 16.0, 1, 1, 3),
        (6.0, 24.0, 2, 2, 3),
        (6.0, 40.0, 2, 2, 5),
        (6.0, 80.0, 3, 2, 3),
        (6.0, 112.0, 3, 1, 5),
        (6.0, 192.0, 4, 2, 5),
        (6.0, 320.0, 1, 1, 3),
    ];
    let last = stages.len() - 1;
    let row =
        |(stage, (expansion, out, blocks, stride, kernel)): (usize, (f64, f64, usize, usize, usize))| {
            let is_fixed = lite && (stage == 0 || stage == last);
            let scaled = (blocks as f64 * depth).ceil() as usize;
            Row {
                stage,
                kind: if stage == 0 { Kind::Separable } else { Kind::Inverted },
                repeats: if is_fixed { blocks } else { scaled },
                kernel,
                stride,
                expansion,
                out: rounded(out, width),
                squeeze: !lite,
                relu: false,
            }
        };
    Inverted {
        stem: if lite { 32 } else { rounded(32.0, width) },
        rows: stages.into_iter().enumerate().map(row).collect(),
        activation: if lite { Activation::Relu6 } else { Activation::Silu },
        excite: Excite::OfInput,
        same,
        epsilon,
    }
}
