//! Graphs that a file may hold and that must be refused, each with its own error.

use dfm_graph::{Activation, Builder, Convolution, Graph, GraphError, Operation, Window};
use serde_json::{Value, json};

/// Reads a graph of the picture and `nodes`.
fn read(nodes: Value, taps: Value) -> Result<Graph, String> {
    let mut all = vec![json!({"name": "picture", "operation": "picture"})];
    all.extend(nodes.as_array().expect("a list of nodes").iter().cloned());
    read_all(json!(all), taps)
}

fn read_all(nodes: Value, taps: Value) -> Result<Graph, String> {
    serde_json::from_value(json!({"nodes": nodes, "taps": taps})).map_err(|error| error.to_string())
}

fn node(name: &str, operation: Value, inputs: &[&str]) -> Value {
    json!({"name": name, "operation": operation, "inputs": inputs})
}

fn convolution(out: u64, kernel: u64) -> Value {
    json!({"convolution": {"out": out, "window": {"kernel": [kernel, kernel]}}})
}

#[test]
fn each_hostile_graph_has_its_own_error() {
    let relu = json!({"activation": "relu"});
    let tokens = || node("t", json!("to_tokens"), &["picture"]);
    let window = |window: Value| node("a", json!({"max_pool": window}), &["picture"]);
    let with_padding = |begin: u64, end: u64| {
        window(json!({
            "kernel": [3, 3],
            "padding": {"explicit": {"begin": [begin, 0], "end": [0, end]}},
        }))
    };
    let cases = [
        (json!([node("a", relu.clone(), &["a"])]), "node 'a' reads 'a': expected a node before it"),
        (
            json!([node("a", relu.clone(), &["b"]), node("b", relu.clone(), &["a"])]),
            "node 'a' reads 'b': expected a node before it; nodes in a circle",
        ),
        (json!([node("a", relu.clone(), &["nothing"])]), "node 'a' reads 'nothing': there is no such node"),
        (
            json!([node("a", relu.clone(), &["picture"]), node("a", relu.clone(), &["picture"])]),
            "the name 'a' is given to two nodes",
        ),
        (json!([node("picture", relu.clone(), &["picture"])]), "the name 'picture' is given to two nodes"),
        (json!([node("", relu.clone(), &["picture"])]), "the name '' of a node or tap"),
        (json!([node("a\nb", relu.clone(), &["picture"])]), "the name 'a\\nb' of a node or tap"),
        (json!([node(&"x".repeat(257), relu.clone(), &["picture"])]), "of a node or tap: expected 1 to 256"),
        (json!([node("a", json!("picture"), &[])]), "node 'a': expected the picture as the first node"),
        (json!([node("a", relu.clone(), &[])]), "node 'a': activation reads 1 values, got 0"),
        (json!([node("a", json!("add"), &["picture"])]), "node 'a': add reads 2 values, got 1"),
        (json!([node("a", json!("mean"), &[])]), "node 'a': mean reads 1 to 64 values, got 0"),
        (
            json!([node("a", json!("concatenate"), &["picture"; 10_000])]),
            "node 'a': concatenate reads 1 to 64 values, got 65",
        ),
        (
            json!([node("a", convolution(8, 1), &["picture"]), node("b", json!("add"), &["a", "picture"])]),
            "node 'b': add reads two values of one shape, got a map of 8 channels; a map of 3 channels",
        ),
        (
            json!([node("a", convolution(8, 1), &["picture"]), node("b", json!("mean"), &["a", "picture"])]),
            "node 'b': mean reads values of one shape",
        ),
        (
            json!([tokens(), node("b", json!("multiply"), &["picture", "t"])]),
            "node 'b': multiply reads two values of one shape, or a map and a 1×1 map",
        ),
        (
            json!([tokens(), node("b", json!("concatenate"), &["picture", "t"])]),
            "node 'b': concatenate reads maps alone or tokens alone",
        ),
        (json!([tokens(), node("b", convolution(8, 1), &["t"])]), "node 'b': convolution reads a map, got"),
        (json!([tokens(), node("b", json!("to_tokens"), &["t"])]), "node 'b': to_tokens reads a map"),
        (json!([node("b", json!("to_map"), &["picture"])]), "node 'b': to_map reads tokens, got a map"),
        (
            json!([node("b", json!({"attention": {"heads": 1}}), &["picture"])]),
            "node 'b': attention reads tokens",
        ),
        (
            json!([tokens(), node("b", json!({"attention": {"heads": 2}}), &["t"])]),
            "node 'b': heads must be a divisor of a third of the channels, got 2 for 3 channels",
        ),
        (
            json!([tokens(), node("b", json!({"attention": {"heads": 0}}), &["t"])]),
            "node 'b': heads must be a divisor",
        ),
        (
            json!([tokens(), node("b", json!({"attention": {"heads": u64::MAX}}), &["t"])]),
            "node 'b': heads must be a divisor",
        ),
        (json!([node("a", convolution(0, 1), &["picture"])]), "node 'a': output channels must be between 1"),
        (
            json!([node("a", convolution(u64::MAX, 1), &["picture"])]),
            "node 'a': output channels must be between 1",
        ),
        (json!([node("a", convolution(8, 0), &["picture"])]), "node 'a': kernel must be between 1 and 1024"),
        (
            json!([node("a", convolution(8, u64::MAX), &["picture"])]),
            "node 'a': kernel must be between 1 and 1024",
        ),
        (
            json!([window(json!({"kernel": [3, 3], "stride": [1, 0]}))]),
            "node 'a': stride must be between 1 and 1024, got 0",
        ),
        (
            json!([window(json!({"kernel": [3, 3], "dilation": [2, 2]}))]),
            "node 'a': dilation must be 1 in a pool",
        ),
        (json!([with_padding(3, 0)]), "node 'a': padding must be less than the extent of the window, 3"),
        (
            json!([with_padding(0, u64::MAX)]),
            "node 'a': padding must be less than the extent of the window, 3",
        ),
        (
            json!([window(
                json!({"kernel": [3, 3], "padding": {"explicit": {"begin": [-1, 0], "end": [0, 0]}}})
            )]),
            "invalid value: integer `-1`",
        ),
        (
            json!([node(
                "a",
                json!({"convolution": {"out": 8, "groups": 2, "window": {"kernel": [1, 1]}}}),
                &["picture"]
            )]),
            "node 'a': groups must be a divisor of the input and output channels, got 2 for 3 and 8",
        ),
        (
            json!([node(
                "a",
                json!({"convolution": {"out": 8, "groups": 0, "window": {"kernel": [1, 1]}}}),
                &["picture"]
            )]),
            "node 'a': groups must be a divisor",
        ),
        (
            json!([node("a", json!({"linear": {"out": 65_537}}), &["picture"])]),
            "node 'a': channels must be between 1 and 65536, got 65537",
        ),
        (
            json!([node("a", json!({"layer_norm": {"epsilon": 1e300}}), &["picture"])]),
            "node 'a': epsilon must be from 0 up to 1",
        ),
        (
            json!([node("a", json!({"layer_norm": {"epsilon": -1e-6}}), &["picture"])]),
            "node 'a': epsilon must be from 0 up to 1",
        ),
        (
            json!([tokens(), node("b", json!({"prefix_tokens": {"count": u64::MAX}}), &["t"])]),
            "node 'b': count must be between 1 and 1024",
        ),
        (
            json!([
                tokens(),
                node(
                    "b",
                    json!({"positions": {"grid": [u64::MAX, 2], "prefix": 0, "interpolation": "bicubic"}}),
                    &["t"]
                )
            ]),
            "node 'b': rows of the grid must be between 1 and 4096",
        ),
        (
            json!([
                tokens(),
                node(
                    "b",
                    json!({"positions": {"grid": [2, 2], "prefix": 1, "interpolation": "bicubic"}}),
                    &["t"]
                )
            ]),
            "node 'b': prefix must be that of the tokens, 0, got 1",
        ),
        (json!([node("a", json!("unheard_of"), &["picture"])]), "unknown variant `unheard_of`"),
        (json!([node("a", json!({"activation": "arctan"}), &["picture"])]), "unknown variant `arctan`"),
        (json!([{"name": "a", "operation": "add", "more": 1}]), "unknown field `more`"),
        (json!([{"name": "a", "operation": {"linear": {"out": 8, "more": 1}}}]), "unknown field `more`"),
    ];
    for (nodes, expected) in cases {
        let shown = nodes.to_string().chars().take(200).collect::<String>();
        let error = read(nodes, json!({})).expect_err(&shown);
        assert!(error.contains(expected), "expected {expected}\n   found {error}\n     for {shown}");
        assert!(error.len() < 400, "{error}");
    }
}

