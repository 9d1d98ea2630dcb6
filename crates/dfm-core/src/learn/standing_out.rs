//! Which pictures of a fit look unlike the others, and what they do to its threshold.

use std::collections::HashSet;

use dfm_backbone::{FeatureExtractor, hexadecimal};
use dfm_stats::Row;

use crate::decide::audit::fence;
use crate::decide::held_out::different;
use crate::decide::left_out::PlacesLeftOut;
use crate::error::DfmError;
use crate::judge::rule::ScoringRule;
use crate::learn::kept::Kept;
use crate::learn::record::{OddPicture, StandingOutRecord};
use crate::method::{CalibrationKind, ValidFitParams};
use crate::model::Judged;

/// The fewest different pictures whose quartiles say what is usual.
const FEWEST: usize = 8;
/// The most pictures that are named.
const MOST_NAMED: usize = 20;
/// The most pictures of a fit that is done again without those that stand out.
const MOST_FITTED_AGAIN: usize = 2000;

impl ValidFitParams {
    /// The pictures that stand out of those that are `kept`. `None` if none does, there are too few, or
    /// pictures cannot be left out one by one.
    ///
    /// Cost: for leave-one-out next to nothing if none stands out, else that of the statistics once
    /// more.
    pub(super) fn standing_out(
        &self,
        extractor: &FeatureExtractor,
        kept: &Kept,
        rule: &ScoringRule,
        judged: &Judged,
    ) -> Option<StandingOutRecord> {
        if self.method().rows_are_tiles() {
            return None;
        }
        let different = different(&kept.content_hashes).ok()?;
        if different.len() < FEWEST {
            return None;
        }
        let scores = match &judged.scores {
            Some(scores) if scores.kind() == CalibrationKind::LeaveOneOut => scores.in_order().to_vec(),
            _ => self.left_out_scores(kept, rule, &different).ok()?,
        };
        let fence = fence(&scores);
        let mut out: Vec<(&Row, f64)> =
            different.iter().zip(scores).filter(|(_, score)| *score > fence).collect();
        if out.is_empty() {
            return None;
        }
        let hash_of = |row: &Row| &kept.content_hashes[row.place];
        out.sort_by(|(a, one), (b, other)| other.total_cmp(one).then_with(|| hash_of(a).cmp(hash_of(b))));
        let picture = |(row, score): &(&Row, f64)| OddPicture {
            name: None,
            content_hash: hexadecimal(hash_of(row)),
            score: *score,
            copies: row.copies,
        };
        let threshold_without = match different.len() {
            0..=MOST_FITTED_AGAIN => {
                let gone: HashSet<&[u8; 32]> = out.iter().map(|(row, _)| hash_of(row)).collect();
                self.threshold_without(extractor, kept, &gone).ok().flatten()
            }
            _ => None,
        };
        Some(StandingOutRecord {
            count: out.len(),
            of: different.len(),
            fence,
            threshold_without,
            pictures: out.iter().take(MOST_NAMED).map(picture).collect(),
        })
    }

    /// The score of each picture by the model of all others, also of those that calibrate a split.
    fn left_out_scores(
        &self,
        kept: &Kept,
        rule: &ScoringRule,
        different: &[Row],
    ) -> Result<Vec<f64>, DfmError> {
        let statistics = kept.statistics.each_ref().try_map(|statistic| self.statistics(statistic))?;
        let rule = rule.with_statistics(statistics);
        PlacesLeftOut::new(&kept.statistics, &rule, None)?.scores(different)
    }

    /// The threshold without the pictures of these content hashes.
    fn threshold_without(
        &self,
        extractor: &FeatureExtractor,
        kept: &Kept,
        gone: &HashSet<&[u8; 32]>,
    ) -> Result<Option<f64>, DfmError> {
        let places = kept.rows_of(gone);
        match kept.content_hashes.len() - places.len() {
            got @ 0..2 => Err(DfmError::TooFewPictures { expected: 2, got }),
            _ => self.threshold_of(extractor, &kept.without(&places)?),
        }
    }
}
