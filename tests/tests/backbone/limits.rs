//! Small files of networks that would take terabytes or years are refused before anything runs.

use dfm_backbone::{
    Architecture, BackboneError, BackboneWeights, FeatureExtractor, Graph, InputContract, InstructionSet,
    Layer, Precision, WeightsHeader,
};
use dfm_graph::{Builder, Convolution, NodeId, Padding, Window};
use dfm_tests::models::{flex, kernels};

/// What becomes of a network with parameters of zero on pictures of `side`×`side` pixels.
fn refused(side: usize, build: impl Fn(&mut Builder, NodeId) -> NodeId) -> Vec<BackboneError> {
    let mut net = Builder::new();
    let picture = net.picture();
    let last = build(&mut net, picture);
    net.tap("last", last);
    let graph: Graph = net.finish().expect("a graph within its own limits");
    let values = graph.parameters().iter().map(|parameter| vec![0.0; parameter.len()]).collect();
    let header = WeightsHeader {
        architecture: Architecture::of_graph("hostile", graph),
        deepest: Layer::named("last"),
        input: InputContract::imagenet().with_size(side, side),
        precision: Precision::F32,
        license: String::new(),
        source: String::new(),
        source_sha256: None,
    };
    let weights = BackboneWeights::new(header, values).expect("as many values");
    let devices = [kernels(InstructionSet::Portable), flex()];
    let taps = [Layer::named("last").pooled(1)];
    let extractors = devices.map(|device| FeatureExtractor::new(weights.clone(), &taps, device));
    extractors.into_iter().filter_map(Result::err).collect()
}

#[test]
fn years_of_work_without_a_parameter_are_refused() {
    let window = Window {
        kernel: [1024, 1024],
        padding: Padding::Explicit { begin: [512, 512], end: [511, 511] },
        ..Window::new(1)
    };
    let errors = refused(4096, |net, picture| net.max_pool("pool", picture, window));
    assert_eq!(errors.len(), 2);
    for error in errors {
        assert!(matches!(error, BackboneError::TooManyOperations { .. }), "{error}");
    }
}

#[test]
fn memory_that_only_the_steps_of_a_network_need_is_refused() {
    // A window of 1025 rows over many channels: rows that the kernels keep beside the values.
    let wide = Convolution::new(65_536, 1);
    let window = Window {
        kernel: [2, 2],
        dilation: [1024, 1024],
        padding: Padding::Explicit { begin: [1024, 1024], end: [0, 0] },
        ..Window::new(1)
    };
    let tall = Convolution { out: 1, groups: 1, window };
    let errors = refused(112, |net, picture| {
        let wide = net.convolution("wide", picture, wide);
        net.convolution("tall", wide, tall)
    });
    let [error] = &errors[..] else { panic!("by our own kernels alone: {errors:?}") };
    assert!(matches!(error, BackboneError::TooManyActivations { got, .. } if *got > 8 << 30), "{error}");
}