#[test]
fn the_picture_comes_first() {
    let error = read_all(json!([]), json!({})).unwrap_err();
    assert!(error.contains("found no node"), "{error}");
    let error = read_all(json!([node("a", json!("mean"), &[])]), json!({})).unwrap_err();
    assert!(error.contains("node 'a': expected the picture as the first node"), "{error}");
}

#[test]
fn taps_are_at_nodes_and_have_names_of_their_own() {
    let relu = |name: &str| node(name, json!({"activation": "relu"}), &["picture"]);
    for (taps, expected) in [
        (json!({"x": "nothing"}), "the tap 'x' is at 'nothing': there is no such node"),
        (json!({"a": "b"}), "the name 'a' is given to two nodes"),
        (json!({"a,b": "a"}), "the name 'a,b' of a node or tap"),
    ] {
        let error = read(json!([relu("a"), relu("b")]), taps).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    // A tap that has the name of its node says nothing new.
    let graph = read(json!([relu("a")]), json!({"a": "a"})).unwrap();
    assert_eq!(graph.taps().count(), 0);
    assert_eq!(graph.tap("a").unwrap().index(), 1);
}

#[test]
fn limits_hold_before_memory_is_taken() {
    // 30 products of 2³² parameters each.
    let wide: Vec<Value> = (0..30)
        .map(|index| {
            let input = if index == 0 { "picture".to_owned() } else { format!("n{}", index - 1) };
            node(&format!("n{index}"), json!({"linear": {"out": 65_536}}), &[&input])
        })
        .collect();
    let error = read(json!(wide), json!({})).unwrap_err();
    assert!(error.contains("parameters, the limit is 536870912"), "{error}");
    let relu = json!({"activation": "relu"});
    let many: Vec<Value> =
        (0..8192).map(|index| node(&format!("n{index}"), relu.clone(), &["picture"])).collect();
    let error = read(json!(many), json!({})).unwrap_err();
    assert!(error.contains("the network has 8193 nodes, the limit is 8192"), "{error}");
    assert!(read(json!(many[1..]), json!({})).is_ok());
}

#[test]
fn padding_that_makes_maps_larger_and_larger_is_refused() {
    let full = json!({"max_pool": {
        "kernel": [1024, 1024],
        "padding": {"explicit": {"begin": [1023, 1023], "end": [1023, 1023]}},
    }});
    let nodes: Vec<Value> = (0..8000)
        .map(|index| {
            let input = if index == 0 { "picture".to_owned() } else { format!("n{}", index - 1) };
            node(&format!("n{index}"), full.clone(), &[&input])
        })
        .collect();
    let graph = read(json!(nodes), json!({})).unwrap();
    let error = graph.shapes([64, 64]).unwrap_err();
    assert_eq!(error, GraphError::TooLarge { node: "n64".into(), got: 64 + 64 * 1023 + 1023, limit: 65_536 });
    assert_eq!(graph.multiply_adds([64, 64]).unwrap_err(), error);
    assert_eq!(graph.activation_bytes([64, 64]).unwrap_err(), error);
}

#[test]
fn work_without_a_multiplication_is_counted() {
    let pool = json!({"max_pool": {
        "kernel": [1024, 1024],
        "padding": {"explicit": {"begin": [512, 512], "end": [511, 511]}},
    }});
    let graph = read(json!([node("n", pool, &["picture"])]), json!({})).unwrap();
    assert_eq!(graph.multiply_adds([4096, 4096]).unwrap(), 0);
    let values = 3 * 4096 * 4096;
    assert_eq!(graph.operations([4096, 4096]).unwrap(), values * (1024 * 1024 + 16));
}

#[test]
fn sides_that_differ_are_found_when_the_size_is_known() {
    let build = |last: Operation| {
        let mut net = Builder::new();
        let picture = net.picture();
        let half = net.max_pool("half", picture, Window::new(3).stride(2));
        net.add_node("last", last, &[picture, half]);
        net.finish().unwrap()
    };
    for operation in [Operation::Add, Operation::Mean, Operation::Concatenate, Operation::Multiply] {
        let name = operation.name();
        let graph = build(operation);
        let error = graph.shapes([8, 8]).unwrap_err();
        assert!(
            matches!(&error, GraphError::Inputs { operation, got, .. } if *operation == name && got == "8×8; 4×4"),
            "{error}"
        );
        // One pixel is a 1×1 map on both sides.
        assert!(graph.shapes([1, 1]).is_ok());
    }
    // A map times a 1×1 map is a factor for each channel; the other way around, it is not.
    assert!(build(Operation::Multiply).shapes([2, 2]).is_ok());
    let mut net = Builder::new();
    let picture = net.picture();
    let one = net.global_average("one", picture);
    net.multiply("product", one, picture);
    assert!(matches!(net.finish().unwrap().shapes([8, 8]), Err(GraphError::Inputs { .. })));
}

#[test]
fn a_builder_keeps_its_first_error() {
    let mut net = Builder::new();
    let picture = net.picture();
    let wrong = net.convolution("wrong", picture, Convolution::new(8, 3).grouped(7));
    assert_eq!(net.channels(wrong), 0);
    let behind = net.activation("behind", wrong, Activation::Relu);
    net.tap("tap", behind);
    assert!(matches!(net.finish(), Err(GraphError::Field { node, field: "groups", .. }) if node == "wrong"));
    let mut net = Builder::new();
    let picture = net.picture();
    let relu = net.activation("relu", picture, Activation::Relu);
    net.tap("twice", picture);
    net.tap("twice", relu);
    assert_eq!(net.finish(), Err(GraphError::Duplicate { name: "twice".into() }));
    // An id of another builder is no node of this one.
    let mut short = Builder::new();
    short.picture();
    short.activation("a", relu, Activation::Relu);
    assert!(matches!(short.finish(), Err(GraphError::UnknownInput { .. })));
}
