//! ONNX graphs that are damaged or hostile: each gives one error, which says what is wrong.

mod meaning;

use dfm_backbone::{ImportOptions, Layer, WeightsFile};
use prost::Message;

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    opset: Vec<Opset>,
}

#[derive(Clone, PartialEq, Message)]
struct Opset {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(int64, tag = "2")]
    version: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<Value>,
    #[prost(message, repeated, tag = "15")]
    sparse: Vec<Sparse>,
}

#[derive(Clone, PartialEq, Message)]
struct Sparse {
    #[prost(int64, repeated, tag = "3")]
    dims: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Message)]
struct Kind {
    #[prost(message, optional, tag = "1")]
    tensor: Option<TensorKind>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorKind {
    #[prost(int32, tag = "1")]
    element: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<Dim>,
}

#[derive(Clone, PartialEq, Message)]
struct Dim {
    #[prost(int64, optional, tag = "1")]
    value: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<Attribute>,
    #[prost(string, tag = "7")]
    domain: String,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, tag = "3")]
    i: i64,
    #[prost(bytes = "vec", tag = "4")]
    s: Vec<u8>,
    #[prost(int64, repeated, tag = "8")]
    ints: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
    #[prost(int32, tag = "14")]
    location: i32,
}

fn node(kind: &str, input: &[&str], output: &str, attribute: &[(&str, &[i64])]) -> Node {
    let attribute = attribute.iter().map(|(name, ints)| Attribute {
        name: (*name).to_owned(),
        i: ints[0],
        ints: ints.to_vec(),
        s: Vec::new(),
    });
    Node {
        input: input.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.to_owned()],
        name: String::new(),
        op_type: kind.to_owned(),
        attribute: attribute.collect(),
        domain: String::new(),
    }
}

fn floats(name: &str, dims: &[i64]) -> Tensor {
    let count: i64 = dims.iter().product();
    let raw_data = (0..count).flat_map(|index| (index as f32 * 0.01 - 0.2).to_le_bytes()).collect();
    Tensor { dims: dims.to_vec(), data_type: 1, name: name.to_owned(), raw_data, location: 0 }
}

fn wholes(name: &str, values: &[i64]) -> Tensor {
    let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor { dims: vec![values.len() as i64], data_type: 7, name: name.to_owned(), raw_data, location: 0 }
}

/// Patches, tokens with positions, and a matrix product.
fn sound() -> Model {
    let dims = [None, Some(3), Some(8), Some(8)].map(|value| Dim { value });
    let tensor = TensorKind { element: 1, shape: Some(Shape { dim: dims.to_vec() }) };
    let pixels = Value { name: "pixels".to_owned(), kind: Some(Kind { tensor: Some(tensor) }) };
    let graph = Graph {
        node: vec![
            node("Conv", &["pixels", "w", "b"], "c", &[("strides", &[4, 4])]),
            node("Relu", &["c"], "r", &[]),
            node("Reshape", &["r", "flat"], "t", &[]),
            node("Transpose", &["t"], "tokens", &[("perm", &[0, 2, 1])]),
            node("Add", &["tokens", "p"], "sum", &[]),
            node("MatMul", &["sum", "m"], "end", &[]),
        ],
        initializer: vec![
            floats("w", &[4, 3, 4, 4]),
            floats("b", &[4]),
            wholes("flat", &[0, 0, -1]),
            floats("p", &[1, 4, 4]),
            floats("m", &[4, 6]),
        ],
        input: vec![pixels],
        sparse: Vec::new(),
    };
    Model { ir_version: 8, graph: Some(graph), opset: vec![Opset { domain: String::new(), version: 17 }] }
}

fn import(model: &Model) -> Result<(), String> {
    let file = WeightsFile::new(model.encode_to_vec());
    // Listing what there is never panics either.
    let _ = file.nodes(None);
    let options = ImportOptions { deepest: Layer::named("end"), ..ImportOptions::default() };
    file.import(&options).map(|_| ()).map_err(|error| error.to_string())
}

type Case = (&'static str, fn(&mut Graph), &'static str);

fn dims(graph: &mut Graph) -> &mut Vec<Dim> {
    let tensor = graph.input[0].kind.as_mut().unwrap().tensor.as_mut().unwrap();
    &mut tensor.shape.as_mut().unwrap().dim
}

fn set(node: &mut Node, name: &str, ints: &[i64]) {
    node.attribute.retain(|attribute| attribute.name != name);
    node.attribute.push(Attribute { name: name.to_owned(), i: ints[0], ints: ints.to_vec(), s: Vec::new() });
}

