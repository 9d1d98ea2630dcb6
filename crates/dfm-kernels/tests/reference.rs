//! Compares the plan with convolutions computed plainly in `f64`, on every instruction set and at
//! shapes that no tile divides. The tests are small and use no other crates, so that they also run
//! under AddressSanitizer and Miri.

#[path = "support/shapes.rs"]
mod shapes;
mod support;

use dfm_graph::GraphError;
use dfm_kernels::{Convolution, InstructionSet, KernelError, Plan, Way, time_convolution};
use shapes::{END_ONLY, SYMMETRIC};
use support::{MaxPool, Network, Noise, Tap};

/// A feature map `[channels, height, width]`.
#[derive(Clone)]
struct Map {
    values: Vec<f64>,
    size: [usize; 2],
}

impl Map {
    fn at(&self, channel: usize, y: isize, x: isize) -> f64 {
        let [height, width] = self.size;
        match (usize::try_from(y), usize::try_from(x)) {
            (Ok(y), Ok(x)) if y < height && x < width => self.values[(channel * height + y) * width + x],
            _ => 0.0,
        }
    }

    fn relu(mut self) -> Self {
        self.values.iter_mut().for_each(|value| *value = value.max(0.0));
        self
    }

    fn convolve(&self, convolution: &Convolution) -> Self {
        let Convolution { kernel, stride, padding, groups, in_channels_per_group, out_channels, .. } =
            *convolution;
        let size = [0, 1].map(|side| (self.size[side] + 2 * padding - kernel[side]) / stride + 1);
        let mut values = Vec::new();
        for output in 0..out_channels {
            let first = output / (out_channels / groups) * in_channels_per_group;
            for y in 0..size[0] {
                for x in 0..size[1] {
                    let mut sum = f64::from(convolution.bias[output]);
                    for input in 0..in_channels_per_group {
                        for ky in 0..kernel[0] {
                            for kx in 0..kernel[1] {
                                let at = ((output * in_channels_per_group + input) * kernel[0] + ky)
                                    * kernel[1]
                                    + kx;
                                let row = (y * stride + ky) as isize - padding as isize;
                                let column = (x * stride + kx) as isize - padding as isize;
                                sum +=
                                    f64::from(convolution.weight[at]) * self.at(first + input, row, column);
                            }
                        }
                    }
                    values.push(sum);
                }
            }
        }
        Self { values, size }
    }

    fn pool(&self, pool: MaxPool, channels: usize) -> Self {
        let size = self.size.map(|side| (side + pool.before + pool.after - 3) / 2 + 1);
        let mut values = Vec::new();
        for channel in 0..channels {
            for y in 0..size[0] {
                for x in 0..size[1] {
                    let window = (0..9).map(|k| {
                        let row = (2 * y + k / 3) as isize - pool.before as isize;
                        self.at(channel, row, (2 * x + k % 3) as isize - pool.before as isize)
                    });
                    values.push(window.fold(0.0, f64::max));
                }
            }
        }
        Self { values, size }
    }
}

fn reference(network: &Network, picture: &[f32], size: [usize; 2]) -> Vec<f64> {
    let picture = Map { values: picture.iter().copied().map(f64::from).collect(), size };
    let stem = picture.convolve(&network.stem).relu();
    let mut map = stem.pool(network.pool, network.stem.out_channels);
    for block in &network.blocks {
        let shortcut =
            block.projection.as_ref().map_or_else(|| map.clone(), |projection| map.convolve(projection));
        let (last, inner) = block.branch.split_last().expect("a branch");
        for convolution in inner {
            map = map.convolve(convolution).relu();
        }
        map = map.convolve(last);
        map.values.iter_mut().zip(&shortcut.values).for_each(|(value, other)| *value += other);
        map = map.relu();
    }
    map.values
}

/// Relative L2 distance.
fn distance(actual: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(actual.len(), expected.len());
    let norm = expected.iter().map(|value| value * value).sum::<f64>().sqrt();
    let pairs = actual.iter().zip(expected);
    pairs.map(|(a, b)| (f64::from(*a) - b).powi(2)).sum::<f64>().sqrt() / norm
}

