//! Which network looks at pictures.

use dfm_core::{
    Architecture, BackboneWeights, Compute, FeatureExtractor, InputContract, Layer, ModelInfo, Normalisation,
    Resampling, Resize, Tap, Transparency, ValidFitParams, device,
};
use dfm_weights::{
    HubOptions, HubReference, LoadedWeights, WeightStore, WeightsSpec, WeightsStoreError, pull_hub,
};
use tracing::{info, warn};

use crate::error::Error;

/// The network, where its weights come from, and the size of pictures that it sees. The default is
/// the network whose weights are inside this library, as those weights expect it.
#[derive(Debug, Clone, Default)]
pub struct Network {
    spec: WeightsSpec,
    store: Option<WeightStore>,
}

impl Network {
    /// Sets the architecture, such as `resnet18`, or an ONNX file, which is both network and weights; what the
    /// weights say unless given.
    #[must_use]
    pub fn with_backbone(mut self, backbone: Option<String>) -> Self {
        self.spec.backbone = backbone;
        self
    }

    /// Sets the weights: `embedded`, `random`, the name of pulled weights, the repository of a hub
    /// (`hf:OWNER/NAME`, which is fetched if it is not here), or a file.
    #[must_use]
    pub fn with_weights(mut self, weights: Option<String>) -> Self {
        self.spec.weights = weights;
        self
    }

