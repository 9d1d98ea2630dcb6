//! A fit in one pass within a stated amount of memory.

use crate::error::StatsError;
use crate::samples::Samples;
use crate::statistic::FitStatistic;

/// The most operations of an exact fit, unless the caller asks for an exact fit. They take about two
/// minutes on two processor cores, at 50 billion operations a second. The number is fixed, so that the
/// same rows are fitted in the same way on every machine.
const MOST_OPERATIONS: f64 = 6e12;
/// The most directions that a compressed fit keeps, however much memory there is.
const MOST_DIRECTIONS: u64 = 1024;
/// The fewest directions that a compressed fit keeps. A model with fewer would be useless.
const FEWEST_DIRECTIONS: u64 = 16;
/// Bytes for each value of the rows, or of the directions at the end: 24 while directions are found
/// (the rows or the stacked rows, then the directions), and this number when a model is made and
/// written (the directions, the components among them, and their `f32` copies for scoring and
/// writing).
const VALUE_BYTES: u64 = 28;
/// Bytes for each value of the inner products: the matrix, its eigenvectors, and three times as much to
/// compute them. Stages also keep the eigenvectors of the first stage. At that time, memory holds the
/// rows and nothing else that [`VALUE_BYTES`] counts.
const SQUARE_BYTES: u64 = 40;
/// The same as [`SQUARE_BYTES`] if an SVD may have to run, including its vectors on both sides.
const SVD_SQUARE_BYTES: u64 = 80;
/// Matrix products copy their factors into packed blocks, this many values of each row at a time, in
/// each thread that works on the inner products. About four threads matter.
const PACKED_VALUES: u64 = 512;
const PACKED_BYTES: u64 = 32;
/// Bytes for each coordinate: before and after a merge, and then in the parts from which a threshold is
/// found and in those that are held out.
const COORDINATE_BYTES: u64 = 48;

/// How much of the machine a [`StreamingFit`] may use. These parameters are unchecked.
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
    /// Whether to fit exactly, however long it takes, and to fail if memory does not suffice.
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
            return Ok(ValidStreamingParams { params: self, taken: 0, fits: 1, whole: self.max_bytes });
        }
        let (name, expected) = ("memory of the fit", "1 byte or more".to_owned());
        Err(StatsError::Parameter { name, expected, got: "0".to_owned() })
    }
}

/// Checked [`StreamingParams`]. Only these can fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidStreamingParams {
    params: StreamingParams,
    /// Bytes that are in use already.
    taken: u64,
    /// The number of fits that go on at the same time, including this one.
    fits: u32,
    /// The most bytes of all these fits together.
    whole: u64,
}

impl ValidStreamingParams {
    /// The same parameters if `bytes` of the memory are used by something else than the rows and the
    /// statistic.
    pub fn beside(self, bytes: u64) -> Self {
        Self { taken: self.taken.saturating_add(bytes), ..self }
    }

    /// The share of the memory that belongs to `part` of `whole` columns.
    pub fn share(self, part: usize, whole: usize) -> Self {
        let of = |bytes: u64| {
            u64::try_from(u128::from(bytes) * part as u128 / whole.max(1) as u128).unwrap_or(u64::MAX)
        };
        let params = StreamingParams { max_bytes: of(self.params.max_bytes).max(1), ..self.params };
        Self { params, taken: of(self.taken), ..self }
    }

    /// The parameters for each of `count` equal fits: its share of the memory and of the operations.
    pub fn among(self, count: usize) -> Self {
        let fits = u32::try_from(count.max(1)).unwrap_or(u32::MAX).saturating_mul(self.fits);
        Self { fits, ..self.share(1, count) }
    }

    /// Begins a fit of rows with `columns` values.
    ///
    /// # Errors
    ///
    /// If the memory does not hold 16 directions of such rows.
    pub fn start(self, columns: usize) -> Result<StreamingFit, StatsError> {
        let fit = StreamingFit { params: self, columns, gathered: Vec::new(), merged: None };
        fit.limit(0)?;
        Ok(fit)
    }
}

/// Rows that become a [`FitStatistic`].
///
/// As long as the rows fit into memory and the work stays below about two minutes, the rows are gathered
/// and fitted exactly at the end. Beyond that, the rows are merged into a statistic of the leading
/// directions, as many rows at a time as it has directions, and [`Compression`](crate::Compression)
/// says how far the result can be off. The order of the rows then changes the result within that
/// bound. The same rows in the same order give the same bytes.
#[derive(Debug)]
pub struct StreamingFit {
    params: ValidStreamingParams,
    columns: usize,
    gathered: Vec<f64>,
    merged: Option<FitStatistic>,
}