/// Compares every instruction set with the reference, for inputs up to `scale`.
fn agrees_at(scale: f32, width: usize, groups: usize, pool: MaxPool, size: [usize; 2]) {
    let mut noise = Noise(width as u64);
    let network = noise.network(width, groups, pool);
    let picture = noise.take(3 * size[0] * size[1], scale);
    let expected = reference(&network, &picture, size);
    for instructions in InstructionSet::available() {
        let plan = network.plan(size, instructions).expect("a plan");
        let actual = plan.run(&[&picture]).expect("features");
        let distance = distance(&actual, &expected);
        // Sums of some hundred terms in f32, five layers deep.
        assert!(distance < 2e-6, "{instructions}, {width} channels, {size:?}: {distance:e}");
    }
}

fn agrees(width: usize, groups: usize, pool: MaxPool, size: [usize; 2]) {
    agrees_at(2.0, width, groups, pool, size);
}

#[test]
fn channels_that_fill_no_block_agree_with_the_reference() {
    agrees(4, 1, SYMMETRIC, [19, 22]);
}

#[test]
fn grouped_convolutions_agree_with_the_reference() {
    agrees(24, 6, END_ONLY, [17, 31]);
}

#[test]
fn transforms_agree_with_the_reference() {
    // 64 channels go by Winograd; 9×13 cells are no multiple of a tile.
    if !cfg!(miri) {
        agrees(64, 1, SYMMETRIC, [33, 50]);
    }
}

#[test]
fn the_smallest_pictures_agree_with_the_reference() {
    for size in [[1, 1], [1, 9], [6, 2]] {
        agrees(16, 1, SYMMETRIC, size);
    }
}

/// A window of three pixels holds a pixel of the map if the padding is two or less.
#[test]
fn every_padding_that_leaves_a_pixel_to_each_window_agrees_with_the_reference() {
    for (before, after) in [(0, 0), (0, 2), (2, 0), (1, 2), (2, 2)] {
        for size in [[5, 7], [17, 12], [70, 9]] {
            agrees(16, 1, MaxPool { before, after }, size);
        }
    }
}

#[test]
fn random_shapes_and_scales_agree_with_the_reference() {
    shapes::drawn(-25..15, agrees_at);
}

#[test]
fn inputs_below_the_smallest_normal_number_agree_with_the_reference() {
    let mut noise = Noise(5);
    let mut network = noise.network(40, 1, SYMMETRIC);
    let branches = network.blocks.iter_mut().flat_map(|block| &mut block.branch);
    for convolution in branches.chain([&mut network.stem]) {
        convolution.bias.fill(0.0);
    }
    network.blocks.iter_mut().flat_map(|block| &mut block.projection).for_each(|it| it.bias.fill(0.0));
    let picture = noise.take(3 * 20 * 20, 1e-39);
    let expected = reference(&network, &picture, [20, 20]);
    for instructions in InstructionSet::available() {
        let actual = network.plan([20, 20], instructions).unwrap().run(&[&picture]).unwrap();
        // Such numbers have steps of 1.4e-45, some hundred to a sum.
        let distance = distance(&actual, &expected);
        assert!(distance < 1e-3, "{instructions}: {distance:e}");
    }
}

#[test]
fn what_is_not_a_number_stays_so() {
    for (width, value) in [(16, f32::NAN), (40, f32::NAN), (16, f32::INFINITY)] {
        let mut noise = Noise(3);
        let network = noise.network(width, 1, SYMMETRIC);
        let mut picture = noise.take(3 * 24 * 24, 1.0);
        picture[300] = value;
        for instructions in InstructionSet::available() {
            let features = network.plan([24, 24], instructions).unwrap().run(&[&picture]).unwrap();
            // Somewhere, an infinity is subtracted from itself.
            assert!(features.iter().any(|value| value.is_nan()), "{instructions}: {value} is lost");
        }
    }
}

