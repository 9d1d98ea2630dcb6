//! `dfm synthesise`: a data set with defects, from good pictures alone.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use dfm_core::{InputContract, PictureSize, Preprocessor, RgbImage, content_hash};
use dfm_synthetic::Defective;
use image::{DynamicImage, GrayImage, ImageFormat};

use super::fit::readable;
use crate::flags::SynthesiseFlags;
use crate::messages::Messages;
use crate::report::Progress;
use crate::synthetic::{HeldOut, judged_pixels};
use crate::{Outcome, args, atomic, input, output};

/// A defective copy of a picture, as files.
struct Made {
    picture: Vec<u8>,
    mask: Vec<u8>,
}

/// Runs the command. Pictures that cannot be used are reported and left out.
pub(crate) fn run(flags: &SynthesiseFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let jobs = args::jobs_or(flags.jobs);
    let folder = &flags.folder;
    let named = || folder.display().to_string();
    atomic::check_folder(&flags.output)?;
    let region = flags.roi.as_deref().map(input::region).transpose()?;
    // Of what a model would see, only which pixels count is asked.
    let preprocessor = Preprocessor::new(InputContract::imagenet())?.with_region(region);
    let paths = input::training(folder, flags.layout, messages).with_context(named)?;
    let found = hashes(&paths, jobs, messages);
    let with_paths = found.iter().map(|(hash, index)| (*hash, paths[*index].clone()));
    let held_out = Arc::new(HeldOut::of(flags.seed, with_paths).with_context(named)?);
    let common = input::common_folder(&paths);
    if lies_in(&flags.output, &common) {
        bail!(
            "{}: lies among the good pictures of {}, where defects would be learnt as good; choose another place",
            flags.output.display(),
            common.display()
        );
    }
    let counts = atomic::folder(&flags.output, |root| {
        let (mut learnt, mut judged) = (0, 0);
        for (hash, index) in &found {
            let path = &paths[*index];
            let Some(bytes) = readable(path, input::read_file(path), messages) else { continue };
            let is_held_out = held_out.holds(hash);
            let part = if is_held_out { "test/good" } else { "train/good" };
            put(&root.join(part).join(below(&common, path)), &bytes)?;
            *(if is_held_out { &mut judged } else { &mut learnt }) += 1;
        }
        let defective = write_defective(root, &common, flags, jobs, (&preprocessor, &held_out), messages)?;
        if defective == 0 {
            bail!("no picture could be given a defect");
        }
        Ok([learnt, judged, defective])
    })?;
    let [learnt, judged, defective] = counts;
    writeln!(
        output::stdout(),
        "{}: {learnt} good pictures to learn; to judge {judged} good and {defective} with a synthetic defect",
        flags.output.display()
    )?;
    Ok(messages.outcome(Outcome::Success))
}

/// The content hash of every picture that can be read, and its place.
fn hashes(paths: &[PathBuf], jobs: usize, messages: &Messages) -> Vec<([u8; 32], usize)> {
    let mut progress = Progress::new("reading", paths.len(), messages.is_quiet());
    let loaded = input::ahead(paths, jobs, 1, |_, path, give| {
        give(content_hash(&input::decode_file(path)?), true);
        Ok(())
    });
    let mut found = Vec::with_capacity(paths.len());
    for input::Loaded { index, picture, .. } in loaded {
        progress.step();
        found.extend(readable(&paths[index], picture, messages).map(|hash| (hash, index)));
    }
    found
}

/// Writes the copies with defects and their masks; how many.
fn write_defective(
    root: &Path,
    common: &Path,
    flags: &SynthesiseFlags,
    jobs: usize,
    (preprocessor, held_out): (&Preprocessor, &Arc<HeldOut>),
    messages: &Messages,
) -> anyhow::Result<usize> {
    let paths = held_out.paths();
    let mut progress = Progress::new("making defects", paths.len(), messages.is_quiet());
    let (preprocessor, held_out, copies) = (preprocessor.clone(), Arc::clone(held_out), flags.per_picture);
    let loaded = input::ahead(&paths, jobs, 1, move |_, path, give| {
        let good = input::decode_file(path)?;
        let size = PictureSize { width: good.width(), height: good.height() };
        // Says what is wrong with a region beyond the picture.
        preprocessor.prepare(&good)?;
        let within = judged_pixels(&preprocessor, size);
        for copy in 0..copies {
            let made = made(&held_out.defective(&good, copy as u64, within.as_deref())?)?;
            if !give(made, copy + 1 == copies) {
                break;
            }
        }
        Ok(())
    });
    let (mut count, mut of_picture) = (0, 0);
    for input::Loaded { index, last, picture } in loaded {
        let path = &paths[index];
        if let Some(Made { picture, mask }) = readable(path, picture, messages) {
            of_picture += 1;
            count += 1;
            // Pictures that differ in nothing but their extension keep apart.
            let below = below(common, path);
            let name = below.file_name().unwrap_or_default().to_string_lossy().replace('.', "-");
            let target = |part: &str, ending: &str| {
                root.join(part).join(below.with_file_name(format!("{name}-{of_picture}{ending}")))
            };
            put(&target("test/synthetic", ".png"), &picture)?;
            put(&target("ground_truth/synthetic", "_mask.png"), &mask)?;
        }
        if last {
            of_picture = 0;
            progress.step();
        }
    }
    Ok(count)
}

/// As PNG, grey if the picture is.
fn made(Defective { picture, mask }: &Defective) -> anyhow::Result<Made> {
    let (width, height) = picture.dimensions();
    let grey = |level: &dyn Fn(usize) -> u8| {
        GrayImage::from_fn(width, height, |x, y| [level(y as usize * width as usize + x as usize)].into())
    };
    let channels = |picture: &RgbImage| -> DynamicImage {
        match picture.pixels().all(|pixel| pixel.0 == [pixel.0[0]; 3]) {
            true => grey(&|place| picture.as_raw()[3 * place]).into(),
            false => picture.clone().into(),
        }
    };
    let mask = grey(&|place| if mask[place] { 255 } else { 0 });
    Ok(Made { picture: png(&channels(picture))?, mask: png(&mask.into())? })
}

fn png(picture: &DynamicImage) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
    Ok(bytes)
}

/// What is left of `path` below the folder that all pictures share.
fn below(common: &Path, path: &Path) -> PathBuf {
    let relative = path.strip_prefix(common).unwrap_or(path);
    relative.components().filter(|part| matches!(part, std::path::Component::Normal(_))).collect()
}

/// Whether what will be at `path` lies in `folder`.
fn lies_in(path: &Path, folder: &Path) -> bool {
    let real = |path: &Path| match path.as_os_str().is_empty() {
        true => Path::new(".").canonicalize().ok(),
        false => path.canonicalize().ok(),
    };
    let there = path.ancestors().find_map(real);
    there.zip(real(folder)).is_some_and(|(path, folder)| path.starts_with(folder))
}

/// Writes a file of the new folder.
fn put(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || {
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(path, bytes)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
