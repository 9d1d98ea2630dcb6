//! What to do about an error of the library: it names no flag and no command, the program does.

use std::path::Path;

use dfm::device::DeviceError;
use dfm::weights::{HubError, WeightsStoreError};
use dfm::{
    BackboneError, CheckpointFileError, DataError, DfmError, Error, FileError, Layer, ModelFileError,
    PreprocessError, TilingError, WeightsError,
};

/// Where the folder of fetched weights comes from.
const FOLDER: &str = "DFM_CACHE_DIR names it";

/// Adds hints.
pub(crate) trait Hints<T> {
    /// The error in words, with what to do about it.
    fn hints(self) -> anyhow::Result<T>;
}

impl<T> Hints<T> for Result<T, Error> {
    fn hints(self) -> anyhow::Result<T> {
        self.map_err(|error| match hint(error.root()) {
            Some(_) => anyhow::anyhow!("{}", told(&error)),
            None => error.into(),
        })
    }
}

/// The error in words, with what to do about it.
pub(crate) fn told(error: &Error) -> String {
    match hint(error.root()) {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

/// An error of the program in words, with what to do about it.
pub(crate) fn whole(error: &anyhow::Error) -> String {
    let hint = error.chain().find_map(|cause| match cause.downcast_ref::<Error>() {
        Some(error) => hint(error.root()),
        None => match cause.downcast_ref::<DeviceError>() {
            Some(error) => device(error),
            None => cause.downcast_ref().and_then(model),
        },
    });
    match hint {
        Some(hint) => format!("{}; {hint}", chained(error)),
        None => chained(error),
    }
}

/// The causes of an error one after the other. A path that the next cause names too is told once.
fn chained(error: &anyhow::Error) -> String {
    let mut causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    let mut place = 0;
    while place + 1 < causes.len() {
        let rest = causes[place + 1].strip_prefix(&causes[place]);
        match rest.is_some_and(|rest| rest.starts_with([':', ','])) {
            true => drop(causes.remove(place)),
            false => place += 1,
        }
    }
    causes.join(": ")
}

/// What to do about an error, if the program can say more than the error itself.
fn hint(error: &Error) -> Option<String> {
    match error {
        Error::Checkpoint(CheckpointFileError::Taken { .. }) => Some("--resume goes on with it".to_owned()),
        Error::File(FileError::Taken { .. }) => Some("--force writes in its place".to_owned()),
        Error::NotAModel { .. } => Some("the model comes first, then the pictures".to_owned()),
        Error::FeatureMemory { .. } => Some("or give more with --max-memory".to_owned()),
        Error::NoRun { .. } => Some("`dfm evaluate --output` leaves one".to_owned()),
        Error::SeveralNamed => Some("`dfm audit --format json` lists it".to_owned()),
        Error::Data(DataError::Picture(error)) => picture(error),
        Error::OtherDepth { .. } => Some("--levels full does that".to_owned()),
        Error::AllOutsideLevels { .. } => Some("--levels LOW..HIGH states them".to_owned()),
        Error::Weights(error) => weights(error),
        Error::Hub(error) => hub(error),
        Error::Model(error) => model(error),
        _ => None,
    }
}

/// What to do about a layer that the network, from this file if it is from one, does not have.
fn unknown_layer(got: Layer, path: Option<&Path>) -> Option<String> {
    if got.name().contains("..") {
        return Some(format!("the average of the layers of a range is written {}{got}", Layer::MEAN));
    }
    // These are what is taken where no layer is named.
    let default = Layer::RESNET[1..3].contains(&got);
    let default = default
        .then(|| "layer2,layer3 is for ResNets, and this network has no default: give --layer".to_owned());
    let is_onnx = |path: &&Path| path.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("onnx"));
    let list =
        path.filter(is_onnx).map(|path| format!("`dfm weights nodes {}` lists its layers", path.display()));
    let hints: Vec<String> = default.into_iter().chain(list).collect();
    (!hints.is_empty()).then(|| hints.join("; "))
}

fn picture(error: &PreprocessError) -> Option<String> {
    match error {
        PreprocessError::LevelsNeeded => Some("fit with --levels LOW..HIGH".to_owned()),
        _ => None,
    }
}

fn weights(error: &WeightsStoreError) -> Option<String> {
    match error {
        WeightsStoreError::NotPulled { name } => {
            Some(format!("run `dfm weights pull {name}`, or give --weights random"))
        }
        WeightsStoreError::NotEmbedded { got, .. } => {
            Some(format!("run `dfm weights pull {got}`, or give a file or random"))
        }
        WeightsStoreError::NothingEmbedded => Some("give --weights FILE or random".to_owned()),
        WeightsStoreError::UnknownBackbone { .. } => Some("leave it out for those".to_owned()),
        WeightsStoreError::NotPinned { name, got, .. } => Some(format!(
            "run `dfm weights pull {name}`, or, if you know that the file there is the right one, \
             `dfm weights pull {name} --sha256 {got}`"
        )),
        WeightsStoreError::File { cause: WeightsError::Checksum { .. }, .. } => {
            Some("`dfm weights pull` does that".to_owned())
        }
        WeightsStoreError::File { cause: WeightsError::ArchitectureNeeded { .. }, .. } => {
            Some("--backbone names it".to_owned())
        }
        WeightsStoreError::File {
            path,
            cause: WeightsError::Backbone(BackboneError::UnknownLayer { got, .. }),
        } => unknown_layer(**got, Some(path)),
        WeightsStoreError::Weights(WeightsError::Backbone(BackboneError::UnknownLayer { got, .. })) => {
            unknown_layer(**got, None)
        }
        WeightsStoreError::File {
            cause: WeightsError::FixedSize { expected: [height, width], .. }, ..
        } => Some(format!("--size {height}x{width} takes it")),
        WeightsStoreError::Nothing { .. } => Some("`dfm weights list` lists the names".to_owned()),
        WeightsStoreError::NoFolder => Some(FOLDER.to_owned()),
        WeightsStoreError::OtherDescription { name, .. } => Some(format!("run `dfm weights pull {name}`")),
        WeightsStoreError::Config { .. } => Some("`dfm weights pull` fetches it again".to_owned()),
        _ => None,
    }
}

fn hub(error: &HubError) -> Option<String> {
    let hint = match error {
        HubError::Store { .. } | HubError::NoFolder => FOLDER,
        HubError::NoHash { .. } | HubError::NotGiven { .. } | HubError::NotPinned { .. } => {
            "`dfm weights pull` takes it with --sha256"
        }
        HubError::Offline { .. } => "HF_HUB_OFFLINE forbids connections",
        HubError::Token | HubError::Denied { .. } => "HF_TOKEN gives the token",
        HubError::Endpoint { .. }
        | HubError::Unreachable { .. }
        | HubError::Status { .. }
        | HubError::TokenNotSent { .. }
        | HubError::Redirection { .. }
        | HubError::NoCommit { .. }
        | HubError::OtherCommit { .. }
        | HubError::OtherDescription { .. }
        | HubError::Size { .. } => "HF_ENDPOINT names the hub or a mirror",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn model(error: &DfmError) -> Option<String> {
    let hint = match error {
        DfmError::NoFitStatistic { .. } => "fit without --no-update",
        DfmError::NothingToSetAside => "--max-memory allows more, --threshold gives one",
        DfmError::NoneSetAside { .. } => "--max-memory allows a fit more, --threshold gives it one",
        DfmError::TakesExactFit { .. } => "--max-memory allows more, --calibrate split holds pictures out",
        DfmError::Parameter { name: "robust", .. } => "leave --robust out",
        DfmError::NoRegion { .. } => "leave --roi out, or fit with it",
        DfmError::Backbone(BackboneError::Tiling(TilingError::Mask)) => {
            "--roi X,Y,W,H takes a rectangle; a mask (--roi MASK.png, --ignore) goes without --tile"
        }
        DfmError::NotCalibrated => "fit without --threshold and --val none, or give --threshold",
        DfmError::Parameter { name: "tiling", .. } => {
            "fit without --tile, or with --tile-statistics position"
        }
        DfmError::Parameter { name: "compat", expected, .. } if expected.starts_with("none") => {
            "leave --compat out"
        }
        DfmError::Backbone(BackboneError::UnknownLayer { got, .. }) => {
            return unknown_layer(**got, None);
        }
        DfmError::Model(ModelFileError::WeightsNeeded { file_sha256: Some(_), .. }) => {
            "give them with --weights; `sha256sum FILE` prints the SHA-256 of a file"
        }
        DfmError::Parameter { name: "compat", .. } => "leave --compat out, or name another --backbone",
        DfmError::Model(ModelFileError::WeightsNeeded { .. }) => "give them with --weights",
        DfmError::Model(ModelFileError::SelfTest { .. }) => "try --device flex",
        DfmError::DeviceName(error) => return device(error),
        _ => return None,
    };
    Some(hint.to_owned())
}

fn device(error: &DeviceError) -> Option<String> {
    match error {
        DeviceError::NotCompiledIn { feature, .. } => {
            Some(format!("build the program with `--features {feature}`"))
        }
        DeviceError::NoAdapter { .. } => Some("`dfm devices` lists what there is".to_owned()),
        DeviceError::Unknown { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_once() {
        let told = |cause: &str, contexts: &[&str]| {
            let error = contexts
                .iter()
                .fold(anyhow::anyhow!("{cause}"), |error, context| error.context((*context).to_owned()));
            chained(&error)
        };
        assert_eq!(told("a: found nothing", &["a"]), "a: found nothing");
        assert_eq!(told("a.csv, line 3: no row", &["a.csv", "--roi"]), "--roi: a.csv, line 3: no row");
        assert_eq!(told("ab: found nothing", &["a"]), "a: ab: found nothing");
    }
}
