//! Running one layer for a test, on every instruction set and any number of threads.

use crate::activation::Activation;
use crate::convolution::Convolution;
use crate::instructions::InstructionSet;
use crate::kernels::set::Kernels;
use crate::kernels::step::Step;
use crate::kernels::steps::Steps;
use crate::layout::{LANES, Lanes, Map, Placed};
use crate::window::Window;

/// A deterministic stream of numbers.
pub(in crate::kernels) struct Noise(pub(in crate::kernels) u64);

impl Noise {
    /// Numbers in [−1, 1).
    pub(in crate::kernels) fn take(&mut self, count: usize) -> Vec<f32> {
        let mut next = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 40) as f32 / 8_388_608.0 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }
}

/// A map without blocks, `[channels, height, width]`.
#[derive(Debug, Clone)]
pub(in crate::kernels) struct Plane {
    pub(in crate::kernels) map: Map,
    pub(in crate::kernels) values: Vec<f32>,
}

impl Plane {
    pub(in crate::kernels) fn drawn(noise: &mut Noise, channels: usize, height: usize, width: usize) -> Self {
        let map = Map { channels, height, width };
        Self { map, values: noise.take(channels * height * width) }
    }

    pub(in crate::kernels) fn at(&self, channel: usize, pixel: usize) -> f64 {
        f64::from(self.values[channel * self.map.pixels() + pixel])
    }

    /// The values in blocks. The lanes of no channel hold zeros.
    pub(in crate::kernels) fn lanes(&self) -> Vec<Lanes> {
        let mut lanes = vec![Lanes::ZERO; self.map.len()];
        write(&mut lanes, self, &Placed { at: 0..self.map.len(), map: self.map }, 0.0);
        lanes
    }

    /// The convolution of the map, in `f64`.
    pub(in crate::kernels) fn convolve(
        &self,
        window: Window,
        convolution: &Convolution,
        output: Map,
    ) -> Vec<f64> {
        let inputs = convolution.in_channels_per_group;
        let per_group = convolution.out_channels / convolution.groups;
        let one = Map { channels: 1, ..self.map };
        let planes = self.values.chunks_exact(self.map.pixels());
        let planes: Vec<Self> = planes.map(|values| Self { map: one, values: values.to_vec() }).collect();
        let mut results = Vec::new();
        for channel in 0..convolution.out_channels {
            let mut sums = vec![f64::from(convolution.bias[channel]); output.pixels()];
            for input in 0..inputs {
                let weights = &convolution.weight[(channel * inputs + input) * window.taps()..];
                let plane = &planes[channel / per_group * inputs + input];
                let products = plane.windows(window, Map { channels: 1, ..output }, |_, taps| {
                    taps.iter().map(|(tap, value)| f64::from(weights[*tap]) * value).sum()
                });
                sums.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
            }
            results.extend(sums);
        }
        results
    }

    /// What `sum` gives for every window of every channel: it is given the channel and, for each tap
    /// that lies on the map, its index and the value there. `[channels, height, width]` of `output`.
    pub(in crate::kernels) fn windows(
        &self,
        window: Window,
        output: Map,
        mut sum: impl FnMut(usize, &[(usize, f64)]) -> f64,
    ) -> Vec<f64> {
        let mut results = Vec::new();
        for channel in 0..output.channels {
            for pixel in 0..output.pixels() {
                let (y, x) = (pixel / output.width, pixel % output.width);
                let mut taps = Vec::new();
                for tap in 0..window.taps() {
                    let place = |axis: usize, index: usize, tap: usize| {
                        (index * window.stride[axis] + tap * window.dilation[axis])
                            .wrapping_sub(window.before[axis])
                    };
                    let row = place(0, y, tap / window.kernel[1]);
                    let column = place(1, x, tap % window.kernel[1]);
                    if row < self.map.height && column < self.map.width {
                        taps.push((tap, self.at(channel, row * self.map.width + column)));
                    }
                }
                results.push(sum(channel, &taps));
            }
        }
        results
    }
}

/// A convolution with drawn weights, from and to numbers of channels.
pub(in crate::kernels) fn drawn_convolution(
    noise: &mut Noise,
    window: Window,
    [inputs, outputs]: [usize; 2],
    groups: usize,
) -> Convolution {
    Convolution {
        out_channels: outputs,
        in_channels_per_group: inputs / groups,
        kernel: window.kernel,
        stride: 1,
        padding: 0,
        groups,
        weight: noise.take(outputs * inputs / groups * window.taps()),
        bias: noise.take(outputs),
    }
}

/// Windows of every kind that networks have, and some that they do not have.
pub(in crate::kernels) fn windows() -> Vec<Window> {
    let square = Window::square;
    let mut windows: Vec<Window> = [3, 5, 7]
        .into_iter()
        .flat_map(|kernel| [1, 2].map(|stride| square(kernel, stride, kernel / 2)))
        .collect();
    // TensorFlow's "same" padding, and what is not square.
    windows.extend([
        Window { after: [1; 2], ..square(3, 2, 0) },
        Window { before: [1; 2], after: [2; 2], ..square(5, 2, 0) },
        Window { before: [0, 2], after: [3, 1], ..square(4, 1, 0) },
        Window { kernel: [1, 7], before: [0, 3], after: [0, 3], ..square(1, 1, 0) },
        Window { stride: [1, 2], ..square(3, 1, 1) },
        Window { dilation: [2; 2], ..square(3, 1, 2) },
        Window { dilation: [1, 3], stride: [2, 1], ..square(3, 1, 3) },
        square(2, 2, 0),
        square(4, 4, 0),
        square(3, 3, 1),
        square(5, 4, 2),
        square(1, 1, 0),
        square(1, 2, 0),
        square(3, 1, 0),
    ]);
    windows
}

