//! A probe that every model carries: a small picture whose features, score and fine map
//! were recorded at fit time and are computed again at load, on whatever device
//! the model is loaded to.

use dfm_backbone::{CounterGenerator, FeatureExtractor, Levels, RgbImage};

use crate::error::DfmError;
use crate::file::error::ModelFileError;
use crate::host::to_host;
use crate::judge::fine::FineMap;
use crate::judge::places::PlaceScorers;

/// How far features (relative L2) and score (relative to the largest of the sums that
/// it is made of) may differ from those
/// recorded: what two `f32` implementations of the same network differ by, with
/// a margin of two orders of magnitude.
pub(crate) const TOLERANCE: f64 = 1e-4;

/// How far a fine map may differ (relative L2). Its cells are squares of small differences of features.
const MAP_TOLERANCE: f64 = 10.0 * TOLERANCE;

/// Size of the probe. Not square and not the network's input size, so that the
/// resize is part of the test.
pub(crate) const PROBE_WIDTH: u32 = 48;
/// See [`PROBE_WIDTH`].
pub(crate) const PROBE_HEIGHT: u32 = 40;

/// The probe and what it must give.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SelfTest {
    /// RGB bytes, `[PROBE_HEIGHT, PROBE_WIDTH, 3]`.
    pub(crate) probe: Vec<u8>,
    /// Feature row `[D]`.
    pub(crate) features: Vec<f32>,
    /// Raw score at each place.
    pub(crate) scores: Vec<f64>,
    /// The cells of the fine map; none in a model with coarse maps.
    pub(crate) map: Vec<f32>,
}

impl SelfTest {
    /// Makes the probe and records what it gives now.
    pub(crate) fn record(
        extractor: &FeatureExtractor,
        scorers: &PlaceScorers,
        fine: Option<&FineMap>,
    ) -> Result<Self, DfmError> {
        let noise = CounterGenerator::new(0);
        let probe: Vec<u8> = (0..PROBE_HEIGHT * PROBE_WIDTH * 3)
            .map(|index| {
                let (x, channel) =
                    (f32::from((index / 3 % PROBE_WIDTH) as u16), f32::from((index % 3) as u16));
                let y = f32::from((index / 3 / PROBE_WIDTH) as u16);
                let wave = (0.21 * x + channel).sin() * (0.13 * y - channel).cos();
                (127.5 + 90.0 * wave + 30.0 * noise.unit_f32(u64::from(index))) as u8
            })
            .collect();
        let Computed { features, scores, map } = run(&probe, extractor, scorers, fine)?;
        Ok(Self { probe, features, scores, map })
    }

    /// Computes it again and compares.
    ///
    /// # Errors
    ///
    /// [`ModelFileError::SelfTest`] where it differs.
    pub(crate) fn check(
        &self,
        extractor: &FeatureExtractor,
        scorers: &PlaceScorers,
        fine: Option<&FineMap>,
    ) -> Result<(), DfmError> {
        let computed = run(&self.probe, extractor, scorers, fine).map_err(|error| match error {
            DfmError::NonFiniteFeatures { .. } => {
                ModelFileError::SelfTest { quantity: "features", limit: TOLERANCE, got: f64::NAN }.into()
            }
            other => other,
        })?;
        let Computed { features, scores, map } = computed;
        let near = |quantity, limit, got: &[f32], recorded: &[f32]| {
            let squares =
                |pairs: &mut dyn Iterator<Item = f64>| pairs.map(|value| value * value).sum::<f64>().sqrt();
            let distance = squares(&mut got.iter().zip(recorded).map(|(a, b)| f64::from(*a) - f64::from(*b)));
            agree(quantity, limit, distance, squares(&mut recorded.iter().copied().map(f64::from)))
        };
        near("features", TOLERANCE, &features, &self.features)?;
        near("fine map", MAP_TOLERANCE, &map, &self.map)?;
        // A likelihood is a sum of squares and a constant, which may all but cancel.
        let constant = scorers.constant();
        scores.iter().zip(&self.scores).try_for_each(|(score, recorded)| {
            let scale = (recorded - constant).abs() + constant.abs();
            agree("score", TOLERANCE, (score - recorded).abs(), scale)
        })
    }
}

/// What the probe gives.
struct Computed {
    features: Vec<f32>,
    /// At each place.
    scores: Vec<f64>,
    /// Its fine map, if there is one.
    map: Vec<f32>,
}

