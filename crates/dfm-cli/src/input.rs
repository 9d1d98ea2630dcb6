//! From paths on the command line to pictures and data sets; what is wrong or worth knowing is said.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use dfm::{
    Chain, Dataset, Files, Layout, Note, Observer, PictureSize, Pictures, Region, Training, open_region,
    path_list, training, training_on_all,
};

use crate::messages::Messages;

/// What to do about a folder that is not understood.
const HELP: &str = "name the layout with --layout, or list pictures in a CSV file path,label,mask,split";

/// Which folders are learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folders {
    /// Those whose names do not say that they hold defects.
    Good,
    /// All of them.
    All,
}

impl Folders {
    /// All of them, with `--all-folders`.
    pub(crate) fn all(all: bool) -> Self {
        if all { Self::All } else { Self::Good }
    }
}

/// The pictures to learn from at `root`: those of a data set, which is described, or what lies in a
/// folder.
pub(crate) fn good_pictures(
    root: &Path,
    layout: Option<Layout>,
    folders: Folders,
    messages: &Messages,
) -> anyhow::Result<Files> {
    let found = learnable(root, layout, folders, messages)?;
    found.dataset.iter().try_for_each(refuse_parts)?;
    Ok(Files::new(root, found.pictures))
}

/// The same, with the data set; also for lists of parts.
pub(crate) fn learnable(
    root: &Path,
    layout: Option<Layout>,
    folders: Folders,
    messages: &Messages,
) -> anyhow::Result<Training> {
    let named = || root.display().to_string();
    let found = match folders {
        Folders::Good => training(root, layout),
        Folders::All => training_on_all(root),
    };
    let found = found.map_err(with_help).with_context(named)?;
    found.problems.iter().for_each(|problem| messages.data_error(&problem.path, &problem.error));
    if let Some(dataset) = &found.dataset {
        describe(dataset, messages);
    }
    for text in &found.remarks {
        messages.note(&Note::Remark { path: root.to_owned(), text: text.clone() });
    }
    Ok(found)
}

/// Pictures that are named on the command line, in a list, or come from standard input.
pub(crate) struct Named {
    files: Files,
    piped: Pictures,
}

impl Named {
    /// All of them.
    pub(crate) fn source(&self) -> Chain<'_> {
        Chain::new(vec![&self.files, &self.piped])
    }
}

/// What the command line names for a picture from standard input, and for a list from there.
const STANDARD_INPUT: &str = "-";

/// The pictures of `paths`, one of which may be `-`, and those of the file `list`, which may be `-`.
pub(crate) fn named(paths: &[PathBuf], list: Option<&Path>, messages: &Messages) -> anyhow::Result<Named> {
    let is_piped = |path: &Path| path.as_os_str() == STANDARD_INPUT;
    let (piped, paths): (Vec<PathBuf>, Vec<PathBuf>) = paths.iter().cloned().partition(|path| is_piped(path));
    if piped.len() + usize::from(list.is_some_and(is_piped)) > 1 {
        bail!("-: standard input can be given once, as a picture or as --list");
    }
    let listed = list.map(path_list_of).transpose()?.unwrap_or_default();
    let mut files = Files::named(&paths, messages).paths().to_vec();
    files.extend(Files::listed(&listed, messages).paths().iter().cloned());
    let mut pictures = Pictures::default();
    if !piped.is_empty() {
        let mut bytes = Vec::new();
        // One byte too many is refused as any file that is too large.
        let most = dfm::DecodeLimits::default().max_bytes + 1;
        std::io::stdin().lock().take(most).read_to_end(&mut bytes).context("cannot read standard input")?;
        pictures.push_file(STANDARD_INPUT, bytes);
    }
    Ok(Named { files: Files::new(Path::new(""), files), piped: pictures })
}

/// The good pictures that the file `list` names.
pub(crate) fn listed(list: &Path, messages: &Messages) -> anyhow::Result<Files> {
    Ok(Files::listed(&path_list_of(list)?, messages))
}

/// The paths in the file `list`, or in standard input if that is `-`.
fn path_list_of(list: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let said = || format!("--list {}", list.display());
    let paths = match list.as_os_str() == STANDARD_INPUT {
        true => path_list(std::io::stdin().lock()),
        false => File::open(list).and_then(path_list),
    };
    let paths = paths.with_context(said)?;
    match paths.is_empty() {
        true => bail!("{}: expected the path of a picture in each line, found none", said()),
        false => Ok(paths),
    }
}

/// The data set at `root`, which must have pictures to judge; it is described.
pub(crate) fn test_set(root: &Path, layout: Option<Layout>, messages: &Messages) -> anyhow::Result<Dataset> {
    let dataset = Dataset::read(root, layout)?;
    dataset.problems.iter().for_each(|problem| messages.data_error(&problem.path, &problem.error));
    dataset.check_test().map_err(with_help)?;
    describe(&dataset, messages);
    if let Some(text) = dataset.one_sided() {
        messages.note(&Note::Remark { path: dataset.root.clone(), text });
    }
    Ok(dataset)
}

/// Refuses a list of parts where pictures of one kind are needed: views of parts are learnt and judged
/// apart.
pub(crate) fn refuse_parts(dataset: &Dataset) -> anyhow::Result<()> {
    if dataset.parts.is_empty() {
        return Ok(());
    }
    bail!(
        "{}: expected pictures of one view, found a list that names parts and views; take a model of parts, which dfm \
         fit makes of it, or leave these columns out",
        dataset.root.display()
    )
}

/// Adds what to do about a data set in which nothing is found.
fn with_help(error: dfm::DataError) -> anyhow::Error {
    match error {
        error @ (dfm::DataError::NothingToJudge { .. } | dfm::DataError::NothingToLearn { .. }) => {
            anyhow::anyhow!("{error}; {HELP}")
        }
        error => error.into(),
    }
}

/// Says what a data set holds, and which test pictures are learnt.
fn describe(dataset: &Dataset, messages: &Messages) {
    messages.note(&Note::Dataset { summary: dataset.to_string() });
    for text in &dataset.remarks {
        messages.note(&Note::Remark { path: dataset.root.clone(), text: text.clone() });
    }
    for text in dataset.duplicates() {
        messages.note(&Note::Duplicate { text });
    }
}

/// `X,Y,W,H` in pixels, or the path of a mask picture.
pub(crate) fn region(text: &str) -> anyhow::Result<Region> {
    let said = || format!("--roi {text}");
    if let Some([left, top, width, height]) = numbers(text) {
        return Region::rectangle(left, top, PictureSize { width, height }).with_context(said);
    }
    let path = PathBuf::from(text);
    if !path.is_file() {
        bail!("{}: expected X,Y,W,H in whole pixels or a mask picture, found neither", said());
    }
    open_region(&path).with_context(said)
}

fn numbers(text: &str) -> Option<[u32; 4]> {
    let numbers: Vec<u32> = text.split(',').map(|part| part.trim().parse().ok()).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_numbers_are_a_rectangle_and_all_else_a_file() {
        assert_eq!(region("1,2,30,40").unwrap().to_string(), "1,2,30,40");
        for text in ["", "1,2,3", "1,2,3,4,5", "-1,2,3,4", "1,2,0,4", "a,b,c,d", "no-such-mask.png"] {
            let error = region(text).unwrap_err().to_string();
            assert!(error.contains(&format!("--roi {text}")), "{error}");
        }
    }
}
