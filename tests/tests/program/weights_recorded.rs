//! A model says from which fetched file its weights come.

use dfm_tests::program::{Finished, Program, SMALL};
use sha2::{Digest, Sha256};

use crate::weights_pull::{respond, serve};

/// Makes the SHA-256 of [`weights`] begin with f37072fd, as that of the catalogue's `resnet18` does.
const NONCE: u64 = 1_487_470_118;

/// A safetensors file with torchvision's names: a ResNet-18 up to `layer1`. Its last eight bytes are
/// `nonce`, in two variances of a batch norm.
fn weights(nonce: u64) -> Vec<u8> {
    let parts = ["weight", "bias", "running_mean", "running_var"];
    let norm = |name: &str| parts.map(|part| (format!("{name}.{part}"), vec![64]));
    let mut tensors = vec![("conv1.weight".to_owned(), vec![64, 3, 7, 7])];
    tensors.extend(norm("bn1"));
    for (block, number) in [(0, 1), (0, 2), (1, 1), (1, 2)] {
        tensors.push((format!("layer1.{block}.conv{number}.weight"), vec![64, 64, 3, 3]));
        tensors.extend(norm(&format!("layer1.{block}.bn{number}")));
    }
    let (mut header, mut data) = (String::from("{"), Vec::new());
    for (name, shape) in &tensors {
        let count: u32 = shape.iter().product();
        let value = |index: u32| match name {
            name if name.contains("conv") => {
                ((index.wrapping_mul(2_654_435_761) >> 24) as f32 - 128.0) / 2048.0
            }
            name if name == "layer1.1.bn2.running_var" && index >= 62 => {
                let bits = (nonce >> (23 * (63 - index))) as u32 & 0x7f_ffff;
                f32::from_bits(0x3c00_0000 | bits)
            }
            name if name == "layer1.1.bn2.bias" && index >= 62 => 1.0 / 128.0,
            name if name.ends_with("weight") || name.ends_with("var") => 1.0,
            _ => 0.0,
        };
        let begin = data.len();
        data.extend((0..count).flat_map(|index| value(index).to_le_bytes()));
        let (comma, end) = (if begin == 0 { "" } else { "," }, data.len());
        header +=
            &format!(r#"{comma}"{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{begin},{end}]}}"#);
    }
    header += "}";
    // So that the nonce and the padding of SHA-256 lie in one block: such a nonce is found sooner.
    header += &" ".repeat(72 - header.len() % 64);
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

fn info(dfm: &Program, model: &str) -> serde_json::Value {
    dfm.run(&["info", model, "--format", "json"]).expect_code(0).json().remove(0)
}

#[test]
fn a_model_records_the_fetched_file_of_its_weights() {
    let sha256: String = Sha256::digest(weights(NONCE)).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(&sha256[..8], "f37072fd", "{sha256}");
    let url = serve(|stream, _| {
        let file = weights(NONCE);
        respond(stream, "200 OK", file.len(), &file);
    });
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    dfm.save_good();
    dfm.run(&["weights", "pull", "resnet18", "--endpoint", &url]).expect_code(0);
    let fit = |output: &str, more: &[&str]| -> Finished {
        let usual =
            ["fit", "good", "-o", output, "--backbone", "resnet18", "--layer", "layer1", "--size", "64"];
        dfm.run(&[&usual[..], more].concat()).expect_code(0)
    };

    // The file is used as it would be if there were no pins yet: the check was weak, and that is said.
    let pin = dfm.path("cache/weights/resnet18-f37072fd.pth.sha256");
    std::fs::remove_file(&pin).unwrap();
    fit("whole.dfm", &[]).expect_said(&["8 of the 64 digits", &sha256, "pinned from now on"]);
    assert!(std::fs::read_to_string(&pin).unwrap().starts_with(&sha256));
    let second = fit("slim.dfm", &["--slim"]);
    assert!(!second.err.contains("digits"), "{}", second.err);
    fit("told.dfm", &["-v"]).expect_said(&["all 64 digits of its SHA-256, pinned at its first use", &sha256]);

    for model in ["whole.dfm", "slim.dfm"] {
        assert_eq!(info(&dfm, model)["weights_file_sha256"], sha256.as_str(), "{model}");
        let table = dfm.run(&["info", model]).expect_code(0).out;
        assert!(table.contains(&format!("from the file with SHA-256 {sha256}")), "{table}");
    }
    let predict = |model: &str, more: &[&str]| {
        dfm.run(&[&["predict", model, "good", "--format", "json"], more].concat())
    };
    let scores = predict("whole.dfm", &[]).scores();
    assert_eq!(predict("slim.dfm", &["--weights", "resnet18"]).scores(), scores);
    predict("slim.dfm", &[]).expect_code(2).expect_said(&["from the file with SHA-256", &sha256]);

    // Weights of another file: refused by the hash that the model records.
    let other = weights(NONCE + 1);
    std::fs::write(dfm.path("other.safetensors"), &other).unwrap();
    let other: String = Sha256::digest(&other).iter().map(|byte| format!("{byte:02x}")).collect();
    predict("slim.dfm", &["--weights", "other.safetensors"]).expect_code(2).expect_said(&[
        &sha256,
        &other,
        "give the file of the fit",
    ]);
}

#[test]
fn a_model_of_other_weights_records_no_file() {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    dfm.fit_small();
    assert_eq!(info(&dfm, "model.dfm")["weights_file_sha256"], serde_json::Value::Null);
    let bytes = std::fs::read(dfm.path("model.dfm")).unwrap();
    let header = String::from_utf8_lossy(&bytes[..bytes.len().min(1 << 16)]).into_owned();
    assert!(header.contains("backbone") && !header.contains("file_sha256"), "a new field in an old model");
    // Weights of a file that nobody fetched are checked by nothing, so nothing is recorded.
    std::fs::write(dfm.path("mine.safetensors"), weights(0)).unwrap();
    let flags = ["--weights", "mine.safetensors"];
    let usual = SMALL.iter().filter(|flag| !["--weights", "random"].contains(*flag)).copied();
    let flags: Vec<&str> = ["fit", "good", "-o", "mine.dfm"].into_iter().chain(usual).chain(flags).collect();
    dfm.run(&flags).expect_code(0);
    assert_eq!(info(&dfm, "mine.dfm")["weights_file_sha256"], serde_json::Value::Null);
}
