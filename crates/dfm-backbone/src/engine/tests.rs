//! Each operation by itself on Burn's `flex`, against sums in `f64` that are written out here.

use burn::tensor::{Device, Tensor, TensorData};
use dfm_graph::{Activation, Builder, Interpolation, NodeId, Operation, Padding, Window};
use dfm_image::InputContract;

use super::burn::BurnNetwork;
use crate::architecture::Architecture;
use crate::layer::Layer;
use crate::weights::{BackboneWeights, CounterGenerator, Precision, WeightsHeader};

/// Height and width of the picture.
const SIZE: [usize; 2] = [5, 6];

/// The values of the picture, between −4 and 4.
fn picture() -> Vec<f32> {
    let generator = CounterGenerator::new(9);
    (0..3 * SIZE[0] as u64 * SIZE[1] as u64).map(|index| 4.0 * generator.unit_f32(index)).collect()
}

fn at(channel: usize, row: usize, column: usize) -> f64 {
    f64::from(picture()[(channel * SIZE[0] + row) * SIZE[1] + column])
}

/// The map that the last node of a graph gives, whose parameters are 0.1, 0.2, … in order.
fn run(build: impl Fn(&mut Builder, NodeId) -> NodeId) -> Vec<f32> {
    let mut net = Builder::new();
    let picture_node = net.picture();
    let last = build(&mut net, picture_node);
    net.tap("last", last);
    let graph = net.finish().expect("a node that fits");
    let mut next = 0.0;
    let parameters = graph.parameters();
    let values = parameters.iter().map(|parameter| {
        let value = |_| {
            next += 0.1;
            next
        };
        (0..parameter.len()).map(value).collect()
    });
    let values: Vec<Vec<f32>> = values.collect();
    let header = WeightsHeader {
        architecture: Architecture::of_graph("one", graph),
        deepest: Layer::named("last"),
        input: InputContract::imagenet().with_size(SIZE[0], SIZE[1]),
        precision: Precision::F32,
        license: String::new(),
        source: String::new(),
        source_sha256: None,
    };
    let weights = BackboneWeights::new(header, values).expect("as many values");
    let device = Device::flex();
    let tap = weights.graph().tap("last").expect("the tap");
    let network = BurnNetwork::new(&weights, &[tap], &device).expect("a network");
    let pixels = TensorData::new(picture(), [1, 3, SIZE[0], SIZE[1]]);
    let mut maps = network.forward(Tensor::from_data(pixels, &device), |map| map);
    assert_eq!(maps.len(), 1);
    maps.remove(0).try_into_vec_as::<f32>().expect("values on the host")
}

fn close(what: &str, got: &[f32], expected: impl IntoIterator<Item = f64>) {
    let expected: Vec<f64> = expected.into_iter().collect();
    assert_eq!(got.len(), expected.len(), "{what}");
    for (index, (got, expected)) in got.iter().zip(&expected).enumerate() {
        let distance = (f64::from(*got) - expected).abs();
        assert!(distance < 2e-5 * expected.abs().max(1.0), "{what} at {index}: {got} {expected}");
    }
}

/// Every place of a map of 3 channels with these sides, in order.
fn places(sides: [usize; 2]) -> impl Iterator<Item = [usize; 3]> {
    let rows = move |channel| (0..sides[0]).map(move |row| [channel, row]);
    (0..3).flat_map(rows).flat_map(move |[channel, row]| (0..sides[1]).map(move |it| [channel, row, it]))
}

