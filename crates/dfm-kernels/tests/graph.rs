//! Plans of graphs: those of residual networks have the bits that they had before there were graphs, and all
//! others are compared with graphs that are computed plainly in `f64`.

#[path = "support/graphs.rs"]
mod graphs;
#[path = "support/plain.rs"]
mod plain;
mod support;

use dfm_graph::{Activation, Graph, Padding};
use dfm_kernels::{GraphTap, InstructionSet, KernelError, Plan};
use support::{Block, MaxPool, Network, Noise, Tap};

fn tap(graph: &Graph, name: &str, average: usize) -> GraphTap {
    GraphTap { node: graph.tap(name).unwrap_or_else(|| panic!("{name}")), average }
}

/// What plans of residual networks gave before they were made of graphs: seed, width, groups and padding of
/// the network, and for `f32` and int8 on each instruction set the hash of its bits and its memory on one
/// thread and on three. Whoever writes the table of `choice.rs` anew takes these anew, too.
type Before = ([usize; 4], [(InstructionSet, u64, [usize; 2]); 3], (u64, [usize; 2]));
const BEFORE: [Before; 3] = [
    (
        [1, 20, 1, 1],
        [
            (InstructionSet::Portable, 0xed71_454c_7608_4389, [138_624, 313_728]),
            (InstructionSet::Avx2, 0x4bcb_c129_35b5_36f1, [112_576, 235_584]),
            (InstructionSet::Avx512, 0x4bcb_c129_35b5_36f1, [112_576, 235_584]),
        ],
        (0x82db_7009_4180_6835, [60_928, 118_272]),
    ),
    (
        [2, 64, 1, 0],
        [
            (InstructionSet::Portable, 0xd712_acc8_49eb_f8a9, [237_568, 523_264]),
            (InstructionSet::Avx2, 0x1290_76bf_86a4_555d, [237_568, 523_264]),
            (InstructionSet::Avx512, 0x87ca_0c50_9200_2c55, [166_592, 310_336]),
        ],
        (0x59e6_e178_caa8_cc65, [86_144, 148_608]),
    ),
    (
        [3, 48, 3, 1],
        [
            (InstructionSet::Portable, 0x72e5_7662_f154_ca25, [195_840, 426_240]),
            (InstructionSet::Avx2, 0xfd4d_c8b7_ecd7_3479, [195_840, 426_240]),
            (InstructionSet::Avx512, 0xb059_4830_12c0_fe75, [147_328, 280_704]),
        ],
        (0xe2e1_6445_bb5e_b235, [78_336, 138_240]),
    ),
];

#[test]
fn residual_networks_have_the_memory_and_the_bits_that_they_had() {
    for ([seed, width, groups, before], floats, (int8, int8_memory)) in BEFORE {
        let mut noise = Noise(seed as u64);
        let pool = MaxPool { before, after: 1 };
        let network = noise.network(width, groups, pool);
        // Another block, so that a block without a projection reads what a tap takes.
        let more: Block = noise.network(2 * width, groups, pool).blocks.remove(0);
        let blocks = [network.blocks.clone(), vec![more]].concat();
        let size = [45, 54];
        let picture = noise.take(3 * size[0] * size[1], 1.0);
        let taps = [(1, 3), (2, 1), (3, 2)].map(|(blocks, average)| Tap { blocks, average });
        let network = Network { taps: taps.to_vec(), blocks, ..network };
        let ranges = network.plan(size, InstructionSet::Portable).unwrap().ranges(&[&picture]).unwrap();
        let figures = |plan: Plan| {
            let values = plan.run_with_maps(&[&picture, &picture]).unwrap();
            (hash(&values), [1, 3].map(|threads| plan.memory(threads)))
        };
        for (instructions, bits, memory) in floats {
            if !InstructionSet::available().contains(&instructions) {
                continue;
            }
            let plan = network.plan(size, instructions).unwrap();
            assert_eq!(figures(plan), (bits, memory), "{seed} on {instructions}");
            let plan = network.int8(size, instructions, &ranges).unwrap();
            assert_eq!(figures(plan), (int8, int8_memory), "{seed} in int8 on {instructions}");
        }
    }
}