impl StreamingFit {
    /// Adds a batch of rows.
    ///
    /// # Errors
    ///
    /// If the rows have another number of columns, or memory does not suffice; the rows before this
    /// batch stay in the fit. If a merge fails, no rows stay.
    pub fn push(&mut self, rows: Samples) -> Result<(), StatsError> {
        rows.check_columns(self.columns)?;
        let count = self.count() + rows.rows();
        if self.is_exact_for(count) {
            self.gathered.extend(rows.into_values());
            return Ok(());
        }
        if self.params.params.exact {
            return Err(self.too_little(self.exact_bytes(count)));
        }
        let mut values = rows.into_values();
        if self.merged.is_none() {
            // As many rows as possible are gathered, so that the sizes of the batches do not matter.
            let fitting = (self.count() + 1..=count).take_while(|count| self.is_exact_for(*count)).count();
            let rest = values.split_off(fitting * self.columns);
            self.gathered.append(&mut values);
            values = rest;
            // More than a block of rows can wait while the first block is merged, if memory has room
            // for both. Otherwise all of them are the first block.
            let (block, waiting) = (self.limit(0)?, self.gathered.len() as u64);
            let needed = self.merge_bytes(block, 0) + 8 * waiting;
            if waiting > block * self.columns as u64 && !self.has_room(needed) {
                let gathered = std::mem::take(&mut self.gathered);
                self.merge(gathered)?;
            }
        }
        self.gathered.append(&mut values);
        loop {
            let block = self.limit(self.merged_count())? as usize * self.columns;
            if self.gathered.len() < block {
                return Ok(());
            }
            let rest = self.gathered.split_off(block);
            let mut rows = std::mem::replace(&mut self.gathered, rest);
            rows.shrink_to_fit();
            self.merge(rows)?;
        }
    }

    /// The number of rows so far.
    pub fn count(&self) -> usize {
        self.merged_count() + self.gathered.len() / self.columns
    }

    /// Whether a fit of `count` rows in all would be exact. It is if they fit into memory and take no more
    /// operations than the limit. If the fit must be exact, operations have no limit.
    pub fn is_exact_for(&self, count: usize) -> bool {
        let (rows, columns) = (count as f64, self.columns as f64);
        let less = rows.min(columns);
        let operations = 3.0 * rows * columns * less + 10.0 * less.powi(3);
        let most_operations = MOST_OPERATIONS / f64::from(self.params.fits);
        self.merged.is_none()
            && self.has_room(self.exact_bytes(count))
            && (self.params.params.exact || operations <= most_operations)
    }

    /// Takes the rows with these `indices`, which must be in rising order, out of the fit. Returns `None`
    /// and changes nothing if there is no index, if there is no such row, or if rows were merged already.
    ///
    /// Cost: one pass over the rows.
    pub fn take(&mut self, indices: &[usize]) -> Option<Samples> {
        let count = self.gathered.len() / self.columns;
        let is_rising = indices.is_sorted_by(|one, next| one < next);
        if self.merged.is_some() || !is_rising || indices.last().is_none_or(|last| *last >= count) {
            return None;
        }
        let (mut taken, columns) = (Vec::with_capacity(indices.len() * self.columns), self.columns);
        let (mut gone, mut kept) = (indices.iter().peekable(), 0);
        for row in 0..count {
            let place = row * columns;
            match gone.next_if_eq(&&row) {
                Some(_) => taken.extend_from_slice(&self.gathered[place..][..columns]),
                None => {
                    self.gathered.copy_within(place..place + columns, kept);
                    kept += columns;
                }
            }
        }
        self.gathered.truncate(kept);
        Samples::from_f64(taken, columns).ok()
    }

    /// Reduces the memory for rows and statistic by `bytes` from now on.
    pub fn reserve(&mut self, bytes: u64) {
        self.params = self.params.beside(bytes);
    }

    /// The statistic of all rows.
    ///
    /// # Errors
    ///
    /// If there is no row, or the decomposition fails.
    pub fn finish(mut self) -> Result<FitStatistic, StatsError> {
        let rows = std::mem::take(&mut self.gathered);
        if self.merged.is_none() {
            // More rows than columns may need an SVD, which takes more memory.
            let count = rows.len() / self.columns;
            let limit = (!self.has_room(self.most_bytes(count))).then_some(count);
            return FitStatistic::of_leading(Samples::from_f64(rows, self.columns)?, limit);
        }
        self.merge(rows)?;
        self.merged.ok_or(StatsError::NoVariation { operation: "a fit", rows: 0 })
    }

    fn merged_count(&self) -> usize {
        self.merged.as_ref().map_or(0, FitStatistic::sample_count)
    }

