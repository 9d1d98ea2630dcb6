//! What follows from the graphs of three networks, against figures that were worked out by hand or that
//! others publish.

mod support;

use dfm_graph::{Graph, GraphError, Layout, Operation};
use support::{mobilenet_v2, resnet50, vit_small};

fn shape(graph: &Graph, tap: &str, size: [usize; 2]) -> (usize, [usize; 2]) {
    let shape = graph.shapes(size).expect("a size that fits")[graph.tap(tap).expect("a tap").index()];
    (shape.channels(), shape.sides)
}

#[test]
fn a_resnet50_has_the_shapes_of_its_paper() {
    let graph = resnet50();
    assert_eq!(shape(&graph, "conv1", [224, 224]), (64, [112, 112]));
    assert_eq!(shape(&graph, "layer1", [224, 224]), (256, [56, 56]));
    assert_eq!(shape(&graph, "layer2", [224, 224]), (512, [28, 28]));
    assert_eq!(shape(&graph, "layer3", [224, 224]), (1024, [14, 14]));
    assert_eq!(shape(&graph, "layer4", [224, 224]), (2048, [7, 7]));
    // Odd sides are rounded up at each stride.
    assert_eq!(shape(&graph, "layer4", [225, 97]), (2048, [8, 4]));
    assert_eq!(shape(&graph, "layer4", [1, 1]), (2048, [1, 1]));
    // torchvision counts 25 557 032 parameters; 2 049 000 are the classifier's, and our batch norms have
    // one parameter for each of their 26 560 channels instead of two.
    assert_eq!(graph.parameter_count(), 25_557_032 - 2_049_000 - 26_560);
    // torchvision publishes 4.09 billion multiplications, 2 048 000 of them for the classifier.
    assert_eq!(graph.multiply_adds([224, 224]).unwrap(), 4_089_184_256 - 2_048_000);
}

#[test]
fn what_a_tap_does_not_need_is_dropped() {
    let graph = resnet50();
    let part = graph.up_to(&[graph.tap("layer3").unwrap()]);
    assert_eq!(part.multiply_adds([256, 256]).unwrap(), 4_281_335_808);
    // Moving values is a small part of the work of a ResNet.
    let operations = part.operations([256, 256]).unwrap();
    assert!((4_281_335_808..4_900_000_000).contains(&operations), "{operations}");
    let taps: Vec<&str> = part.taps().map(|(name, _)| name).collect();
    assert_eq!(taps, ["layer1", "layer2", "layer3"]);
    assert_eq!(part.nodes().last().unwrap().name(), "layer3.5");
    assert_eq!(part.tap("layer4"), None);
    // A tap inside a block drops the shortcut beside it.
    let inside = graph.up_to(&[graph.tap("layer1.0.conv2").unwrap()]);
    let names: Vec<&str> = inside.nodes().iter().map(|node| node.name()).collect();
    let expected =
        ["picture", "conv1", "relu", "maxpool", "layer1.0.conv1", "layer1.0.relu1", "layer1.0.conv2"];
    assert_eq!(names, expected);
    assert_eq!(inside.nodes()[6].inputs()[0].index(), 5);
    // Two taps keep what either needs.
    let both = [graph.tap("layer1.0.downsample").unwrap(), graph.tap("layer1.0.conv1").unwrap()];
    assert_eq!(graph.up_to(&both).nodes().len(), 6);
}

#[test]
fn a_mobilenet_v2_has_the_shapes_of_its_paper() {
    let graph = mobilenet_v2();
    assert_eq!(shape(&graph, "blocks.0", [224, 224]), (16, [112, 112]));
    assert_eq!(shape(&graph, "blocks.3", [224, 224]), (64, [14, 14]));
    assert_eq!(shape(&graph, "blocks.6", [224, 224]), (320, [7, 7]));
    assert_eq!(shape(&graph, "blocks.6", [192, 320]), (320, [6, 10]));
    // Keras counts 2 257 984 parameters without the classifier, four for each of the 17 056 channels of a
    // batch norm.
    assert_eq!(graph.parameter_count(), 2_257_984 - 3 * 17_056);
    // torchvision publishes 300.77 million multiplications, 1 280 000 of them for the classifier.
    assert_eq!(graph.multiply_adds([224, 224]).unwrap(), 300_774_272 - 1_280_000);
}

#[test]
fn a_vit_has_a_token_for_each_cell_and_one_for_the_class() {
    let graph = vit_small();
    let attention = graph.tap("blocks.11.attn").unwrap();
    assert_eq!(graph.node(attention).form().layout, Layout::Tokens { prefix: 1 });
    let shapes = graph.shapes([518, 518]).unwrap();
    assert_eq!((shapes[attention.index()].positions(), shapes[attention.index()].channels()), (1370, 384));
    assert_eq!(shapes[graph.tap("blocks.3.attn.qkv").unwrap().index()].channels(), 1152);
    assert_eq!(shape(&graph, "tokens", [518, 518]), (384, [37, 37]));
    assert_eq!(shape(&graph, "tokens", [224, 140]), (384, [16, 10]));
    // Official weights have 22 056 576 values, 384 of them a token for masked patches.
    assert_eq!(graph.parameter_count(), 22_056_576 - 384);
    // Patches, twelve blocks of four matrix products, and attention.
    let (tokens, width) = (257_u64, 384);
    let block = tokens * (12 * width * width) + 2 * tokens * tokens * width;
    let expected = 256 * 3 * 14 * 14 * width + 12 * block;
    assert_eq!(graph.multiply_adds([224, 224]).unwrap(), expected);
}