/// A hash of the bits of some values (FNV-1a).
fn hash(values: &[f32]) -> u64 {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn residual_networks_have_the_steps_that_they_had() {
    let network = Noise(1).network(20, 1, MaxPool { before: 1, after: 1 });
    let network =
        Network { taps: vec![Tap { blocks: 1, average: 3 }, Tap { blocks: 2, average: 1 }], ..network };
    let (size, picture) = ([45, 54], vec![0.5; 3 * 45 * 54]);
    let plan = network.plan(size, InstructionSet::Portable).unwrap();
    let expected = [
        ("stem", "7×7/2 and maximum, 3 to 20 at 12×14", 1_825_740),
        ("blocks.1.conv0", "3×3 by transforms, 20 at 12×14 to 20 at 12×14", 604_800),
        ("blocks.1.conv1", "3×3 by transforms, 20 at 12×14 to 20 at 12×14", 604_800),
        ("blocks.1", "average of 3×3, 20 at 12×14", 0),
        ("blocks.2.projection", "1×1/2, 20 at 12×14 to 40 at 6×7", 33_600),
        ("blocks.2.conv0", "1×1/1, 20 at 12×14 to 20 at 12×14", 67_200),
        ("blocks.2.conv1", "3×3/2, 20 at 12×14 to 20 at 6×7", 151_200),
        ("blocks.2.conv2", "1×1/1, 20 at 6×7 to 40 at 6×7", 33_600),
        ("blocks.2", "average of 1×1, 40 at 6×7", 0),
    ];
    assert_eq!(steps(&plan, &picture), expected.map(|(node, step, count)| (node.into(), step.into(), count)));
    // A block whose output is tapped and read is computed twice at its end: once for each.
    let ranges = plan.ranges(&[&picture]).unwrap();
    let int8 = steps(&network.int8(size, InstructionSet::Portable, &ranges).unwrap(), &picture);
    let nodes: Vec<&str> = int8.iter().map(|(node, _, _)| node.as_str()).collect();
    let expected = [
        "stem",
        "blocks.1.conv0",
        "blocks.1.conv1",
        "blocks.1.conv1",
        "blocks.1",
        "blocks.2.projection",
        "blocks.2.conv0",
        "blocks.2.conv1",
        "blocks.2.conv2",
        "blocks.2",
    ];
    assert_eq!(nodes, expected);
}

#[test]
fn what_is_not_computed_in_int8_is_named() {
    let size = [42, 70];
    let refused = |graph: &Graph, name: &str| {
        let parameters = graphs::drawn(graph, &mut Noise(1));
        let taps = [tap(graph, name, 1)];
        let best = InstructionSet::best();
        let plan = Plan::compile(graph, &parameters, size, &taps, best).unwrap();
        let ranges = plan.ranges(&[&vec![0.5; 3 * size[0] * size[1]]]).unwrap();
        match Plan::compile_int8(graph, &parameters, size, &taps, best, &ranges) {
            Err(KernelError::Unsupported8 { node, operation }) => format!("{node}: {operation}"),
            other => panic!("{other:?}"),
        }
    };
    let efficient = graphs::efficient(Activation::Silu, Padding::Same);
    assert_eq!(refused(&efficient, "blocks.0"), "conv_stem: convolution");
    let transformer = graphs::transformer(32, 2, [3, 5], Activation::GeluErf);
    assert_eq!(refused(&transformer, "map"), "patch_embed: convolution");
    let (residual, _) = Noise(1).network(16, 1, MaxPool { before: 1, after: 1 }).graph();
    assert_eq!(refused(&residual, "blocks.0"), "blocks.0: max_pool");
    assert_eq!(refused(&residual, "picture"), "picture: picture");
}

/// The steps of a plan: the first node of each, what it does, and how many multiplications it has.
fn steps(plan: &Plan, picture: &[f32]) -> Vec<(String, String, u64)> {
    let times = plan.time_steps(picture, 1).expect("times");
    times.into_iter().map(|it| (it.node, it.step, it.multiply_adds)).collect()
}

/// Compares every tapped value of a graph with the plain one, and looks that averages, threads and batches
/// change nothing.
fn agrees(graph: &Graph, names: &[&str], size: [usize; 2], allowed: f64) {
    let mut noise = Noise(size[0] as u64);
    let parameters = graphs::drawn(graph, &mut noise);
    let picture = noise.take(3 * size[0] * size[1], 1.0);
    let values = plain::values(graph, &parameters, &picture, size);
    let taps: Vec<GraphTap> = names.iter().map(|name| tap(graph, name, 1)).collect();
    for instructions in InstructionSet::available() {
        let plan = Plan::compile(graph, &parameters, size, &taps, instructions).expect("a plan");
        let on = |threads: usize, pictures: &[&[f32]]| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| plan.run(pictures)).expect("features")
        };
        let features = on(1, &[&picture]);
        let mut rest = features.as_slice();
        for (it, shape) in taps.iter().zip(plan.output_shapes()) {
            let value = &values[it.node.index()];
            assert_eq!(*shape, [value.channels, value.sides[0], value.sides[1]]);
            let (got, others) = rest.split_at(shape.iter().product());
            rest = others;
            // Features of tokens leave out those of the prefix.
            let cells = shape[1] * shape[2];
            let expected: Vec<f64> = value
                .values
                .chunks(value.positions())
                .flat_map(|channel| channel[channel.len() - cells..].to_vec())
                .collect();
            let norm = expected.iter().map(|value| value * value).sum::<f64>().sqrt();
            let errors = got.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).powi(2));
            let distance = errors.sum::<f64>().sqrt() / norm;
            let name = graph.node(it.node).name();
            assert!(distance < allowed, "{instructions}: {name} is {distance:e} away");
        }
        for threads in [2, 3, 5] {
            let pictures = [picture.as_slice(); 4];
            assert!(on(threads, &pictures) == features.repeat(4), "{instructions}, {threads} threads");
            assert!(on(threads, &[&picture]) == features, "{instructions}, {threads} threads");
        }
        averages_agree(graph, &parameters, size, &taps, (&picture, &features, instructions));
    }
}

