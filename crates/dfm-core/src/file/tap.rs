//! What a file holds of one tap.

use dfm_stats::{Compression, FitStatistic, Pca, ProbabilisticPca, SvdGaussian};

use crate::error::DfmError;
use crate::file::error::ModelFileError;
use crate::file::faults::{consistent, content, inconsistent, mismatch, shaped};
use crate::file::header::{ASIDE_ROWS, TapTensors};
use crate::file::opened::OpenedFile;
use crate::judge::statistics::Statistics;
use crate::learn::record::{CompressionRecord, FitRecord, TapRecord};
use crate::method::CalibrationKind;
use crate::method::ScoreKind;

/// What is kept of a tap: the statistic of the pictures that were learnt, and the rows of those that
/// were set aside.
pub(super) type KeptOfTap = (FitStatistic, Vec<f32>);

/// What scores are computed from at a tap, and what is kept if it is asked for: of how many pictures or
/// tiles the statistic is, and how many were set aside.
pub(super) fn read(
    file: &OpenedFile,
    tap: TapTensors<'_>,
    pieces: Option<(usize, usize)>,
) -> Result<(Statistics, Option<KeptOfTap>), DfmError> {
    let (columns, record) = (tap.rows.columns(tap.shape), tap.record);
    let part = Part { file, tap, columns, record };
    let (directions, kept) = match pieces {
        Some((pieces, aside)) => {
            let (mut directions, rank) = part.directions()?;
            let kept = part.fit_statistic(&directions, rank, part.rows_of(pieces))?;
            directions.truncate(record.components.saturating_mul(columns));
            let aside = if aside > 0 { part.rows_aside(aside)? } else { Vec::new() };
            (directions, Some((kept, aside)))
        }
        None => (part.directions()?.0, None),
    };
    // The statistic is of all pictures; a split model was fitted on fewer.
    let components = match file.header.is_split() && file.header.fit_statistic {
        true => part.f32("components", &[record.components, columns])?,
        false => directions,
    };
    Ok((part.statistics(components, kept.as_ref().map(|(kept, _)| kept))?, kept))
}

/// The part of a file that belongs to a tap.
struct Part<'f> {
    file: &'f OpenedFile,
    tap: TapTensors<'f>,
    /// Features of a row.
    columns: usize,
    record: &'f TapRecord,
}

