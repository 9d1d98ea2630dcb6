//! Which pictures of a fit look unlike the others.

use serde::Serialize;

use dfm_backbone::hexadecimal;

use crate::decide::held_out::different;
use crate::decide::left_out::PlacesLeftOut;
use crate::error::DfmError;
use crate::learn::not_searched::NotSearched;
use crate::learn::record::OddPicture;
use crate::model::Dfm;

/// Interquartile ranges above the upper quartile at which a picture stands out: Tukey's far
/// fence, beyond which about one normal number in 850 000 lies.
const FENCE: f64 = 3.0;
/// The least interquartile range, as a share of the median or in logarithms. Scores that differ by less
/// differ by rounding only.
const LEAST_RANGE: f64 = 1e-6;

/// The pictures of a fit, each as a model of all others sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Audit {
    /// The score beyond which a picture stands out.
    pub fence: f64,
    /// The number of pictures that stand out.
    pub standing_out: usize,
    /// All different pictures, worst first.
    pub pictures: Vec<AuditedPicture>,
    /// Pictures that a robust fit left out, worst first. They are not in the model.
    pub left_out: Vec<OddPicture>,
    /// The number of different pictures that this audit cannot judge. After a fit for which memory did not
    /// suffice, no score of a learnt picture is that of a model without it, and pictures that were set aside
    /// are not among the rows of the fit.
    pub not_judged: usize,
    /// Why the fit did not look for foreign pictures, if it did not.
    pub not_searched: Option<NotSearched>,
}

/// A picture of a fit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditedPicture {
    /// Relative to the folder that was fitted; `None` if the model has no names.
    pub name: Option<String>,
    /// In hexadecimal.
    pub content_hash: String,
    /// How often it was fitted on.
    pub copies: usize,
    /// Its score by the model of all others.
    pub score: f64,
    /// Its rank among all scores, from the top, as a share. One picture always has the smallest.
    pub p_value: f64,
    /// Whether its score lies beyond the fence.
    pub stands_out: bool,
}

impl Dfm {
    /// Scores every picture of the fit by the model of all others.
    ///
    /// A picture stands out if its score lies more than three interquartile ranges above the upper
    /// quartile. If all scores are positive, their logarithms are compared instead. A few bad pictures
    /// move neither the quartile nor the range. Pictures that calibrate a split are audited with the
    /// others. Pictures that were set aside because memory did not suffice are not. They are counted with the
    /// pictures that cannot be judged.
    ///
    /// # Errors
    ///
    /// If the model keeps no fit statistic, and as for the threshold of a fit.
    pub fn audit(&self) -> Result<Audit, DfmError> {
        self.rows_are_pictures()?;
        let kept = self.kept("auditing")?;
        let hashes = &kept.content_hashes;
        let rows = different(hashes)?;
        let params = self.record.params.clone().check()?;
        // The statistic is of all pictures; after a split they are more than the model was fitted on.
        let statistics = kept.statistics.each_ref().try_map(|statistic| params.statistics(statistic))?;
        let rule = self.rule.with_statistics(statistics);
        let scores = PlacesLeftOut::new(&kept.statistics, &rule, None)?.scores(&rows)?;
        let fence = fence(&scores);
        let mut pictures: Vec<AuditedPicture> = rows
            .iter()
            .zip(&scores)
            .map(|(row, score)| AuditedPicture {
                name: self.picture_name(&hashes[row.place]).map(str::to_owned),
                content_hash: hexadecimal(&hashes[row.place]),
                copies: row.copies,
                score: *score,
                p_value: scores.iter().filter(|other| *other >= score).count() as f64 / scores.len() as f64,
                stands_out: *score > fence,
            })
            .collect();
        pictures
            .sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.content_hash.cmp(&b.content_hash)));
        let standing_out = pictures.iter().filter(|picture| picture.stands_out).count();
        let left_out = self.record.foreign.iter().flat_map(|foreign| foreign.pictures.clone()).collect();
        let set_aside = kept.set_aside.as_ref().map_or(0, |aside| aside.pictures().len());
        let not_judged = set_aside + if kept.is_compressed() { rows.len() } else { 0 };
        let not_searched = self.record.not_searched;
        Ok(Audit { fence, standing_out, pictures, left_out, not_judged, not_searched })
    }
}

/// The score beyond which a picture stands out from `scores`.
pub(crate) fn fence(scores: &[f64]) -> f64 {
    let positive = scores.iter().all(|score| *score > 0.0);
    let mut values: Vec<f64> =
        scores.iter().map(|score| if positive { score.ln() } else { *score }).collect();
    values.sort_by(f64::total_cmp);
    let quartile = |share: f64| values[(share * (values.len() - 1) as f64).round() as usize];
    let (low, middle, high) = (quartile(0.25), quartile(0.5), quartile(0.75));
    let least = if positive { LEAST_RANGE } else { LEAST_RANGE * middle.abs() };
    let fence = high + FENCE * (high - low).max(least);
    if positive { fence.exp() } else { fence }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fence_is_robust_and_measures_positive_scores_by_their_ratios() {
        // Quartiles 2 and 8: twice the factor 4, three times.
        assert!((fence(&[1.0, 2.0, 4.0, 8.0, 1e9]) - 8.0 * 64.0).abs() < 1e-9);
        assert_eq!(fence(&[-1.0, 2.0, 4.0, 8.0, 1e9]), 8.0 + 3.0 * 6.0);
        // The scores differ by rounding only, so no picture stands out.
        let equal = [5.0, 5.0 + 1e-12, 5.0 - 1e-12, 5.0 + 2e-12];
        assert!(equal.iter().all(|score| *score <= fence(&equal)));
        assert!(5.1 > fence(&equal));
    }
}
