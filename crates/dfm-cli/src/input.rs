//! From paths on the command line to pictures and data sets; what is wrong or worth knowing is said.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use dfm::{Dataset, Files, Layout, Note, Observer, PictureSize, Region, Training, open_region, training};

use crate::messages::Messages;

/// What to do about a folder that is not understood.
const HELP: &str = "name the layout with --layout, or list pictures in a CSV file path,label,mask,split";

/// The pictures to learn from at `root`: those of a data set, which is described, or everything in a
/// folder.
pub(crate) fn good_pictures(
    root: &Path,
    layout: Option<Layout>,
    messages: &Messages,
) -> anyhow::Result<Files> {
    let found = learnable(root, layout, messages)?;
    found.dataset.iter().try_for_each(refuse_parts)?;
    Ok(Files::new(root, found.pictures))
}

/// The same, with the data set; also for lists of parts.
pub(crate) fn learnable(
    root: &Path,
    layout: Option<Layout>,
    messages: &Messages,
) -> anyhow::Result<Training> {
    let named = || root.display().to_string();
    let found = training(root, layout).map_err(with_help).with_context(named)?;
    found.problems.iter().for_each(|problem| messages.error(&problem.path, &problem.error));
    if let Some(dataset) = &found.dataset {
        describe(dataset, messages);
    }
    Ok(found)
}

/// The data set at `root`, which must have pictures to judge; it is described.
pub(crate) fn test_set(root: &Path, layout: Option<Layout>, messages: &Messages) -> anyhow::Result<Dataset> {
    let dataset = Dataset::read(root, layout)?;
    dataset.problems.iter().for_each(|problem| messages.error(&problem.path, &problem.error));
    dataset.check_test().map_err(with_help)?;
    describe(&dataset, messages);
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
