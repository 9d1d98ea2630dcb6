//! `--backbone FILE.onnx`: network and weights from one file.

use std::fs;

use dfm_tests::golden;
use dfm_tests::pictures;
use dfm_tests::program::Program;

fn program() -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    dfm.save_good();
    for name in ["resnet-script", "vit-dynamo", "nhwc"] {
        let bytes = golden::bytes(&format!("backbone/onnx/{name}.onnx"));
        fs::write(dfm.path(&format!("{name}.onnx")), bytes).unwrap();
    }
    dfm
}

fn info(dfm: &Program, model: &str) -> serde_json::Value {
    dfm.run(&["info", model, "--format", "json"]).expect_code(0).json().remove(0)
}

#[test]
fn a_network_of_a_file_is_fitted_and_judges() {
    let dfm = program();
    dfm.save("bad.png", &pictures::defective(3, 72, 56));
    let layers = "/layer2/layer2.0/act2/Relu_output_0,/layer3/layer3.0/act2/Relu_output_0";
    let fit = ["fit", "good", "--backbone", "resnet-script.onnx", "--layer", layers, "--pool", "2"];
    dfm.run(&[&fit[..], &["--size", "64x96", "-o", "model.dfm"]].concat()).expect_code(0);
    let told = info(&dfm, "model.dfm");
    assert!(told["architecture"].to_string().contains("onnx-"), "{told}");
    let scores = dfm.run(&["predict", "model.dfm", "bad.png", "--format", "json"]).scores();
    assert!(scores[0] > 0.0);
    // Without its weights, the model takes the same file and gives the same score.
    dfm.run(&[&fit[..], &["--size", "64x96", "--slim", "-o", "slim.dfm"]].concat()).expect_code(0);
    let predict = ["predict", "slim.dfm", "bad.png", "--format", "json", "--weights"];
    assert_eq!(dfm.run(&[&predict[..], &["resnet-script.onnx"]].concat()).scores(), scores);
    dfm.run(&[&predict[..], &["nhwc.onnx"]].concat()).expect_code(2);
    let text = dfm.run(&["info", "model.dfm"]).expect_code(0).out;
    assert!(text.contains("pixels as imagenet"), "{text}");
}

#[test]
fn what_pixels_become_is_recorded() {
    let dfm = program();
    let fit = ["fit", "good", "--backbone", "nhwc.onnx", "--layer", "pooled", "--pool", "1", "--size", "64"];
    dfm.run(&[&fit[..], &["-o", "plain.dfm"]].concat()).expect_code(0);
    dfm.run(&[&fit[..], &["--normalise", "0.5,0.5,0.5/0.25,0.5,1", "-o", "stated.dfm"]].concat())
        .expect_code(0);
    let mean = |model: &str| info(&dfm, model)["input"]["mean"].clone();
    assert_eq!(mean("plain.dfm"), serde_json::json!([0.0, 0.0, 0.0]));
    assert_eq!(mean("stated.dfm"), serde_json::json!([0.5, 0.5, 0.5]));
    let text = dfm.run(&["info", "plain.dfm"]).expect_code(0).out;
    assert!(text.contains("pixels as unit"), "{text}");
    dfm.run(&[&fit[..], &["--normalise", "grey", "-o", "x.dfm"]].concat())
        .expect_code(2)
        .expect_said(&["grey", "imagenet"]);
}

#[test]
fn what_does_not_fit_is_told_with_a_cure() {
    let dfm = program();
    let fit = |more: &[&str]| dfm.run(&[&["fit", "good", "-o", "x.dfm", "--backbone"], more].concat());
    fit(&["resnet-script.onnx"])
        .expect_code(2)
        .expect_said(&["layer", "dfm weights nodes resnet-script.onnx"]);
    fit(&["vit-dynamo.onnx", "--layer", "add_4", "--size", "56"])
        .expect_code(2)
        .expect_said(&["42×56", "--size 42x56"]);
    fit(&["vit-dynamo.onnx", "--layer", "add_4", "--weights", "random"])
        .expect_code(2)
        .expect_said(&["vit-dynamo.onnx", "random"]);
    fit(&["none.onnx", "--layer", "add_4"]).expect_code(2).expect_said(&["none.onnx", "an ONNX file"]);
    assert!(!dfm.path("x.dfm").exists());
}

#[test]
fn the_nodes_of_a_file_are_listed() {
    let dfm = program();
    let out = dfm.run(&["weights", "nodes", "vit-dynamo.onnx"]).expect_code(0).out;
    for expected in ["42×56 pixels alone", "attention", "add_4", "24×3×4 tokens"] {
        assert!(out.contains(expected), "{expected}: {out}");
    }
    let out = dfm.run(&["weights", "nodes", "resnet-script.onnx", "--size", "64x96"]).expect_code(0).out;
    assert!(out.contains("64×96 pixels\n") && out.contains("16×2×3"), "{out}");
    dfm.run(&["weights", "nodes", "good/00.png"]).expect_code(2).expect_said(&["good/00.png", "ONNX"]);
}
