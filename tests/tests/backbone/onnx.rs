//! ONNX graphs that differ in one thing from a sound one: every difference that
//! would make another network of the same weights is refused, and names its place.

use dfm_backbone::{BackboneWeights, ImportOptions, WeightsError};
use dfm_tests::golden;
use prost::Message;

use crate::support::{import, import_tiny, tiny};

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    name: String,
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
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(float, tag = "2")]
    f: f32,
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
    #[prost(float, repeated, tag = "4")]
    float_data: Vec<f32>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
}

impl Graph {
    /// The `index`-th node of the operator `kind`.
    fn of(&mut self, kind: &str, index: usize) -> &mut Node {
        self.node.iter_mut().filter(|node| node.op_type == kind).nth(index).expect("a node")
    }

    fn constant(&mut self, name: &str) -> &mut Tensor {
        self.initializer.iter_mut().find(|tensor| tensor.name == name).expect("a constant")
    }

    /// Puts a node of the operator `kind` before the stem.
    fn before_the_stem(&mut self, kind: &str, attribute: Vec<Attribute>) {
        let stem = self.of("Conv", 0);
        let pixels = std::mem::replace(&mut stem.input[0], "turned".to_owned());
        self.node.insert(
            0,
            Node {
                input: vec![pixels],
                output: vec!["turned".to_owned()],
                op_type: kind.to_owned(),
                attribute,
                ..Node::default()
            },
        );
    }
}

impl Node {
    /// Sets an attribute of integers.
    fn set(&mut self, name: &str, ints: &[i64]) {
        self.attribute.retain(|attribute| attribute.name != name);
        self.attribute.push(Attribute { name: name.to_owned(), ints: ints.to_vec(), ..Attribute::default() });
    }

    /// Sets an attribute of one integer.
    fn set_one(&mut self, name: &str, i: i64) {
        self.attribute.retain(|attribute| attribute.name != name);
        self.attribute.push(Attribute { name: name.to_owned(), i, ..Attribute::default() });
    }

    /// Sets an attribute of text.
    fn set_text(&mut self, name: &str, text: &str) {
        self.attribute.push(Attribute {
            name: name.to_owned(),
            s: text.as_bytes().to_vec(),
            ..Attribute::default()
        });
    }
}

/// The small network with norms, with its graph changed by `edit`.
fn edited(edit: impl FnOnce(&mut Graph)) -> Vec<u8> {
    let mut model = Model::decode(golden::bytes("backbone/tiny-norms.onnx").as_slice()).expect("the fixture");
    edit(model.graph.as_mut().expect("a graph"));
    model.encode_to_vec()
}

fn imported(edit: impl FnOnce(&mut Graph)) -> Result<BackboneWeights, WeightsError> {
    import_tiny(&edited(edit))
}

#[test]
fn the_unedited_graph_and_harmless_edits_give_the_same_weights() {
    let expected = import_tiny(&golden::bytes("backbone/tiny-norms.onnx")).expect("the fixture");
    type Edit = fn(&mut Graph);
    let edits: [(&str, Edit); 6] = [
        ("no edit", |_| ()),
        ("an identity before the stem", |graph| graph.before_the_stem("Identity", Vec::new())),
        ("axes turned before the stem", |graph| {
            graph.before_the_stem("Transpose", Vec::new());
            graph.of("Transpose", 0).set("perm", &[0, 3, 1, 2]);
        }),
        ("attributes at their defaults", |graph| {
            let pool = graph.of("MaxPool", 0);
            pool.set_text("auto_pad", "NOTSET");
            pool.set_one("ceil_mode", 0);
            pool.set("dilations", &[1, 1]);
        }),
        ("a sum the other way round", |graph| graph.of("Add", 1).input.reverse()),
        ("constants among the inputs, as in old files", |graph| {
            let names: Vec<String> = graph.initializer.iter().map(|tensor| tensor.name.clone()).collect();
            graph.input.extend(names.into_iter().map(|name| Value { name }));
        }),
    ];
    for (what, edit) in edits {
        let got = imported(edit).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(got.values(), expected.values(), "{what}");
    }
}

/// What is changed, how, and the part that the error must name.
type Case = (&'static str, fn(&mut Graph), &'static str);

