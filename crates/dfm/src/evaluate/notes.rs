//! What an evaluation lacks, in words.

use dfm_data::counted;

use super::json::Evaluation;

impl Evaluation {
    /// Says which figures are not there, and why.
    pub fn notes(&self) -> Vec<String> {
        let [good, bad] = self.kinds();
        if good + bad == 0 {
            return vec!["no picture could be judged: there is no figure".to_owned()];
        }
        let mut notes = Vec::new();
        let mut note = |applies: bool, text: String| notes.extend(applies.then_some(text));
        let both = "figures that take both kinds have no meaning";
        note(bad == 0, format!("no pictures with defects: {both}"));
        note(good == 0, format!("no good pictures: {both}"));
        let (missing, unusable) = (self.without_mask, self.unusable_masks);
        let left_out = "not in figures over pixels";
        note(
            missing > 0,
            format!("{} with a defect but without a mask: {left_out}", counted(missing, "picture")),
        );
        note(
            unusable > 0,
            format!("{} with a mask that cannot be used: {left_out}", counted(unusable, "picture")),
        );
        note(
            good > 0 && self.pixel.auroc.is_some() && self.pixel.aupimo.is_none(),
            "too few pixels of good pictures for AUPIMO, which takes 100 000".to_owned(),
        );
        notes.extend(self.mask_counts.notes());
        notes.extend(self.contradictions.notes());
        if let Some(support) = self.support.filter(|support| support.is_few) {
            notes.push(format!("few pictures calibrate the threshold: {support}"));
        }
        notes
    }
}
