//! `cargo xtask weights convert`, as a process.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dfm_backbone::{
    BackboneWeights, ChannelOrder, InputContract, Layer, Precision, Resampling, Resize, Transparency,
};

/// What `make_backbone.py` made of a network that has no known name.
const TINY: &str = r#"{"name":"tiny","block":"bottleneck","depths":[2,1,1,1],"stem_width":8,"width":4,
    "groups":2,"width_per_group":32,"stride_placement":"spatial_convolution","max_pool_padding":"symmetric"}"#;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        std::fs::write(folder.path().join("tiny.json"), TINY).expect("a description");
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn convert(&self, input: &Path, output: &str, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dfm-convert"));
        command.current_dir(self.0.path()).arg("convert").arg(input).args(["-o", output]);
        command.args(more).output().expect("the program runs")
    }

    /// The weights that the conversion gives.
    fn converted(&self, input: &Path, output: &str, more: &[&str]) -> BackboneWeights {
        let run = self.convert(input, output, more);
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        BackboneWeights::from_bytes(&std::fs::read(self.path(output)).expect("the output"))
            .expect("our format")
    }
}

fn checkpoint() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/backbone/tiny-zip.pth")
}

const TO_F16: [&str; 10] = [
    "--architecture",
    "tiny.json",
    "--layer",
    "layer3",
    "--precision",
    "f16",
    "--license",
    "CC0-1.0",
    "--source",
    "make_backbone.py",
];

#[test]
fn two_processes_write_the_same_bytes() {
    let folder = Folder::new();
    let weights = folder.converted(&checkpoint(), "one", &TO_F16);
    folder.converted(&checkpoint(), "other", &TO_F16);
    let [one, other] = ["one", "other"].map(|name| std::fs::read(folder.path(name)).expect("the output"));
    assert!(one == other, "the same input gave other bytes");
    let header = weights.header();
    assert_eq!((header.architecture.name(), header.deepest), ("tiny", Layer::named("layer3")));
    assert_eq!(header.precision, Precision::F16);
    assert_eq!((header.license.as_str(), header.source.as_str()), ("CC0-1.0", "make_backbone.py"));
    assert_eq!(header.input, InputContract::imagenet());
}

#[test]
fn the_input_contract_is_what_the_flags_say() {
    let folder = Folder::new();
    let flags = [
        "--architecture",
        "tiny.json",
        "--size",
        "96x64",
        "--channels",
        "bgr",
        "--scale",
        "0.5",
        "--mean",
        "-1,2,3.5",
        "--std",
        "1,2,4",
    ];
    let weights = folder.converted(&checkpoint(), "one", &flags);
    let expected = InputContract {
        height: 96,
        width: 64,
        channels: ChannelOrder::Bgr,
        scale: 0.5,
        mean: [-1.0, 2.0, 3.5],
        standard_deviation: [1.0, 2.0, 4.0],
        resampling: Resampling::Bytes,
        resize: Resize::Stretch,
        transparency: Transparency::Ignored,
    };
    assert_eq!(weights.header().input, expected);

    // Our own format says everything itself; what is given takes its place.
    let again = folder.converted(&folder.path("one"), "again", &["--size", "128", "--precision", "f16"]);
    let header = again.header();
    assert_eq!(header.input, expected.with_size(128, 128));
    assert_eq!((header.architecture.name(), header.precision), ("tiny", Precision::F16));
    assert_eq!(header.source_sha256, weights.header().source_sha256);
}

#[test]
fn flags_that_cannot_be_are_refused_and_nothing_is_written() {
    let folder = Folder::new();
    let tiny = ["--architecture", "tiny.json"];
    for (more, said) in [
        (&["--architecture", "vgg16"][..], "resnet18"),
        (&[], "architecture"),
        (&[&tiny[..], &["--std", "1,0,1"]].concat(), "standard_deviation"),
        (&[&tiny[..], &["--mean", "1,2"]].concat(), "three numbers"),
        (&[&tiny[..], &["--size", "9999"]].concat(), "4096"),
        (&[&tiny[..], &["--channels", "grb"]].concat(), "rgb or bgr"),
    ] {
        let run = folder.convert(&checkpoint(), "one", more);
        let err = String::from_utf8_lossy(&run.stderr);
        assert!(!run.status.success() && err.contains(said), "{more:?}: {err}");
        assert!(!folder.path("one").exists(), "{more:?}");
    }
}
