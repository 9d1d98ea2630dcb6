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
use crate::note::Note;
use crate::observer::{Observer, Stage};

/// The bytes of one step of [`Stage::Fetching`].
const MEBIBYTE: u64 = 1 << 20;

/// The network, where its weights come from, and the size of pictures that it sees. The default is
/// the network whose weights are inside this library, as those weights expect it.
#[derive(Debug, Clone, Default)]
pub struct Network {
    spec: WeightsSpec,
    store: Option<WeightStore>,
    hub: Option<HubOptions>,
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
    /// (`hf:OWNER/NAME`; [`with_hub`](Self::with_hub) says how it is fetched), or a file.
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

    /// Sets how a hub is asked for the weights of a repository that are not here. Unless given, they are an error,
    /// and no connection is opened.
    #[must_use]
    pub fn with_hub(mut self, hub: Option<HubOptions>) -> Self {
        self.hub = hub;
        self
    }

    /// Fetches the weights if they are those of a repository of a hub, are not here, and it is
    /// [known](Self::with_hub) how to ask. The observer is told before and after, and hears how far it is. A fit and
    /// a sweep do this themselves.
    ///
    /// # Errors
    ///
    /// [`Error::Hub`] if they cannot be fetched.
    pub fn fetch(&self, observer: &dyn Observer) -> Result<(), Error> {
        let asked = self.spec.weights.as_deref().filter(|asked| HubReference::is_meant(asked));
        let (Some(asked), Some(options)) = (asked, &self.hub) else { return Ok(()) };
        let reference: HubReference = asked.parse().map_err(WeightsStoreError::from)?;
        let store = self.store();
        if store.find_hub(&reference).is_some() {
            return Ok(());
        }
        if !options.offline {
            let (reference, endpoint) = (reference.to_string(), options.endpoint.clone());
            observer.note(&Note::Fetching { reference, endpoint });
        }
        let mut moving = Moving { observer, has_begun: false, steps: 0 };
        let pulled = pull_hub(&reference, options, &store, |got, of| moving.at(got, of));
        drop(moving);
        observer.note(&Note::Fetched { pulled: pulled? });
        Ok(())
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

    /// What was asked for.
    pub(crate) fn spec(&self) -> &WeightsSpec {
        &self.spec
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
    /// [`Error::Weights`] if they cannot be had. Those of a repository must have been
    /// [fetched](Self::fetch).
    pub fn weights(&self, deepest: Layer) -> Result<BackboneWeights, Error> {
        self.check_file()?;
        let weights = told(self.store().load(&self.spec, deepest)?);
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
        let loaded = self.store().load_for(asked, header, deepest)?;
        Ok(loaded.map(told))
    }

    fn store(&self) -> WeightStore {
        self.store.clone().unwrap_or_else(WeightStore::of_user)
    }
}

/// Logs how the file of the weights was checked: as a warning if not all digits were compared.
fn told(loaded: LoadedWeights) -> BackboneWeights {
    if let Some(check) = &loaded.check {
        let source = &loaded.weights.header().source;
        match check.strength.is_whole() {
            true => info!("weights from {source}: {check}"),
            false => warn!("weights from {source}: {check}"),
        }
    }
    loaded.weights
}

/// How far a download is. The stage ends when this is dropped.
struct Moving<'o> {
    observer: &'o dyn Observer,
    has_begun: bool,
    steps: u64,
}

impl Moving<'_> {
    /// So many bytes are here, of how many, if that is known.
    fn at(&mut self, got: u64, of: Option<u64>) {
        if !self.has_begun {
            let total = of.and_then(|of| usize::try_from(of / MEBIBYTE).ok());
            self.observer.begin(Stage::Fetching, total);
            self.has_begun = true;
        }
        while self.steps < got / MEBIBYTE {
            self.observer.step(Stage::Fetching);
            self.steps += 1;
        }
    }
}

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        if self.has_begun {
            self.observer.end(Stage::Fetching);
        }
    }
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
