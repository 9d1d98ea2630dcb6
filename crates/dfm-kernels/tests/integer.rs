//! Compares the plan in whole numbers with a plain implementation, bit for bit, on every instruction
//! set and at shapes that no tile divides. The tests are small and use no other crates, so that they
//! also run under AddressSanitizer and Miri.

#[path = "support/shapes.rs"]
mod shapes;
mod support;

use dfm_kernels::{Convolution, GraphTap, InstructionSet, KernelError, NodeRanges, Plan};
use shapes::{END_ONLY, SYMMETRIC};
use support::{MaxPool, Network, Noise, Tap};

/// A feature map `[channels, height, width]` in steps of `step`, or as it is in steps of 1.
#[derive(Clone)]
struct Map {
    values: Vec<f32>,
    size: [usize; 2],
    step: f32,
}

/// What is done to sums.
#[derive(Clone, Copy, PartialEq)]
enum Rounding {
    /// They are rounded to 0 to 255 steps.
    Bytes,
    /// They are not rounded.
    Floats,
}

impl Map {
    fn at(&self, channel: usize, y: isize, x: isize) -> i64 {
        let [height, width] = self.size;
        match (usize::try_from(y), usize::try_from(x)) {
            (Ok(y), Ok(x)) if y < height && x < width => {
                self.values[(channel * height + y) * width + x] as i64
            }
            _ => 0,
        }
    }

    /// Computes sums with whole weights within ±`largest`, in steps that fit `range`, and adds
    /// `shortcut`.
    fn convolve(
        &self,
        convolution: &Convolution,
        largest: f32,
        range: f32,
        rounding: Rounding,
        shortcut: Option<&Self>,
    ) -> Self {
        let Convolution { kernel, stride, padding, groups, in_channels_per_group, out_channels, .. } =
            *convolution;
        let step = if rounding == Rounding::Bytes { (range / 255.0).max(f32::MIN_POSITIVE) } else { 1.0 };
        let size = [0, 1].map(|side| (self.size[side] + 2 * padding - kernel[side]) / stride + 1);
        let taps = in_channels_per_group * kernel[0] * kernel[1];
        let mut values = Vec::new();
        for output in 0..out_channels {
            let first = output / (out_channels / groups) * in_channels_per_group;
            let weights = &convolution.weight[output * taps..][..taps];
            let most = weights.iter().fold(0.0_f32, |most, weight| most.max(weight.abs()));
            let weight_step = (most / largest).max(f32::MIN_POSITIVE);
            let whole: Vec<i64> =
                weights.iter().map(|weight| (weight / weight_step).round_ties_even() as i64).collect();
            let multiplier = (f64::from(self.step) * f64::from(weight_step) / f64::from(step)) as f32;
            let bias = (f64::from(convolution.bias[output]) / f64::from(step)) as f32;
            for place in 0..size[0] * size[1] {
                let (y, x) = (place / size[1], place % size[1]);
                let mut sum = 0;
                for (tap, weight) in whole.iter().enumerate() {
                    let (input, ky, kx) =
                        (tap / (kernel[0] * kernel[1]), tap / kernel[1] % kernel[0], tap % kernel[1]);
                    let row = (y * stride + ky) as isize - padding as isize;
                    let column = (x * stride + kx) as isize - padding as isize;
                    sum += weight * self.at(first + input, row, column);
                }
                let mut value = sum as f32 * multiplier + bias;
                if let Some(shortcut) = shortcut {
                    value += shortcut.values[values.len()] * (shortcut.step / step);
                }
                values.push(match rounding {
                    Rounding::Bytes => value.round_ties_even().clamp(0.0, 255.0),
                    Rounding::Floats => value,
                });
            }
        }
        Self { values, size, step }
    }

    fn pool(&self, pool: MaxPool, channels: usize) -> Self {
        let size = self.size.map(|side| (side + pool.before + pool.after - 3) / 2 + 1);
        let mut values = Vec::new();
        for index in 0..channels * size[0] * size[1] {
            let (channel, place) = (index / (size[0] * size[1]), index % (size[0] * size[1]));
            let window = (0..9).map(|k| {
                let row = (2 * (place / size[1]) + k / 3) as isize - pool.before as isize;
                self.at(channel, row, (2 * (place % size[1]) + k % 3) as isize - pool.before as isize)
            });
            values.push(window.max().unwrap_or(0) as f32);
        }
        Self { values, size, step: self.step }
    }
}

