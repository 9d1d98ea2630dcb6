//! From the names of a network and its weights to the weights.

use std::path::{Path, PathBuf};

use dfm_backbone::{
    Architecture, BackboneWeights, CatalogueEntry, ImportOptions, InputContract, Layer, Normalisation,
    Resampling, Resize, WeightsFile, catalogue,
};

use crate::check::{self, FileCheck};
use crate::error::WeightsStoreError;
use crate::hub::{HubReference, hub_catalogue};
use crate::store::WeightStore;

/// The network whose weights are inside the library.
pub const DEFAULT_BACKBONE: &str = "resnet50_1by2";

/// Which network, and where its weights come from. The default is the network whose weights are
/// inside the library.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WeightsSpec {
    /// The architecture, or an ONNX file, which is both network and weights; what the weights say if `None`.
    pub backbone: Option<String>,
    /// `embedded`, `random`, the name of pulled weights, the repository of a hub
    /// ([`HubReference`]), or a file; what is usual for the architecture if `None`.
    pub weights: Option<String>,
    /// Seed of random weights.
    pub seed: u64,
    /// Height and width, in pixels, to which pictures are resized; the weights' own if `None`.
    pub size: Option<[usize; 2]>,
    /// How pictures come to that size; the weights' own way if `None`.
    pub resize: Option<Resize>,
    /// The arithmetic in which pictures are resized; the weights' own if `None`.
    pub resampling: Option<Resampling>,
    /// How the values of pixels become numbers; the weights' own way if `None`.
    pub normalisation: Option<Normalisation>,
}

/// What a model says of weights that its file leaves out. A file of other people's format does not
/// say what it is, so the model does; licence and source too, so that the hash of the weights does
/// not depend on whether they are given as a file or by name.
#[derive(Debug, Clone)]
pub struct Described {
    /// The network.
    pub architecture: Architecture,
    /// What the network expects of pictures.
    pub input: InputContract,
    /// Licence of the weights.
    pub license: String,
    /// Where the weights came from.
    pub source: String,
}

/// Weights, and how the file that they come from was checked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LoadedWeights {
    /// The weights.
    pub weights: BackboneWeights,
    /// The check of a file of the store; `None` for other weights, which nothing is compared with.
    pub check: Option<FileCheck>,
}

impl LoadedWeights {
    fn unchecked(weights: BackboneWeights) -> Self {
        Self { weights, check: None }
    }
}

impl WeightStore {
    /// Loads the weights that `spec` names, to the layer `deepest`, for pictures of the size that it
    /// names. A file of the store is checked, and pinned at its first use.
    ///
    /// # Errors
    ///
    /// [`WeightsStoreError`], with what was asked for.
    pub fn load(&self, spec: &WeightsSpec, deepest: Layer) -> Result<LoadedWeights, WeightsStoreError> {
        let LoadedWeights { weights, check } = self.load_as_they_come(spec, deepest)?;
        let mut input = weights.header().input;
        if let Some([height, width]) = spec.size {
            input = input.with_size(height, width);
        }
        input.resize = spec.resize.unwrap_or(input.resize);
        if let Some(normalisation) = spec.normalisation {
            input = input.normalised(normalisation);
        }
        input.resampling = spec.resampling.unwrap_or(input.resampling);
        Ok(LoadedWeights { weights: weights.with_input(input), check })
    }

    /// Loads the weights that a model of this description leaves out; `None` for random weights,
    /// which the model makes again by itself.
    ///
    /// # Errors
    ///
    /// [`WeightsStoreError`], with what was asked for.
    pub fn load_for(
        &self,
        asked: &str,
        described: Described,
        deepest: Layer,
    ) -> Result<Option<LoadedWeights>, WeightsStoreError> {
        match asked {
            "random" => Ok(None),
            "embedded" => Ok(Some(LoadedWeights::unchecked(embedded()?))),
            asked => {
                let Described { architecture, input, license, source } = described;
                let options = ImportOptions {
                    architecture: Some(architecture),
                    deepest,
                    input: Some(input),
                    license: Some(license),
                    source: Some(source),
                    ..ImportOptions::default()
                };
                self.load_named(asked, options).map(Some)
            }
        }
    }

