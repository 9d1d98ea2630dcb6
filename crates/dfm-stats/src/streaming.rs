//! Fitting in one pass, within a stated memory.

use crate::error::StatsError;
use crate::samples::Samples;
use crate::statistic::FitStatistic;

/// Work that an exact fit may take unless it is asked for: about two minutes of two
/// processor cores, at 50 billion operations a second. A fixed number, so that the same
/// rows are fitted in the same way on every machine.
const MOST_OPERATIONS: f64 = 6e12;
/// The most directions that a compressed fit keeps, whatever the memory.
const MOST_DIRECTIONS: u64 = 1024;
/// With fewer there is no point in a model.
const FEWEST_DIRECTIONS: u64 = 16;
/// Bytes for each value of the rows at the peak of an exact fit: the rows or the
/// directions in another layout, the directions, their narrow copies for scoring and
/// writing.
const EXACT_BYTES: u64 = 28;
/// Bytes for each value of the inner products: the matrix, its eigenvectors, and the
/// space to find them in.
const SQUARE_BYTES: u64 = 32;
/// Bytes for each value of the directions at the peak of a merge: rows that wait, both
/// statistics, the stacked rows, the result twice.
const MERGE_BYTES: u64 = 72;
/// Inner products for each two directions at the peak of a merge: it stacks twice as many.
const STACKED: u64 = 4;
/// Bytes for each coordinate: before and after a merge, and their narrow copy.
const COORDINATE_BYTES: u64 = 24;

/// How a [`StreamingFit`] may use the machine, unchecked.
///
/// # Example
///
/// ```
/// use dfm_stats::{Keep, PcaParams, Samples, StreamingParams};
///
/// let mut fit = StreamingParams { max_bytes: 64 << 20, exact: false }.check()?.start(3)?;
/// for batch in [vec![0.0, 0.0, 1.0, 1.0, 1.1, 1.0], vec![2.0, 1.9, 1.0]] {
///     fit.push(Samples::from_f64(batch, 3)?)?;
/// }
/// let pca = PcaParams { keep: Keep::Ratio(0.97) }.check()?.truncate(&fit.finish()?)?;
/// assert_eq!(pca.component_count(), 1);
/// # Ok::<(), dfm_stats::StatsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamingParams {
    /// The most bytes that rows and statistic may take together.
    pub max_bytes: u64,
    /// Fit exactly however long it takes, and fail where memory does not suffice.
    pub exact: bool,
}

impl StreamingParams {
    /// Checks the parameters.
    ///
    /// # Errors
    ///
    /// If no bytes are allowed.
    pub fn check(self) -> Result<ValidStreamingParams, StatsError> {
        if self.max_bytes > 0 {
            return Ok(ValidStreamingParams(self));
        }
        let (name, expected) = ("memory of the fit", "1 byte or more".to_owned());
        Err(StatsError::Parameter { name, expected, got: "0".to_owned() })
    }
}

/// Checked [`StreamingParams`]: the only ones that can fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidStreamingParams(StreamingParams);

impl ValidStreamingParams {
    /// A fit of rows with `columns` values.
    ///
    /// # Errors
    ///
    /// If the memory does not hold 16 directions of such rows.
    pub fn start(self, columns: usize) -> Result<StreamingFit, StatsError> {
        let fit = StreamingFit { params: self.0, columns, gathered: Vec::new(), merged: None };
        fit.limit(0)?;
        Ok(fit)
    }
}

/// Rows on their way to a [`FitStatistic`].
///
/// While they fit into memory and the work stays below about two minutes, they are
/// gathered, and fitted exactly at the end. Beyond that they are merged into a
/// statistic of the leading directions, as many at a time as it has directions, and
/// [`Compression`](crate::Compression) says how far it can be off. The order of the
/// rows then changes the result within that bound; the same rows in the same order give
/// the same bytes.
#[derive(Debug)]
pub struct StreamingFit {
    params: StreamingParams,
    columns: usize,
    gathered: Vec<f64>,
    merged: Option<FitStatistic>,
}

