//! Graphs computed plainly in `f64`.

use dfm_graph::{Activation, Graph, Node, Operation, Shape, Window};

/// A value `[channels, positions]`.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) channels: usize,
    pub(crate) sides: [usize; 2],
    pub(crate) values: Vec<f64>,
}

impl Value {
    pub(crate) fn positions(&self) -> usize {
        self.values.len() / self.channels
    }

    fn at(&self, channel: usize, position: usize) -> f64 {
        self.values[channel * self.positions() + position]
    }

    fn on_map(&self, channel: usize, [y, x]: [usize; 2]) -> Option<f64> {
        let [height, width] = self.sides;
        (y < height && x < width).then(|| self.at(channel, y * width + x))
    }

    /// The value with each number replaced by what `each` gives for channel and position.
    fn map(&self, each: impl Fn(usize, usize) -> f64) -> Self {
        let positions = self.positions();
        let values = (0..self.values.len()).map(|at| each(at / positions, at % positions));
        Self { values: values.collect(), ..*self }
    }

    /// The average of all positions of a channel, and the root of the sum of squares.
    fn average(&self, channel: usize) -> f64 {
        (0..self.positions()).map(|at| self.at(channel, at)).sum::<f64>() / self.positions() as f64
    }

    fn norm(&self, channel: usize) -> f64 {
        (0..self.positions()).map(|at| self.at(channel, at).powi(2)).sum::<f64>().sqrt()
    }
}

/// The value of every node for a picture of `size`.
pub(crate) fn values(
    graph: &Graph,
    parameters: &[Vec<f32>],
    picture: &[f32],
    size: [usize; 2],
) -> Vec<Value> {
    let shapes = graph.shapes(size).expect("a size that fits");
    let all = graph.parameters();
    let mut values: Vec<Value> = Vec::new();
    for (node, shape) in graph.nodes().iter().zip(&shapes) {
        let own = all.iter().zip(parameters).filter(|(parameter, _)| parameter.node.index() == values.len());
        let own: Vec<&[f32]> = own.map(|(_, values)| values.as_slice()).collect();
        let inputs: Vec<&Value> = node.inputs().iter().map(|input| &values[input.index()]).collect();
        let value = match node.operation() {
            Operation::Picture => {
                Value { channels: 3, sides: size, values: picture.iter().copied().map(f64::from).collect() }
            }
            _ => compute(node, &inputs, &own, shape),
        };
        assert_eq!((value.channels, value.positions()), (shape.channels(), shape.positions()), "{node:?}");
        values.push(value);
    }
    values
}

fn compute(node: &Node, inputs: &[&Value], own: &[&[f32]], shape: &Shape) -> Value {
    let parameter = |index: usize, at: usize| f64::from(own[index][at]);
    let (x, channels) = (inputs[0], shape.channels());
    let shaped = |values: Vec<f64>| Value { channels, sides: shape.sides, values };
    match node.operation() {
        Operation::Convolution(convolution) => {
            let (inputs, outputs) = (x.channels / convolution.groups, channels / convolution.groups);
            let taps: usize = convolution.window.kernel.iter().product();
            shaped(windows(&convolution.window, x, channels, |channel, window| {
                let mut sum = parameter(1, channel);
                for input in 0..inputs {
                    for (tap, place) in window {
                        let value = x.on_map(channel / outputs * inputs + input, *place).unwrap_or(0.0);
                        sum += parameter(0, (channel * inputs + input) * taps + tap) * value;
                    }
                }
                sum
            }))
        }
        Operation::MaxPool(window) => shaped(windows(window, x, channels, |channel, window| {
            let values = window.iter().filter_map(|(_, place)| x.on_map(channel, *place));
            values.fold(f64::NEG_INFINITY, f64::max)
        })),
        Operation::AveragePool { window, count_padding } => {
            shaped(windows(window, x, channels, |channel, window| {
                let values = || window.iter().filter_map(|(_, place)| x.on_map(channel, *place));
                let count = if *count_padding { window.len() } else { values().count() };
                values().sum::<f64>() / count as f64
            }))
        }
        Operation::GlobalAverage => shaped((0..channels).map(|channel| x.average(channel)).collect()),
        Operation::Add => x.map(|channel, at| x.at(channel, at) + inputs[1].at(channel, at)),
        Operation::Multiply if inputs[1].positions() == 1 => {
            x.map(|channel, at| x.at(channel, at) * inputs[1].at(channel, 0))
        }
        Operation::Multiply => x.map(|channel, at| x.at(channel, at) * inputs[1].at(channel, at)),
        Operation::Mean => x.map(|channel, at| {
            inputs.iter().map(|input| input.at(channel, at)).sum::<f64>() / inputs.len() as f64
        }),
        Operation::Concatenate => shaped(inputs.iter().flat_map(|input| input.values.clone()).collect()),
        Operation::Activation(activation) => x.map(|channel, at| activate(*activation, x.at(channel, at))),
        Operation::Linear { .. } => {
            let product = |channel: usize, at: usize| {
                let products = (0..x.channels).map(|i| parameter(0, channel * x.channels + i) * x.at(i, at));
                parameter(1, channel) + products.sum::<f64>()
            };
            let positions = x.positions();
            shaped((0..channels * positions).map(|at| product(at / positions, at % positions)).collect())
        }
        Operation::LayerNorm { epsilon } => {
            let share = 1.0 / channels as f64;
            let moments = |at: usize| {
                let mean = (0..channels).map(|channel| x.at(channel, at)).sum::<f64>() * share;
                let squares = (0..channels).map(|channel| (x.at(channel, at) - mean).powi(2)).sum::<f64>();
                (mean, (squares * share + epsilon).sqrt())
            };
            let moments: Vec<_> = (0..x.positions()).map(moments).collect();
            x.map(|channel, at| {
                let (mean, deviation) = moments[at];
                (x.at(channel, at) - mean) / deviation * parameter(0, channel) + parameter(1, channel)
            })
        }
        Operation::Scale => x.map(|channel, at| x.at(channel, at) * parameter(0, channel)),
        Operation::GlobalResponseNorm { epsilon } => {
            let norms: Vec<f64> = (0..channels).map(|channel| x.norm(channel)).collect();
            let divisor = norms.iter().sum::<f64>() / channels as f64 + epsilon;
            x.map(|channel, at| {
                let value = x.at(channel, at);
                value + parameter(1, channel) + parameter(0, channel) * value * norms[channel] / divisor
            })
        }
        Operation::Attention { heads } => attention(x, *heads),
        Operation::ToTokens => x.clone(),
        Operation::PrefixTokens { count } => {
            let value = |channel: usize, at: usize| match at.checked_sub(*count) {
                Some(at) => x.at(channel, at),
                None => parameter(0, at * channels + channel),
            };
            let positions = x.positions() + count;
            shaped((0..channels * positions).map(|at| value(at / positions, at % positions)).collect())
        }
        Operation::Positions { grid, prefix, interpolation } => {
            let (before, cells) = own[0].split_at(prefix * channels);
            let cells = interpolation.resample(cells, channels, *grid, shape.sides);
            let all = [before, &cells].concat();
            x.map(|channel, at| x.at(channel, at) + f64::from(all[at * channels + channel]))
        }
        Operation::ToMap => {
            let skipped = x.positions() - shape.sides[0] * shape.sides[1];
            let last = |channel: usize| (skipped..x.positions()).map(move |at| x.at(channel, at));
            shaped((0..channels).flat_map(last).collect())
        }
        other => panic!("{other:?}"),
    }
}

