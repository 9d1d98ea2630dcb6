//! Which pictures are foreign: each is scored by a model of the others, and its scores are too high to be
//! chance. A robust fit leaves foreign pictures out.

use dfm_backbone::{FeatureExtractor, hexadecimal};
use dfm_stats::{Row, Tail};

use crate::decide::held_out::different;
use crate::decide::left_out::{PlacesLeftOut, usual_scale};
use crate::decide::split;
use crate::error::DfmError;
use crate::judge::rule::ScoringRule;
use crate::learn::derive::fitted;
use crate::learn::kept::Kept;
use crate::learn::not_searched::NotSearched;
use crate::learn::record::{ForeignRecord, OddPicture};
use crate::method::{Aggregation, CalibrationKind, Robust, ScoreKind, ValidFitParams};

/// The fewest different pictures with which a fit looks for foreign ones by default. With fewer, one
/// picture is more than a hundredth of what there is to learn, and an odd picture may well be good.
pub(super) const FEWEST_UNASKED: usize = 100;
/// The fewest different pictures with which a fit can tell what is foreign.
const FEWEST: usize = 8;
/// The most different pictures. Each pass fits all of them once more, which takes too long beyond this.
const MOST: usize = 5000;
/// The share of the finds of the first pass that may be chance. If the first pass finds nothing at this
/// share, no picture is foreign.
const GATE: f64 = 0.01;
/// The share of the finds that may be chance in every pass, once the first has found something.
const EXTENT: f64 = 0.2;
/// The value of both shares for fewer than [`FEWEST_UNASKED`] pictures.
const STRICT: f64 = 0.01;
/// The most passes. A pass may find pictures that were masked by foreign pictures found before.
const PASSES: usize = 6;
/// The largest share of the pictures that may be left out.
const MOST_SHARE: f64 = 0.2;
/// A local defect raises a high power mean of the cells. A defect that is spread out raises their sum.
const AGGREGATIONS: [Aggregation; 2] = [Aggregation::Sum, Aggregation::Power { exponent: 4.0 }];

/// What a search for foreign pictures found.
#[derive(Debug, Default)]
pub(super) struct Searched {
    /// The pictures that are foreign, if there are any.
    pub(super) foreign: Option<ForeignRecord>,
    /// Why no picture was looked at. `None` also if pictures are so few that they are not looked at unless
    /// that is asked for.
    pub(super) not_searched: Option<NotSearched>,
}

impl ValidFitParams {
    /// The pictures among `kept` that are to be learnt, and what a search found. A picture can only be found
    /// foreign if `may_go` is true for its content hash. Nothing changes if no picture is foreign, if
    /// [`Robust`] says so, or if pictures cannot be left out one by one.
    ///
    /// Every picture is scored by a model of all others, by the sum and by a high power mean of the cells.
    /// The [`Tail`] of each kind of score gives a p-value, and the rule of Benjamini and Hochberg says which
    /// are too small to be chance. This is repeated without those pictures until nothing changes. A picture
    /// that was left out stays out.
    ///
    /// Cost: one pass of leave-one-out if nothing is foreign, else up to six fits.
    ///
    /// # Errors
    ///
    /// If the search is asked for and not possible, or a decomposition or the device fails.
    pub(super) fn without_foreign(
        &self,
        extractor: &FeatureExtractor,
        kept: Kept,
        robust: Robust,
        may_go: impl Fn(&[u8; 32]) -> bool,
    ) -> Result<(Kept, Searched), DfmError> {
        // A later step refuses a fit of one picture.
        let Ok(all) = different(&kept.content_hashes) else { return Ok((kept, Searched::default())) };
        let is_few = all.len() < FEWEST_UNASKED;
        match (robust, self.not_searched(&kept, robust, all.len())) {
            (Robust::On, Some(_)) => {
                return Err(DfmError::Parameter {
                    name: "robust",
                    expected: "auto or off, unless the fit is exact and has 8 to 5000 different pictures",
                    got: Robust::On.to_string(),
                });
            }
            (_, not_searched @ Some(_)) => return Ok((kept, Searched { foreign: None, not_searched })),
            (Robust::On, None) => {}
            (_, None) if is_few => return Ok((kept, Searched::default())),
            (_, None) => {}
        }
        if kept.check_variation().is_err() {
            return Ok((kept, Searched::default()));
        }
        let may_go = all.iter().map(|row| may_go(&kept.content_hashes[row.place])).collect();
        let search = Search { params: self, extractor, kept: &kept, all: &all, may_go };
        let out = search.foreign()?;
        if !out.contains(&true) {
            return Ok((kept, Searched::default()));
        }
        let left = fitted(&kept, &search.rows(&out))?.into_owned();
        let foreign = Some(search.record(&out, &left)?);
        Ok((left, Searched { foreign, not_searched: None }))
    }

