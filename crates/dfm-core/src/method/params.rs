//! Everything that decides a fit, and how a model file writes it: as one flat object.

use dfm_backbone::{Levels, NetworkPrecision, Region, Tap, Tiling};
use dfm_stats::Keep;
use serde::{Deserialize, Serialize};

use crate::method::aggregation::Aggregation;
use crate::method::calibration::ThresholdEstimate;
use crate::method::kinds::{CalibrationKind, Compat, MapKind, Rows, ScoreKind, TileStatistics};
use crate::method::regions::RegionRule;
use crate::method::{CalibrationParams, Keeping, Method, Run};

/// Everything that decides a fit, unchecked.
///
/// # Example
///
/// ```
/// use dfm_core::{FitParams, Method, Run};
///
/// let params = FitParams::from(Method::default());
/// assert!(params.clone().check().is_ok());
/// assert!(params.with_run(Run::default().with_batch(0)).check().is_err());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "ParamsRecord", from = "ParamsRecord")]
#[non_exhaustive]
pub struct FitParams {
    /// What the model looks at and how it scores.
    pub method: Method,
    /// How the fit is done.
    pub run: Run,
    /// What the model keeps.
    pub keeping: Keeping,
}

impl From<Method> for FitParams {
    /// The method, done and kept as is usual.
    fn from(method: Method) -> Self {
        Self { method, run: Run::default(), keeping: Keeping::default() }
    }
}

/// The fields in the order in which they are written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ParamsRecord {
    taps: Vec<Tap>,
    #[serde(with = "KeepRecord")]
    keep: Keep,
    score: ScoreKind,
    aggregation: Aggregation,
    #[serde(default, skip_serializing_if = "Levels::is_auto")]
    levels: Levels,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tiling: Option<Tiling>,
    #[serde(default, skip_serializing_if = "TileStatistics::is_shared")]
    tile_statistics: TileStatistics,
    compat: Option<Compat>,
    calibration: Option<CalibrationRecord>,
    precision: NetworkPrecision,
    batch: usize,
    keep_fit_statistic: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    half_components: bool,
    #[serde(default, skip_serializing_if = "RegionRule::is_empty")]
    regions: RegionRule,
    /// Absent for a coarse map, which all models had once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    map: Option<MapKind>,
    #[serde(default, skip_serializing_if = "Rows::is_picture")]
    rows: Rows,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CalibrationRecord {
    quantile: f64,
    /// Absent for the quantile itself, the rule of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    estimate: Option<ThresholdEstimate>,
    kind: CalibrationKind,
    false_alarm: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    threshold: Option<f64>,
}

/// How [`Keep`] is written: `dfm-stats` knows no file formats.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Keep", rename_all = "snake_case")]
enum KeepRecord {
    Ratio(f64),
    Components(usize),
}

impl From<FitParams> for ParamsRecord {
    fn from(params: FitParams) -> Self {
        let kind = params.method.calibration_kind();
        let map = Some(params.method.map_kind()).filter(|kind| *kind != MapKind::Coarse);
        let FitParams { method, run, keeping } = params;
        let calibration = method.calibration.zip(kind).map(|(asked, kind)| CalibrationRecord {
            quantile: asked.quantile,
            estimate: (asked.estimate == ThresholdEstimate::Tail).then_some(ThresholdEstimate::Tail),
            kind,
            false_alarm: asked.false_alarm,
            threshold: asked.threshold,
        });
        Self {
            taps: method.taps,
            keep: method.keep,
            score: method.score,
            aggregation: method.aggregation,
            levels: method.levels,
            region: method.region,
            tiling: method.tiling,
            tile_statistics: method.tile_statistics,
            compat: method.compat,
            calibration,
            precision: method.precision,
            batch: run.batch,
            keep_fit_statistic: keeping.fit_statistic,
            half_components: keeping.half_components,
            regions: method.regions,
            map,
            rows: method.rows,
        }
    }
}