const CASES: &[Case] = &[
    ("a circle", |g| g.node[0].input[0] = "end".to_owned(), "reads 'end'"),
    ("nodes out of order", |g| g.node.reverse(), "no node before it gives"),
    ("a constant is missing", |g| drop(g.initializer.remove(0)), "reads 'w'"),
    ("a value is given twice", |g| g.node[1].output[0] = "c".to_owned(), "'c' is given twice"),
    ("a node gives a constant", |g| g.node[1].output[0] = "w".to_owned(), "'w' is given twice"),
    ("a constant is given twice", |g| g.initializer.push(floats("w", &[1])), "'w' is given twice"),
    ("two inputs", |g| g.input.push(Value { name: "mask".to_owned(), kind: None }), "2 (pixels, mask)"),
    ("a sparse constant", |g| g.sparse.push(Sparse { dims: vec![4] }), "a sparse constant; export it dense"),
    ("no input", |g| g.input.clear(), "expected one input"),
    ("an input without a type", |g| g.input[0].kind = None, "stated type"),
    ("four channels", |g| dims(g)[1].value = Some(4), "[?, 4, 8, 8]"),
    (
        "pictures of whole numbers",
        |g| g.input[0].kind.as_mut().unwrap().tensor.as_mut().unwrap().element = 7,
        "float32",
    ),
    ("eight pictures", |g| dims(g)[0].value = Some(8), "any number of pictures, or one"),
    ("no side", |g| dims(g)[2].value = Some(0), "1 to 4096"),
    ("a huge side", |g| dims(g)[2].value = Some(1 << 40), "1 to 4096"),
    ("a negative side", |g| dims(g)[3].value = Some(-1), "1 to 4096"),
    ("another grid than that of the positions", |g| dims(g)[2].value = Some(12), "(Add)"),
    ("negative pads", |g| set(&mut g.node[0], "pads", &[-1, 0, 0, 0]), "the pads [-1, 0, 0, 0]"),
    ("huge pads", |g| set(&mut g.node[0], "pads", &[1 << 40; 4]), "the pads"),
    ("pads of whole windows", |g| set(&mut g.node[0], "pads", &[4; 4]), "less than the extent"),
    ("no stride", |g| set(&mut g.node[0], "strides", &[0, 0]), "strides [0, 0]"),
    ("one stride", |g| set(&mut g.node[0], "strides", &[4]), "strides [4]"),
    ("huge strides", |g| set(&mut g.node[0], "strides", &[i64::MAX; 2]), "between 1 and 1024"),
    ("another kernel", |g| set(&mut g.node[0], "kernel_shape", &[3, 3]), "the kernel [3, 3]"),
    ("no dilation", |g| set(&mut g.node[0], "dilations", &[0, 1]), "dilations [0, 1]"),
    ("a window beyond the picture", |g| set(&mut g.node[0], "dilations", &[900, 900]), "nothing is left"),
    ("no groups", |g| set(&mut g.node[0], "group", &[0]), "of 0 groups"),
    ("groups that do not fit", |g| set(&mut g.node[0], "group", &[3]), "of 3 groups"),
    ("negative groups", |g| set(&mut g.node[0], "group", &[-3]), "groups"),
    ("data cut short", |g| g.initializer[0].raw_data.truncate(17), "17 bytes"),
    ("a huge shape", |g| g.initializer[0].dims = vec![1 << 40, 1 << 40], "more than"),
    ("a shape beyond 64 bits", |g| g.initializer[0].dims = vec![i64::MAX; 4], "more than"),
    ("a negative shape", |g| g.initializer[0].dims[0] = -4, "a side of -4"),
    ("many axes", |g| g.initializer[0].dims = vec![1; 9], "9 axes"),
    ("data in another file", |g| g.initializer[0].location = 1, "in another file"),
    ("text in place of numbers", |g| g.initializer[0].data_type = 8, "the type 8"),
    ("whole weights", |g| g.initializer[0].data_type = 6, "found whole ones"),
    (
        "no output channel",
        |g| (g.initializer[0].dims, g.initializer[0].raw_data) = (vec![0, 3, 4, 4], vec![]),
        "a weight",
    ),
    ("a weight of two axes", |g| g.initializer[0].dims = vec![4, 48], "expected [out, in, rows, columns]"),
    (
        "a weight that is no number",
        |g| g.initializer[0].raw_data[..4].copy_from_slice(&f32::NAN.to_le_bytes()),
        "NaN",
    ),
    (
        "an infinite bias",
        |g| g.initializer[1].raw_data[..4].copy_from_slice(&f32::INFINITY.to_le_bytes()),
        "inf",
    ),
    ("a bias of another length", |g| g.initializer[1] = floats("b", &[5]), "a bias [5]"),
    (
        "an infinite position",
        |g| g.initializer[3].raw_data[..4].copy_from_slice(&f32::INFINITY.to_le_bytes()),
        "inf",
    ),
    ("positions for more tokens", |g| g.initializer[3] = floats("p", &[1, 5, 4]), "a constant [1, 5, 4]"),
    ("a matrix of another width", |g| g.initializer[4] = floats("m", &[5, 6]), "5 → 6 for 4 channels"),
    ("three axes of matrices", |g| g.initializer[4] = floats("m", &[2, 4, 6]), "expected a matrix"),
    ("a shape that does not fit", |g| g.initializer[2] = wholes("flat", &[0, 0, 3]), "cannot become"),
    ("two open sides", |g| g.initializer[2] = wholes("flat", &[0, -1, -1]), "cannot become"),
    ("a negative target", |g| g.initializer[2] = wholes("flat", &[0, 0, i64::MIN]), "cannot become"),
    ("pictures in one row", |g| g.initializer[2] = wholes("flat", &[4, -1]), "cannot become"),
    ("axes that are not there", |g| set(&mut g.node[3], "perm", &[0, 2, 9]), "no axis 9"),
    ("an axis twice", |g| set(&mut g.node[3], "perm", &[0, 2, 2]), "the order"),
    ("an operation that is not known", |g| g.node[1].op_type = "Softsign".to_owned(), "'r' (Softsign)"),
    ("a domain that is not known", |g| g.node[1].domain = "com.maker".to_owned(), "com.maker.Relu"),
    ("a node without inputs", |g| g.node[1].input.clear(), "(Relu)"),
    ("a node without a constant", |g| g.node[0].input.truncate(1), "(Conv)"),
    ("empty names", |g| g.node[1].input[0].clear(), "(Relu)"),
    (
        "gigabytes of one number",
        |g| {
            g.initializer.push(wholes("huge", &[1 << 30]));
            g.node.insert(0, node("ConstantOfShape", &["huge"], "zeros", &[]));
            g.node[1].input[2] = "zeros".to_owned();
        },
        "more than",
    ),
];