#[test]
fn a_picture_smaller_than_a_patch_leaves_nothing() {
    let error = vit_small().shapes([13, 40]).unwrap_err();
    assert_eq!(error, GraphError::TooSmall { node: "patch_embed".into(), height: 13, width: 40 });
    for size in [[0, 8], [8, 65_537]] {
        assert!(matches!(resnet50().shapes(size), Err(GraphError::PictureSize { .. })));
    }
}

#[test]
fn memory_is_what_was_counted_by_hand() {
    let graph = resnet50();
    let to = |tap: &str, size| graph.up_to(&[graph.tap(tap).unwrap()]).activation_bytes(size).unwrap();
    // At 64×64 cells: the input of the first block (64 channels), its shortcut (256), and the last 1×1
    // from 64 to 256 channels. The second block needs 256 + (64 + 256).
    assert_eq!(to("layer1", [256, 256]), 4 * (64 + 256 + 64 + 256) * 64 * 64);
    // The stem alone: the picture and 64 channels at half the sides; the ReLU takes nothing.
    assert_eq!(to("relu", [256, 256]), 4 * (3 * 256 * 256 + 64 * 128 * 128));
    // One block of a ViT at 16×16 cells: the input, and the widest product beside what it reads; attention
    // holds the weights of six heads beside queries, keys, values and its result.
    let vit = vit_small();
    let block = vit.up_to(&[vit.tap("blocks.0").unwrap()]).activation_bytes([224, 224]).unwrap();
    assert_eq!(block, 4 * 257 * (384 + 3 * 384 + 384 + 6 * 257));
}

#[test]
fn attention_over_many_tokens_takes_bounded_memory() {
    assert_eq!(dfm_graph::attention_scratch(6, 257), 6 * 257 * 257);
    assert_eq!(dfm_graph::attention_scratch(6, 10_000), 1 << 24);
    assert_eq!(dfm_graph::attention_scratch(300, 100_000), 30_000_000);
}

#[test]
fn a_graph_is_written_and_read_unchanged() {
    for graph in [resnet50(), mobilenet_v2(), vit_small()] {
        let written = serde_json::to_string(&graph).unwrap();
        let read: Graph = serde_json::from_str(&written).unwrap();
        assert_eq!(read, graph);
        assert_eq!(serde_json::to_string(&read).unwrap(), written);
    }
    let written = serde_json::to_value(vit_small()).unwrap();
    let nodes = written["nodes"].as_array().unwrap();
    assert_eq!(nodes[0], serde_json::json!({"name": "picture", "operation": "picture"}));
    assert_eq!(
        nodes[1],
        serde_json::json!({
            "name": "patch_embed",
            "operation": {"convolution": {"out": 384, "window": {"kernel": [14, 14], "stride": [14, 14]}}},
            "inputs": ["picture"],
        })
    );
    assert_eq!(written["taps"]["blocks.11"], "blocks.11.sum2");
}

#[test]
fn parameters_are_named_after_their_node() {
    let graph = vit_small();
    let all = graph.parameters();
    let find = |name: &str| all.iter().find(|parameter| parameter.name == name).map(|it| it.dims.clone());
    assert_eq!(find("patch_embed.weight").unwrap(), [384, 3, 14, 14]);
    assert_eq!(find("cls.tokens").unwrap(), [1, 384]);
    assert_eq!(find("pos.positions").unwrap(), [37 * 37 + 1, 384]);
    assert_eq!(find("blocks.0.attn.qkv.weight").unwrap(), [1152, 384]);
    assert_eq!(find("blocks.0.ls1.weight").unwrap(), [384]);
    assert_eq!(find("blocks.0.norm1.bias").unwrap(), [384]);
    assert!(all.is_sorted_by_key(|parameter| parameter.node));
    let depthwise = mobilenet_v2();
    let depthwise = depthwise.parameters();
    let weight = depthwise.iter().find(|it| it.name == "blocks.1.0.conv_dw.weight").unwrap();
    assert_eq!(weight.dims, [96, 1, 3, 3]);
    assert!(matches!(graph.node(all[0].node).operation(), Operation::Convolution(_)));
}

#[test]
fn readers_are_listed_in_order() {
    let graph = resnet50();
    let readers = graph.readers();
    let names = |tap: &str| -> Vec<&str> {
        readers[graph.tap(tap).unwrap().index()].iter().map(|id| graph.node(*id).name()).collect()
    };
    assert_eq!(names("maxpool"), ["layer1.0.downsample", "layer1.0.conv1"]);
    assert_eq!(names("layer1.0"), ["layer1.1.conv1", "layer1.1.sum"]);
    assert!(names("layer4").is_empty());
}
