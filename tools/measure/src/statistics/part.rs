//! What `bench statistics` runs as processes of its own, `cargo xtask bench alone statistics`:
//! the features of real pictures, and our fit of them.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, ensure};
use burn::tensor::{Tensor, TensorData};
use clap::{Args, Subcommand};
use dfm_backbone::{
    BackboneWeights, CounterGenerator, DecodeLimits, FeatureExtractor, Layer, PreparedPicture, RgbImage,
    decode,
};
use dfm_stats::{FitStatistic, Keep, Pca, PcaParams, Samples};

use crate::workspace;
use crate::{network, report};

/// The default weights, which this program does not contain.
const WEIGHTS: &str = "assets/weights/resnet50_1by2-layer3-f16.safetensors";
/// Height and width of the network's input. A pool of 4 then leaves 512 × 4 × 8 features.
pub(super) const SIZE: [usize; 2] = [256, 512];
/// Number of features of a picture.
pub(super) const COLUMNS: usize = 16_384;
/// Number of pictures that are extracted or scored together, the default of `dfm`.
pub(super) const BATCH: usize = 16;
/// The share of the variance that the components must explain.
const RATIO: f64 = 0.97;
/// A second run is no longer slowed down by the first use of memory. For a longer run this does not
/// matter.
const LONG_SECONDS: f64 = 5.0;
/// Number of times that a batch is scored.
const SCORINGS: usize = 50;

/// Flags of `cargo xtask bench alone statistics`.
#[derive(Debug, Args)]
pub(crate) struct PartFlags {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Write the features of pictures and of parts of them
    Extract { data: PathBuf, rows: usize, output: PathBuf },
    /// Fit rows, and score some of them
    Fit { input: PathBuf, rows: usize, output: PathBuf },
}

/// Runs one part and prints its result as a JSON object.
///
/// # Errors
///
/// If a file cannot be read or written, or if the network or the statistics refuse it.
pub(crate) fn run(flags: &PartFlags) -> anyhow::Result<()> {
    let found = match &flags.part {
        Part::Extract { data, rows, output } => extract(data, *rows, output)?,
        Part::Fit { input, rows, output } => fit(input, *rows, output)?,
    };
    println!("{found}");
    Ok(())
}

/// Writes `rows` rows of features to `output`: those of every picture in `data`, then those of
/// seeded parts of the pictures. Returns the seconds of a batch in the network.
fn extract(data: &Path, rows: usize, output: &Path) -> anyhow::Result<serde_json::Value> {
    let pictures = pictures(data)?;
    let path = workspace::root().join(WEIGHTS);
    let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let weights = BackboneWeights::from_bytes(&bytes)?;
    let input = weights.header().input.with_size(SIZE[0], SIZE[1]);
    let extractor = FeatureExtractor::new(
        weights.with_input(input),
        &[Layer::named("layer3").pooled(4)],
        network::compute()?,
    )?;
    ensure!(extractor.row_len() == COLUMNS, "{:?}", extractor.feature_shapes());
    let preprocessor = extractor.preprocessor();
    let mut out = BufWriter::new(File::create(output).with_context(|| output.display().to_string())?);
    let mut times = Vec::new();
    for first in (0..rows).step_by(BATCH) {
        let batch = (first..rows.min(first + BATCH)).map(|row| {
            let picture = &pictures[row % pictures.len()];
            match row < pictures.len() {
                true => preprocessor.prepare(picture),
                false => preprocessor.prepare(part_of(picture, row as u64)),
            }
        });
        let batch = batch.collect::<Result<Vec<PreparedPicture>, _>>()?;
        let begun = Instant::now();
        let features = extractor.extract(&batch)?.try_into_vec_as::<f32>();
        let seconds = begun.elapsed().as_secs_f64();
        let features = features.map_err(|error| anyhow::anyhow!("reading features back: {error}"))?;
        if batch.len() == BATCH {
            times.push(seconds);
        }
        for value in features {
            out.write_all(&f64::from(value).to_le_bytes())?;
        }
    }
    out.flush().with_context(|| output.display().to_string())?;
    let seconds = report::median(&report::sorted(times));
    Ok(serde_json::json!({"seconds": seconds, "pictures": pictures.len()}))
}

/// The pictures in `folder`, in the order of their names.
fn pictures(folder: &Path) -> anyhow::Result<Vec<RgbImage>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        paths.push(entry.with_context(|| folder.display().to_string())?.path());
    }
    paths.sort();
    let read = |path: &PathBuf| {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        decode(&bytes, &DecodeLimits::default()).with_context(|| path.display().to_string())
    };
    let pictures = paths.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(!pictures.is_empty(), "{}: no pictures", folder.display());
    Ok(pictures)
}