#[test]
fn activations_are_their_formulas() {
    // The integral of the bell curve, by Simpson's rule.
    let erf = |x: f64| {
        let bell = |place: u32| (-(x * f64::from(place) / 1000.0).powi(2)).exp();
        let pairs = (0..500).map(|pair| bell(2 * pair) + 4.0 * bell(2 * pair + 1) + bell(2 * pair + 2));
        pairs.sum::<f64>() * x / 3000.0 * 2.0 / std::f64::consts::PI.sqrt()
    };
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let hard = |x: f64| (x + 3.0).clamp(0.0, 6.0) / 6.0;
    type Formula = Box<dyn Fn(f64) -> f64>;
    let formulas: [(Activation, Formula); 9] = [
        (Activation::Relu, Box::new(|x| x.max(0.0))),
        (Activation::Relu6, Box::new(|x| x.clamp(0.0, 6.0))),
        (Activation::Sigmoid, Box::new(sigmoid)),
        (Activation::HardSigmoid, Box::new(hard)),
        (Activation::HardSwish, Box::new(move |x| x * hard(x))),
        (Activation::Silu, Box::new(move |x| x * sigmoid(x))),
        (Activation::GeluErf, Box::new(move |x| x * (1.0 + erf(x / 2_f64.sqrt())) / 2.0)),
        (
            Activation::GeluTanh,
            Box::new(|x| {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
                x * (1.0 + inner.tanh()) / 2.0
            }),
        ),
        (Activation::QuickGelu, Box::new(move |x| x * sigmoid(1.702 * x))),
    ];
    for (activation, formula) in formulas {
        // Twice the picture reaches beyond 6.
        let got = run(|net, picture| {
            let twice = net.add("twice", picture, picture);
            net.activation("value", twice, activation)
        });
        close(activation.name(), &got, picture().iter().map(|value| formula(2.0 * f64::from(*value))));
    }
}

#[test]
fn pools_take_nothing_from_padding_unless_they_count_it() {
    // Two rows above and one column to the right; some windows hold values below zero alone.
    let padding = Padding::Explicit { begin: [2, 0], end: [0, 1] };
    let window = Window { kernel: [3, 2], stride: [2, 2], padding, dilation: [1; 2] };
    let inside = move |row: usize, column: usize| {
        let rows = (0..3).filter_map(move |tap| (2 * row + tap).checked_sub(2)).filter(|row| *row < SIZE[0]);
        rows.flat_map(move |row| (0..2).map(move |tap| [row, 2 * column + tap]))
            .filter(|place| place[1] < SIZE[1])
            .collect::<Vec<_>>()
    };
    let sides = window.output(SIZE);
    assert_eq!(sides, [3, 3]);
    let got = run(|net, picture| net.max_pool("pool", picture, window));
    let largest = places(sides).map(|[channel, row, column]| {
        inside(row, column).iter().map(|place| at(channel, place[0], place[1])).fold(f64::MIN, f64::max)
    });
    close("maximum", &got, largest);
    for count_padding in [false, true] {
        let got = run(|net, picture| {
            net.add_node("pool", Operation::AveragePool { window, count_padding }, &[picture])
        });
        let averages = places(sides).map(|[channel, row, column]| {
            let places = inside(row, column);
            let sum: f64 = places.iter().map(|place| at(channel, place[0], place[1])).sum();
            sum / if count_padding { 6.0 } else { places.len() as f64 }
        });
        close(&format!("average, padding counted: {count_padding}"), &got, averages);
    }
}

#[test]
fn values_are_put_together_as_the_graph_says() {
    let mean_of = |channel: usize| {
        let all = places(SIZE).filter(|place| place[0] == channel);
        all.map(|[channel, row, column]| at(channel, row, column)).sum::<f64>() / 30.0
    };
    let got = run(|net, picture| {
        let average = net.global_average("average", picture);
        net.multiply("product", picture, average)
    });
    close("product", &got, places(SIZE).map(|[c, y, x]| at(c, y, x) * mean_of(c)));
    let got = run(|net, picture| {
        let square = net.multiply("square", picture, picture);
        net.add_node("mean", Operation::Mean, &[picture, square, picture])
    });
    close("mean", &got, places(SIZE).map(|[c, y, x]| (2.0 * at(c, y, x) + at(c, y, x).powi(2)) / 3.0));
    let got = run(|net, picture| {
        let relu = net.activation("relu", picture, Activation::Relu);
        net.add_node("both", Operation::Concatenate, &[picture, relu])
    });
    let positive = places(SIZE).map(|[c, y, x]| at(c, y, x).max(0.0));
    close("both", &got, places(SIZE).map(|[c, y, x]| at(c, y, x)).chain(positive));
    let got = run(|net, picture| net.scale("scale", picture));
    close("scale", &got, places(SIZE).map(|[c, y, x]| at(c, y, x) * 0.1 * (c + 1) as f64));
}