impl StreamingFit {
    /// Takes in a batch.
    ///
    /// # Errors
    ///
    /// If the rows have another number of columns, memory does not suffice, or a merge
    /// fails. The rows before stay fitted.
    pub fn push(&mut self, rows: Samples) -> Result<(), StatsError> {
        rows.check_columns(self.columns)?;
        let count = self.count() + rows.rows();
        let merging = self.merged.is_some() || !self.is_exact_for(count);
        if merging && self.params.exact {
            return Err(self.too_little(self.exact_bytes(count)));
        }
        self.gathered.extend(rows.into_values());
        if !merging {
            return Ok(());
        }
        let block = self.limit(0)? * self.columns;
        if self.gathered.len() >= block {
            let gathered = std::mem::take(&mut self.gathered);
            let whole = gathered.len() / block * block;
            for rows in gathered[..whole].chunks(block) {
                self.merge(rows.to_vec())?;
            }
            self.gathered = gathered[whole..].to_vec();
        }
        Ok(())
    }

    /// Rows so far.
    pub fn count(&self) -> usize {
        self.merged.as_ref().map_or(0, FitStatistic::sample_count) + self.gathered.len() / self.columns
    }

    /// The statistic of all rows.
    ///
    /// # Errors
    ///
    /// If there are none, or the decomposition fails.
    pub fn finish(mut self) -> Result<FitStatistic, StatsError> {
        let rows = std::mem::take(&mut self.gathered);
        if self.merged.is_none() {
            return FitStatistic::of_owned(Samples::from_f64(rows, self.columns)?);
        }
        if !rows.is_empty() {
            self.merge(rows)?;
        }
        self.merged.ok_or(StatsError::NoVariation { operation: "a fit", rows: 0 })
    }

    fn merge(&mut self, rows: Vec<f64>) -> Result<(), StatsError> {
        let block = FitStatistic::of_owned(Samples::from_f64(rows, self.columns)?)?;
        self.merged = Some(match self.merged.take() {
            None => block,
            Some(merged) => {
                let limit = self.limit(merged.sample_count() + block.sample_count())?;
                merged.merge(&block, Some(limit))?
            }
        });
        Ok(())
    }

    fn is_exact_for(&self, count: usize) -> bool {
        let (rows, columns) = (count as f64, self.columns as f64);
        let less = rows.min(columns);
        let operations = 3.0 * rows * columns * less + 10.0 * less.powi(3);
        self.exact_bytes(count) <= self.params.max_bytes
            && (self.params.exact || operations <= MOST_OPERATIONS)
    }

    fn exact_bytes(&self, count: usize) -> u64 {
        let (rows, columns) = (count as u64, self.columns as u64);
        let less = rows.min(columns);
        let rows = rows.saturating_mul(columns).saturating_mul(EXACT_BYTES);
        rows.saturating_add(less.saturating_mul(less).saturating_mul(SQUARE_BYTES))
    }

    /// Directions that memory holds when `count` rows have coordinates in them.
    fn limit(&self, count: usize) -> Result<usize, StatsError> {
        let direction = MERGE_BYTES * self.columns as u64 + COORDINATE_BYTES * count as u64;
        let bytes = |limit: u64| limit * (direction + STACKED * SQUARE_BYTES * limit);
        match (FEWEST_DIRECTIONS..=MOST_DIRECTIONS).rev().find(|limit| bytes(*limit) <= self.params.max_bytes)
        {
            Some(limit) => Ok(limit as usize),
            None => Err(self.too_little(bytes(FEWEST_DIRECTIONS))),
        }
    }

    fn too_little(&self, needed: u64) -> StatsError {
        StatsError::Memory { columns: self.columns, needed, allowed: self.params.max_bytes }
    }
}