/// A rectangle of `picture`. Its sides are half to all of those of the picture.
fn part_of(picture: &RgbImage, seed: u64) -> RgbImage {
    let generator = CounterGenerator::new(seed);
    let share = |index: u64| 0.5 + 0.5 * f64::from(generator.unit_f32(index));
    let (width, height) = picture.dimensions();
    let side = |whole: u32, index: u64| {
        let part = ((0.5 + 0.5 * share(index)) * f64::from(whole)).ceil().clamp(1.0, f64::from(whole)) as u32;
        (part, (share(index + 1) * f64::from(whole - part)) as u32)
    };
    let ((part_width, left), (part_height, top)) = (side(width, 0), side(height, 2));
    RgbImage::from_fn(part_width, part_height, |x, y| *picture.get_pixel(left + x, top + y))
}

/// Fits the first `rows` rows of `input` and writes the variances of the components. Returns the
/// seconds of the fit, and of scoring a batch.
fn fit(input: &Path, rows: usize, output: &Path) -> anyhow::Result<serde_json::Value> {
    let samples = Samples::from_f64(doubles(input, rows * COLUMNS)?, COLUMNS)?;
    let once = || -> anyhow::Result<(f64, Pca)> {
        let begun = Instant::now();
        let statistic = FitStatistic::of(&samples)?;
        let pca = PcaParams { keep: Keep::Ratio(RATIO) }.check()?.truncate(&statistic)?;
        Ok((begun.elapsed().as_secs_f64(), pca))
    };
    let (mut seconds, mut pca) = once()?;
    if seconds <= LONG_SECONDS {
        drop(pca);
        (seconds, pca) = once()?;
    }
    let variances: Vec<u8> = pca.explained_variance().iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(output, variances).with_context(|| output.display().to_string())?;
    let scoring = scoring_seconds(&pca, &samples)?;
    Ok(serde_json::json!({"seconds": seconds, "scoring_seconds": scoring}))
}

/// The median time to score a batch of rows, from features on the device to scores.
fn scoring_seconds(pca: &Pca, samples: &Samples) -> anyhow::Result<f64> {
    let compute = network::compute()?;
    let scorer = pca.on_device(compute.device());
    let rows = BATCH.min(samples.rows());
    let values: Vec<f32> = samples.as_slice()[..rows * COLUMNS].iter().map(|value| *value as f32).collect();
    let rows = Tensor::<2>::from_data(TensorData::new(values, [rows, COLUMNS]), compute.device());
    let mut times = Vec::with_capacity(SCORINGS);
    for _ in 0..SCORINGS {
        let begun = Instant::now();
        std::hint::black_box(scorer.feature_reconstruction_error(rows.clone())?);
        times.push(begun.elapsed().as_secs_f64());
    }
    Ok(report::median(&report::sorted(times)))
}

/// The first `count` little-endian numbers of a file.
///
/// # Errors
///
/// If the file cannot be read or holds fewer numbers.
pub(super) fn doubles(path: &Path, count: usize) -> anyhow::Result<Vec<f64>> {
    let mut file = BufReader::new(File::open(path).with_context(|| path.display().to_string())?);
    let mut values = Vec::with_capacity(count);
    let mut bytes = [0; 8];
    for _ in 0..count {
        file.read_exact(&mut bytes).with_context(|| path.display().to_string())?;
        values.push(f64::from_le_bytes(bytes));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_lie_inside_and_differ() {
        let picture = RgbImage::from_fn(40, 30, |x, y| [x as u8, y as u8, 0].into());
        let sizes: Vec<_> = (0..50).map(|seed| part_of(&picture, seed).dimensions()).collect();
        assert!(sizes.iter().all(|(width, height)| (20..=40).contains(width) && (15..=30).contains(height)));
        assert!(sizes.windows(2).any(|pair| pair[0] != pair[1]), "{sizes:?}");
        assert_eq!(part_of(&picture, 7), part_of(&picture, 7));
        assert_eq!(part_of(&RgbImage::new(1, 1), 3).dimensions(), (1, 1));
    }

    #[test]
    fn numbers_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers");
        let bytes: Vec<u8> = [1.5_f64, -2.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(doubles(&path, 2).unwrap(), [1.5, -2.0]);
        assert!(doubles(&path, 3).is_err());
    }
}
