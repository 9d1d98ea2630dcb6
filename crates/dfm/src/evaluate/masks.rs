//! How the masks of an evaluation were read.

use dfm_data::MaskReading;
use serde::Serialize;

/// How many masks were read in which way. [`MaskReading`] has the rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MaskCounts {
    /// Masks that were read.
    pub read: usize,
    /// Masks among them with small values only, of which every value but zero is marked.
    pub nonzero: usize,
    /// Masks among them with more than two values, of which those above half of the range are
    /// marked.
    pub above_half: usize,
    /// Pixels of those masks that are neither zero nor marked.
    pub pixels_between: usize,
    /// Masks that mark more than nine tenths of their pixels, as an inverted mask does.
    pub mostly_marked: usize,
}

impl MaskCounts {
    pub(super) fn push(&mut self, reading: &MaskReading) {
        self.read += 1;
        self.mostly_marked += usize::from(reading.is_mostly_inside());
        match (reading.is_obvious(), reading.above) {
            (true, _) => {}
            (false, 0) => self.nonzero += 1,
            (false, _) => {
                self.above_half += 1;
                self.pixels_between += reading.between;
            }
        }
    }

    /// The rule, where it was not obvious.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let Self { read, nonzero, above_half, pixels_between, .. } = *self;
        if nonzero > 0 {
            notes.push(format!(
                "{nonzero} of {read} masks have small values only: every value but 0 is marked"
            ));
        }
        if above_half > 0 {
            notes.push(format!(
                "{above_half} of {read} masks have more than two values: those above half of the range are marked, \
                 and {pixels_between} pixels with smaller values are not"
            ));
        }
        notes
    }
}