#[test]
fn maps_and_tokens_have_the_same_products_and_norms() {
    // Weight 0.1 to 0.6, bias 0.7 and 0.8.
    let product = |out: usize, y: usize, x: usize| {
        let weight = |c: usize| 0.1 * (3 * out + c + 1) as f64;
        (0..3).map(|c| weight(c) * at(c, y, x)).sum::<f64>() + 0.1 * (7 + out) as f64
    };
    let of_map = run(|net, picture| net.linear("linear", picture, 2));
    let rows = |out| places(SIZE).take(30).map(move |[_, y, x]| product(out, y, x));
    close("linear", &of_map, rows(0).chain(rows(1)));
    let of_tokens = run(|net, picture| {
        let tokens = net.to_tokens("tokens", picture);
        let linear = net.linear("linear", tokens, 2);
        net.to_map("map", linear)
    });
    close("linear of tokens", &of_tokens, of_map.iter().map(|value| f64::from(*value)));
    // Weight 0.1 to 0.3, bias 0.4 to 0.6.
    let norm = |c: usize, y: usize, x: usize| {
        let values = [0, 1, 2].map(|c| at(c, y, x));
        let mean = values.iter().sum::<f64>() / 3.0;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 3.0;
        (values[c] - mean) / (variance + 1e-3).sqrt() * 0.1 * (c + 1) as f64 + 0.1 * (c + 4) as f64
    };
    let of_map = run(|net, picture| net.layer_norm("norm", picture, 1e-3));
    close("norm", &of_map, places(SIZE).map(|[c, y, x]| norm(c, y, x)));
    // Tapped without a node that makes a map of them.
    let of_tokens = run(|net, picture| {
        let tokens = net.to_tokens("tokens", picture);
        net.layer_norm("norm", tokens, 1e-3)
    });
    close("norm of tokens", &of_tokens, of_map.iter().map(|value| f64::from(*value)));
    let of_map =
        run(|net, picture| net.add_node("norm", Operation::GlobalResponseNorm { epsilon: 1e-3 }, &[picture]));
    let size = |c: usize| {
        places(SIZE).filter(|it| it[0] == c).map(|[c, y, x]| at(c, y, x).powi(2)).sum::<f64>().sqrt()
    };
    let mean = (size(0) + size(1) + size(2)) / 3.0;
    let response = places(SIZE).map(|[c, y, x]| {
        let relative = size(c) / (mean + 1e-3);
        at(c, y, x) * (1.0 + 0.1 * (c + 1) as f64 * relative) + 0.1 * (c + 4) as f64
    });
    close("response norm", &of_map, response);
}

#[test]
fn prefix_tokens_come_first_and_leave_with_the_map() {
    // Tokens 0.1 to 0.6, positions from 0.7 on: 2 of the prefix, then 30 of the grid.
    let got = run(|net, picture| {
        let tokens = net.to_tokens("tokens", picture);
        let tokens = net.prefix_tokens("prefix", tokens, 2);
        net.positions("positions", tokens, SIZE, 2, Interpolation::Bicubic)
    });
    let expected = places(SIZE).map(|[c, y, x]| {
        let place = 6 + (2 + y * SIZE[1] + x) * 3 + c;
        at(c, y, x) + 0.1 * (place + 1) as f64
    });
    close("positions", &got, expected);
}
