//! What a repository of timm says of its network: `config.json`.

use dfm_backbone::{Architecture, InputContract};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A file of this kind has about one kilobyte, or some more with the names of classes.
pub(super) const MAX_BYTES: u64 = 4 << 20;
/// No licence has a longer name.
const LONGEST_LICENSE: usize = 64;
/// Arguments of a network of timm that change neither its features nor its tensors.
const HARMLESS: [&str; 7] = [
    "img_size",
    "num_classes",
    "global_pool",
    "drop_rate",
    "drop_path_rate",
    "dynamic_img_size",
    "strict_img_size",
];

/// The network of a repository, and what it expects of pictures.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The network.
    pub(crate) architecture: Architecture,
    /// What its weights were trained with.
    pub(crate) input: InputContract,
    /// The licence, if it is stated.
    pub(crate) license: Option<String>,
    /// How its pictures were resized, if that is not how this library resizes.
    pub(crate) interpolation: Option<String>,
}

/// Why the description of a network cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not JSON, or not what timm writes.
    #[error(
        "expected what timm writes, with 'architecture' and 'pretrained_cfg', found: {found}; take a repository \
            that timm wrote, or export the network to ONNX"
    )]
    Content {
        /// What was found.
        found: String,
    },
    /// A network of no known family.
    #[error(
        "network '{got}': expected one of {expected}; take a repository of one of these, or export the network to ONNX"
    )]
    UnknownNetwork {
        /// The names of the known networks.
        expected: String,
        /// The name.
        got: String,
    },
    /// A network that was changed.
    #[error(
        "argument '{name}' of the network: expected the plain '{architecture}', found {got}: the repository changes the \
         network, and only the unchanged network is known; take another repository, or export the network to ONNX"
    )]
    Changed {
        /// The name of the network.
        architecture: String,
        /// The name of the argument.
        name: String,
        /// Its value.
        got: String,
    },
    /// A value that no network can have.
    #[error(
        "{field}: expected {expected}, found {got}; take another repository, or export the network to ONNX"
    )]
    Field {
        /// The name of the value.
        field: &'static str,
        /// What was expected.
        expected: String,
        /// What was found.
        got: String,
    },
}

/// What is read of the file. timm writes more.
#[derive(Deserialize)]
struct File {
    architecture: String,
    #[serde(default)]
    model_args: Map<String, Value>,
    pretrained_cfg: Pretrained,
}

#[derive(Deserialize)]
struct Pretrained {
    input_size: [usize; 3],
    mean: [f32; 3],
    std: [f32; 3],
    interpolation: Option<String>,
    license: Option<String>,
}

impl Config {
    /// Reads the bytes of `config.json`.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        let file: File = serde_json::from_slice(bytes).map_err(|error| {
            let found = match serde_json::from_slice::<Map<String, Value>>(bytes) {
                Ok(map) if map.contains_key("architectures") || map.contains_key("model_type") => {
                    "a description of another library, without them".to_owned()
                }
                _ => error.to_string(),
            };
            ConfigError::Content { found }
        })?;
        let File { architecture: name, model_args, pretrained_cfg } = file;
        let shown: String = name.chars().take(64).collect();
        let architecture = Architecture::known(&name).ok_or_else(|| {
            let expected = Architecture::names().join(", ");
            ConfigError::UnknownNetwork { expected, got: shown.clone() }
        })?;
        if let Some((argument, value)) =
            model_args.iter().find(|(name, _)| !HARMLESS.contains(&name.as_str()))
        {
            let (name, got) = (short(argument), short(&value.to_string()));
            return Err(ConfigError::Changed { architecture: shown, name, got });
        }
        let Pretrained { input_size: [channels, height, width], mean, std, interpolation, license } =
            pretrained_cfg;
        if channels != 3 {
            let expected = "3 channels".to_owned();
            return Err(ConfigError::Field { field: "input_size", expected, got: channels.to_string() });
        }
        let imagenet = InputContract::imagenet();
        let input = InputContract { mean, standard_deviation: std, ..imagenet }.with_size(height, width);
        input.check().map_err(|error| ConfigError::Field {
            field: "pretrained_cfg",
            expected: "the size, mean and deviation of pictures".to_owned(),
            got: error.to_string(),
        })?;
        Ok(Self {
            architecture,
            input,
            license: license.filter(|text| is_license(text)),
            interpolation: interpolation.filter(|how| how != "bilinear").map(|how| short(&how)),
        })
    }
}

/// Text of a file, short enough for a message.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

fn is_license(text: &str) -> bool {
    (1..=LONGEST_LICENSE).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str, size: &str) -> Result<Config, ConfigError> {
        let text = format!(
            r#"{{"architecture": "convnext_atto", "num_classes": 1000, {more} "pretrained_cfg": {{"tag": "x",
            "input_size": {size}, "interpolation": "bicubic", "crop_pct": 0.9, "mean": [0.5, 0.4, 0.3],
            "std": [0.2, 0.3, 0.4], "license": "apache-2.0"}}}}"#
        );
        Config::parse(text.as_bytes())
    }

    #[test]
    fn what_timm_writes_is_read() {
        let config = config("", "[3, 224, 320]").expect("a description");
        assert_eq!(config.architecture.name(), "convnext_atto");
        assert_eq!((config.input.height, config.input.width), (224, 320));
        assert_eq!((config.input.mean, config.input.standard_deviation), ([0.5, 0.4, 0.3], [0.2, 0.3, 0.4]));
        assert_eq!(config.license.as_deref(), Some("apache-2.0"));
        assert_eq!(config.interpolation.as_deref(), Some("bicubic"));
    }

    #[test]
    fn a_network_that_was_changed_is_refused() {
        let refused =
            config(r#""model_args": {"patch_size": 2},"#, "[3, 112, 112]").expect_err("patches of 2");
        assert!(matches!(&refused, ConfigError::Changed { name, .. } if name == "patch_size"), "{refused}");
        assert!(refused.to_string().contains("export the network to ONNX"), "{refused}");
        config(r#""model_args": {"img_size": 112},"#, "[3, 112, 112]").expect("another size of pictures");
    }

    #[test]
    fn what_is_not_of_timm_or_not_usable_is_refused() {
        let refused = |text: &str| Config::parse(text.as_bytes()).expect_err(text);
        let other = refused(r#"{"architectures": ["Dinov2Model"], "model_type": "dinov2"}"#);
        assert!(other.to_string().contains("another library"), "{other}");
        for text in ["", "[]", "{}", "null", r#"{"architecture": 3}"#, r#"{"architecture": "convnext_atto"}"#]
        {
            assert!(matches!(refused(text), ConfigError::Content { .. }), "{text}");
        }
        for size in ["[1, 64, 64]", "[3, 0, 64]", "[3, 64, 100000]"] {
            assert!(matches!(config("", size), Err(ConfigError::Field { .. })), "{size}");
        }
        let unknown = r#"{"architecture": "swin_tiny", "pretrained_cfg": {"input_size": [3, 224, 224],
            "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}"#;
        let unknown = refused(unknown);
        assert!(matches!(unknown, ConfigError::UnknownNetwork { .. }), "{unknown}");
        for error in [unknown, other, config("", "[1, 64, 64]").expect_err("one channel")] {
            assert!(error.to_string().contains("export the network to ONNX"), "{error}");
        }
    }
}