/// The output of the last block. It is the same whether other blocks are tapped or not.
fn reference(network: &Network, picture: &[f32], size: [usize; 2], ranges: &NodeRanges) -> Vec<f32> {
    let mut outputs = ranges.outputs().map(|(_, range)| range);
    let mut next = || outputs.next().expect("a range");
    let step = (ranges.input / 4095.0).max(f32::MIN_POSITIVE);
    let inverse = 1.0 / step;
    let steps = picture.iter().map(|value| (value * inverse).clamp(-4095.0, 4095.0).round_ties_even());
    let picture = Map { values: steps.collect(), size, step };
    let stem = picture.convolve(&network.stem, 2047.0, next(), Rounding::Bytes, None);
    let mut map = stem.pool(network.pool, network.stem.out_channels);
    for (index, block) in network.blocks.iter().enumerate() {
        let last_block = index + 1 == network.blocks.len();
        let projection = block.projection.as_ref();
        let shortcut = projection.map(|it| map.convolve(it, 64.0, next(), Rounding::Floats, None));
        let shortcut = shortcut.unwrap_or_else(|| map.clone());
        let (last, inner) = block.branch.split_last().expect("a branch");
        for convolution in inner {
            map = map.convolve(convolution, 64.0, next(), Rounding::Bytes, None);
        }
        let rounding = if last_block { Rounding::Floats } else { Rounding::Bytes };
        map = map.convolve(last, 64.0, next(), rounding, Some(&shortcut));
    }
    map.values.iter().map(|value| value.max(0.0)).collect()
}

/// [`Noise::network`] and a block behind it: one tapped block adds bytes, the next floats.
fn of_three_blocks(noise: &mut Noise, width: usize) -> Network {
    let mut network = noise.network(width, 1, SYMMETRIC);
    network.blocks.push(noise.network(2 * width, 1, SYMMETRIC).blocks.swap_remove(0));
    let taps = [(1, 3), (2, 1), (3, 2)].map(|(blocks, average)| Tap { blocks, average });
    Network { taps: taps.to_vec(), ..network }
}

fn ranges(network: &Network, size: [usize; 2], pictures: &[&[f32]]) -> NodeRanges {
    network.plan(size, InstructionSet::Portable).expect("a plan").ranges(pictures).expect("ranges")
}

/// Ranges of the input and of the convolutions of `network`, in their order.
fn listed(network: &Network, list: &[f32]) -> Result<NodeRanges, KernelError> {
    NodeRanges::from_list(&network.graph().0, list)
}

/// Relative L2 distance.
fn distance(actual: &[f32], expected: &[f32]) -> f64 {
    let squares = |values: &mut dyn Iterator<Item = f32>| values.map(|a| f64::from(a).powi(2)).sum::<f64>();
    let difference = squares(&mut actual.iter().zip(expected).map(|(a, b)| a - b));
    (difference / squares(&mut expected.iter().copied())).sqrt()
}

/// Compares every instruction set with the reference, and that with `f32`.
fn agrees_at(scale: f32, width: usize, groups: usize, pool: MaxPool, size: [usize; 2]) {
    let mut noise = Noise(width as u64);
    let network = noise.network(width, groups, pool);
    let picture = noise.take(3 * size[0] * size[1], scale);
    let ranges = ranges(&network, size, &[&picture]);
    let expected = reference(&network, &picture, size, &ranges);
    for instructions in InstructionSet::available() {
        let plan = network.int8(size, instructions, &ranges).expect("a plan");
        let actual = plan.run(&[&picture]).expect("features");
        assert!(actual == expected, "{instructions}, {width} channels, {size:?}: other bits");
    }
    let exact =
        network.plan(size, InstructionSet::Portable).expect("a plan").run(&[&picture]).expect("features");
    // There are five layers. Each rounds its values to a step of 1/255 of the largest one, and its
    // weights to 1/64 of theirs. Together that is a few per cent. A wrong step of any layer would be
    // far more.
    let distance = distance(&expected, &exact);
    assert!(distance < 0.08, "{width} channels, {size:?}, up to {scale}: {distance} from f32");
}

