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
    for missing in ["none.onnx", "folder/none"] {
        let run = fit(&[missing, "--layer", "add_4"]);
        run.expect_code(2).expect_said(&[&format!("{missing}: no such file")]);
    }
    fit(&["resnet-script.onnx"]).expect_code(2).expect_said(&["has no default: give --layer"]);
    fit(&["resnet-script.onnx", "--layer", "/layer1..3"]).expect_code(2).expect_said(&["mean:/layer1..3"]);
    // A known network has no nodes of a file.
    let known = fit(&["resnet18", "--weights", "random", "--layer", "layer9"]).expect_code(2);
    assert!(!known.err.contains("weights nodes"), "{}", known.err);
    fit(&["vit-dynamo.onnx", "--recipe", "subspace-ad", "--size", "42x56"])
        .expect_code(2)
        .expect_said(&["--recipe subspace-ad: no name tells the middle blocks", "--layer"]);
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

#[test]
fn layers_follow_the_graph_whatever_their_names() {
    let dfm = program();
    let fit = |layers: &str, model: &str| {
        let arguments = ["fit", "good", "--backbone", "resnet-script.onnx", "--size", "64", "-o", model];
        dfm.run(&[&arguments[..], &["--layer", layers]].concat())
    };
    // By their names, the activation comes first.
    fit("/act1/Relu,/conv1/Conv", "one.dfm").expect_code(0);
    fit("/conv1/Conv,/act1/Relu", "other.dfm").expect_code(0);
    let told = info(&dfm, "one.dfm");
    let layers: Vec<&str> =
        told["taps"].as_array().unwrap().iter().map(|tap| tap["layer"].as_str().unwrap()).collect();
    assert_eq!(layers, ["/conv1/Conv", "/act1/Relu"]);
    let [one, other] = ["one.dfm", "other.dfm"].map(|model| fs::read(dfm.path(model)).unwrap());
    assert!(one == other, "the order of the flags does not matter");
    dfm.save("bad.png", &pictures::defective(3, 72, 56));
    assert!(dfm.run(&["predict", "one.dfm", "bad.png", "--format", "json"]).scores()[0] > 0.0);
    let features = ["features", "good", "-o", "rows.safetensors", "--backbone", "resnet-script.onnx"];
    dfm.run(&[&features[..], &["--layer", "/act1/Relu,/conv1/Conv", "--size", "64"]].concat()).expect_code(0);
    // Two branches: neither lies behind the other.
    let apart = "/layer1/layer1.0/conv2/Conv,/layer1/layer1.0/downsample/downsample.0/Conv";
    fit(apart, "apart.dfm").expect_code(2).expect_said(&["side by side", "one of them behind all others"]);
}

#[test]
fn what_is_assumed_of_pixels_is_said() {
    let dfm = program();
    let said = |backbone: &str, layer: &str, more: &[&str]| {
        let arguments =
            ["fit", "good", "--backbone", backbone, "--layer", layer, "--pool", "1", "--size", "64"];
        dfm.run(&[&arguments[..], &["-o", "model.dfm"], more].concat()).expect_code(0).err
    };
    let text = said("nhwc.onnx", "pooled", &[]);
    assert!(text.contains("pixels as unit, assumed because the file normalises pictures itself"), "{text}");
    assert!(text.contains("--normalise states it"), "{text}");
    let text = said("resnet-script.onnx", "/act1/Relu", &[]);
    assert!(text.contains("pixels as imagenet, assumed because the file does not normalise"), "{text}");
    assert!(!said("nhwc.onnx", "pooled", &["--normalise", "unit"]).contains("assumed"));
    let out = dfm.run(&["weights", "nodes", "nhwc.onnx"]).expect_code(0).out;
    assert!(out.contains("pixels as unit, assumed"), "{out}");
}

#[test]
fn a_model_records_the_sha256_of_the_file() {
    let dfm = program();
    let fit = ["fit", "good", "--backbone", "resnet-script.onnx", "--layer", "/act1/Relu", "--size", "64"];
    dfm.run(&[&fit[..], &["--slim", "-o", "slim.dfm"]].concat()).expect_code(0);
    let told = info(&dfm, "slim.dfm");
    let sha256 = told["weights_file_sha256"].as_str().expect("a SHA-256").to_owned();
    assert_eq!(told["architecture"]["name"].as_str().unwrap(), format!("onnx-{}", &sha256[..12]));
    dfm.run(&["predict", "slim.dfm", "good/00.png"]).expect_code(2).expect_said(&[&sha256, "sha256sum FILE"]);
    let other = dfm.run(&["predict", "slim.dfm", "good/00.png", "--weights", "resnet-script.onnx"]);
    other.expect_code(0);
}

#[test]
fn averaged_layers_are_counted() {
    let dfm = program();
    let average = "mean:/layer1/layer1.0/act1/Relu..x";
    let fit =
        ["fit", "good", "--backbone", "resnet-script.onnx", "--size", "64", "-o", "model.dfm", "--layer"];
    dfm.run(&[&fit[..], &[average]].concat()).expect_code(2);
    let average = "mean:/layer1/layer1.0/act1/Relu..layer1/layer1.0/act2/Relu";
    dfm.run(&[&fit[..], &[average]].concat()).expect_code(2).expect_said(&["differ in one number alone"]);
    let average = "mean:/layer1/layer1.0/act1/Relu+/layer1/layer1.0/act2/Relu";
    let out = dfm.run(&[&fit[..], &[average]].concat()).expect_code(0).out;
    let text = "is the average of 2 layers, /layer1/layer1.0/act1/Relu to /layer1/layer1.0/act2/Relu";
    assert!(out.contains(text), "{out}");
    let shown = dfm.run(&["info", "model.dfm"]).expect_code(0).out;
    assert!(shown.contains(text), "{shown}");
    let names = ["/layer1/layer1.0/act1/Relu", "/layer1/layer1.0/act2/Relu"];
    assert_eq!(info(&dfm, "model.dfm")["taps"][0]["averaged"], serde_json::json!(names));
}

#[test]
fn a_file_of_which_nothing_is_understood_is_an_error() {
    let dfm = program();
    let mut bytes = golden::bytes("backbone/onnx/resnet-script.onnx").to_vec();
    for place in 0..bytes.len() - 4 {
        if &bytes[place..place + 4] == b"Conv" {
            bytes[place + 3] = b'x';
        }
    }
    fs::write(dfm.path("odd.onnx"), bytes).unwrap();
    let run = dfm.run(&["weights", "nodes", "odd.onnx"]).expect_code(2);
    run.expect_said(&["odd.onnx: nothing in it was understood", "export the network again"]);
}