/// Compares the averages of windows, and the maps beside them, with `features` of single pixels.
fn averages_agree(
    graph: &Graph,
    parameters: &[Vec<f32>],
    size: [usize; 2],
    taps: &[GraphTap],
    (picture, features, instructions): (&[f32], &[f32], InstructionSet),
) {
    let shapes = graph.shapes(size).expect("a size that fits");
    let fitting = taps.iter().filter(|tap| shapes[tap.node.index()].sides.iter().all(|side| *side > 1));
    // In another order than that of the nodes.
    let taps: Vec<GraphTap> = fitting.rev().map(|tap| GraphTap { average: 2, ..*tap }).collect();
    let plan = Plan::compile(graph, parameters, size, &taps, instructions).expect("a plan");
    let both = plan.run_with_maps(&[picture]).expect("features");
    let (averages, mut maps) = both.split_at(plan.output_len());
    assert!(plan.run(&[picture]).expect("features") == averages);
    let mut averages = averages;
    for ([channels, height, width], cells) in plan.map_shapes().iter().zip(plan.output_shapes()) {
        let (map, others) = maps.split_at(channels * height * width);
        maps = others;
        assert!(features.windows(map.len()).any(|features| features == map), "a map has other bits");
        let (of_tap, others) = averages.split_at(cells.iter().product());
        averages = others;
        for (index, average) in of_tap.iter().enumerate() {
            let [_, rows, columns] = *cells;
            let (channel, y, x) = (index / (rows * columns), index / columns % rows, index % columns);
            let at = |k: usize| f64::from(map[(channel * height + 2 * y + k / 2) * width + 2 * x + k % 2]);
            let expected = (0..4).map(at).sum::<f64>() / 4.0;
            assert!((f64::from(*average) - expected).abs() <= 1e-6 * expected.abs().max(1.0));
        }
    }
    assert!(maps.is_empty() && averages.is_empty());
}

#[test]
fn inverted_residuals_agree_with_plain_ones() {
    for (activation, padding) in [
        (Activation::Relu6, Padding::even(1)),
        (Activation::HardSwish, Padding::Same),
        (Activation::Silu, Padding::Same),
    ] {
        let graph = graphs::efficient(activation, padding);
        for size in [[37, 50], [64, 41]] {
            agrees(&graph, &["conv_stem", "blocks.0", "blocks.1.se.gate", "blocks.2"], size, 3e-6);
        }
    }
}

#[test]
fn convnexts_agree_with_plain_ones() {
    for is_second in [false, true] {
        let graph = graphs::convnext(is_second);
        for size in [[40, 65], [67, 32]] {
            agrees(&graph, &["stem.0", "stages.0", "stages.1"], size, 3e-6);
        }
    }
}

#[test]
fn transformers_agree_with_plain_ones() {
    for (width, heads, activation) in
        [(64, 2, Activation::GeluErf), (48, 4, Activation::QuickGelu), (72, 3, Activation::GeluTanh)]
    {
        // The grid of the parameters, and another one.
        for grid in [[3, 5], [4, 4]] {
            let graph = graphs::transformer(width, heads, grid, activation);
            agrees(&graph, &["blocks.0", "blocks.2", "mean", "map"], [42, 70], 5e-6);
        }
    }
}