    fn merge(&mut self, rows: Vec<f64>) -> Result<(), StatsError> {
        if rows.is_empty() {
            return Ok(());
        }
        let rows = Samples::from_f64(rows, self.columns)?;
        let limit = self.limit(self.merged_count() + rows.rows())? as usize;
        self.merged = Some(match self.merged.take() {
            None => FitStatistic::of_leading(rows, Some(limit))?,
            Some(merged) => {
                let all = limit.max(rows.rows());
                merged.merge_owned(FitStatistic::of_leading(rows, Some(all))?, Some(limit))?
            }
        });
        Ok(())
    }

    /// The bytes that an exact fit of `count` rows takes. If the fit must be exact, the most that it may
    /// take.
    fn exact_bytes(&self, count: usize) -> u64 {
        if self.params.params.exact {
            self.most_bytes(count)
        } else {
            self.decomposition_bytes(count, SQUARE_BYTES)
        }
    }

    /// The same as [`exact_bytes`](Self::exact_bytes), including an SVD if there may be one.
    fn most_bytes(&self, count: usize) -> u64 {
        let square_bytes = if count > self.columns { SVD_SQUARE_BYTES } else { SQUARE_BYTES };
        self.decomposition_bytes(count, square_bytes)
    }

    fn decomposition_bytes(&self, count: usize, square_bytes: u64) -> u64 {
        let (rows, columns) = (count as u64, self.columns as u64);
        let less = rows.min(columns);
        let values = rows.saturating_mul(columns).saturating_mul(VALUE_BYTES);
        values.saturating_add(inner_bytes(less, square_bytes))
    }

    /// The bytes that a statistic of `limit` directions and `count` rows takes when another such block is
    /// merged into it: both and the difference of their means are stacked.
    fn merge_bytes(&self, limit: u64, count: usize) -> u64 {
        let stacked = 2 * limit + 1;
        let least = stacked.min(self.columns as u64);
        limit * (VALUE_BYTES * self.columns as u64 + COORDINATE_BYTES * count as u64)
            + inner_bytes(least, SQUARE_BYTES)
    }

    /// The number of directions that fit into memory if `count` rows have coordinates in them.
    fn limit(&self, count: usize) -> Result<u64, StatsError> {
        let fits = |limit: &u64| self.has_room(self.merge_bytes(*limit, count));
        match (FEWEST_DIRECTIONS..=MOST_DIRECTIONS).rev().find(fits) {
            Some(limit) => Ok(limit),
            None => Err(self.too_little(self.merge_bytes(FEWEST_DIRECTIONS, count))),
        }
    }

    /// Whether rows and statistic may take `bytes`.
    fn has_room(&self, bytes: u64) -> bool {
        self.params.taken.saturating_add(bytes) <= self.params.params.max_bytes
    }

    fn too_little(&self, bytes: u64) -> StatsError {
        let ValidStreamingParams { params, taken, whole, .. } = self.params;
        // The caller allowed memory for all shares together, so the error names the sum over all
        // shares.
        let needed = u128::from(taken.saturating_add(bytes)) * u128::from(whole);
        let needed = u64::try_from(needed / u128::from(params.max_bytes)).unwrap_or(u64::MAX);
        StatsError::Memory { columns: self.columns, needed, allowed: whole }
    }
}

