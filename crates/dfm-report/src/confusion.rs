//! Counts the verdicts at a threshold. It is the one thing that this crate counts, because the
//! reader moves the threshold. The page's script counts the same, and a test compares the two.

use crate::report::{Picture, PixelCounts, Report, Truth};

/// Counts of pictures or pixels, by their label and by their verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Confusion {
    /// Defects that are called anomalous.
    pub(crate) found: usize,
    /// Defects that are not called anomalous.
    pub(crate) missed: usize,
    /// Good pictures that are called anomalous.
    pub(crate) false_alarms: usize,
    /// Good pictures that are not called anomalous.
    pub(crate) passed: usize,
}

/// The verdict on one picture, compared with its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Found,
    Missed,
    FalseAlarm,
    Passed,
    /// There is no threshold.
    None,
}

/// A share of pictures, with the texts that explain it to the reader.
pub(crate) struct Share {
    /// The id of the element in the page.
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    /// The meaning of the share, in words.
    pub(crate) meaning: &'static str,
    /// The text if the share has no meaning.
    pub(crate) without: &'static str,
    /// The value of the share; `None` if it has no meaning.
    pub(crate) of: fn(&Confusion) -> Option<f64>,
}

pub(crate) const SHARES: [Share; 4] = [
    Share {
        id: "recall",
        name: "Recall",
        meaning: "of the defects are found",
        without: "no meaning: no picture with a defect",
        of: |counts| ratio(counts.found, counts.found + counts.missed),
    },
    Share {
        id: "precision",
        name: "Precision",
        meaning: "of the pictures called anomalous are defects",
        without: "no meaning: no picture is called anomalous",
        of: |counts| ratio(counts.found, counts.found + counts.false_alarms),
    },
    Share {
        id: "alarms",
        name: "False-alarm share",
        meaning: "of the good pictures are called anomalous",
        without: "no meaning: no good picture",
        of: |counts| ratio(counts.false_alarms, counts.false_alarms + counts.passed),
    },
    Share {
        id: "f1",
        name: "F1",
        meaning: "harmonic mean of recall and precision",
        without: "no meaning: no picture with a defect",
        of: |counts| {
            let whole = 2 * counts.found + counts.missed + counts.false_alarms;
            ratio(2 * counts.found, whole).filter(|_| counts.found + counts.missed > 0)
        },
    },
];

impl Confusion {
    /// The counts at the threshold of `report`; `None` without a threshold.
    pub(crate) fn of(report: &Report) -> Option<Self> {
        report.threshold?;
        let mut counts = Self::default();
        for picture in &report.pictures {
            match Verdict::on(picture, report.threshold) {
                Verdict::Found => counts.found += 1,
                Verdict::Missed => counts.missed += 1,
                Verdict::FalseAlarm => counts.false_alarms += 1,
                Verdict::Passed => counts.passed += 1,
                Verdict::None => {}
            }
        }
        Some(counts)
    }

    /// The same counts, for pixels.
    pub(crate) fn of_pixels(counts: &PixelCounts) -> Self {
        let PixelCounts { found, missed, false_alarms, passed, .. } = *counts;
        Self { found, missed, false_alarms, passed }
    }
}

impl Verdict {
    /// The verdict on `picture`. A score that reaches `threshold` is called anomalous.
    pub(crate) fn on(picture: &Picture, threshold: Option<f64>) -> Self {
        let Some(threshold) = threshold else { return Self::None };
        match (picture.truth, picture.score >= threshold) {
            (Truth::Defect, true) => Self::Found,
            (Truth::Defect, false) => Self::Missed,
            (Truth::Good, true) => Self::FalseAlarm,
            (Truth::Good, false) => Self::Passed,
        }
    }

    /// The name of the verdict in the page's script and style, which show it in words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Missed => "missed",
            Self::FalseAlarm => "false alarm",
            Self::Passed => "passed",
            Self::None => "no threshold",
        }
    }
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(threshold: Option<f64>) -> Report {
        let picture = |truth, score| Picture {
            path: String::new(),
            class: String::new(),
            truth,
            score,
            p_value: None,
            remark: None,
            views: Vec::new(),
            regions: Vec::new(),
        };
        let pictures = vec![
            picture(Truth::Good, 1.0),
            picture(Truth::Good, 2.0),
            picture(Truth::Good, 3.0),
            picture(Truth::Defect, 1.5),
            picture(Truth::Defect, 3.0),
        ];
        Report { threshold, pictures, ..Report::default() }
    }

    fn shares(counts: &Confusion) -> [Option<f64>; 4] {
        SHARES.map(|share| (share.of)(counts))
    }

    #[test]
    fn a_score_at_the_threshold_is_anomalous() {
        let counts = Confusion::of(&report(Some(3.0))).unwrap();
        assert_eq!(counts, Confusion { found: 1, missed: 1, false_alarms: 1, passed: 2 });
        assert_eq!(shares(&counts), [Some(0.5), Some(0.5), Some(1.0 / 3.0), Some(0.5)]);
        assert_eq!(Confusion::of(&report(None)), None);
    }

    #[test]
    fn a_share_of_nothing_is_no_number() {
        assert_eq!(shares(&Confusion::default()), [None; 4]);
        let none_called = Confusion { missed: 2, passed: 3, ..Confusion::default() };
        assert_eq!(shares(&none_called), [Some(0.0), None, Some(0.0), Some(0.0)]);
        let good_alone = Confusion { false_alarms: 1, passed: 3, ..Confusion::default() };
        assert_eq!(shares(&good_alone), [None, Some(0.0), Some(0.25), None]);
    }
}
