//! Models that the program makes of few pictures, without weights, with any number
//! of threads; and what it shows of files that someone changed.

use std::fs;

use dfm_backbone::{Architecture, BackboneWeights, InputContract, Layer, WeightsHeader};
use dfm_tests::model_file::ModelFile;
use dfm_tests::pictures;
use dfm_tests::program::{Finished, Program, SMALL};
use safetensors::tensor::{Dtype, TensorView};

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_dfm-under-test"))
}

fn fit(dfm: &Program, more: &[&str]) -> Finished {
    dfm.run(&[&["fit", "good", "-o", "model.dfm"], SMALL.as_slice(), more].concat())
}

#[test]
fn two_pictures_make_a_model_with_a_threshold() {
    let dfm = program();
    for seed in 0..2 {
        dfm.save(&format!("good/{seed}.png"), &pictures::good(seed, 72, 56));
    }
    let run = fit(&dfm, &[]).expect_code(0);
    assert!(run.out.contains("2 pictures") && run.out.contains("threshold"), "{}", run.out);
    dfm.save("new/defect.png", &pictures::defective(9, 72, 56));
    dfm.run(&["predict", "model.dfm", "new"]).expect_code(1);
}

#[test]
fn two_pictures_are_too_few_for_the_threshold_of_a_likelihood_unless_it_is_given() {
    let dfm = program();
    for seed in 0..2 {
        dfm.save(&format!("good/{seed}.png"), &pictures::good(seed, 72, 56));
    }
    fit(&dfm, &["--score", "nll"]).expect_code(2).expect_said(&["at least 3 different pictures", "got 2"]);
    let run = fit(&dfm, &["--score", "nll", "--threshold", "-3.5"]).expect_code(0);
    assert!(run.out.contains("threshold -3.5"), "{}", run.out);
    let info = dfm.run(&["info", "model.dfm", "--format", "json"]).expect_code(0).json().remove(0);
    assert_eq!(info["threshold"], -3.5);
    // Nothing was held out to find it.
    assert!(info["record"]["params"]["calibration"].is_null(), "{info}");
}

#[test]
fn a_slim_model_of_embedded_weights_loads_by_itself() {
    let dfm = program();
    dfm.save_good();
    let flags = ["fit", "good", "-o", "slim.dfm", "--layer", "layer1", "--size", "64"];
    dfm.run(&[&flags[..], &["--slim"]].concat()).expect_code(0);
    let scores = |more: &[&str]| {
        dfm.run(&[&["predict", "slim.dfm", "good", "--format", "json"], more].concat()).scores()
    };
    assert_eq!(scores(&[]).len(), 12);
    assert_eq!(scores(&["--weights", "embedded"]), scores(&[]));
    // At another size the weights' own contract is another, too.
    let info = dfm.run(&["info", "slim.dfm", "--format", "json"]).expect_code(0).json().remove(0);
    assert_eq!(
        (info["weights_included"].clone(), info["input"]["height"].clone()),
        (false.into(), 64.into())
    );
}

#[test]
fn a_slim_model_of_random_weights_makes_them_again() {
    let dfm = program();
    dfm.save_good();
    fit(&dfm, &["--seed", "9"]).expect_code(0);
    let scores = || dfm.run(&["predict", "model.dfm", "good", "--format", "json"]).expect_code(0).scores();
    let whole = scores();
    fit(&dfm, &["--seed", "9", "--slim"]).expect_code(0);
    assert_eq!(scores(), whole);
}