fn agrees(width: usize, groups: usize, pool: MaxPool, size: [usize; 2]) {
    agrees_at(2.0, width, groups, pool, size);
}

#[test]
fn channels_that_fill_no_block_agree_with_the_reference() {
    agrees(4, 1, SYMMETRIC, [19, 22]);
    agrees(21, 1, END_ONLY, [26, 15]);
}

#[test]
fn grouped_convolutions_agree_with_the_reference() {
    agrees(24, 6, END_ONLY, [17, 31]);
}

#[test]
fn several_blocks_agree_with_the_reference() {
    if !cfg!(miri) {
        agrees(80, 1, SYMMETRIC, [33, 50]);
    }
}

#[test]
fn the_smallest_pictures_agree_with_the_reference() {
    for size in [[1, 1], [1, 9], [6, 2]] {
        agrees(16, 1, SYMMETRIC, size);
    }
}

#[test]
fn random_shapes_and_scales_agree_with_the_reference() {
    shapes::drawn(-1..7, agrees_at);
}

#[test]
fn what_is_beyond_the_ranges_counts_as_their_end() {
    let mut noise = Noise(4);
    let network = noise.network(24, 1, SYMMETRIC);
    let (size, calm) = ([20, 27], noise.take(3 * 20 * 27, 0.5));
    let ranges = ranges(&network, size, &[&calm]);
    for scale in [3.0, 1e20, f32::MAX] {
        let wild = noise.take(3 * 20 * 27, scale);
        let expected = reference(&network, &wild, size, &ranges);
        assert!(expected.iter().all(|value| value.is_finite()));
        for instructions in InstructionSet::available() {
            let plan = network.int8(size, instructions, &ranges).unwrap();
            assert!(plan.run(&[&wild]).unwrap() == expected, "{instructions}, up to {scale}");
        }
    }
}

#[test]
fn odd_ranges_give_the_same_everywhere() {
    let mut noise = Noise(6);
    let network = noise.network(20, 1, SYMMETRIC);
    let (size, picture) = ([18, 21], noise.take(3 * 18 * 21, 1.0));
    let count = ranges(&network, size, &[&picture]).to_list().len();
    for range in [0.0, 1e-45, 1e-30, 3e38] {
        let ranges = listed(&network, &vec![range; count]).expect("ranges");
        let on = |instructions| {
            let plan = network.int8(size, instructions, &ranges).expect("a plan");
            plan.run(&[&picture]).expect("features").into_iter().map(f32::to_bits).collect::<Vec<u32>>()
        };
        let expected = on(InstructionSet::Portable);
        assert!(InstructionSet::available().into_iter().all(|set| on(set) == expected), "{range}");
    }
}

#[test]
fn every_tap_takes_what_it_would_take_alone() {
    let mut noise = Noise(4);
    let network = of_three_blocks(&mut noise, 20);
    let (size, picture) = ([45, 54], noise.take(3 * 45 * 54, 1.0));
    let all = ranges(&network, size, &[&picture]);
    for instructions in InstructionSet::available() {
        // Two taps are tried as well as three, because what one tap leaves behind could hide what
        // another breaks.
        for left_out in 0..3 {
            let taps: Vec<Tap> = network.taps.iter().filter(|tap| tap.blocks != left_out).copied().collect();
            let plan = Network { taps: taps.clone(), ..network.clone() };
            let plan = plan.int8(size, instructions, &all).unwrap();
            let mut together = plan.run(&[&picture, &picture]).unwrap();
            let (mut alone, mut shapes) = (Vec::new(), Vec::<[usize; 3]>::new());
            for tap in taps {
                let blocks = network.blocks[..tap.blocks].to_vec();
                let one = Network { blocks, taps: vec![tap], ..network.clone() };
                let ranges = ranges(&one, size, &[&picture]);
                assert!(all.to_list().starts_with(&ranges.to_list()), "the ranges of what comes first");
                let one = one.int8(size, instructions, &ranges).unwrap();
                shapes.extend(one.output_shapes());
                alone.extend(one.run(&[&picture]).unwrap());
            }
            assert_eq!(plan.output_shapes(), shapes);
            let second = together.split_off(alone.len());
            assert!(together == alone && second == alone, "{instructions}, without {left_out}");
        }
    }
}

