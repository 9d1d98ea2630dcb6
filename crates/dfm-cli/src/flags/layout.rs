//! Layouts of data sets, as they are typed.

use clap::ValueEnum;
use clap::builder::PossibleValue;
use dfm::Layout;

/// A layout as a value of `--layout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LayoutFlag(pub(crate) Layout);

impl ValueEnum for LayoutFlag {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: [LayoutFlag; Layout::ALL.len()] = {
            let mut all = [LayoutFlag(Layout::Folder); Layout::ALL.len()];
            let mut index = 0;
            while index < all.len() {
                all[index] = LayoutFlag(Layout::ALL[index]);
                index += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()).help(self.0.describe()))
    }
}