const REFUSED: &[Case] = &[
    ("the stem's stride", |graph| graph.of("Conv", 0).set("strides", &[1, 1]), "strides"),
    ("a stride of a block", |graph| graph.of("Conv", 3).set("strides", &[2, 2]), "strides"),
    ("padding on one side", |graph| graph.of("Conv", 0).set("pads", &[3, 3, 2, 2]), "pads"),
    ("a dilation", |graph| graph.of("Conv", 2).set("dilations", &[2, 2]), "dilations"),
    ("no groups", |graph| graph.of("Conv", 2).set_one("group", 1), "group"),
    ("automatic padding", |graph| graph.of("Conv", 0).set_text("auto_pad", "SAME_UPPER"), "auto_pad"),
    (
        "automatic padding of the pool",
        |graph| graph.of("MaxPool", 0).set_text("auto_pad", "VALID"),
        "auto_pad",
    ),
    ("a pool that rounds up", |graph| graph.of("MaxPool", 0).set_one("ceil_mode", 1), "ceil_mode"),
    ("a pool of 2×2", |graph| graph.of("MaxPool", 0).set("kernel_shape", &[2, 2]), "kernel_shape"),
    ("a pool without a stride", |graph| graph.of("MaxPool", 0).set("strides", &[1, 1]), "strides"),
    (
        "a pool that averages",
        |graph| graph.of("MaxPool", 0).op_type = "AveragePool".to_owned(),
        "AveragePool",
    ),
    ("another activation", |graph| graph.of("Relu", 0).op_type = "Sigmoid".to_owned(), "Sigmoid"),
    ("another activation in a block", |graph| graph.of("Relu", 2).op_type = "Elu".to_owned(), "Elu"),
    ("a product in place of a sum", |graph| graph.of("Add", 0).op_type = "Mul".to_owned(), "Add"),
    (
        "a shortcut from before the pool",
        |graph| {
            let stem = graph.of("Relu", 0).output[0].clone();
            graph.of("Add", 1).input[1] = stem;
        },
        "what reads the stem",
    ),
    (
        "a sum of a branch with itself",
        |graph| {
            let sum = graph.of("Add", 1);
            sum.input[1] = sum.input[0].clone();
        },
        "what reads the input of layer1.1.conv1",
    ),
    (
        "a sum of three",
        |graph| graph.of("Add", 1).input.push("third".to_owned()),
        "the sum after layer1.1.conv3",
    ),
    (
        "a part of the picture's preparation before the stem",
        |graph| graph.before_the_stem("Mul", Vec::new()),
        "before the stem",
    ),
    ("a padding before the stem", |graph| graph.before_the_stem("Pad", Vec::new()), "before the stem"),
    (
        "axes turned otherwise",
        |graph| {
            graph.before_the_stem("Transpose", Vec::new());
            graph.of("Transpose", 0).set("perm", &[0, 1, 3, 2]);
        },
        "perm",
    ),
    ("no input", |graph| graph.input.clear(), "before the stem"),
    (
        "a circle before the stem",
        |graph| {
            graph.before_the_stem("Identity", Vec::new());
            graph.of("Identity", 0).input[0] = "turned".to_owned();
        },
        "before the stem",
    ),
];

#[test]
fn a_graph_that_is_wired_otherwise_is_refused_by_its_place() {
    for (what, edit, named) in REFUSED {
        let error = imported(edit).err().unwrap_or_else(|| panic!("{what}: was imported"));
        assert!(matches!(error, WeightsError::Graph { .. }), "{what}: {error}");
        assert!(error.to_string().contains(named), "{what}: {error}");
    }
}

#[test]
fn a_constant_that_nothing_reads_is_named() {
    let error = imported(|graph| {
        let spare = Tensor { name: "spare".to_owned(), data_type: 1, ..Tensor::default() };
        graph.initializer.push(spare);
    });
    let error = error.expect_err("unused");
    assert!(matches!(&error, WeightsError::Unused { tensor, .. } if tensor == "spare"), "{error}");
}

#[test]
fn constants_that_are_missing_or_of_another_kind_are_named() {
    let name = "stem weights";
    let rename = |graph: &mut Graph| {
        let old = graph.of("Conv", 0).input[1].clone();
        graph.of("Conv", 0).input[1] = name.to_owned();
        graph.constant(&old).name = name.to_owned();
    };
    type Edit = fn(&mut Tensor);
    let edits: [(&str, Edit); 4] = [
        ("another shape", |tensor| tensor.dims.reverse()),
        ("64 bits", |tensor| tensor.data_type = 11),
        ("outside the file", |tensor| tensor.raw_data.clear()),
        ("cut short", |tensor| tensor.raw_data.truncate(100)),
    ];
    for (what, edit) in edits {
        let error = imported(|graph| {
            rename(graph);
            edit(graph.constant(name));
        });
        let error = error.err().unwrap_or_else(|| panic!("{what}: was imported"));
        assert!(matches!(&error, WeightsError::Shape { tensor, .. } if tensor == name), "{what}: {error}");
    }
    let error = imported(|graph| {
        rename(graph);
        graph.initializer.retain(|tensor| tensor.name != name);
    });
    let error = error.expect_err("missing");
    assert!(matches!(&error, WeightsError::Graph { what, .. } if what.contains(name)), "{error}");
}

/// An infinite variance would switch its channel off without a word.
#[test]
fn a_variance_that_is_none_is_named_as_in_the_file() {
    for value in [f32::INFINITY, f32::NAN, -1.0] {
        let mut name = String::new();
        let bytes = edited(|graph| {
            name = graph.of("BatchNormalization", 2).input[4].clone();
            graph.constant(&name).raw_data[..4].copy_from_slice(&value.to_le_bytes());
        });
        let error = import_tiny(&bytes).expect_err("no variance");
        assert!(
            matches!(&error, WeightsError::NotFinite { tensor, .. } if *tensor == name),
            "{value}: {error}"
        );
    }
}

/// Two bytes in the file are more than a hundred in memory.
#[test]
fn a_graph_of_millions_of_empty_nodes_is_refused_before_it_is_read() {
    let options = ImportOptions { architecture: Some(tiny().into()), ..ImportOptions::default() };
    for field in [0x0A_u8, 0x2A, 0x5A] {
        let graph = [field, 0].repeat(3 << 20);
        let mut bytes = vec![0x08, 8, 0x3A];
        prost::encoding::encode_varint(graph.len() as u64, &mut bytes);
        bytes.extend_from_slice(&graph);
        let error = import(&bytes, &options).expect_err("hostile");
        assert!(
            matches!(error, WeightsError::TooLarge { what: "ONNX graph without its weights", .. }),
            "{field:#x}: {error}"
        );
    }
}