#[test]
fn what_a_tap_takes_in_the_middle_is_not_rounded() {
    let mut noise = Noise(5);
    let network = of_three_blocks(&mut noise, 24);
    let (size, picture) = ([33, 26], noise.take(3 * 33 * 26, 1.0));
    let ranges = ranges(&network, size, &[&picture]);
    let taps: Vec<Tap> = network.taps.iter().map(|tap| Tap { average: 1, ..*tap }).collect();
    let whole = Network { taps, ..network };
    let plan = whole.int8(size, InstructionSet::best(), &ranges).unwrap();
    let features = plan.run(&[&picture]).unwrap();
    let (mut begin, mut convolutions, ranges) = (0, 1, ranges.to_list());
    for (block, shape) in whole.blocks.iter().zip(plan.output_shapes()) {
        let map = &features[begin..][..shape.iter().product()];
        begin += map.len();
        convolutions += block.branch.len() + usize::from(block.projection.is_some());
        // In steps of 1/255 of the range, nearly all values would be whole numbers.
        let step = ranges[convolutions] / 255.0;
        let between = map.iter().filter(|value| (*value / step - (*value / step).round()).abs() > 0.01);
        let positive = map.iter().filter(|value| **value > 0.0).count();
        assert!(10 * between.count() > 9 * positive && positive > 100, "{shape:?} is rounded");
    }
}

#[test]
fn a_tap_of_the_stem_is_refused() {
    let mut network = Noise(1).network(16, 1, SYMMETRIC);
    network.taps.insert(0, Tap { blocks: 0, average: 1 });
    let ranges = listed(&network, &[1.0; 8]).expect("ranges");
    let error = network.int8([8, 8], InstructionSet::best(), &ranges).expect_err("refused");
    assert_eq!(error.to_string(), "node 'blocks.0': max_pool is not computed in int8 here: take f32");
}

#[test]
fn threads_and_batches_change_no_bit() {
    let mut noise = Noise(8);
    let network = of_three_blocks(&mut noise, 48);
    let pictures: Vec<Vec<f32>> = (0..5).map(|_| noise.take(3 * 40 * 33, 1.0)).collect();
    let pictures: Vec<&[f32]> = pictures.iter().map(Vec::as_slice).collect();
    let ranges = ranges(&network, [40, 33], &pictures);
    let portable = network.int8([40, 33], InstructionSet::Portable, &ranges).unwrap();
    let expected: Vec<f32> =
        pictures.iter().flat_map(|picture| portable.run(&[picture]).expect("features")).collect();
    for instructions in InstructionSet::available() {
        let plan = network.int8([40, 33], instructions, &ranges).unwrap();
        for threads in [1, 2, 3, 7] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let actual = pool.install(|| plan.run(&pictures)).unwrap();
            assert!(actual == expected, "{instructions}, {threads} threads");
        }
    }
}

#[test]
fn ranges_are_the_largest_over_all_pictures() {
    let mut noise = Noise(9);
    let (network, size) = (noise.network(16, 1, SYMMETRIC), [24, 24]);
    let pictures = [0.2, 1.0, 0.5].map(|scale| noise.take(3 * 24 * 24, scale));
    let each = pictures.each_ref().map(|picture| ranges(&network, size, &[picture]));
    let together = ranges(&network, size, &pictures.each_ref().map(Vec::as_slice));
    for (at, range) in together.to_list().into_iter().enumerate() {
        let largest = each.iter().map(|ranges| ranges.to_list()[at]).fold(0.0, f32::max);
        assert!(range == largest && range > 0.0, "{at}: {range}");
    }
    let most = pictures[1].iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    assert_eq!(together.input, most);
    // A picture that overflows must not change the result for the others.
    let broken = vec![f32::NAN; 3 * 24 * 24];
    let plan = network.plan(size, InstructionSet::best()).unwrap();
    let without = plan.ranges(&[&pictures[0]]).unwrap();
    assert_eq!(plan.ranges(&[&broken, &pictures[0]]), Ok(without));
    assert!(matches!(plan.ranges(&[&broken]), Err(KernelError::Ranges { .. })));
    assert!(matches!(plan.ranges(&[]), Err(KernelError::Ranges { .. })));
}

