//! A data set with defects, from good pictures alone.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use dfm_backbone::BackboneError;
use dfm_core::{InputContract, Levels, Picture, Preprocessor, Region, Transparency};
use dfm_data::RelativeNames;
use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma};

use crate::error::Error;
use crate::files::{check_folder, put, write_folder};
use crate::first_size::in_pictures_of;
use crate::held_out::{Defective, HeldOut, judged_pixels};
use crate::levels::FitLevels;
use crate::observer::{Observer, Reporter, Stage};
use crate::source::{Content, Give, Loaded, Source, ahead};
use crate::workers::Workers;

/// Makes data sets with synthetic defects, as MVTec AD lays them.
///
/// ```no_run
/// use dfm::{DefectiveDataset, Files, Silent};
///
/// let good = Files::in_folder("pictures/good".as_ref(), &Silent)?;
/// let made = DefectiveDataset::new(0).write(&good, "synthetic".as_ref(), &Silent)?;
/// println!("{} defective pictures", made.defective);
/// # Ok::<(), dfm::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct DefectiveDataset {
    seed: u64,
    copies: usize,
    region: Option<Region>,
    workers: Workers,
}

/// How many pictures a data set has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Made {
    /// Good pictures to learn.
    pub learnt: usize,
    /// Good pictures to judge.
    pub judged: usize,
    /// Copies with a defect to judge.
    pub defective: usize,
}

impl DefectiveDataset {
    /// One defective copy of each picture to judge, by this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, copies: 1, region: None, workers: Workers::new() }
    }

    /// Sets how many defective copies each picture to judge has.
    #[must_use]
    pub fn with_copies(self, copies: usize) -> Self {
        Self { copies, ..self }
    }

    /// Sets the part of every picture where defects may be.
    #[must_use]
    pub fn with_region(self, region: Option<Region>) -> Self {
        Self { region, ..self }
    }

    /// Sets the threads.
    #[must_use]
    pub fn with_workers(self, workers: Workers) -> Self {
        Self { workers, ..self }
    }

    /// Refuses, before any work is done, an `output` that holds something.
    ///
    /// # Errors
    ///
    /// [`Error::File`], with what was found.
    pub fn check(&self, output: &Path) -> Result<(), Error> {
        Ok(check_folder(output)?)
    }

    /// Writes the data set into the folder `output`, which appears whole or not at all. A quarter of
    /// the pictures is to be judged. The observer hears pictures that cannot be used.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if `output` is there and not empty or cannot be written;
    /// [`Error::AmongPictures`] if it lies among the pictures; [`Error::HeldOut`] if there are too
    /// few; [`Error::NoPicture`] if none can be given a defect.
    pub fn write(&self, source: &dyn Source, output: &Path, observer: &dyn Observer) -> Result<Made, Error> {
        let reporter = Reporter::new(observer);
        check_folder(output)?;
        let indices: Vec<usize> = (0..source.count()).collect();
        let levels = FitLevels::of(Levels::Auto, source, &indices, &self.workers, &reporter)?;
        // The preprocessor only says which pixels count.
        let preprocessor = Preprocessor::new(InputContract::imagenet())
            .map_err(|error| dfm_core::DfmError::from(BackboneError::from(error)))?
            .with_levels(levels.levels)
            .with_region(self.region.clone().map(|region| in_pictures_of(source, levels, region)));
        let found = self.hashes(source, levels, &reporter);
        let held_out = HeldOut::new(self.seed, source, levels.levels, found.iter().copied())?;
        let paths: Vec<PathBuf> = (0..source.count()).map(|index| source.path(index).into_owned()).collect();
        let names = RelativeNames::new(paths.iter().map(PathBuf::as_path));
        if lies_in(output, names.folder()) {
            let pictures = names.folder().to_owned();
            return Err(Error::AmongPictures { path: output.to_owned(), pictures });
        }
        write_folder(output, |root| {
            let mut made = Made { learnt: 0, judged: 0, defective: 0 };
            for (hash, index) in &found {
                let path = &paths[*index];
                let is_held_out = held_out.holds(hash);
                let part = if is_held_out { "test/good" } else { "train/good" };
                match file_of(source, *index) {
                    Ok(bytes) => put(&root.join(part).join(names.of(path)), &bytes)?,
                    Err(error) => {
                        reporter.problem(path, error);
                        continue;
                    }
                }
                *(if is_held_out { &mut made.judged } else { &mut made.learnt }) += 1;
            }
            made.defective =
                self.write_defective(root, &names, source, &preprocessor, &held_out, &reporter)?;
            match made.defective {
                0 => Err(Error::NoPicture { what: "no picture could be given a defect" }),
                _ => Ok(made),
            }
        })
    }

    /// The content hash of every picture that can be read, and its index.
    fn hashes(
        &self,
        source: &dyn Source,
        levels: FitLevels,
        reporter: &Reporter<'_>,
    ) -> Vec<([u8; 32], usize)> {
        let progress = reporter.stage(Stage::Reading, Some(source.count()));
        let prepare = |index: usize, give: Give<'_, [u8; 32]>| {
            let picture = source.read(index)?.decode_with(Transparency::Background, levels.levels)?;
            levels.check(&picture)?;
            give(levels.levels.read(picture)?.picture().content_hash(), true);
            Ok(())
        };
        ahead(source.count(), self.workers.jobs(), 1, prepare, |loaded| {
            let mut found = Vec::with_capacity(source.count());
            for Loaded { index, found: hash, .. } in loaded {
                progress.step();
                match hash {
                    Ok(hash) => found.push((hash, index)),
                    Err(error) => reporter.problem(&source.path(index), error),
                }
            }
            found
        })
    }

    /// Writes the copies with defects and their masks, and returns how many there are.
    fn write_defective(
        &self,
        root: &Path,
        names: &RelativeNames,
        source: &dyn Source,
        preprocessor: &Preprocessor,
        held_out: &HeldOut<'_>,
        reporter: &Reporter<'_>,
    ) -> Result<usize, Error> {
        let progress = reporter.stage(Stage::MakingDefects, Some(held_out.count()));
        let prepare = |number: usize, give: Give<'_, Encoded>| {
            let content = source.read(held_out.index(number))?;
            let good = content.decode_with(Transparency::Background, preprocessor.levels())?;
            // Says what is wrong with a region beyond the picture.
            preprocessor.prepare(&good)?;
            let within = judged_pixels(preprocessor, good.size());
            let good = preprocessor.levels().read(good)?;
            for copy in 0..self.copies {
                let made = encode(&held_out.defective(&good, copy as u64, within.as_deref())?)?;
                if !give(made, copy + 1 == self.copies) {
                    break;
                }
            }
            Ok(())
        };
        ahead(held_out.count(), self.workers.jobs(), 1, prepare, |loaded| {
            let (mut count, mut of_picture) = (0, 0);
            for Loaded { index: number, last, found } in loaded {
                let path = source.path(held_out.index(number));
                match found {
                    Ok(Encoded { picture, mask }) => {
                        of_picture += 1;
                        count += 1;
                        // Pictures that differ only in their extensions get names of their own.
                        let below = names.of(&path);
                        let name = below.file_name().unwrap_or_default().to_string_lossy().replace('.', "-");
                        let target = |part: &str, ending: &str| {
                            root.join(part).join(below.with_file_name(format!("{name}-{of_picture}{ending}")))
                        };
                        put(&target("test/synthetic", ".png"), &picture)?;
                        put(&target("ground_truth/synthetic", "_mask.png"), &mask)?;
                    }
                    Err(error) => reporter.problem(&path, error),
                }
                if last {
                    of_picture = 0;
                    progress.step();
                }
            }
            Ok(count)
        })
    }
}