    /// Sets the seed of random weights.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.spec.seed = seed;
        self
    }

    /// Sets height and width, in pixels, to which pictures are resized; the weights' own unless
    /// given.
    #[must_use]
    pub fn with_size(mut self, size: Option<[usize; 2]>) -> Self {
        self.spec.size = size;
        self
    }

    /// Sets how pictures come to that size; the weights' own way unless given.
    #[must_use]
    pub fn with_resize(mut self, resize: Option<Resize>) -> Self {
        self.spec.resize = resize;
        self
    }

    /// Sets the arithmetic in which pictures are resized; the weights' own unless given.
    #[must_use]
    pub fn with_resampling(mut self, resampling: Option<Resampling>) -> Self {
        self.spec.resampling = resampling;
        self
    }

    /// Sets how the values of pixels become numbers; the weights' own way unless given.
    #[must_use]
    pub fn with_normalisation(mut self, normalisation: Option<Normalisation>) -> Self {
        self.spec.normalisation = normalisation;
        self
    }

    /// Sets the folder of pulled weights; the user's cache folder unless given.
    #[must_use]
    pub fn with_store(mut self, store: WeightStore) -> Self {
        self.store = Some(store);
        self
    }

    /// The architecture, where the names tell it: that of the network, or that of the weights, such as
    /// `vit_small_patch14_dinov2` in `vit_small_patch14_dinov2.lvd142m`. No file is read.
    pub fn architecture(&self) -> Option<Architecture> {
        let Some(name) = &self.spec.backbone else {
            let weights = self.spec.weights.as_deref().unwrap_or(dfm_weights::DEFAULT_BACKBONE);
            if weights == "embedded" || weights == "random" {
                return Architecture::known(dfm_weights::DEFAULT_BACKBONE);
            }
            let name = weights.rsplit(['/', '\\']).next()?;
            return Architecture::known(name).or_else(|| Architecture::known(name.split('.').next()?));
        };
        Architecture::known(name)
    }

    /// The names of the network and its weights, for people; `-` for what is not named.
    pub(crate) fn names(&self) -> [String; 2] {
        let asked = |name: &Option<String>| name.clone().unwrap_or_else(|| "-".to_owned());
        let weights = match &self.spec.weights {
            None if self.spec.backbone.is_none() => "embedded".to_owned(),
            named => asked(named),
        };
        [asked(&self.spec.backbone), weights]
    }

    /// Loads the weights to the layer `deepest`.
    ///
    /// # Errors
    ///
    /// [`Error::Weights`] or [`Error::Hub`] if they cannot be had.
    pub fn weights(&self, deepest: Layer) -> Result<BackboneWeights, Error> {
        let weights = self.told(self.loaded(|store| store.load(&self.spec, deepest))?);
        // Weights say nothing about transparency.
        let input = InputContract { transparency: Transparency::Background, ..weights.header().input };
        Ok(weights.with_input(input))
    }

    /// Makes the feature extractor of a fit.
    ///
    /// # Errors
    ///
    /// If the weights cannot be had, or do not suit the fit.
    pub fn extractor(
        &self,
        params: &ValidFitParams,
        compute: impl Into<Compute>,
    ) -> Result<FeatureExtractor, Error> {
        let deepest = Tap::deepest(&params.params().method.taps).map_err(dfm_core::DfmError::from)?;
        let extractor = params.extractor(self.weights(deepest.layer)?, compute)?;
        let header = extractor.weights().header();
        info!(
            "network {} to {}, by {}, weights from {}, input {}×{}, {}, {} features",
            header.architecture.name(),
            deepest.layer,
            if extractor.has_kernels() { "our own kernels" } else { "Burn" },
            header.source,
            header.input.height,
            header.input.width,
            header.input.resize,
            extractor.row_len()
        );
        Ok(extractor)
    }

    /// Loads the weights that a model file leaves out; `None` if the model makes them again by
    /// itself.
    pub(crate) fn weights_of(&self, info: &ModelInfo) -> Result<Option<BackboneWeights>, Error> {
        let Some(asked) = &self.spec.weights else { return Ok(None) };
        let deepest = Tap::deepest(&info.record.params.method.taps).map_err(dfm_core::DfmError::from)?.layer;
        let header = dfm_weights::Described {
            architecture: info.architecture.clone(),
            input: info.input,
            license: info.license.clone(),
            source: info.source.clone(),
        };
        let loaded = self.loaded(|store| store.load_for(asked, header.clone(), deepest))?;
        Ok(loaded.map(|loaded| self.told(loaded)))
    }

    /// What `load` gives. A repository of a hub that is not here is fetched first.
    fn loaded<T>(&self, load: impl Fn(&WeightStore) -> Result<T, WeightsStoreError>) -> Result<T, Error> {
        let store = self.store();
        match load(&store) {
            Err(WeightsStoreError::NotPulled { name }) if HubReference::is_meant(&name) => {
                let reference = name.parse().map_err(WeightsStoreError::from)?;
                fetch(&reference, &store)?;
                Ok(load(&store)?)
            }
            other => Ok(other?),
        }
    }

    /// Logs how the file of the weights was checked: as a warning if not all digits were compared.
    fn told(&self, loaded: LoadedWeights) -> BackboneWeights {
        if let Some(check) = &loaded.check {
            let source = &loaded.weights.header().source;
            match check.strength.is_whole() {
                true => info!("weights from {source}: {check}"),
                false => warn!("weights from {source}: {check}"),
            }
        }
        loaded.weights
    }

    fn store(&self) -> WeightStore {
        self.store.clone().unwrap_or_else(WeightStore::of_user)
    }
}

/// Fetches the weights of a repository as the environment says. This takes a while, so it is logged where
/// everybody sees it.
fn fetch(reference: &HubReference, store: &WeightStore) -> Result<(), Error> {
    let options = HubOptions::of_user()?;
    if !options.offline {
        warn!("the weights {reference} are not here: they are fetched from {}", options.endpoint);
    }
    let pulled = pull_hub(reference, &options, store, |_, _| ())?;
    let (commit, path) = (pulled.reference.revision(), pulled.path.display());
    warn!("the weights {reference} are here: commit {commit}, {path}, {}", pulled.check);
    Ok(())
}

/// The device that was asked for; else the usual one, which is the processor by our own kernels.
///
/// # Errors
///
/// If the usual one is not compiled in.
pub(crate) fn compute_or_usual(asked: Option<&Compute>) -> Result<Compute, Error> {
    match asked {
        Some(compute) => Ok(compute.clone()),
        None => Ok(device::parse("cpu")?),
    }
}