    /// Why so many different pictures cannot be looked at, if they cannot. If pictures are few and the search
    /// is not asked for, only reasons count for which the fit cannot name pictures that stand out either.
    fn not_searched(&self, kept: &Kept, robust: Robust, different: usize) -> Option<NotSearched> {
        let method = self.method();
        // In a compressed fit, all pictures took part in the choice of directions, so no single picture can
        // be left out.
        let is_exact = kept.set_aside.is_none() && !kept.is_compressed();
        match robust {
            Robust::Off => Some(NotSearched::Off),
            _ if method.rows_are_tiles() => Some(NotSearched::Tiles),
            _ if !is_exact => Some(NotSearched::Memory),
            Robust::On if different < FEWEST => Some(NotSearched::FewPictures),
            Robust::Auto if different < FEWEST_UNASKED => None,
            _ => method.not_searched().or((different > MOST).then_some(NotSearched::ManyPictures)),
        }
    }
}

impl crate::Method {
    /// Whether a fit with this method can tell which pictures are foreign.
    pub(crate) fn can_be_robust(&self) -> bool {
        self.not_searched().is_none()
    }

    /// Why a fit with this method cannot tell which pictures are foreign, if it cannot. The score must be FRE,
    /// it must be possible to hold pictures out one by one, and no proof may rest on the choice of the
    /// held-out pictures. No threshold need be looked for.
    fn not_searched(&self) -> Option<NotSearched> {
        if self.rows_are_tiles() {
            return Some(NotSearched::Tiles);
        }
        match (self.score, self.compat, self.calibration_kind()) {
            (ScoreKind::Nll | ScoreKind::Mahalanobis, _, _) => Some(NotSearched::Score),
            (ScoreKind::Fre, Some(_), _) => Some(NotSearched::Compat),
            (ScoreKind::Fre, None, Some(CalibrationKind::Split | CalibrationKind::JackknifePlus)) => {
                Some(NotSearched::Calibration)
            }
            (ScoreKind::Fre, None, None | Some(CalibrationKind::LeaveOneOut)) => None,
        }
    }
}

struct Search<'s> {
    params: &'s ValidFitParams,
    extractor: &'s FeatureExtractor,
    kept: &'s Kept,
    /// Every different picture.
    all: &'s [Row],
    /// For each of them, whether it may be found foreign.
    may_go: Vec<bool>,
}