/// A defective copy of a picture, as files.
struct Encoded {
    picture: Vec<u8>,
    mask: Vec<u8>,
}

/// Encodes as PNG with the bits of the picture, grey if the picture is grey.
fn encode(Defective { picture, mask }: &Defective) -> Result<Encoded, Error> {
    let (width, height) = (picture.size().width, picture.size().height);
    let at = |x: u32, y: u32| y as usize * width as usize + x as usize;
    let mask = GrayImage::from_fn(width, height, |x, y| [if mask[at(x, y)] { 255 } else { 0 }].into());
    let encoded: DynamicImage = match picture {
        Picture::Bytes(picture) => match grey(picture.as_raw()) {
            Some(levels) => ImageBuffer::<Luma<u8>, _>::from_raw(width, height, levels)
                .expect("a level for each pixel")
                .into(),
            None => picture.as_ref().clone().into(),
        },
        Picture::Words(picture) => match grey(picture.as_raw()) {
            Some(levels) => ImageBuffer::<Luma<u16>, _>::from_raw(width, height, levels)
                .expect("a level for each pixel")
                .into(),
            None => picture.as_ref().clone().into(),
        },
        // No levels were stated for pictures of other numbers.
        _ => return Err(dfm_core::PreprocessError::LevelsNeeded.into()),
    };
    Ok(Encoded { picture: png(&encoded)?, mask: png(&mask.into())? })
}

/// One level for each pixel of three equal channels; `None` if one has colour.
fn grey<S: Copy + PartialEq>(samples: &[S]) -> Option<Vec<S>> {
    let (pixels, _) = samples.as_chunks::<3>();
    pixels.iter().map(|pixel| (*pixel == [pixel[0]; 3]).then_some(pixel[0])).collect()
}

fn png(picture: &DynamicImage) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
    Ok(bytes)
}

/// The bytes of the picture's file. Pixels in memory become the bytes of a new file.
fn file_of(source: &dyn Source, index: usize) -> Result<Vec<u8>, Error> {
    match source.read(index)? {
        Content::Encoded(bytes) => Ok(bytes.into_owned()),
        Content::Decoded(picture) => png(&picture.into_owned().into()),
    }
}

/// Whether a folder at `path` would lie in `folder`.
fn lies_in(path: &Path, folder: &Path) -> bool {
    let real = |path: &Path| match path.as_os_str().is_empty() {
        true => Path::new(".").canonicalize().ok(),
        false => path.canonicalize().ok(),
    };
    let there = path.ancestors().find_map(real);
    there.zip(real(folder)).is_some_and(|(path, folder)| path.starts_with(folder))
}