#[test]
fn ranges_belong_to_the_names_of_nodes() {
    let mut noise = Noise(10);
    let (network, size) = (noise.network(16, 1, SYMMETRIC), [24, 24]);
    let measured = ranges(&network, size, &[&noise.take(3 * 24 * 24, 1.0)]);
    let names: Vec<&str> = measured.outputs().map(|(name, _)| name).collect();
    let expected = [
        "stem",
        "blocks.1.conv0",
        "blocks.1.conv1",
        "blocks.2.projection",
        "blocks.2.conv0",
        "blocks.2.conv1",
        "blocks.2.conv2",
    ];
    assert_eq!(names, expected);
    // A list of today's files is read in the order of convolutions.
    assert_eq!(listed(&network, &measured.to_list()), Ok(measured));
}

/// In `f32` a depthwise convolution and the sum behind it are two steps, in int8 they are one.
#[test]
fn ranges_are_those_of_the_values_that_int8_rounds() {
    let mut noise = Noise(12);
    let (network, size) = (noise.network(5, 5, SYMMETRIC), [36, 17]);
    let picture = noise.take(3 * 36 * 17, 100.0);
    let ranges = ranges(&network, size, &[&picture]);
    let (graph, parameters) = network.graph();
    // The value behind the sum and the ReLU.
    let tap = GraphTap { node: graph.tap("blocks.1").expect("a block"), average: 1 };
    let plan = Plan::compile(&graph, &parameters, size, &[tap], InstructionSet::Portable).unwrap();
    let most = plan.run(&[&picture]).unwrap().into_iter().fold(0.0, f32::max);
    let range = ranges.outputs().find(|(name, _)| *name == "blocks.1.conv1").expect("a range").1;
    assert!(most > 0.0 && range == most, "{range} {most}");
}

#[test]
fn ranges_of_another_network_are_refused() {
    let network = Noise(1).network(16, 1, SYMMETRIC);
    let refused = |list: &[f32]| {
        let error = listed(&network, list).expect_err("refused");
        assert!(matches!(error, KernelError::Ranges { .. }), "{error}");
    };
    let good = [1.0; 8];
    assert!(network.int8([8, 8], InstructionSet::best(), &listed(&network, &good).unwrap()).is_ok());
    refused(&[]);
    refused(&good[1..]);
    for (at, bad) in [(0, f32::NAN), (4, -1.0), (7, f32::INFINITY)] {
        let mut list = good;
        list[at] = bad;
        refused(&list);
    }
    // Ranges of a shorter network lack some of the names.
    let shorter = Network { blocks: network.blocks[..1].to_vec(), ..network.clone() };
    let ranges = listed(&shorter, &[1.0; 4]).expect("ranges of the shorter network");
    let error = network.int8([8, 8], InstructionSet::best(), &ranges).expect_err("refused");
    let words = "expected one for the convolution 'blocks.2.projection', got none";
    assert!(error.to_string().contains(words), "{error}");
    // The input is public, so it is looked at again.
    let mut broken = listed(&network, &good).unwrap();
    broken.input = f32::NAN;
    let error = network.int8([8, 8], InstructionSet::best(), &broken).expect_err("refused");
    assert!(error.to_string().contains("finite numbers of 0 or more"), "{error}");
}

#[test]
fn sums_that_could_overflow_are_refused() {
    // 9 · 9 · 3 products are fine, 41 · 41 · 3 are too many for the stem's 28 bits each.
    let with_stem = |side: usize| {
        let mut network = Noise(1).network(16, 1, SYMMETRIC);
        network.stem.kernel = [side; 2];
        network.stem.padding = side / 2;
        network.stem.weight = vec![1.0; 16 * 3 * side * side];
        let ranges = listed(&network, &[1.0; 8]).expect("ranges");
        network.int8([8, 8], InstructionSet::best(), &ranges).map(drop)
    };
    assert_eq!(with_stem(9), Ok(()));
    let error = with_stem(41).expect_err("too many");
    assert!(matches!(error, KernelError::TooManyTaps { got: 5043, .. }), "{error}");
}
