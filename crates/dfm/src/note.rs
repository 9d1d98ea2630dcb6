//! Notes: what a caller should know and what is not an error.

use std::fmt;
use std::path::PathBuf;

use dfm_core::{SizeRange, UnsupportedNode};
use dfm_data::counted;
use dfm_weights::HubPulled;

use crate::coarse_because::CoarseBecause;

/// The most pictures that a note names.
const NAMED: usize = 20;

/// Something that a caller should know and that is not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// What a data set holds, in one line.
    Dataset {
        /// The line.
        summary: String,
    },
    /// Something about a data set, such as what was left out.
    Remark {
        /// The data set.
        path: PathBuf,
        /// What is to be said.
        text: String,
    },
    /// Pictures that were judged and whose sizes are far from those of the fit.
    UnusualSizes {
        /// How many.
        count: usize,
        /// The sizes of the fit.
        usual: SizeRange,
    },
    /// Files among the pictures that are not taken for pictures.
    LeftOut {
        /// Which files, how many, and why.
        text: String,
    },
    /// Pictures to judge that are also among the pictures to learn.
    Duplicate {
        /// What is to be said.
        text: String,
    },
    /// The mask of a defective picture marks no pixel.
    EmptyMask {
        /// The picture.
        path: PathBuf,
        /// Its class.
        class: String,
    },
    /// A mask marks more than nine tenths of its picture, as an inverted mask does.
    MaskMarksMost {
        /// The mask.
        path: PathBuf,
        /// Whether it marks every pixel.
        all: bool,
    },
    /// There is no checkpoint to resume, so the fit begins anew.
    NoCheckpoint {
        /// The path where it was expected.
        path: PathBuf,
    },
    /// A fit goes on from a checkpoint.
    Resumed {
        /// The checkpoint.
        path: PathBuf,
        /// The number of pictures that need not be learnt again.
        pictures: usize,
    },
    /// A checkpoint also holds what a fit on other pictures has learnt, so it is kept.
    CheckpointKept {
        /// The checkpoint.
        path: PathBuf,
        /// Where it is kept.
        aside: PathBuf,
        /// The number of pictures or tiles in it that do not belong to this fit.
        others: usize,
    },
    /// Another process is changing the same file, and this one waits for it.
    Waiting {
        /// The file.
        path: PathBuf,
    },
    /// The file system has no locks, so nothing keeps other processes from changing the same file.
    NotLocked {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A file with other content is there and stays, so the file of this run gets another name.
    OtherName {
        /// The file that stays.
        path: PathBuf,
        /// The file that was written.
        written: PathBuf,
    },
    /// A fit failed, and its checkpoint stays.
    CheckpointLeft {
        /// The checkpoint.
        path: PathBuf,
        /// The number of pictures that it holds.
        pictures: u64,
    },
    /// A checkpoint cannot be written; the fit goes on without it.
    CheckpointBroken {
        /// The checkpoint.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A checkpoint is no longer needed and could not be removed.
    CheckpointStays {
        /// The checkpoint.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The fit of one of several views of parts begins.
    View {
        /// Its name.
        name: String,
        /// How many pictures it has.
        pictures: usize,
    },
    /// One of several products begins.
    Product {
        /// Its name.
        name: String,
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        total: usize,
    },
    /// The threshold of a model is far too low: its fit dropped directions and set no pictures aside.
    SmallScores,
    /// Pictures with 16 bits a channel were judged or learnt by their high bytes.
    HighBytes {
        /// How many pictures.
        pictures: usize,
    },
    /// Pictures have values outside of the levels, which were clamped.
    OutsideLevels {
        /// How many pictures.
        pictures: usize,
        /// The levels.
        levels: String,
        /// The number of pixels outside, in the picture with the largest share of them.
        pixels: u64,
        /// All pixels of that picture.
        of: u64,
    },
    /// The levels of a fit were taken from pictures that the fit then left out as foreign, and would be others
    /// without them.
    LevelsOfForeign {
        /// The levels of the model.
        levels: String,
        /// The levels without those pictures.
        without: String,
        /// How many pictures were left out.
        pictures: usize,
    },
    /// An update was given pictures that the fit had left out as foreign, and they stay left out.
    StayOut {
        /// Their names.
        names: Vec<String>,
    },
    /// Maps were fine and are now coarse, because the details of the model's pictures are not known.
    MapsCoarse {
        /// The model that is written.
        path: PathBuf,
    },
    /// Weights are not here and are now fetched from a hub.
    Fetching {
        /// The repository.
        reference: String,
        /// The hub.
        endpoint: String,
    },
    /// Weights were fetched from a hub.
    Fetched {
        /// What came, how it was checked, and what its repository states.
        pulled: HubPulled,
    },
    /// Nothing states what the network of an ONNX file expects of pixels, so it was assumed.
    Pixels {
        /// How the values of pixels become numbers.
        normalisation: String,
    },
    /// Burn runs the network on a processor, because our own kernels do not compute a node of it.
    ByBurn {
        /// The node.
        unsupported: UnsupportedNode,
    },
    /// A fit was to have fine maps, and has coarse ones.
    FitCoarse {
        /// Why.
        why: CoarseBecause,
    },
    /// The figures on synthetic defects belong to other pictures and are dropped.
    ValidationDropped {
        /// The model that is written.
        path: PathBuf,
        /// Whether synthetic defects decided the threshold before.
        decided: bool,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dataset { summary } => f.write_str(summary),
            Self::Remark { path, text } => write!(f, "{}: {text}", path.display()),
            Self::UnusualSizes { count, usual: SizeRange { smallest, largest } } => {
                let [from, to] = [smallest, largest].map(|[width, height]| format!("{width}×{height}"));
                let usual = if from == to { from } else { format!("{from} to {to}") };
                let pictures = have(*count);
                write!(
                    f,
                    "{pictures} a size far from those of the fit, {usual} pixels: scores may not compare"
                )
            }
            Self::Duplicate { text } | Self::LeftOut { text } => f.write_str(text),
            Self::EmptyMask { path, class } => {
                write!(f, "{}: its mask marks nothing, though it is of class {class}", path.display())
            }
            Self::MaskMarksMost { path, all } => {
                let part = if *all { "every pixel" } else { "more than nine tenths of the pixels" };
                write!(f, "{}: the mask marks {part}; is it inverted?", path.display())
            }
            Self::NoCheckpoint { path } => {
                write!(f, "{}: not there, so the fit begins anew", path.display())
            }
            Self::Resumed { path, pictures } => {
                let (are, they) = if *pictures == 1 { ("is", "it is") } else { ("are", "they are") };
                write!(
                    f,
                    "{}: {} {are} learnt already, and {are} not learnt again if {they} in this fit",
                    path.display(),
                    counted(*pictures, "picture")
                )
            }
            Self::CheckpointKept { path, aside, others } => write!(
                f,
                "{}: {others} of its pictures or tiles {} not in this fit, so it is kept as {}",
                path.display(),
                if *others == 1 { "is" } else { "are" },
                aside.display()
            ),
            Self::Waiting { path } => {
                write!(
                    f,
                    "{}: another process is changing it; this one waits until that is done",
                    path.display()
                )
            }
            Self::NotLocked { path, reason } => write!(
                f,
                "{}: cannot be locked ({reason}): see to it that no other process changes it meanwhile",
                path.display()
            ),
            Self::OtherName { path, written } => write!(
                f,
                "{}: a file with other content is there and stays; this run wrote {}. Other files of this run may have \
                 such names too",
                path.display(),
                written.display()
            ),
            Self::CheckpointLeft { path, pictures } => write!(
                f,
                "{}: holds the features of {}; a fit can be resumed from it, also with other settings of the statistics",
                path.display(),
                counted(usize::try_from(*pictures).unwrap_or(usize::MAX), "picture")
            ),
            Self::CheckpointBroken { path, reason } => write!(
                f,
                "{}: {reason}; the fit goes on, but if it is interrupted, what it learns from here on is lost",
                path.display()
            ),
            Self::CheckpointStays { path, reason } => {
                write!(f, "{}: no longer needed, but: {reason}", path.display())
            }
            Self::View { name, pictures } => write!(f, "view {name}: {} to learn", counted(*pictures, "picture")),
            Self::Product { name, number, total } => write!(f, "{name}: product {number} of {total}"),
            Self::SmallScores => f.write_str(
                "the threshold and the p-values of this model are far too low: memory did not suffice for its fit, by \
                 an earlier version, and most good pictures are called anomalous; fit it again, or state a threshold",
            ),
            Self::HighBytes { pictures } => write!(
                f,
                "{} 16 bits a channel, and no levels are stated for such pictures: 65535 counts as white and the low bytes \
                 are dropped; a new fit of such pictures takes the levels that they use",
                have(*pictures)
            ),
            Self::OutsideLevels { pictures, levels, pixels, of } => write!(
                f,
                "{} values outside of the levels {levels}, which are clamped: up to {} % of the pixels of a picture",
                have(*pictures),
                share(*pixels, *of)
            ),
            Self::LevelsOfForeign { levels, without, pictures } => write!(
                f,
                "the levels {levels} were taken from all pictures, {pictures} of which the fit then left out as foreign; without \
                 those the levels are {without}: leave those pictures out, or state the levels, and fit again"
            ),
            Self::StayOut { names } => {
                let (stay, rest) = (if names.len() == 1 { "stays" } else { "stay" }, names.len().saturating_sub(NAMED));
                let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
                write!(
                    f,
                    "{} {stay} left out as foreign to the others: {}{more}",
                    counted(names.len(), "picture"),
                    names[..names.len() - rest].join(", ")
                )
            }
            Self::MapsCoarse { path } => write!(
                f,
                "{}: maps are coarse from here on: what fine maps know of pictures cannot be taken apart, nor added \
                 to a model that does not know it. Scores do not change; a new fit gives fine maps again",
                path.display()
            ),
            Self::Fetching { reference, endpoint } => {
                write!(f, "the weights {reference} are not here: they are fetched from {endpoint}")
            }
            Self::Fetched { pulled } => {
                let more = pulled.resized_otherwise().map_or_else(String::new, |text| format!(". {text}"));
                write!(f, "fetched {pulled}{more}")
            }
            Self::Pixels { normalisation } => {
                let why = match normalisation.as_str() {
                    "imagenet" => "the file does not normalise pictures itself",
                    _ => "the file normalises pictures itself",
                };
                write!(
                    f,
                    "pixels as {normalisation}, assumed because {why}: no ONNX file states what its network expects"
                )
            }
            Self::ByBurn { unsupported } => write!(
                f,
                "the network runs by Burn, which is slower: our own kernels do not compute {unsupported}. Features \
                 are the same but for rounding"
            ),
            Self::FitCoarse { why } => write!(f, "maps are coarse: {why}. Scores do not change"),
            Self::ValidationDropped { path, decided } => {
                let threshold = match decided {
                    true => {
                        ", and the threshold is that of held-out good pictures in place of the synthetic ones"
                    }
                    false => "",
                };
                write!(
                    f,
                    "{}: the figures on synthetic defects belong to other pictures and are dropped{threshold}",
                    path.display()
                )
            }
        }
    }
}

/// The beginning of a sentence about this many pictures.
fn have(pictures: usize) -> String {
    format!("{} {}", counted(pictures, "picture"), if pictures == 1 { "has" } else { "have" })
}

/// A share in per cent with two significant digits.
fn share(pixels: u64, of: u64) -> String {
    let percent = 100.0 * pixels as f64 / of.max(1) as f64;
    let digits = (1.0 - percent.max(1e-6).log10().floor()).clamp(0.0, 8.0) as usize;
    format!("{percent:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_names_the_node_for_whose_sake_burn_runs() {
        let unsupported = UnsupportedNode { node: "blocks.3.attn".to_owned(), operation: "attention" };
        let text = Note::ByBurn { unsupported }.to_string();
        assert!(text.contains("by Burn") && text.contains("node 'blocks.3.attn' (attention)"), "{text}");
    }
}
