//! The answers of a model, counted: normal, review, anomalous, and what speaks against them.

use dfm_core::{Contradiction, Label};
use dfm_data::counted;
use serde::Serialize;

use super::evaluated::EvaluatedPicture;

/// How many pictures got each answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Answers {
    /// Pictures that are called normal.
    pub normal: usize,
    /// Pictures that a person should look at.
    pub review: usize,
    /// Pictures that are called anomalous.
    pub anomalous: usize,
}

impl Answers {
    /// Counts the answers of the pictures that got one; `None` if none did.
    pub(super) fn of<'p>(pictures: impl Iterator<Item = &'p EvaluatedPicture>) -> Option<Self> {
        let mut answers = Self::default();
        for label in pictures.filter_map(|picture| picture.label) {
            match label {
                Label::Review => answers.review += 1,
                Label::Anomalous => answers.anomalous += 1,
                _ => answers.normal += 1,
            }
        }
        (answers.count() > 0).then_some(answers)
    }

    /// All pictures that got an answer.
    pub fn count(&self) -> usize {
        self.normal + self.review + self.anomalous
    }

    /// The share of them that a person should look at; `None` without pictures.
    pub fn review_share(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.review as f64 / self.count() as f64)
    }
}

/// What a review band does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReviewFigures {
    /// The smallest raw score of the band. Where p-values decide, the score that usually has such a
    /// p-value.
    pub from: f64,
    /// The share of good pictures that a person should look at; null without good pictures.
    pub good: Option<f64>,
    /// The share of pictures with a defect that a person should look at; null without any.
    pub defects: Option<f64>,
}

/// Pictures whose label and regions disagree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Contradictions {
    /// Pictures that are called normal, though the map has regions.
    pub normal_with_regions: usize,
    /// Pictures that are called anomalous, though the map has no region.
    pub anomalous_without_regions: usize,
}

impl Contradictions {
    /// Counts those that were `found`.
    pub(crate) fn of(found: impl Iterator<Item = Option<Contradiction>>) -> Self {
        let mut all = Self::default();
        found.for_each(|one| all.push(one));
        all
    }

    /// Adds what one picture says.
    pub fn push(&mut self, found: Option<Contradiction>) {
        match found {
            Some(Contradiction::NormalWithRegions) => self.normal_with_regions += 1,
            Some(Contradiction::AnomalousWithoutRegions) => self.anomalous_without_regions += 1,
            _ => {}
        }
    }

    /// One sentence for each kind that there is.
    pub fn notes(&self) -> Vec<String> {
        self.notes_of("picture")
    }

    /// [`notes`](Self::notes) of things with another name, such as `part`.
    pub fn notes_of(&self, name: &str) -> Vec<String> {
        let kinds = [
            (self.normal_with_regions, "called normal, though the map reaches the pixel threshold"),
            (
                self.anomalous_without_regions,
                "called anomalous, though the map reaches the pixel threshold nowhere",
            ),
        ];
        let there = kinds.into_iter().filter(|(count, _)| *count > 0);
        there.map(|(count, what)| format!("{} {what}", counted(count, name))).collect()
    }
}