    fn load_as_they_come(
        &self,
        spec: &WeightsSpec,
        deepest: Layer,
    ) -> Result<LoadedWeights, WeightsStoreError> {
        if let Some(path) = spec.backbone.as_deref().filter(|name| is_file(name)) {
            let (size, normalisation) = (spec.size, spec.normalisation);
            let options = ImportOptions { deepest, size, normalisation, ..ImportOptions::default() };
            return match &spec.weights {
                None => self.load_named(path, options),
                Some(got) => {
                    Err(WeightsStoreError::WeightsOfFile { path: PathBuf::from(path), got: got.clone() })
                }
            };
        }
        let architecture = spec.backbone.as_deref().map(known).transpose()?;
        let name = spec.backbone.as_deref().unwrap_or(DEFAULT_BACKBONE);
        let is_embedded = name == DEFAULT_BACKBONE;
        let asked = spec.weights.as_deref().unwrap_or(if is_embedded { "embedded" } else { name });
        match asked {
            "random" => {
                let architecture = architecture.map_or_else(|| known(DEFAULT_BACKBONE), Ok)?;
                let input = architecture.usual_input();
                let weights = BackboneWeights::random(architecture, deepest, input, spec.seed)?;
                Ok(LoadedWeights::unchecked(weights))
            }
            "embedded" if is_embedded => Ok(LoadedWeights::unchecked(embedded()?)),
            "embedded" => {
                Err(WeightsStoreError::NotEmbedded { embedded: DEFAULT_BACKBONE, got: name.to_owned() })
            }
            asked => {
                let (size, normalisation) =
                    (spec.size.filter(|_| architecture.is_none()), spec.normalisation);
                self.load_named(
                    asked,
                    ImportOptions { architecture, deepest, size, normalisation, ..ImportOptions::default() },
                )
            }
        }
    }

    /// Loads pulled weights by name, or a file.
    fn load_named(&self, asked: &str, options: ImportOptions) -> Result<LoadedWeights, WeightsStoreError> {
        if HubReference::is_meant(asked) {
            return self.load_hub(&asked.parse()?, options);
        }
        if let Some(entry) = hub_catalogue().iter().find(|entry| entry.name == asked) {
            let not_pulled = |error| match error {
                WeightsStoreError::NotPulled { .. } => {
                    WeightsStoreError::NotPulled { name: asked.to_owned() }
                }
                other => other,
            };
            return self.load_hub(&entry.reference(), options).map_err(not_pulled);
        }
        if let Some(entry) = catalogue().iter().find(|entry| entry.name == asked) {
            return self.load_pulled(entry, options);
        }
        let path = Path::new(asked);
        if !path.exists() {
            return Err(WeightsStoreError::Nothing { got: asked.to_owned() });
        }
        let weights = WeightsFile::read(path).and_then(|file| file.import(&options));
        let weights = weights.map_err(|cause| WeightsStoreError::File { path: path.to_owned(), cause })?;
        Ok(LoadedWeights::unchecked(weights))
    }

    /// Loads the file of `entry`. It is read once: the bytes that are checked are those that are
    /// parsed.
    fn load_pulled(
        &self,
        entry: &CatalogueEntry,
        mut options: ImportOptions,
    ) -> Result<LoadedWeights, WeightsStoreError> {
        let path = self.existing(entry)?;
        let failed = |cause| WeightsStoreError::File { path: path.clone(), cause };
        let file = WeightsFile::read(&path).map_err(failed)?;
        let sha256 = file.sha256().parse().expect("a SHA-256 has 64 hexadecimal digits");
        let compared = check::compare(entry.into(), &path, sha256, None)?;
        options.architecture = options.architecture.or_else(|| Architecture::known(entry.name));
        options.input = options.input.or(Some(entry.input));
        options.license.get_or_insert_with(|| entry.license.to_owned());
        options.source.get_or_insert_with(|| entry.url());
        let weights = file.import(&options).map_err(failed)?;
        // Only weights that can be used are pinned.
        Ok(LoadedWeights { weights, check: Some(check::pinned(entry.into(), &path, compared)?) })
    }
}

/// Whether a file is named, and not a known network.
fn is_file(name: &str) -> bool {
    Architecture::known(name).is_none() && Path::new(name).is_file()
}

fn known(name: &str) -> Result<Architecture, WeightsStoreError> {
    Architecture::known(name).ok_or_else(|| WeightsStoreError::UnknownBackbone {
        expected: Architecture::names().join(", "),
        got: name.to_owned(),
    })
}

#[cfg(feature = "embedded-weights")]
fn embedded() -> Result<BackboneWeights, WeightsStoreError> {
    Ok(BackboneWeights::embedded()?)
}

#[cfg(not(feature = "embedded-weights"))]
fn embedded() -> Result<BackboneWeights, WeightsStoreError> {
    Err(WeightsStoreError::NothingEmbedded)
}
