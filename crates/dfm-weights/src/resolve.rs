//! From the names of a network and its weights to the weights.

use std::path::Path;

use dfm_backbone::{
    Architecture, BackboneWeights, ImportOptions, InputContract, Layer, Resize, catalogue, import_weights,
};

use crate::error::WeightsStoreError;
use crate::store::WeightStore;

/// The network whose weights are inside the library.
pub const DEFAULT_BACKBONE: &str = "resnet50_1by2";

/// Which network, and where its weights come from. The default is the network whose weights are
/// inside the library.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WeightsSpec {
    /// The architecture; what the weights say if `None`.
    pub backbone: Option<String>,
    /// `embedded`, `random`, the name of pulled weights, or a file; what is usual for the
    /// architecture if `None`.
    pub weights: Option<String>,
    /// Seed of random weights.
    pub seed: u64,
    /// Height and width, in pixels, to which pictures are resized; the weights' own if `None`.
    pub size: Option<[usize; 2]>,
    /// How pictures come to that size; the weights' own way if `None`.
    pub resize: Option<Resize>,
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

impl WeightStore {
    /// Loads the weights that `spec` names, to the layer `deepest`, for pictures of the size that it
    /// names.
    ///
    /// # Errors
    ///
    /// [`WeightsStoreError`], with what was asked for.
    pub fn load(&self, spec: &WeightsSpec, deepest: Layer) -> Result<BackboneWeights, WeightsStoreError> {
        let weights = self.load_as_they_come(spec, deepest)?;
        let mut input = weights.header().input;
        if let Some([height, width]) = spec.size {
            input = input.with_size(height, width);
        }
        input.resize = spec.resize.unwrap_or(input.resize);
        Ok(weights.with_input(input))
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
    ) -> Result<Option<BackboneWeights>, WeightsStoreError> {
        match asked {
            "random" => Ok(None),
            "embedded" => embedded().map(Some),
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
                self.load_file(asked, options).map(Some)
            }
        }
    }

    fn load_as_they_come(
        &self,
        spec: &WeightsSpec,
        deepest: Layer,
    ) -> Result<BackboneWeights, WeightsStoreError> {
        let architecture = spec.backbone.as_deref().map(known).transpose()?;
        let name = spec.backbone.as_deref().unwrap_or(DEFAULT_BACKBONE);
        let is_embedded = name == DEFAULT_BACKBONE;
        let asked = spec.weights.as_deref().unwrap_or(if is_embedded { "embedded" } else { name });
        match asked {
            "random" => {
                let architecture = architecture.map_or_else(|| known(DEFAULT_BACKBONE), Ok)?;
                let input = architecture.usual_input();
                Ok(BackboneWeights::random(architecture, deepest, input, spec.seed)?)
            }
            "embedded" if is_embedded => embedded(),
            "embedded" => {
                Err(WeightsStoreError::NotEmbedded { embedded: DEFAULT_BACKBONE, got: name.to_owned() })
            }
            asked => {
                let options = ImportOptions { architecture, deepest, ..ImportOptions::default() };
                self.load_file(asked, options)
            }
        }
    }

    /// Loads pulled weights by name, or a file.
    fn load_file(
        &self,
        asked: &str,
        mut options: ImportOptions,
    ) -> Result<BackboneWeights, WeightsStoreError> {
        let read = |path: &Path, options: &ImportOptions| {
            import_weights(path, options)
                .map_err(|cause| WeightsStoreError::File { path: path.to_owned(), cause })
        };
        let Some(entry) = catalogue().iter().find(|entry| entry.name == asked) else {
            let path = Path::new(asked);
            return match path.exists() {
                true => read(path, &options),
                false => Err(WeightsStoreError::Nothing { got: asked.to_owned() }),
            };
        };
        self.check()?;
        let path = self.find(entry).ok_or_else(|| WeightsStoreError::NotPulled { name: asked.to_owned() })?;
        options.architecture = options.architecture.or_else(|| Architecture::known(entry.name));
        options.input = options.input.or(Some(entry.input));
        options.license.get_or_insert_with(|| entry.license.to_owned());
        options.source.get_or_insert_with(|| format!("{}{}", entry.endpoint, entry.file_name));
        // Others can write to the store too.
        options.checksum = Some(entry.checksum);
        read(&path, &options)
    }
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
