//! ONNX graphs that are legal and could be read as another network: each is read as ONNX Runtime computes it, or
//! refused with its cause.

use dfm_backbone::{BackboneError, ImportOptions, Layer, Normalisation, WeightsError, WeightsFile};
use prost::Message;

use super::{Graph, Model, Tensor, floats, import, node, set, sound, wholes};

type Case = (&'static str, fn(&mut Graph), &'static str);

fn numbers(name: &str, dims: &[i64], values: &[f32]) -> Tensor {
    let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor { dims: dims.to_vec(), data_type: 1, name: name.to_owned(), raw_data, location: 0 }
}

/// Reads the convolution's bias from nodes of constants, which end in `bias`.
fn bias(graph: &mut Graph, constants: Vec<Tensor>, nodes: Vec<super::Node>) {
    graph.initializer.extend(constants);
    let count = nodes.len();
    graph.node.splice(0..0, nodes);
    graph.node[count].input[2] = "bias".to_owned();
}

/// Puts nodes between the convolution and the rest, which reads `x`.
fn between(graph: &mut Graph, constants: Vec<Tensor>, nodes: Vec<super::Node>) {
    graph.initializer.extend(constants);
    graph.node[1].input[0] = "x".to_owned();
    graph.node.splice(1..1, nodes);
}

const CASES: &[Case] = &[
    (
        "an axis is cut twice",
        |g| {
            let cut = node("Slice", &["ten", "starts", "ends", "axes"], "bias", &[]);
            let lists = [
                ("ten", &[1; 10][..]),
                ("starts", &[0, 5][..]),
                ("ends", &[2, 10][..]),
                ("axes", &[0, 0][..]),
            ];
            bias(g, lists.map(|(name, values)| wholes(name, values)).to_vec(), vec![cut]);
        },
        "axis 0 is cut twice",
    ),
    (
        "a cut between 0 and 310",
        |g| {
            let bounds = vec![numbers("least", &[], &[0.0]), numbers("most", &[], &[310.0])];
            between(g, bounds, vec![node("Clip", &["c", "least", "most"], "x", &[])]);
        },
        "cuts at 0 and 310: expected Clip from 0 to 6",
    ),
    (
        "the least of a value and 400",
        |g| between(g, vec![numbers("most", &[], &[400.0])], vec![node("Min", &["c", "most"], "x", &[])]),
        "400",
    ),
    (
        "a dropout that learns",
        |g| {
            let mut learns = wholes("learns", &[1]);
            (learns.dims, learns.data_type, learns.raw_data) = (Vec::new(), 9, vec![1]);
            let constants = vec![numbers("ratio", &[], &[0.5]), learns];
            between(g, constants, vec![node("Dropout", &["c", "ratio", "learns"], "x", &[])]);
        },
        "a dropout that learns",
    ),
    ("a matrix of more axes than the tokens", |g| g.initializer[4].dims = vec![1, 1, 4, 6], "no more axes"),
    (
        "constants of 8 GiB beside each other",
        |g| {
            let join = node("Concat", &["part"; 512], "bias", &[("axis", &[0])]);
            bias(g, vec![wholes("part", &vec![1; 1 << 20])], vec![join]);
        },
        "values in all",
    ),
    (
        "numbers of two kinds beside each other",
        |g| {
            let join = node("Concat", &["two", "some"], "bias", &[("axis", &[0])]);
            bias(g, vec![wholes("two", &[1, 2]), numbers("some", &[2], &[0.5, 1.0])], vec![join]);
        },
        "whole and floating-point numbers",
    ),
    (
        "a product along one axis of two",
        |g| {
            let mut two = wholes("two", &[1, 2, 3, 4]);
            two.dims = vec![2, 2];
            bias(g, vec![two], vec![node("ReduceProd", &["two"], "bias", &[("axes", &[1])])]);
        },
        "a product along the axes [1] of 2",
    ),
    (
        "a remainder by a number below zero",
        |g| {
            let constants = vec![wholes("seven", &[7]), wholes("three", &[-3])];
            bias(g, constants, vec![node("Mod", &["seven", "three"], "bias", &[])]);
        },
        "a division by -3",
    ),
    (
        "many learnt tokens",
        |g| {
            let join = |from: &str, to: &str| node("Concat", &["many", from], to, &[("axis", &[1])]);
            g.node.splice(4..4, [join("tokens", "more"), join("more", "most")]);
            g.node[6].input[0] = "most".to_owned();
            g.initializer.push(floats("many", &[1, 600, 4]));
        },
        "1200 learnt tokens",
    ),
];

