//! Doing as another program does, where that differs from what is right.

use dfm_backbone::{BackboneWeights, InputContract, Resampling, Resize, Transparency};
use dfm_stats::{FitStatistic, Keep, Pca, PcaParams};

use crate::error::DfmError;
use crate::method::Method;
use crate::method::aggregation::Aggregation;
use crate::method::kinds::{Compat, ScoreKind};

impl Compat {
    /// Whether anomalib can do what `method` asks for.
    pub(crate) fn check(self, method: &Method) -> Result<(), DfmError> {
        let refused = |name, expected, got: String| Err(DfmError::Parameter { name, expected, got });
        if method.score != ScoreKind::Fre {
            let expected =
                "fre, to compute as anomalib: 2.7.0's nll ends in a TypeError, and it has no other";
            return refused("score", expected, method.score.name().to_owned());
        }
        if method.aggregation != Aggregation::Sum {
            return refused(
                "aggregation",
                "sum, to compute as anomalib, which has no other",
                method.aggregation.to_string(),
            );
        }
        if method.taps.len() > 1 {
            return refused(
                "layers",
                "one, to compute as anomalib, which has no more",
                method.taps.len().to_string(),
            );
        }
        match method.keep {
            // Which component a rounded sum of shares reaches 1 at depends on the machine.
            Keep::Ratio(1.0) | Keep::Components(1) => refused(
                "principal components",
                "a ratio below 1, or 2 components and more, to compute as anomalib: at 1 its count is a matter of \
                 rounding",
                "1".to_owned(),
            ),
            Keep::Ratio(_) | Keep::Components(_) => Ok(()),
        }
    }

    /// The components that anomalib would keep.
    pub(crate) fn truncate(self, keep: Keep, statistic: &FitStatistic, right: Pca) -> Result<Pca, DfmError> {
        if !matches!(keep, Keep::Ratio(_)) {
            return Ok(right);
        }
        match right.component_count() - 1 {
            0 => Err(DfmError::Parameter {
                name: "principal components",
                expected: "a larger ratio, to compute as anomalib: one component reaches this one, and anomalib keeps \
                           one fewer",
                got: "none".to_owned(),
            }),
            count => Ok(PcaParams { keep: Keep::Components(count) }.check()?.truncate(statistic)?),
        }
    }

    /// `weights` with pictures prepared as anomalib does.
    pub(crate) fn weights(self, weights: BackboneWeights) -> Result<BackboneWeights, DfmError> {
        let input = weights.header().input;
        if input.resize != Resize::Stretch {
            let expected = "stretch, to compute as anomalib, which has no other";
            return Err(DfmError::Parameter { name: "resize", expected, got: input.resize.to_string() });
        }
        let wanted = InputContract { resampling: Resampling::Floats, ..InputContract::imagenet() };
        let wanted = wanted.with_size(input.height, input.width);
        // What is transparent shows what anomalib sees there.
        let seen =
            InputContract { resampling: Resampling::Floats, transparency: Transparency::Ignored, ..input };
        if seen == wanted {
            return Ok(weights.with_input(wanted));
        }
        Err(DfmError::Parameter {
            name: "compat",
            expected: "weights that expect RGB normalised as ImageNet's: anomalib knows no other",
            got: weights.header().architecture.name().to_owned(),
        })
    }
}