/// Runs the step that `build` makes for the `inputs` and an output of `map`, on every instruction set.
/// Compares the output with the `expected` values behind `activation`: the largest error may be
/// `allowed`. The output must have the same bits on any number of threads, fill its map, and nothing
/// else.
pub(in crate::kernels) fn check(
    picture: &[f32],
    inputs: &[&Plane],
    map: Map,
    allowed: f64,
    activation: Activation,
    expected: &[f64],
    build: impl Fn(Kernels, &[Placed], Placed) -> Step,
) {
    for instructions in InstructionSet::available() {
        let values = run(instructions, picture, inputs, map, &build);
        assert_eq!(values.len(), expected.len());
        let (placed, output, _) = places(inputs, map);
        let name = build(Kernels::of(instructions), &placed, output);
        for (index, (got, expected)) in values.iter().zip(expected).enumerate() {
            let expected = plain(*expected, activation);
            let error = (f64::from(*got) - expected).abs();
            assert!(error <= allowed, "{instructions}, {name}: [{index}] is {got}, not {expected}");
        }
    }
}

/// The output `[channels, height, width]` of the step that `build` makes.
pub(in crate::kernels) fn run(
    instructions: InstructionSet,
    picture: &[f32],
    inputs: &[&Plane],
    map: Map,
    build: &impl Fn(Kernels, &[Placed], Placed) -> Step,
) -> Vec<f32> {
    let (placed, output, len) = places(inputs, map);
    let steps = Steps::new(vec![build(Kernels::of(instructions), &placed, output.clone())], len, 0, 0);
    let mut results: Vec<Vec<f32>> = Vec::new();
    for threads in [1, 2, 3, 5] {
        let mut memory = steps.new_memory(threads);
        // What is read though it was not written shows.
        memory.fill(f32::NAN);
        for (input, placed) in inputs.iter().zip(&placed) {
            write(memory.arena_mut(), input, placed, 1e4);
        }
        let before = memory.arena_mut().to_vec();
        steps.run(&mut memory, picture, &mut [], |_| ());
        let arena = memory.arena_mut();
        for (index, (before, after)) in before.iter().zip(arena.iter()).enumerate() {
            let is_written = output.range().contains(&index);
            let is_kept = || before.0.map(f32::to_bits) == after.0.map(f32::to_bits);
            assert!(is_written || is_kept(), "{index} of the arena is overwritten");
        }
        let values = read(arena, &output);
        let lanes = &arena[output.range()];
        assert!(
            lanes.iter().all(|lanes| lanes.0.iter().all(|value| value.is_finite())),
            "not all is written"
        );
        results.push(values);
    }
    let first = results.remove(0);
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert!(results.iter().all(|other| bits(other) == bits(&first)), "{instructions}: other bits");
    first
}

/// The error function in `f64`, to 10⁻¹⁴: its Taylor series.
fn error_function(x: f64) -> f64 {
    if x.abs() > 5.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..120 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

/// An activation in `f64`, as its definition says.
pub(in crate::kernels) fn plain(x: f64, activation: Activation) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let hard = (x + 3.0).clamp(0.0, 6.0) / 6.0;
    match activation {
        Activation::Identity => x,
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::HardSwish => x * hard,
        Activation::HardSigmoid => hard,
        Activation::Sigmoid => sigmoid(x),
        Activation::Silu => x * sigmoid(x),
        Activation::Gelu => x * (1.0 + error_function(x / std::f64::consts::SQRT_2)) / 2.0,
        Activation::GeluTanh => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
            x * (1.0 + inner.tanh()) / 2.0
        }
        Activation::QuickGelu => x * sigmoid(1.702 * x),
    }
}

/// A place for each input and one for the output, with a gap behind each, and the length of the arena.
fn places(inputs: &[&Plane], map: Map) -> (Vec<Placed>, Placed, usize) {
    let mut end = 1;
    let mut place = |map: Map| {
        let at = end..end + map.len();
        end = at.end + 1;
        Placed { at, map }
    };
    let inputs = inputs.iter().map(|input| place(input.map)).collect();
    let output = place(map);
    (inputs, output, end)
}

/// Writes a map in blocks. The lanes of no channel hold `rest`, which must not matter.
fn write(arena: &mut [Lanes], plane: &Plane, placed: &Placed, rest: f32) {
    for (index, lanes) in arena[placed.range()].iter_mut().enumerate() {
        let (block, pixel) = (index / plane.map.pixels(), index % plane.map.pixels());
        lanes.0 = std::array::from_fn(|lane| {
            let at = (block * LANES + lane) * plane.map.pixels() + pixel;
            plane.values.get(at).copied().unwrap_or(rest)
        });
    }
}

fn read(arena: &[Lanes], placed: &Placed) -> Vec<f32> {
    let map = placed.map;
    let value = |channel: usize, pixel: usize| {
        arena[placed.at.start + channel / LANES * map.pixels() + pixel].0[channel % LANES]
    };
    (0..map.channels * map.pixels()).map(|at| value(at / map.pixels(), at % map.pixels())).collect()
}