#[test]
fn averages_are_those_of_the_feature_map() {
    let mut noise = Noise(2);
    let mut network = noise.network(20, 1, SYMMETRIC);
    let (size, picture) = ([45, 54], noise.take(3 * 45 * 54, 1.0));
    for instructions in InstructionSet::available() {
        network.taps[0].average = 1;
        let plan = network.plan(size, instructions).unwrap();
        let ([channels, height, width], map) = (plan.output_shapes()[0], plan.run(&[&picture]).unwrap());
        network.taps[0].average = 3;
        let plan = network.plan(size, instructions).unwrap();
        assert_eq!(plan.output_shapes(), [[channels, height / 3, width / 3]]);
        let averages = plan.run(&[&picture]).unwrap();
        assert!(!averages.is_empty());
        for (index, average) in averages.iter().enumerate() {
            let (channel, place) = (index / (height / 3 * (width / 3)), index % (height / 3 * (width / 3)));
            let (top, left) = (place / (width / 3) * 3, place % (width / 3) * 3);
            let cells = (0..9).map(|k| map[(channel * height + top + k / 3) * width + left + k % 3]);
            let expected = cells.map(f64::from).sum::<f64>() / 9.0;
            assert!((f64::from(*average) - expected).abs() <= 1e-6 * expected.abs().max(1.0));
        }
    }
}

#[test]
fn every_tap_takes_what_it_would_take_alone() {
    let mut noise = Noise(4);
    let mut network = noise.network(20, 1, SYMMETRIC);
    let taps = [(0, 2), (1, 3), (2, 1)].map(|(blocks, average)| Tap { blocks, average });
    let (size, picture) = ([45, 54], noise.take(3 * 45 * 54, 1.0));
    for instructions in InstructionSet::available() {
        network.taps = taps.to_vec();
        let plan = network.plan(size, instructions).unwrap();
        let mut together = plan.run(&[&picture, &picture]).unwrap();
        let (mut alone, mut shapes) = (Vec::new(), Vec::<[usize; 3]>::new());
        for tap in taps {
            let blocks = network.blocks[..tap.blocks].to_vec();
            let one = Network { blocks, taps: vec![tap], ..network.clone() };
            let one = one.plan(size, instructions).unwrap();
            shapes.extend(one.output_shapes());
            alone.extend(one.run(&[&picture]).unwrap());
        }
        assert_eq!(plan.output_shapes(), shapes);
        let second = together.split_off(alone.len());
        assert!(together == alone && second == alone, "{instructions}");
    }
}

#[test]
fn maps_come_beside_the_averages_and_change_no_bit_of_them() {
    let mut noise = Noise(4);
    let network = noise.network(20, 1, SYMMETRIC);
    let taps = [(0, 2), (1, 3), (2, 1)].map(|(blocks, average)| Tap { blocks, average });
    let network = Network { taps: taps.to_vec(), ..network };
    let whole = Network { taps: taps.map(|tap| Tap { average: 1, ..tap }).to_vec(), ..network.clone() };
    let (size, picture) = ([45, 54], noise.take(3 * 45 * 54, 1.0));
    let ranges = network.plan(size, InstructionSet::Portable).unwrap().ranges(&[&picture]).unwrap();
    for instructions in InstructionSet::available() {
        let of = |network: &Network| network.plan(size, instructions).unwrap();
        agree(&of(&network), &of(&whole), &picture, taps.len() - 1);
        // In int8 there is no tap behind the stem.
        let later = |network: &Network| {
            let network = Network { taps: network.taps[1..].to_vec(), ..network.clone() };
            network.int8(size, instructions, &ranges).unwrap()
        };
        agree(&later(&network), &later(&whole), &picture, taps.len() - 2);
    }
}

/// Whether the maps beside the averages of a plan are the first `maps` features of `whole`, whose taps
/// take single pixels.
fn agree(plan: &Plan, whole: &Plan, picture: &[f32], maps: usize) {
    assert_eq!(plan.map_shapes(), &whole.output_shapes()[..maps]);
    let expected = whole.run(&[picture]).expect("features");
    let count: usize = plan.map_shapes().iter().map(|shape| shape.iter().product::<usize>()).sum();
    for pictures in [1, 3] {
        let both = plan.run_with_maps(&vec![picture; pictures]).expect("maps");
        let averages = plan.run(&vec![picture; pictures]).expect("features");
        let each = plan.output_len();
        for (both, averages) in both.chunks(each + count).zip(averages.chunks(each)) {
            assert!(both[..each] == *averages && both[each..] == expected[..count]);
        }
    }
    // Steps that are not taken have no time.
    assert!(plan.time_steps(picture, 1).expect("times").iter().all(|step| step.seconds < 60.0));
}