/// The bytes that `size` × `size` inner products take.
fn inner_bytes(size: u64, square_bytes: u64) -> u64 {
    let packed = PACKED_BYTES.saturating_mul(size.min(PACKED_VALUES));
    size.saturating_mul(size.saturating_mul(square_bytes).saturating_add(packed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{dot, fit, rebuilt, rows};

    fn params(max_bytes: u64) -> ValidStreamingParams {
        StreamingParams { max_bytes, exact: false }.check().unwrap()
    }

    fn streamed(rows: &Samples, batch: usize, max_bytes: u64) -> FitStatistic {
        let mut fit = params(max_bytes).start(rows.columns()).unwrap();
        let places: Vec<usize> = (0..rows.rows()).collect();
        places.chunks(batch).for_each(|batch| fit.push(rows.select(batch)).unwrap());
        fit.finish().unwrap()
    }

    #[test]
    fn batches_change_no_bit() {
        let all = rows(1, 230, 40);
        for max_bytes in [1 << 30, 360_000] {
            let whole = streamed(&all, 230, max_bytes);
            assert_eq!(whole.compression().is_some(), max_bytes == 360_000);
            for batch in [1, 7, 64] {
                assert_eq!(streamed(&all, batch, max_bytes), whole, "{batch} at a time, {max_bytes}");
            }
        }
        assert_eq!(streamed(&all, 11, 1 << 30), fit(&all));
    }

    #[test]
    fn less_memory_is_off_by_no_more_than_it_says() {
        let all = rows(2, 230, 40);
        let exact = fit(&all);
        let mut before = f64::INFINITY;
        for max_bytes in [280_000, 320_000, 360_000] {
            let some = streamed(&all, 10, max_bytes);
            let compression = some.compression().unwrap();
            assert!(compression.limit() < 40, "{}", compression.limit());
            let rounding = 1e-10 * exact.singular_values()[0].powi(2);
            for (some, exact) in some.singular_values().iter().zip(exact.singular_values()) {
                let apart = (some * some - exact * exact).abs();
                assert!(apart <= compression.error_bound() + rounding, "{max_bytes}: {apart}");
            }
            // The dropped variance and the kept variance add up to the whole variance.
            let squares =
                |statistic: &FitStatistic| dot(statistic.singular_values(), statistic.singular_values());
            let all = squares(&some) + compression.dropped();
            assert!((all - squares(&exact)).abs() < 1e-9 * all);
            assert!(compression.error_bound() < before, "more memory: {}", compression.error_bound());
            before = compression.error_bound();
        }
    }

    #[test]
    fn few_directions_are_kept_exactly_however_little_memory_there_is() {
        let few = rows(3, 9, 40);
        let places: Vec<usize> = (0..200).map(|place| place % 9).collect();
        let all = few.select(&places);
        let some = streamed(&all, 13, 250_000);
        assert_eq!(some.rank(), 8);
        // Nine rows span eight directions; a merge drops only what lies below 1e-8 of the
        // largest variance.
        assert!(crate::testing::apart(&rebuilt(&some), all.as_slice()) < 1e-6);
    }

    #[test]
    fn more_rows_never_leave_room_for_more_directions_and_more_memory_never_for_fewer() {
        let limit = |max_bytes: u64, count: usize| {
            let started = params(max_bytes).start(64);
            started.and_then(|fit| fit.limit(count)).unwrap_or(0)
        };
        for max_bytes in [200_000, 1_000_000, 10_000_000] {
            let limits: Vec<u64> = [0, 10, 100, 1000, 5000].map(|count| limit(max_bytes, count)).to_vec();
            assert!(limits.is_sorted_by(|fewer, more| fewer >= more), "{limits:?}");
            assert!(limit(2 * max_bytes, 100) >= limit(max_bytes, 100));
        }
        assert_eq!(limit(u64::MAX, 0), MOST_DIRECTIONS);
    }

    #[test]
    fn rows_are_taken_out_of_a_fit_while_they_are_gathered() {
        let all = rows(31, 20, 6);
        let (gone, left) = ([0, 3, 4, 19], (0..20).filter(|row| ![0, 3, 4, 19].contains(row)));
        let mut fit = params(1 << 20).start(6).unwrap();
        fit.push(all.clone()).unwrap();
        for refused in [&[][..], &[20], &[3, 3], &[4, 3]] {
            assert_eq!(fit.take(refused), None, "{refused:?}");
        }
        assert_eq!(fit.take(&gone), Some(all.select(&gone)));
        assert_eq!(fit.count(), 16);
        let expected = FitStatistic::of(&all.select(&left.collect::<Vec<_>>())).unwrap();
        assert_eq!(fit.finish().unwrap(), expected);
    }

    #[test]
    fn a_fit_says_up_to_how_many_rows_it_is_exact_and_merged_rows_stay() {
        let all = rows(32, 800, 40);
        let mut fit = params(400_000).start(40).unwrap();
        let most = (1..800).take_while(|count| fit.is_exact_for(*count)).count();
        assert!((16..800).contains(&most), "{most}");
        fit.push(all.select(&(0..most).collect::<Vec<_>>())).unwrap();
        assert!(fit.take(&[0]).is_some());
        fit.reserve(10_000);
        assert!(!fit.is_exact_for(most - 1), "less memory is left");
        fit.push(all.select(&(most..most + 40).collect::<Vec<_>>())).unwrap();
        assert_eq!((fit.take(&[0]), fit.is_exact_for(1)), (None, false));
        assert!(fit.finish().unwrap().dropped_share() > 0.0);
    }

    #[test]
    fn shares_of_memory_are_no_more_than_the_whole() {
        for count in [1, 2, 3, 7] {
            let one = params(1_000_003).beside(500).among(count);
            assert!(one.params.max_bytes * count as u64 <= 1_000_003, "{count}");
            assert!(one.taken * count as u64 <= 500 && one.whole == 1_000_003, "{count}");
            assert_eq!(one.fits as usize, count);
        }
        assert_eq!(params(10).among(2).among(3).fits, 6);
        assert_eq!(params(9).share(1, 3).params.max_bytes, 3);
        assert_eq!(params(1).share(0, 3).params.max_bytes, 1, "something is always allowed");
        assert_eq!(params(5).beside(u64::MAX).beside(1).taken, u64::MAX);
        let error = params(u64::MAX).beside(u64::MAX).start(3);
        assert!(error.is_ok(), "the sum is the most there is: {error:?}");
    }
}