#[test]
fn each_damaged_graph_gives_one_error() {
    import(&sound()).expect("a sound graph");
    for (case, damage, expected) in CASES {
        let mut model = sound();
        damage(model.graph.as_mut().unwrap());
        let error = import(&model).expect_err(case);
        assert!(error.contains(expected), "{case}: {error}");
        assert!(error.len() < 600, "{case}: {error}");
    }
    for version in [0, 10, 22, i64::MAX] {
        let opset = vec![Opset { domain: String::new(), version }];
        let error = import(&Model { opset, ..sound() }).expect_err("another version");
        assert!(error.contains("11 to 21"), "{version}: {error}");
    }
    let whole = sound().encode_to_vec();
    for length in (0..whole.len()).step_by(7) {
        let options = ImportOptions { deepest: Layer::named("end"), ..ImportOptions::default() };
        WeightsFile::new(whole[..length].to_vec()).import(&options).expect_err("a file that is cut short");
    }
}

/// Nodes of one name are numbered, and a network has no more than its limit.
#[test]
fn many_nodes_of_one_name_are_told_apart() {
    let mut model = sound();
    let graph = model.graph.as_mut().unwrap();
    let mut last = "r".to_owned();
    for index in 0..9000 {
        let mut pool = node("MaxPool", &[&last], &format!("s{index}"), &[("kernel_shape", &[1, 1])]);
        pool.name = "same".to_owned();
        graph.node.insert(2 + index, pool);
        last = format!("s{index}");
    }
    graph.node[9002].input[0] = last;
    let nodes = WeightsFile::new(model.encode_to_vec()).nodes(None).expect("a long graph");
    let same = nodes.nodes.iter().filter(|node| node.name.starts_with("same"));
    assert!(same.clone().count() > 4000);
    assert!(same.clone().any(|node| node.name == "same-4000"));
    // More nodes than a network may have.
    assert!(nodes.refused.iter().any(|line| line.contains("more than 8192 nodes")), "{:?}", nodes.refused);
}