#[test]
fn what_would_be_another_network_is_refused() {
    for (case, change, expected) in CASES {
        let mut model = sound();
        change(model.graph.as_mut().unwrap());
        let error = import(&model).expect_err(case);
        assert!(error.contains(expected), "{case}: {error}");
        assert!(error.len() < 600, "{case}: {error}");
    }
}

fn options(layer: &str) -> ImportOptions {
    ImportOptions { deepest: Layer::named(layer), ..ImportOptions::default() }
}

fn file(model: &Model) -> WeightsFile {
    WeightsFile::new(model.encode_to_vec())
}

/// The sound network behind a subtraction and a multiplication of the pixels.
fn normalised(means: [f32; 3], factors: [f32; 3]) -> Model {
    let mut model = sound();
    let graph = model.graph.as_mut().unwrap();
    graph.node[0].input[0] = "scaled".to_owned();
    graph.node.splice(
        0..0,
        [
            node("Sub", &["pixels", "means"], "centred", &[]),
            node("Mul", &["centred", "factors"], "scaled", &[]),
        ],
    );
    graph.initializer.push(numbers("means", &[1, 3, 1, 1], &means));
    graph.initializer.push(numbers("factors", &[1, 3, 1, 1], &factors));
    model
}

#[test]
fn pixels_are_what_the_network_subtracts_from() {
    let of = |means, factors| file(&normalised(means, factors)).import(&options("end"));
    let found = |means, factors| of(means, factors).map(|it| it.header().input.normalisation());
    let caffe = [103.939, 116.779, 123.68];
    assert_eq!(found(caffe, [1.0; 3]).expect("bytes"), Normalisation::BYTES);
    assert_eq!(found([127.5; 3], [1.0 / 127.5; 3]).expect("bytes"), Normalisation::BYTES);
    assert_eq!(found([0.0; 3], [1.0 / 255.0; 3]).expect("bytes"), Normalisation::BYTES);
    assert_eq!(found([0.485, 0.456, 0.406], [4.4; 3]).expect("0 to 1"), Normalisation::UNIT);
    assert_eq!(found([0.5; 3], [1.0; 3]).expect("0 to 1"), Normalisation::UNIT);
    // Pixels of -1 to 1, pixels that are centred outside, channels that differ, and pixels of 16 bits.
    for (means, factors) in [
        ([-1.0; 3], [0.5; 3]),
        ([0.0; 3], [4.4; 3]),
        ([0.5; 3], [0.01, 0.01, 1.0]),
        ([30_000.0; 3], [1e-5; 3]),
    ] {
        let error = of(means, factors).expect_err("unclear pixels");
        assert!(matches!(error, WeightsError::UnclearPixels { .. }), "{error}");
        let model = file(&normalised(means, factors));
        let stated = ImportOptions { normalisation: Some(Normalisation::UNIT), ..options("end") };
        let stated = model.import(&stated).expect("pixels that are stated");
        assert_eq!(stated.header().input.normalisation(), Normalisation::UNIT);
    }
}

/// Patches are cut whole, whether or not the network changes the pixels one by one before.
#[test]
fn a_network_that_normalises_sees_all_of_the_picture() {
    let mut model = normalised([0.485, 0.456, 0.406], [4.4; 3]);
    let graph = model.graph.as_mut().unwrap();
    super::dims(graph).iter_mut().skip(2).for_each(|side| side.value = Some(10));
    let weights = file(&model).import(&options("end")).expect("the network");
    let error = weights.feature_shape(Layer::named("end").pooled(1)).expect_err("a rim that is cut off");
    assert!(matches!(error, BackboneError::Patches { height: 10, rows: 4, .. }), "{error}");
}

/// A factor behind a dropout is folded into the convolution once, and the value before is no layer any more.
#[test]
fn a_dropout_gives_no_factor_twice() {
    let mut model = sound();
    let graph = model.graph.as_mut().unwrap();
    between(
        graph,
        vec![numbers("half", &[], &[0.5])],
        vec![node("Mul", &["c", "half"], "less", &[]), node("Dropout", &["less"], "x", &[])],
    );
    graph.node[3] = node("MaxPool", &["x"], "r", &[("kernel_shape", &[1, 1])]);
    let error = file(&model).import(&options("less")).expect_err("a step").to_string();
    assert!(error.contains("'less' is no layer: it is a step of 'x'"), "{error}");
    let weights = file(&model).import(&options("x")).expect("the dropout");
    let (got, before) = (&weights.values()[0], floats("w", &[4, 3, 4, 4]));
    let before: Vec<f32> =
        before.raw_data.as_chunks().0.iter().map(|bytes| 0.5 * f32::from_le_bytes(*bytes)).collect();
    assert_eq!(*got, before);
}