#[test]
fn threads_and_batches_change_no_bit() {
    let mut noise = Noise(8);
    let mut network = noise.network(48, 1, SYMMETRIC);
    network.taps.insert(0, Tap { blocks: 1, average: 2 });
    let pictures: Vec<Vec<f32>> = (0..5).map(|_| noise.take(3 * 40 * 33, 1.0)).collect();
    let pictures: Vec<&[f32]> = pictures.iter().map(Vec::as_slice).collect();
    for instructions in InstructionSet::available() {
        let plan = network.plan([40, 33], instructions).unwrap();
        let on = |threads: usize, pictures: &[&[f32]]| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| plan.run(pictures)).unwrap()
        };
        let expected: Vec<f32> = pictures.iter().flat_map(|picture| on(1, &[picture])).collect();
        for threads in [1, 2, 3, 7] {
            assert!(on(threads, &pictures) == expected, "{instructions}, {threads} threads");
        }
    }
}

#[test]
fn a_picture_that_leaves_nothing_is_refused() {
    let network = Noise(1).network(16, 1, END_ONLY);
    let error = network.plan([1, 1], InstructionSet::best()).expect_err("nothing is left");
    assert!(matches!(error, KernelError::Graph(GraphError::TooSmall { .. })), "{error}");
    let taps = vec![Tap { blocks: 2, average: 9 }];
    let wide = Network { taps, ..Noise(1).network(16, 1, SYMMETRIC) };
    assert!(wide.plan([16, 16], InstructionSet::best()).is_err());
    assert!(network.plan([0, 5], InstructionSet::best()).is_err());
}

#[test]
fn pictures_of_another_size_are_refused() {
    let plan = Noise(1).network(16, 1, SYMMETRIC).plan([8, 8], InstructionSet::best()).expect("a plan");
    let fitting = [0.0; 192];
    assert_eq!(plan.run(&[&fitting, &[0.0; 5]]), Err(KernelError::Input { expected: 192, got: 5 }));
    assert!(plan.run(&[&fitting]).is_ok());
}

#[test]
fn sides_without_pixels_and_sides_beyond_all_memory_are_refused() {
    let network = Noise(1).network(16, 1, SYMMETRIC);
    let convolution = &network.blocks[0].branch[0];
    let plan = |size| network.plan(size, InstructionSet::best()).expect_err("no such size");
    let time = |size| {
        let best = InstructionSet::best();
        [Way::Direct, Way::Winograd]
            .map(|way| time_convolution(convolution, size, best, way, 1).expect_err("no such size"))
    };
    for [height, width] in [[0, 5], [5, 0], [0, 0]] {
        let expected = KernelError::TooSmall { height, width };
        assert_eq!(plan([height, width]), expected);
        assert_eq!(time([height, width]), [expected.clone(), expected]);
    }
    for [height, width] in [[usize::MAX, 8], [8, 65_537]] {
        let expected = KernelError::TooLarge { height, width, limit: 65_536 };
        assert_eq!(plan([height, width]), expected);
        assert_eq!(time([height, width]), [expected.clone(), expected]);
    }
}

#[test]
fn a_convolution_without_inputs_or_beyond_all_memory_is_refused() {
    let network = Noise(1).network(16, 1, SYMMETRIC);
    let refused = |change: &dyn Fn(&mut Convolution)| {
        let mut convolution = network.blocks[0].branch[0].clone();
        change(&mut convolution);
        match time_convolution(&convolution, [4, 4], InstructionSet::best(), Way::Direct, 1) {
            Err(KernelError::Convolution { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    };
    let empty = |convolution: &mut Convolution| {
        convolution.in_channels_per_group = 0;
        convolution.weight.clear();
    };
    assert_eq!(refused(&empty), "input channels");
    assert_eq!(refused(&|convolution| convolution.in_channels_per_group = usize::MAX), "weights");
    let wide = |convolution: &mut Convolution| {
        convolution.kernel = [usize::MAX; 2];
        convolution.padding = usize::MAX / 2;
    };
    assert_eq!(refused(&wide), "weights");
    assert_eq!(refused(&|convolution| convolution.kernel = [0; 2]), "kernel");
}