impl Search<'_> {
    /// For each different picture, whether it is foreign.
    fn foreign(&self) -> Result<Vec<bool>, DfmError> {
        let count = self.all.len();
        let (gate, extent) = if count < FEWEST_UNASKED { (STRICT, STRICT) } else { (GATE, EXTENT) };
        let most = (MOST_SHARE * count as f64) as usize;
        let mut out = vec![false; count];
        for pass in 0..PASSES {
            let Some(p_values) = self.p_values(&out)? else { break };
            let found = |share| found(&p_values, share).into_iter().filter(|index| self.may_go[*index]);
            if pass == 0 && found(gate).next().is_none() {
                break;
            }
            let mut new: Vec<usize> = found(extent).filter(|index| !out[*index]).collect();
            let room = most - out.iter().filter(|out| **out).count();
            new.truncate(room);
            if new.is_empty() {
                break;
            }
            new.into_iter().for_each(|index| out[index] = true);
        }
        Ok(out)
    }

    /// The p-value of each picture: the probability of scores as high as its own if it is like the pictures
    /// that are not `out`. `None` if scores do not differ.
    fn p_values(&self, out: &[bool]) -> Result<Option<Vec<f64>>, DfmError> {
        let outside = self.rows(out);
        let fitted = fitted(self.kept, &outside)?;
        fitted.check_variation()?;
        let inside = different(&fitted.content_hashes)?;
        let mut rule = self.params.rule(self.extractor, &fitted)?;
        let mut least = vec![1.0_f64; out.len()];
        for aggregation in AGGREGATIONS {
            rule.aggregation = aggregation;
            self.set_scale(&fitted, &mut rule)?;
            let of_inside = PlacesLeftOut::new(&fitted.statistics, &rule, None)?.scores(&inside)?;
            let Some(tail) = Tail::of(&of_inside) else { return Ok(None) };
            let of_outside = self.scores_as_new(&rule, &outside)?;
            let (mut of_inside, mut of_outside) = (of_inside.into_iter(), of_outside.into_iter());
            for (least, out) in least.iter_mut().zip(out) {
                let scores = if *out { &mut of_outside } else { &mut of_inside };
                let score = scores.next().expect("one score for each picture");
                // Each kind of score can be high by chance, so the p-value is multiplied by their number.
                *least = least.min(AGGREGATIONS.len() as f64 * tail.p_value(score));
            }
        }
        Ok(Some(least))
    }

    /// The record of the pictures that are `out`, with their scores as the model of those `left` gives them.
    fn record(&self, out: &[bool], left: &Kept) -> Result<ForeignRecord, DfmError> {
        let mut rule = self.params.rule(self.extractor, left)?;
        self.set_scale(left, &mut rule)?;
        let rows = self.rows(out);
        let scores = self.scores_as_new(&rule, &rows)?;
        let picture = |(row, score): (&Row, f64)| OddPicture {
            name: None,
            content_hash: hexadecimal(&self.kept.content_hashes[row.place]),
            score,
            copies: row.copies,
        };
        let mut pictures: Vec<OddPicture> = rows.iter().zip(scores).map(picture).collect();
        pictures
            .sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.content_hash.cmp(&b.content_hash)));
        Ok(ForeignRecord { of: self.all.len(), pictures })
    }

    /// The scores of these pictures as new pictures.
    fn scores_as_new(&self, rule: &ScoringRule, pictures: &[Row]) -> Result<Vec<f64>, DfmError> {
        match pictures {
            [] => Ok(Vec::new()),
            _ => Ok(split::scores(&self.kept.statistics, pictures, rule, self.extractor.device())?.0),
        }
    }

    /// Brings the places of `rule` to one scale.
    fn set_scale(&self, fitted: &Kept, rule: &mut ScoringRule) -> Result<(), DfmError> {
        if !self.params.method().tile_statistics.is_shared() {
            rule.scale = usual_scale(fitted, rule)?;
        }
        Ok(())
    }

    /// The pictures that are out.
    fn rows(&self, out: &[bool]) -> Vec<Row> {
        self.all.iter().zip(out).filter(|(_, out)| **out).map(|(row, _)| *row).collect()
    }
}

/// The indices of p-values that are too small to be chance, smallest first. On average, at most `share` of
/// the indices that are found are chance (Benjamini and Hochberg 1995).
fn found(p_values: &[f64], share: f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let count = p_values.len() as f64;
    let is_small = |(rank, index): (usize, &usize)| p_values[*index] <= share * (rank + 1) as f64 / count;
    let most = order.iter().enumerate().filter(|ranked| is_small(*ranked)).map(|(rank, _)| rank + 1).max();
    order.truncate(most.unwrap_or(0));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_rank_below_its_line_decides() {
        // As statsmodels.stats.multitest.multipletests(…, method="fdr_bh") rejects them: the lines are at
        // 0.01, 0.02, … for a share of 0.06.
        let p_values = [0.5, 0.009, 0.029, 0.9, 0.025, 0.2];
        // The second smallest is above its line, and the third is below.
        assert_eq!(found(&p_values, 0.06), [1, 4, 2]);
        assert_eq!(found(&p_values, 0.056), [1]);
        assert!(found(&p_values, 0.05).is_empty());
    }
}