fn run(
    probe: &[u8],
    extractor: &FeatureExtractor,
    scorers: &PlaceScorers,
    fine: Option<&FineMap>,
) -> Result<Computed, DfmError> {
    let picture =
        RgbImage::from_raw(PROBE_WIDTH, PROBE_HEIGHT, probe.to_vec()).ok_or(ModelFileError::Tensor {
            tensor: "self_test.probe".to_owned(),
            expected: format!("{} bytes", PROBE_HEIGHT * PROBE_WIDTH * 3),
            got: format!("{} bytes", probe.len()),
        })?;
    // A region and levels belong to other pictures than the probe.
    let preprocessor = extractor.preprocessor().with_region(None).with_tiling(None).with_levels(Levels::Auto);
    let (rows, details) = extractor.extract_with_details(&[preprocessor.prepare(&picture)?])?;
    let features = to_host(rows.clone())?;
    let at = |place: usize| Ok(scorers.score(rows.clone(), &[place])?.values[0]);
    let scores = (0..scorers.count()).map(at).collect::<Result<_, DfmError>>()?;
    let map = match fine {
        // A fine map has one place.
        Some(fine) => fine.refine(scorers.score(rows, &[0])?.maps, &details)?,
        None => Vec::new(),
    };
    Ok(Computed { features, scores, map: map.into_iter().flat_map(|map| map.values).collect() })
}

fn agree(quantity: &'static str, limit: f64, distance: f64, scale: f64) -> Result<(), DfmError> {
    let got = if scale > 0.0 { distance / scale } else { distance };
    // NaN must fail, too, so the comparison must not be inverted.
    if got <= limit { Ok(()) } else { Err(ModelFileError::SelfTest { quantity, limit, got }.into()) }
}

#[cfg(test)]
#[cfg(feature = "flex")]
mod tests {
    use dfm_backbone::{Architecture, BackboneWeights, InputContract, Layer};
    use dfm_stats::{Keep, PcaParams, Samples};

    use super::*;
    use crate::judge::parts::Parts;
    use crate::judge::rule::ScoringRule;
    use crate::judge::scale::PlaceScale;
    use crate::judge::statistics::Statistics;
    use crate::method::{Aggregation, Rows};

    fn extractor(seed: u64) -> FeatureExtractor {
        let input = InputContract::imagenet().with_size(64, 64);
        let architecture = Architecture::known("resnet18").unwrap();
        let weights = BackboneWeights::random(architecture, Layer::named("layer1"), input, seed).unwrap();
        FeatureExtractor::new(
            weights,
            &[Layer::named("layer1").pooled(4)],
            crate::device::parse("flex").unwrap(),
        )
        .unwrap()
    }

    fn scorers(extractor: &FeatureExtractor) -> PlaceScorers {
        let columns = extractor.row_len();
        let noise = CounterGenerator::new(1);
        let rows = (0..6 * columns as u64).map(|index| f64::from(noise.unit_f32(index))).collect();
        let params = PcaParams { keep: Keep::Components(2) }.check().unwrap();
        let pca = params.fit(&Samples::from_f64(rows, columns).unwrap()).unwrap();
        let rule = ScoringRule {
            statistics: Parts::new(1, vec![Statistics::Fre(pca)]).unwrap(),
            scale: PlaceScale::default(),
            aggregation: Aggregation::Sum,
            rows: Rows::Picture,
            shapes: extractor.feature_shapes().to_vec(),
        };
        PlaceScorers::new(&rule, extractor)
    }

    #[test]
    fn the_network_it_was_recorded_with_passes() {
        let extractor = extractor(0);
        let scorers = scorers(&extractor);
        SelfTest::record(&extractor, &scorers, None).unwrap().check(&extractor, &scorers, None).unwrap();
    }

    #[test]
    fn another_network_fails() {
        let (recorded, other) = (extractor(0), extractor(1));
        let scorers = scorers(&recorded);
        let test = SelfTest::record(&recorded, &scorers, None).unwrap();
        let error = test.check(&other, &scorers, None).unwrap_err();
        assert!(
            matches!(error, DfmError::Model(ModelFileError::SelfTest { quantity: "features", .. })),
            "{error}"
        );
    }

    #[test]
    fn a_score_that_is_not_a_number_fails() {
        assert!(agree("score", TOLERANCE, f64::NAN, 1.0).is_err());
        assert!(agree("score", TOLERANCE, TOLERANCE, 1.0).is_ok());
        assert!(agree("score", TOLERANCE, 2.0 * TOLERANCE, 1.0).is_err());
    }
}
