//! Models of networks that are no ResNets: their files hold the graph, and everything that a model can do
//! works as with any other.

use dfm_backbone::{
    Architecture, BackboneError, BackboneWeights, InputContract, InstructionSet, Layer, NetworkPrecision,
};
use dfm_core::{Dfm, DfmError, JudgeOptions, Keep, LoadOptions, Method, SaveOptions, Tap};
use dfm_tests::model_file::ModelFile;
use dfm_tests::models::{fit_prepared, flex, kernels};
use dfm_tests::pictures;

/// A network, its size, and where it is tapped.
type Network = (&'static str, usize, [Tap; 2]);

const NETWORKS: [Network; 2] = [
    ("mobilenetv2_050", 64, [Layer::named("blocks.1").pooled(4), Layer::named("blocks.2").pooled(2)]),
    // Two layers whose names have another order as text.
    ("vit_tiny_patch16_224", 64, [Layer::named("blocks.2").pooled(1), Layer::named("blocks.10").pooled(2)]),
];

fn fit((name, side, taps): Network, seeds: std::ops::Range<u64>) -> Dfm {
    let method = Method::published().with_taps(taps).with_keep(Keep::Ratio(0.9));
    let params = method.check().expect("a sound method");
    let input = InputContract::imagenet().with_size(side, side);
    let architecture = Architecture::known(name).expect(name);
    let weights = BackboneWeights::random(architecture, taps[1].layer, input, 0).expect(name);
    let extractor = params.extractor(weights, flex()).expect(name);
    let preprocessor = extractor.preprocessor();
    let prepared = seeds.map(|seed| preprocessor.prepare(pictures::good(seed, 64, 64)).expect("prepared"));
    let prepared: Vec<_> = prepared.collect();
    fit_prepared(&params, extractor, prepared).expect(name)
}

fn written(model: &Dfm, slim: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    model.write(&mut bytes, &SaveOptions { slim }).expect("a written model");
    bytes
}

fn scores(model: &Dfm) -> Vec<f64> {
    let preprocessor = model.extractor().preprocessor();
    let prepared: Vec<_> = (50..53)
        .map(|seed| preprocessor.prepare(pictures::defective(seed, 64, 64)).expect("prepared"))
        .collect();
    let verdicts = model.predict(&prepared, &JudgeOptions::default()).expect("verdicts");
    verdicts.iter().map(|verdict| verdict.score).collect()
}

#[test]
fn models_are_written_read_and_merged() {
    for network in NETWORKS {
        let name = network.0;
        let model = fit(network, 0..12);
        let expected = scores(&model);
        assert!(expected.iter().all(|score| score.is_finite() && *score > 0.0), "{name}: {expected:?}");
        // A slim file leaves the weights out and makes random ones again.
        for slim in [false, true] {
            let bytes = written(&model, slim);
            let read = Dfm::read(&mut bytes.as_slice(), LoadOptions::on(flex())).expect(name);
            assert_eq!(scores(&read), expected, "{name}");
            assert!(written(&read, slim) == bytes, "{name}: written again, the model is another");
        }
        let merged = model.merge(&fit(network, 12..24)).expect(name);
        assert_eq!(merged.record().picture_count, 24, "{name}");
        assert!(scores(&merged).iter().all(|score| score.is_finite()), "{name}");
    }
}

#[test]
fn models_of_two_networks_are_not_merged() {
    let [one, other] = NETWORKS.map(|network| fit(network, 0..8));
    one.merge(&other).expect_err("two networks");
}

/// A graph that was changed in a file is another network, or none.
#[test]
fn a_changed_graph_is_refused() {
    let bytes = written(&fit(NETWORKS[0], 0..8), false);
    let file = ModelFile::open(&bytes);
    for (from, to) in [
        ("\"relu6\"", "\"relu\""),
        ("\"operation\":\"add\"", "\"operation\":\"adds\""),
        ("\"name\":\"act1\"", "\"name\":\"conv_stem\""),
        ("\"inputs\":[\"conv_stem\"]", "\"inputs\":[\"blocks.2.0\"]"),
    ] {
        let changed = file.clone().replace(from, to);
        assert!(changed.close() != file.close(), "{from} is nowhere");
        let error = Dfm::read(&mut changed.close().as_slice(), LoadOptions::on(flex())).expect_err(to);
        assert!(matches!(error, DfmError::Model(_)), "{to}: {error}");
    }
}

#[test]
fn int8_is_for_residual_networks() {
    let (name, side, taps) = NETWORKS[0];
    let method = Method::published().with_taps([taps[0]]).with_precision(NetworkPrecision::Int8);
    let params = method.check().expect("a sound method");
    let input = InputContract::imagenet().with_size(side, side);
    let weights =
        BackboneWeights::random(Architecture::known(name).unwrap(), taps[0].layer, input, 0).unwrap();
    let extractor =
        params.extractor(weights, kernels(InstructionSet::best())).expect("in f32 our kernels run it");
    let preprocessor = extractor.preprocessor();
    let prepared: Vec<_> =
        (0..8).map(|seed| preprocessor.prepare(pictures::good(seed, 64, 64)).unwrap()).collect();
    let error = fit_prepared(&params, extractor, prepared).expect_err("no int8");
    let named = match &error {
        DfmError::Backbone(BackboneError::Int8Network { architecture, unsupported }) => {
            architecture == name && unsupported.node == "conv_stem"
        }
        _ => false,
    };
    assert!(named, "{error}");
}