/// What `each` gives for every window of every channel: it is given the channel, and the taps with their
/// places on the map. A place may lie beside the map.
fn windows(
    window: &Window,
    input: &Value,
    channels: usize,
    each: impl Fn(usize, &[(usize, [usize; 2])]) -> f64,
) -> Vec<f64> {
    let [before, _] = window.padding_of(input.sides);
    let [rows, columns] = window.output(input.sides);
    let mut results = Vec::new();
    for channel in 0..channels {
        for at in 0..rows * columns {
            let place = |axis: usize, index: usize, tap: usize| {
                (index * window.stride[axis] + tap * window.dilation[axis]).wrapping_sub(before[axis])
            };
            let [height, width] = window.kernel;
            let taps = (0..height * width)
                .map(|tap| (tap, [place(0, at / columns, tap / width), place(1, at % columns, tap % width)]));
            results.push(each(channel, &taps.collect::<Vec<_>>()));
        }
    }
    results
}

fn attention(x: &Value, heads: usize) -> Value {
    let (channels, tokens) = (x.channels / 3, x.positions());
    let width = channels / heads;
    let mut values = vec![0.0; channels * tokens];
    for head in 0..heads {
        let at =
            |part: usize, channel: usize, token: usize| x.at(part * channels + head * width + channel, token);
        for query in 0..tokens {
            let score = |key: usize| {
                let products = (0..width).map(|channel| at(0, channel, query) * at(1, channel, key));
                (products.sum::<f64>() / (width as f64).sqrt()).exp()
            };
            let weights: Vec<f64> = (0..tokens).map(score).collect();
            let total: f64 = weights.iter().sum();
            for channel in 0..width {
                let sum: f64 = (0..tokens).map(|key| weights[key] * at(2, channel, key)).sum();
                values[(head * width + channel) * tokens + query] = sum / total;
            }
        }
    }
    Value { channels, sides: x.sides, values }
}

fn activate(activation: Activation, x: f64) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let hard = (x + 3.0).clamp(0.0, 6.0) / 6.0;
    match activation {
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Sigmoid => sigmoid(x),
        Activation::HardSigmoid => hard,
        Activation::HardSwish => x * hard,
        Activation::Silu => x * sigmoid(x),
        Activation::GeluErf => {
            // The Taylor series of the error function, which the small values here need no more of.
            let y = (x / std::f64::consts::SQRT_2).clamp(-5.0, 5.0);
            let (mut term, mut sum) = (y, y);
            for n in 1..120 {
                term *= -y * y / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            x * (1.0 + sum * std::f64::consts::FRAC_2_SQRT_PI) / 2.0
        }
        Activation::GeluTanh => {
            x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh()) / 2.0
        }
        Activation::QuickGelu => x * sigmoid(1.702 * x),
        other => panic!("{other:?}"),
    }
}