/// A state dict of resnet18's stem and first layer under torchvision's names, which
/// says nothing of its architecture.
fn state_dict(seed: u64) -> Vec<u8> {
    let architecture = Architecture::known("resnet18").unwrap();
    let weights =
        BackboneWeights::random(architecture, Layer::named("layer1"), InputContract::imagenet(), seed)
            .unwrap();
    let bytes = |values: &[f32]| values.iter().copied().flat_map(f32::to_le_bytes).collect::<Vec<u8>>();
    let mut tensors = Vec::new();
    for (parameter, values) in weights.graph().parameters().into_iter().zip(weights.values()) {
        let Some(name) = parameter.name.strip_suffix(".weight") else { continue };
        let (convolution, norm) = match name {
            "stem" => ("conv1".to_owned(), "bn1".to_owned()),
            name => (name.to_owned(), name.replace("conv", "bn")),
        };
        tensors.push((format!("{convolution}.weight"), parameter.dims.clone(), bytes(values)));
        for (part, value) in [("weight", 1.0), ("bias", 0.1), ("running_mean", 0.0), ("running_var", 1.0)] {
            let values = vec![value; parameter.dims[0]];
            tensors.push((format!("{norm}.{part}"), vec![parameter.dims[0]], bytes(&values)));
        }
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn a_slim_model_of_weights_from_a_file_loads_with_that_file_alone() {
    let dfm = program();
    dfm.save_good();
    // Other people's format, and our own, which knows more than the model needs.
    let weights = BackboneWeights::random(
        Architecture::known("resnet18").unwrap(),
        Layer::named("layer2"),
        InputContract::imagenet(),
        3,
    )
    .unwrap();
    let header = WeightsHeader { source: "a training run".to_owned(), ..weights.header().clone() };
    let own = BackboneWeights::new(header, weights.values().to_vec()).unwrap();
    fs::write(dfm.path("foreign"), state_dict(1)).unwrap();
    fs::write(dfm.path("other"), state_dict(2)).unwrap();
    fs::write(dfm.path("own"), own.to_bytes().unwrap()).unwrap();
    for file in ["foreign", "own"] {
        let flags = ["--backbone", "resnet18", "--weights", file, "--layer", "layer1", "--size", "64"];
        let fit = |more: &[&str]| dfm.run(&[&["fit", "good", "-o", "model.dfm"], &flags[..], more].concat());
        let predict =
            |more: &[&str]| dfm.run(&[&["predict", "model.dfm", "good", "--format", "json"], more].concat());
        fit(&[]).expect_code(0);
        let whole = predict(&[]).scores();
        fit(&["--slim"]).expect_code(0);
        assert_eq!(predict(&["--weights", file]).scores(), whole, "{file}");
        predict(&[]).expect_code(2).expect_said(&["without its backbone", "--weights"]);
        predict(&["--weights", "other"]).expect_code(2).expect_said(&["was fitted with weights of SHA-256"]);
        predict(&["--weights", "nothing"]).expect_code(2).expect_said(&["nothing"]);
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit_of_the_model() {
    let dfm = program();
    dfm.save_good();
    let model = |threads: &str, more: &[&str]| {
        fit(&dfm, &[&["--threads", threads], more].concat()).expect_code(0);
        fs::read(dfm.path("model.dfm")).unwrap()
    };
    for more in [&[][..], &["--score", "nll", "--pca", "4"]] {
        let one = model("1", more);
        for threads in ["2", "3", "8"] {
            assert!(model(threads, more) == one, "{threads} threads, {more:?}");
        }
    }
}

#[test]
fn what_a_file_says_of_itself_cannot_act_on_the_terminal() {
    let dfm = program();
    dfm.fit_small();
    let file = ModelFile::open(&fs::read(dfm.path("model.dfm")).unwrap());
    let act = "\\u001b]0;title\\u0007\\nthreshold     0";
    let changed = file.clone().replace("\"program\":\"dfm ", &format!("\"program\":\"{act}"));
    fs::write(dfm.path("changed.dfm"), changed.close()).unwrap();
    let run = dfm.run(&["info", "changed.dfm"]).expect_code(0);
    assert!(run.out.contains("\\u{1b}]0;title\\u{7}\\u{a}threshold"), "{}", run.out);
    // In an error message, too: a field that the format does not have.
    let changed = file.replace("{\"version\"", &format!("{{\"{act}\":1,\"version\""));
    fs::write(dfm.path("changed.dfm"), changed.close()).unwrap();
    let run = dfm.run(&["info", "changed.dfm"]).expect_code(2).expect_said(&["\\u{1b}]0;title"]);
    for text in [&run.out, &run.err] {
        assert!(!text.trim_end().contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    }
}