#[test]
fn what_no_family_has_agrees_with_the_plain_graph() {
    let names = ["picture", "all", "twice", "average", "largest", "sum.act", "mean.act", "last"];
    for size in [[33, 46], [50, 31]] {
        agrees(&graphs::odd(), &names, size, 3e-6);
    }
}

#[test]
fn what_is_not_a_number_stays_so_and_is_forgotten() {
    let size = [42, 70];
    let families = [
        (graphs::efficient(Activation::HardSwish, Padding::Same), "blocks.2"),
        (graphs::convnext(true), "stages.1"),
        (graphs::transformer(72, 3, [3, 5], Activation::GeluErf), "map"),
        (graphs::odd(), "last"),
    ];
    for (graph, name) in families {
        let mut noise = Noise(3);
        let parameters = graphs::drawn(&graph, &mut noise);
        let picture = noise.take(3 * size[0] * size[1], 1.0);
        for instructions in InstructionSet::available() {
            let taps = [tap(&graph, name, 1)];
            let plan = Plan::compile(&graph, &parameters, size, &taps, instructions).unwrap();
            let expected = plan.run(&[&picture]).unwrap();
            for value in [f32::NAN, f32::INFINITY] {
                let mut broken = picture.clone();
                broken[10 * size[1] + 20] = value;
                let features = plan.run(&[&broken]).unwrap();
                assert!(features.iter().any(|value| !value.is_finite()), "{instructions}: {name}, {value}");
                // The memory of the plan is that of the run before.
                assert!(plan.run(&[&picture]).unwrap() == expected, "{instructions}: {name} after {value}");
            }
        }
    }
}

#[test]
fn what_no_tap_needs_is_not_computed() {
    let graph = graphs::efficient(Activation::Silu, Padding::Same);
    let parameters = graphs::drawn(&graph, &mut Noise(1));
    let plan = |name: &str| {
        let taps = [tap(&graph, name, 1)];
        Plan::compile(&graph, &parameters, [32, 32], &taps, InstructionSet::best()).unwrap()
    };
    let picture = vec![0.5; 3 * 32 * 32];
    let nodes = |plan: Plan| -> Vec<String> {
        plan.time_steps(&picture, 1).unwrap().into_iter().map(|step| step.node).collect()
    };
    assert_eq!(nodes(plan("conv_stem.act")), ["conv_stem", "conv_stem.act"]);
    let expected = [
        "conv_stem",
        "blocks.0.conv_pw",
        "blocks.0.conv_dw",
        "blocks.0.se.mean",
        "blocks.0.se.conv_reduce",
        "blocks.0.se.conv_expand",
        "blocks.0.se",
        "blocks.0.conv_pwl",
        "blocks.0.sum",
    ];
    assert_eq!(nodes(plan("blocks.0")), expected);
}

#[test]
fn plans_that_do_not_fit_are_refused() {
    let graph = graphs::convnext(true);
    let parameters = graphs::drawn(&graph, &mut Noise(1));
    let best = InstructionSet::best();
    let plan = |parameters: &[Vec<f32>], size: [usize; 2], taps: &[GraphTap]| {
        Plan::compile(&graph, parameters, size, taps, best).expect_err("it does not fit")
    };
    let taps = [tap(&graph, "stages.0", 1)];
    assert!(matches!(plan(&parameters, [32, 32], &[]), KernelError::Taps { .. }));
    assert!(matches!(plan(&parameters, [32, 32], &[tap(&graph, "stages.0", 0)]), KernelError::Taps { .. }));
    assert!(matches!(plan(&parameters[1..], [32, 32], &taps), KernelError::Parameters { .. }));
    assert!(matches!(plan(&parameters, [3, 32], &taps), KernelError::Graph(_)));
    assert!(matches!(plan(&parameters, [0, 32], &taps), KernelError::TooSmall { .. }));
    assert_eq!(
        plan(&parameters, [32, 32], &[tap(&graph, "stages.1", 9)]),
        KernelError::TooSmall { height: 32, width: 32 }
    );
    let mut short = parameters.clone();
    short[1].pop();
    let expected = KernelError::Parameter { name: "stem.0.bias".to_owned(), expected: 24, got: 23 };
    assert_eq!(plan(&short, [32, 32], &taps), expected);
}