impl From<ParamsRecord> for FitParams {
    fn from(record: ParamsRecord) -> Self {
        let calibration = record.calibration.map(|asked| CalibrationParams {
            quantile: asked.quantile,
            estimate: asked.estimate.unwrap_or(ThresholdEstimate::Quantile),
            kind: Some(asked.kind),
            false_alarm: asked.false_alarm,
            threshold: asked.threshold,
        });
        Self {
            method: Method {
                taps: record.taps,
                rows: record.rows,
                keep: record.keep,
                score: record.score,
                aggregation: record.aggregation,
                levels: record.levels,
                region: record.region,
                tiling: record.tiling,
                tile_statistics: record.tile_statistics,
                compat: record.compat,
                calibration,
                map: Some(record.map.unwrap_or(MapKind::Coarse)),
                regions: record.regions,
                precision: record.precision,
            },
            run: Run { batch: record.batch, ..Run::default() },
            keeping: Keeping {
                fit_statistic: record.keep_fit_statistic,
                half_components: record.half_components,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What models of today have in their headers.
    #[test]
    fn parameters_are_written_as_ever() {
        let text = "{\"taps\":[{\"layer\":\"layer3\",\"pool\":4}],\"keep\":{\"ratio\":0.97},\"score\":\"fre\",\
                    \"aggregation\":\"sum\",\"compat\":null,\"calibration\":{\"quantile\":0.99,\
                    \"estimate\":\"tail\",\"kind\":\"leave-one-out\",\"false_alarm\":null},\"precision\":\"f32\",\"batch\":16,\
                    \"keep_fit_statistic\":true}";
        let params = FitParams::from(Method::published()).check().unwrap().params().clone();
        assert_eq!(serde_json::to_string(&params).unwrap(), text);
        assert_eq!(serde_json::from_str::<FitParams>(text).unwrap(), params);
        // Levels are written once they are stated.
        let levels = Levels::Range { low: 0.0, high: 4095.0 };
        let stated = FitParams::from(Method::published().with_levels(levels));
        let written = serde_json::to_string(&stated).unwrap();
        assert_eq!(written, text.replace("\"sum\",", "\"sum\",\"levels\":\"0..4095\","));
        assert_eq!(serde_json::from_str::<FitParams>(&written).unwrap().method.levels, levels);
        // What regions a fit asks for comes last, and only then.
        let asked =
            Method::published().with_regions(RegionRule::default().with_close(2).with_pixel_threshold(0.5));
        let params = FitParams::from(asked).check().unwrap().params().clone();
        let with = text.replace("true}", "true,\"regions\":{\"pixel_threshold\":0.5,\"close\":2}}");
        assert_eq!(serde_json::to_string(&params).unwrap(), with);
        assert_eq!(serde_json::from_str::<FitParams>(&with).unwrap(), params);
        // So does a fine map.
        let fine = FitParams::from(Method::published().with_map(MapKind::Fine)).check().unwrap();
        let with = text.replace("true}", "true,\"map\":\"fine\"}");
        assert_eq!(serde_json::to_string(fine.params()).unwrap(), with);
        assert_eq!(serde_json::from_str::<FitParams>(&with).unwrap(), *fine.params());
        // And cells as rows.
        let cells = FitParams::from(Method::published().with_rows(Rows::Cells)).check().unwrap();
        let with = text.replace("true}", "true,\"rows\":\"cells\"}");
        assert_eq!(serde_json::to_string(cells.params()).unwrap(), with);
        assert_eq!(serde_json::from_str::<FitParams>(&with).unwrap(), *cells.params());
        // Models of before took the quantile of the scores, and keep it.
        let older = serde_json::from_str::<FitParams>(&text.replace("\"estimate\":\"tail\",", "")).unwrap();
        let estimate = older.method.calibration.map(|calibration| calibration.estimate);
        assert_eq!(estimate, Some(ThresholdEstimate::Quantile));
        // An unchecked kind is written as what it stands for.
        assert_eq!(serde_json::to_string(&FitParams::from(Method::published())).unwrap(), text);
    }
}
