//! The known architectures against what is published of them.

use dfm_backbone::{Architecture, BackboneError, Layer};

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
        let channels: usize =
            architecture.convolutions(Layer::Layer4).iter().map(|shape| shape.out_channels).sum();
        // A norm has two parameters a channel where we keep one, and the
        // classifier has a weight for each channel and a bias for each class.
        let classifier = 1000 * (architecture.channels(Layer::Layer4) + 1);
        assert_eq!(architecture.parameter_count(Layer::Layer4) + channels + classifier, published, "{name}");
    }
}

#[test]
fn every_name_is_known_and_can_be_built() {
    assert_eq!(Architecture::names().len(), PUBLISHED.len() + 1);
    for name in Architecture::names() {
        Architecture::known(name).expect(name).check().expect(name);
    }
    assert!(Architecture::known("resnet49").is_none());
}

#[test]
fn descriptions_out_of_bounds_are_refused_by_field() {
    let known = || Architecture::known("resnet50").expect("a known name");
    let cases = [
        ("name", Architecture { name: "../weights".to_owned(), ..known() }),
        ("name", Architecture { name: "x".repeat(65), ..known() }),
        ("depths", Architecture { depths: [3, 0, 6, 3], ..known() }),
        ("depths", Architecture { depths: [3, 4, usize::MAX, 3], ..known() }),
        ("width", Architecture { width: 1 << 40, ..known() }),
        ("groups", Architecture { groups: 0, ..known() }),
        ("size", Architecture { width: 1024, groups: 1024, width_per_group: 4096, ..known() }),
        (
            "groups and width_per_group",
            Architecture { block: dfm_backbone::Block::Basic, groups: 2, ..known() },
        ),
        ("width_per_group", Architecture { width: 4, width_per_group: 15, ..known() }),
    ];
    for (expected, architecture) in cases {
        match architecture.check() {
            Err(BackboneError::Architecture { field, .. }) => assert_eq!(field, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[test]
fn a_picture_too_small_has_no_features() {
    for name in ["resnet18", "resnet50_1by2"] {
        let architecture = Architecture::known(name).expect(name);
        assert_eq!(architecture.feature_size(Layer::Layer4, [0, 0]), [0, 0]);
        assert_eq!(architecture.feature_size(Layer::Layer3, [233, 317]), [15, 20]);
    }
}
