//! MobileNetV2 and MobileNetV3.

use dfm_graph::Activation;
use dfm_image::InputContract;

use super::draft::EPSILON;
use super::family::{Family, Known, Shapes};
use super::inverted::{Excite, Inverted, Kind, Row, rounded};

/// The family, by timm's names.
pub(crate) const MOBILENETS: Family = Family { names: || &NAMES, network };

const NAMES: [&str; 9] = [
    "mobilenetv2_050",
    "mobilenetv2_100",
    "mobilenetv2_110d",
    "mobilenetv2_120d",
    "mobilenetv2_140",
    "mobilenetv3_small_100",
    "mobilenetv3_large_100",
    "tf_mobilenetv3_small_100",
    "tf_mobilenetv3_large_100",
];

fn network(name: &str, _: Shapes<'_>) -> Option<Known> {
    let input = InputContract::imagenet().with_size(224, 224);
    let (rows, same) = match name {
        "mobilenetv2_050" => return Some(Known { draft: v2(0.5, 1.0, false).draft(), input }),
        "mobilenetv2_100" => return Some(Known { draft: v2(1.0, 1.0, false).draft(), input }),
        "mobilenetv2_110d" => return Some(Known { draft: v2(1.1, 1.2, true).draft(), input }),
        "mobilenetv2_120d" => return Some(Known { draft: v2(1.2, 1.4, true).draft(), input }),
        "mobilenetv2_140" => return Some(Known { draft: v2(1.4, 1.0, false).draft(), input }),
        "mobilenetv3_small_100" => (&V3_SMALL[..], false),
        "mobilenetv3_large_100" => (&V3_LARGE[..], false),
        "tf_mobilenetv3_small_100" => (&V3_SMALL[..], true),
        "tf_mobilenetv3_large_100" => (&V3_LARGE[..], true),
        _ => return None,
    };
    // Those of TensorFlow were trained with values from −1 to 1.
    let input = match same {
        true => InputContract { mean: [0.5; 3], standard_deviation: [0.5; 3], ..input },
        false => input,
    };
    Some(Known { draft: v3(rows, same).draft(), input })
}

/// A MobileNetV2. With `fixed`, the stem and the number of blocks of the first and the last stage are those
/// of the plain network.
fn v2(width: f64, depth: f64, fixed: bool) -> Inverted {
    // Stage by stage: expansion, output channels, blocks, stride.
    let stages = [
        (1.0, 16.0, 1, 1),
        (6.0, 24.0, 2, 2),
        (6.0, 32.0, 3, 2),
        (6.0, 64.0, 4, 2),
        (6.0, 96.0, 3, 1),
        (6.0, 160.0, 3, 2),
        (6.0, 320.0, 1, 1),
    ];
    let last = stages.len() - 1;
    let row = |(stage, (expansion, out, blocks, stride)): (usize, (f64, f64, usize, usize))| {
        let is_fixed = fixed && (stage == 0 || stage == last);
        let scaled = (blocks as f64 * depth).ceil() as usize;
        Row {
            stage,
            kind: if stage == 0 { Kind::Separable } else { Kind::Inverted },
            repeats: if is_fixed { blocks } else { scaled },
            kernel: 3,
            stride,
            expansion,
            out: rounded(out, width),
            squeeze: false,
            relu: false,
        }
    };
    Inverted {
        stem: if fixed { 32 } else { rounded(32.0, width) },
        rows: stages.into_iter().enumerate().map(row).collect(),
        activation: Activation::Relu6,
        excite: Excite::OfInside,
        same: false,
        epsilon: EPSILON,
    }
}

/// A MobileNetV3 of these blocks, whose padding is that of TensorFlow if `same`.
fn v3(rows: &[Row], same: bool) -> Inverted {
    Inverted {
        stem: 16,
        rows: rows.to_vec(),
        activation: Activation::HardSwish,
        excite: Excite::OfInside,
        same,
        epsilon: if same { 1e-3 } else { EPSILON },
    }
}

/// A row of one stage: the kind, blocks, kernel, stride, expansion, output channels, squeeze and excite, and
/// whether the activation is a ReLU.
const fn row(stage: usize, kind: Kind, size: [usize; 4], expansion: f64, flags: [bool; 2]) -> Row {
    let [repeats, kernel, stride, out] = size;
    let [squeeze, relu] = flags;
    Row { stage, kind, repeats, kernel, stride, expansion, out, squeeze, relu }
}

const V3_SMALL: [Row; 8] = [
    row(0, Kind::Separable, [1, 3, 2, 16], 1.0, [true, true]),
    row(1, Kind::Inverted, [1, 3, 2, 24], 4.5, [false, true]),
    row(1, Kind::Inverted, [1, 3, 1, 24], 3.67, [false, true]),
    row(2, Kind::Inverted, [1, 5, 2, 40], 4.0, [true, false]),
    row(2, Kind::Inverted, [2, 5, 1, 40], 6.0, [true, false]),
    row(3, Kind::Inverted, [2, 5, 1, 48], 3.0, [true, false]),
    row(4, Kind::Inverted, [3, 5, 2, 96], 6.0, [true, false]),
    row(5, Kind::Plain, [1, 1, 1, 576], 1.0, [false, false]),
];

const V3_LARGE: [Row; 10] = [
    row(0, Kind::Separable, [1, 3, 1, 16], 1.0, [false, true]),
    row(1, Kind::Inverted, [1, 3, 2, 24], 4.0, [false, true]),
    row(1, Kind::Inverted, [1, 3, 1, 24], 3.0, [false, true]),
    row(2, Kind::Inverted, [3, 5, 2, 40], 3.0, [true, true]),
    row(3, Kind::Inverted, [1, 3, 2, 80], 6.0, [false, false]),
    row(3, Kind::Inverted, [1, 3, 1, 80], 2.5, [false, false]),
    row(3, Kind::Inverted, [2, 3, 1, 80], 2.3, [false, false]),
    row(4, Kind::Inverted, [2, 3, 1, 112], 6.0, [true, false]),
    row(5, Kind::Inverted, [3, 5, 2, 160], 6.0, [true, false]),
    row(6, Kind::Plain, [1, 1, 1, 960], 1.0, [false, false]),
];