/// Single-head attention with the softmax along the axis that is usual for these operators.
fn attention(version: i64, axis: Option<i64>) -> Model {
    let mut model = sound();
    model.opset[0].version = version;
    let graph = model.graph.as_mut().unwrap();
    graph.node.truncate(5);
    let mut softmax = node("Softmax", &["scores"], "soft", &[]);
    if let Some(axis) = axis {
        set(&mut softmax, "axis", &[axis]);
    }
    graph.initializer.extend(["wq", "wk", "wv"].map(|name| floats(name, &[4, 4])));
    graph.node.extend([
        node("MatMul", &["sum", "wq"], "q", &[]),
        node("MatMul", &["sum", "wk"], "k", &[]),
        node("MatMul", &["sum", "wv"], "v", &[]),
        node("Transpose", &["k"], "kt", &[("perm", &[0, 2, 1])]),
        node("MatMul", &["q", "kt"], "scores", &[]),
        softmax,
        node("MatMul", &["soft", "v"], "end", &[]),
    ]);
    model
}

#[test]
fn a_softmax_of_old_operators_joins_axes() {
    import(&attention(13, None)).expect("the last axis");
    import(&attention(11, Some(-1))).expect("the last axis");
    let error = import(&attention(11, None)).expect_err("all axes from the first on");
    assert!(error.contains("the softmax along the last axis"), "{error}");
}

/// One node beyond a limit of ours is refused alone.
#[test]
fn a_node_beyond_a_limit_leaves_the_layers_before_it() {
    let mut model = sound();
    let graph = model.graph.as_mut().unwrap();
    graph.node.push(node("Concat", &["r"; 65], "wide", &[("axis", &[1])]));
    import(&model).expect("the layers before it");
    let error = file(&model).import(&options("wide")).expect_err("65 inputs").to_string();
    assert!(error.contains("65 inputs, the limit is 64"), "{error}");
}

/// Work on constants is limited as a whole, whether or not it succeeds.
#[test]
fn constants_that_cannot_be_computed_take_no_hours() {
    let mut model = sound();
    let graph = model.graph.as_mut().unwrap();
    graph.initializer.push(wholes("size", &[1 << 24]));
    graph.node.insert(0, node("ConstantOfShape", &["size"], "zeros", &[]));
    for index in 0..20_000 {
        graph.node.push(node("BitShift", &["zeros", "zeros"], &format!("n{index}"), &[]));
    }
    let started = std::time::Instant::now();
    import(&model).expect("the layers before it");
    let nodes = file(&model).nodes(None).expect("the layers before it");
    assert!(started.elapsed().as_secs() < 60);
    assert!(nodes.refused.iter().any(|line| line.contains("values in all")), "{:?}", nodes.refused.len());
}

#[test]
fn a_name_of_two_values_is_no_layer() {
    let mut model = sound();
    let graph = model.graph.as_mut().unwrap();
    graph.node[0].name = "first".to_owned();
    graph.node[4].name = "c".to_owned();
    let error = file(&model).import(&options("c")).expect_err("two values").to_string();
    assert!(error.contains("two values have this name") && error.contains("'first'"), "{error}");
    let nodes = file(&model).nodes(None).expect("the network");
    assert!(nodes.refused.iter().any(|line| line.contains("two values have this name")));
    for layer in ["first", "sum", "end"] {
        file(&model).import(&options(layer)).expect(layer);
    }
}

/// A node that became a part of another is told with that one.
#[test]
fn a_step_of_a_function_is_told_with_its_end() {
    let mut model = sound();
    let graph = model.graph.as_mut().unwrap();
    between(
        graph,
        vec![numbers("half", &[], &[0.5])],
        vec![node("Sigmoid", &["c"], "s", &[]), node("Mul", &["s", "c"], "x", &[])],
    );
    let error = file(&model).import(&options("s")).expect_err("a step").to_string();
    assert!(error.contains("'s' is no layer: it is a step of"), "{error}");
}

#[test]
fn a_size_is_never_ignored() {
    let given = ImportOptions { size: Some([8, 16]), ..options("end") };
    let error = file(&sound()).import(&given).expect_err("another size");
    assert!(matches!(error, WeightsError::FixedSize { expected: [8, 8], got: [8, 16] }), "{error}");
    let weights = file(&sound()).import(&options("end")).expect("the network");
    let input = Some(weights.header().input.with_size(8, 8));
    let error = file(&sound()).import(&ImportOptions { input, ..given.clone() }).expect_err("another size");
    assert!(matches!(error, WeightsError::FixedSize { got: [8, 16], .. }), "{error}");
    let own = WeightsFile::new(weights.to_bytes().expect("bytes"));
    let input = own.import(&given).expect("our own format").header().input;
    assert_eq!([input.height, input.width], [8, 16]);
}
