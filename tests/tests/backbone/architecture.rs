//! The known architectures against what is published of them.

use dfm_backbone::{Architecture, BackboneError, GraphError, Layer, ResNet};

/// Parameters of torchvision's models, as its documentation states them.
const PUBLISHED: [(&str, usize); 8] = [
    ("resnet18", 11_689_512),
    ("resnet34", 21_797_672),
    ("resnet50", 25_557_032),
    ("resnet101", 44_549_160),
    ("resnet152", 60_192_808),
    ("wide_resnet50_2", 68_883_240),
    ("wide_resnet101_2", 126_886_696),
    ("resnext50_32x4d", 25_028_904),
];

#[test]
fn parameter_counts_are_the_published_ones() {
    for (name, published) in PUBLISHED {
        let architecture = Architecture::known(name).expect(name);
        let resnet = architecture.resnet().expect(name);
        let channels: usize = resnet.convolutions(4).iter().map(|shape| shape.out_channels).sum();
        // A norm has two parameters a channel where we keep one, and the
        // classifier has a weight for each channel and a bias for each class.
        let classifier = 1000 * (architecture.channels(Layer::named("layer4")).unwrap() + 1);
        assert_eq!(
            architecture.parameter_count(Layer::named("layer4")).unwrap() + channels + classifier,
            published,
            "{name}"
        );
    }
}

#[test]
fn every_name_is_known_and_can_be_built() {
    assert_eq!(ResNet::names().len(), PUBLISHED.len() + 1);
    for name in Architecture::names() {
        Architecture::known(name).expect(name).check().expect(name);
    }
    assert!(Architecture::known("resnet49").is_none());
}

#[test]
fn descriptions_out_of_bounds_are_refused_by_field() {
    let known = || ResNet::known("resnet50").expect("a known name");
    let cases = [
        ("name", ResNet { name: "../weights".to_owned(), ..known() }),
        ("name", ResNet { name: "x".repeat(65), ..known() }),
        ("depths", ResNet { depths: [3, 0, 6, 3], ..known() }),
        ("depths", ResNet { depths: [3, 4, usize::MAX, 3], ..known() }),
        ("width", ResNet { width: 1 << 40, ..known() }),
        ("groups", ResNet { groups: 0, ..known() }),
        ("size", ResNet { width: 1024, groups: 1024, width_per_group: 4096, ..known() }),
        ("groups and width_per_group", ResNet { block: dfm_backbone::Block::Basic, groups: 2, ..known() }),
        ("width_per_group", ResNet { width: 4, width_per_group: 15, ..known() }),
    ];
    for (expected, architecture) in cases {
        match Architecture::from(architecture).check() {
            Err(BackboneError::Architecture { field, .. }) => assert_eq!(field, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[test]
fn a_picture_too_small_has_no_features() {
    for name in ["resnet18", "resnet50_1by2"] {
        let architecture = Architecture::known(name).expect(name);
        let refused = |size| match architecture.feature_size(Layer::named("layer4"), size) {
            Err(BackboneError::Graph { cause, .. }) => *cause,
            other => panic!("{other:?}"),
        };
        assert!(matches!(refused([0, 0]), GraphError::PictureSize { .. }));
        assert!(matches!(refused([1 << 17, 64]), GraphError::PictureSize { .. }));
        match name {
            // One window of three pixels needs a pixel and padding on both sides.
            "resnet18" => {
                assert_eq!(architecture.feature_size(Layer::named("layer4"), [1, 1]).unwrap(), [1, 1])
            }
            _ => assert!(matches!(refused([1, 1]), GraphError::TooSmall { .. })),
        }
        assert_eq!(architecture.feature_size(Layer::named("layer3"), [233, 317]).unwrap(), [15, 20]);
    }
}

/// A ResNet is written as its fields, as it always was, and another network as its graph.
#[test]
fn a_description_is_written_and_read_unchanged() {
    let resnet = Architecture::known("resnet50_1by2").unwrap();
    let written = serde_json::to_string(&resnet).unwrap();
    let expected =
        r#"{"name":"resnet50_1by2","block":"bottleneck","depths":[3,4,6,3],"stem_width":64,"width":32,"#;
    assert!(written.starts_with(expected), "{written}");
    assert_eq!(serde_json::from_str::<Architecture>(&written).unwrap(), resnet);
    let graph = Architecture::of_graph("mine", resnet.graph_to(Layer::named("layer1")).unwrap());
    let written = serde_json::to_string(&graph).unwrap();
    assert!(written.starts_with(r#"{"name":"mine","graph":{"nodes":["#), "{written}");
    assert_eq!(serde_json::from_str::<Architecture>(&written).unwrap(), graph);
    for (broken, expected) in [
        (written.replacen("{", r#"{"width":32,"#, 1), "a graph or the fields of a ResNet, not both"),
        (r#"{"name":"mine"}"#.to_owned(), "missing field `block`"),
        (written.replacen("stem.relu", "stem.more", 1), "there is no such node"),
        (written.replacen("{", r#"{"more":32,"#, 1), "unknown field `more`"),
    ] {
        let error = serde_json::from_str::<Architecture>(&broken).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_layer_that_a_network_lacks_is_named_with_those_it_has() {
    let architecture = Architecture::known("resnet18").unwrap();
    let error = architecture.channels(Layer::named("blocks.3")).unwrap_err();
    assert!(matches!(&error, BackboneError::UnknownLayer { got, .. } if got.name() == "blocks.3"), "{error}");
    let expected = "'resnet18' has no layer 'blocks.3': expected layer1, layer2, layer3, layer4";
    assert_eq!(error.to_string(), expected);
    // Every node has a name.
    assert_eq!(architecture.channels(Layer::named("layer2.0.conv1")).unwrap(), 128);
}
