//! `cargo xtask bench pictures`: measures how much more good pictures to learn improve the figures.

use std::path::Path;

use anyhow::{Context, ensure};
use clap::Args;

use crate::cases::count_files;
use crate::draw::{chosen, pictures};
use crate::setting::{DEFAULT, MeasureFlags, Trial, figure};
use crate::{program, report};

/// The document that `--write` changes.
const DOCUMENT: &str = "docs/accuracy.md";
/// Shares of the pictures, in eighths.
const EIGHTHS: [usize; 5] = [1, 2, 4, 6, 8];

/// Flags of `cargo xtask bench pictures`.
#[derive(Debug, Args)]
pub(crate) struct PicturesFlags {
    #[command(flatten)]
    measure: MeasureFlags,
    /// Number of random choices of pictures, each of which is fitted
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(2..))]
    draws: u64,
}

/// Fits the default to parts of the good pictures and evaluates each.
///
/// # Errors
///
/// If something does not build or run, or if there are fewer than sixteen good pictures.
pub(crate) fn run(flags: &PicturesFlags) -> anyhow::Result<()> {
    let data = flags.measure.data.canonicalize().with_context(|| flags.measure.data.display().to_string())?;
    let (dfm, scratch) = (program::build()?, tempfile::tempdir().context("a scratch folder")?);
    let trial = Trial { dfm: &dfm, data: &data, scratch: scratch.path(), threads: flags.measure.threads };
    let good = data.join("train/good");
    let pictures = pictures(&good)?;
    ensure!(pictures.len() >= 16, "{}: at least 16 pictures, found {}", good.display(), pictures.len());
    let mut rows =
        vec!["| Pictures to learn | Image AUROC | Pixel AUROC |".to_owned(), "|--:|--:|--:|".to_owned()];
    for eighths in EIGHTHS {
        let count = pictures.len() * eighths / 8;
        let draws = if count == pictures.len() { 1 } else { flags.draws };
        let (mut image, mut pixel) = (Vec::new(), Vec::new());
        for draw in 0..draws {
            eprintln!("{count} pictures, draw {} of {draws}", draw + 1);
            let part = scratch.path().join(format!("{count}-{draw}"));
            copy(&chosen(&pictures, count, draw), &part)?;
            let [of_images, of_pixels] = trial.auroc(&part, "fre", DEFAULT)?;
            image.extend(of_images);
            pixel.extend(of_pixels);
        }
        rows.push(format!("| {count} | {} | {} |", spread(&image), spread(&pixel)));
    }
    let judged = count_files(&data.join("test"))?;
    let text = format!(
        "{judged} pictures to judge; mean and standard deviation over {} random choices of the pictures to learn.\n\n{}",
        flags.draws,
        rows.join("\n")
    );
    println!("{text}");
    if flags.measure.write { report::write_to(DOCUMENT, &[("pictures".to_owned(), text)]) } else { Ok(()) }
}

fn copy(pictures: &[&Path], folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir(folder).with_context(|| folder.display().to_string())?;
    for picture in pictures {
        let name = picture.file_name().context("a picture without a name")?;
        std::fs::copy(picture, folder.join(name)).with_context(|| picture.display().to_string())?;
    }
    Ok(())
}

/// The mean and, for several values, the standard deviation.
fn spread(values: &[f64]) -> String {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    match values {
        [] | [_] => figure(values.first().copied()),
        _ => format!("{mean:.4} ± {:.4}", (squares / (values.len() - 1) as f64).sqrt()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_the_divisor_of_a_sample() {
        assert_eq!(spread(&[0.5]), "0.5000");
        assert_eq!(spread(&[0.9, 0.7]), "0.8000 ± 0.1414");
    }
}