impl Part<'_> {
    /// The rows of the statistic that so many pictures or tiles have.
    fn rows_of(&self, pieces: usize) -> usize {
        pieces.saturating_mul(self.tap.rows.count(self.tap.shape))
    }

    fn f64(&self, name: &'static str, shape: &[usize]) -> Result<Vec<f64>, ModelFileError> {
        let name = self.tap.name(name);
        shaped(&name, self.file.f64(&name)?, shape)
    }

    fn f32(&self, name: &'static str, shape: &[usize]) -> Result<Vec<f32>, ModelFileError> {
        let name = self.tap.name(name);
        shaped(&name, self.file.f32(&name)?, shape)
    }

    /// The `directions` that are wanted, and how many there are.
    fn directions(&self) -> Result<(Vec<f32>, usize), ModelFileError> {
        let (name, components) = (self.tap.name("directions"), self.record.components);
        let (shape, values) = match self.file.header.record.params.keeping.half_components {
            true => self.file.f16(&name)?,
            false => self.file.f32(&name)?,
        };
        match shape[..] {
            [rows, columns] if columns == self.columns && rows >= components => Ok((values, rows)),
            _ => Err(mismatch(
                &name,
                &format!("at least {components} rows of {} features", self.columns),
                format!("{shape:?}"),
            )),
        }
    }

    fn statistics(&self, components: Vec<f32>, kept: Option<&FitStatistic>) -> Result<Statistics, DfmError> {
        let record = &self.file.header.record;
        let variances = self.f64("variances", &[2])?;
        let explained = self.f64("explained_variance", &[self.record.components])?;
        // The statistic is of all pictures; a split model was fitted on fewer.
        if let Some(statistic) = kept.filter(|_| !self.file.header.is_split()) {
            consistent("record.taps.rank", &statistic.rank(), &self.record.rank)?;
            let divisor = (statistic.sample_count() - 1) as f64;
            for (variance, value) in explained.iter().zip(statistic.singular_values()) {
                let expected = value * (value / divisor);
                // Both are `f64` and one was computed from the other: a few roundings.
                if (variance - expected).abs() > 1e-9 * expected {
                    return Err(inconsistent("explained_variance", &expected, variance).into());
                }
            }
        }
        let pca = Pca::from_parts(
            self.f64("mean", &[self.columns])?,
            components,
            explained,
            variances[1],
            variances[0],
            self.rows_of(fitted_count(record)?),
            self.record.rank,
        )
        .map_err(content("principal components"))?;
        match record.params.method.score {
            ScoreKind::Fre => Ok(Statistics::Fre(pca)),
            ScoreKind::Mahalanobis => {
                let intensity = self.f64("shrinkage", &[1])?[0];
                let model = ProbabilisticPca::with_intensity(pca, intensity).map_err(content("shrinkage"))?;
                Ok(Statistics::Mahalanobis(Box::new(model)))
            }
            ScoreKind::Nll => Ok(Statistics::Nll(pca, self.gaussian()?)),
        }
    }

    fn gaussian(&self) -> Result<SvdGaussian, DfmError> {
        let (components, record) = (self.record.components, self.record.gaussian.as_ref());
        let deviations = self.file.f64(&self.tap.name("gaussian.deviations"))?.1;
        let gaussian = SvdGaussian::from_parts(
            self.f64("gaussian.mean", &[components])?,
            self.f64("gaussian.basis", &[deviations.len(), components])?,
            deviations,
        )
        .map_err(content("gaussian"))?;
        let intensity = record.map_or(0.0, |gaussian| gaussian.shrinkage);
        let gaussian = gaussian.shrunk_by(intensity).map_err(content("gaussian"))?;
        consistent(
            "record.taps.gaussian.rank",
            &Some(gaussian.rank()),
            &record.map(|gaussian| gaussian.rank),
        )?;
        Ok(gaussian)
    }

    /// The rows that were set aside.
    fn rows_aside(&self, rows: usize) -> Result<Vec<f32>, ModelFileError> {
        let values = self.f32(ASIDE_ROWS, &[rows, self.tap.shape.len()])?;
        match values.iter().find(|value| !value.is_finite()) {
            Some(value) => Err(mismatch(&self.tap.name(ASIDE_ROWS), "finite numbers", value.to_string())),
            None => Ok(values),
        }
    }

    fn fit_statistic(&self, directions: &[f32], rank: usize, rows: usize) -> Result<FitStatistic, DfmError> {
        let compression = match &self.record.compression {
            Some(CompressionRecord { limit, error_bound, .. }) => {
                let remainders = self.f64("remainders", &[rows])?;
                let compression = Compression::from_parts(*limit, *error_bound, remainders);
                Some(compression.map_err(content("compression"))?)
            }
            None => None,
        };
        let mean = if self.file.header.is_split() { "statistic.mean" } else { "mean" };
        let statistic = FitStatistic::from_parts(
            self.f64(mean, &[self.columns])?,
            widen(directions),
            self.f64("singular_values", &[rank])?,
            widen(&self.f32("coordinates", &[rows, rank])?),
            rows,
            compression,
        );
        Ok(statistic.map_err(content("fit statistic"))?)
    }
}

/// How many pictures the model was fitted on.
fn fitted_count(record: &FitRecord) -> Result<usize, ModelFileError> {
    let split = record.calibration_kind() == Some(CalibrationKind::Split) || record.set_aside.is_some();
    let fitted = record.picture_count.checked_sub(record.held_out);
    fitted.filter(|_| split == (record.held_out > 0)).ok_or_else(|| {
        let expected = if split { "1 and fewer than all pictures" } else { "0" };
        inconsistent("record.held_out", &expected, &record.held_out.to_string().as_str())
    })
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}
