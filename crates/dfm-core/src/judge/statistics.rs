//! The statistics of good pictures that a score is computed from.

use dfm_stats::{Pca, ProbabilisticPca, SvdGaussian};

/// The statistics that a score is computed from.
#[derive(Debug, Clone)]
pub(crate) enum Statistics {
    /// For the feature reconstruction error.
    Fre(Pca),
    /// For the negative log-likelihood of the reduced features.
    Nll(Pca, SvdGaussian),
    /// For the Mahalanobis distance under probabilistic PCA.
    Mahalanobis(Box<ProbabilisticPca>),
}

impl Statistics {
    pub(crate) fn pca(&self) -> &Pca {
        match self {
            Self::Fre(pca) | Self::Nll(pca, _) => pca,
            Self::Mahalanobis(model) => model.pca(),
        }
    }

    /// The same with components of half precision, where only the components decide.
    pub(crate) fn with_half_components(self) -> Self {
        match self {
            Self::Fre(pca) => Self::Fre(pca.with_half_components()),
            other => other,
        }
    }

    pub(crate) fn gaussian(&self) -> Option<&SvdGaussian> {
        match self {
            Self::Fre(_) | Self::Mahalanobis(_) => None,
            Self::Nll(_, gaussian) => Some(gaussian),
        }
    }

    /// The intensity of the shrinkage of a Mahalanobis distance.
    pub(crate) fn shrinkage(&self) -> Option<f64> {
        match self {
            Self::Fre(_) | Self::Nll(..) => None,
            Self::Mahalanobis(model) => Some(model.shrinkage().intensity()),
        }
    }
}
