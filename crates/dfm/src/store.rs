//! Model files.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Instant;

use dfm_core::{
    Compute, Dfm, DfmError, LoadOptions, MapKind, ModelInfo, ModelUnion, SaveOptions, ValidationRecord,
    WrittenSizes,
};
use dfm_data::read_picture;
use tracing::info;

use crate::error::{At, Error};
use crate::files::{check_file, write_file};
use crate::kind::{FileKind, foreign};
use crate::lock::WriteLock;
use crate::network::{Network, compute_or_usual};
use crate::note::Note;
use crate::observer::{Observer, Reporter, Silent};
use crate::parts::refuse_parts;
use crate::source::Content;
use crate::workers::Workers;

/// Opens, changes and saves model files. A file appears whole or not at all, and has one writer at a
/// time: from reading the model that it changes to having written it, an operation holds a lock, in
/// this process and against others. Who comes second waits, and the observer hears that.
///
/// ```no_run
/// use dfm::ModelStore;
/// use std::path::Path;
///
/// let model = ModelStore::default().open(Path::new("part.dfm"))?;
/// println!("{} pictures", model.record().picture_count);
/// # Ok::<(), dfm::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ModelStore {
    compute: Option<Compute>,
    weights: Option<Network>,
    workers: Workers,
}

impl ModelStore {
    /// Sets the device on which networks compute: our own kernels on the processor unless given.
    #[must_use]
    pub fn with_compute(self, compute: impl Into<Compute>) -> Self {
        Self { compute: Some(compute.into()), ..self }
    }

    /// Sets where the weights of models come from whose files leave them out.
    #[must_use]
    pub fn with_weights(self, weights: Option<Network>) -> Self {
        Self { weights, ..self }
    }

    /// Sets the threads.
    #[must_use]
    pub fn with_workers(self, workers: Workers) -> Self {
        Self { workers, ..self }
    }

    /// The threads.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// Opens the model at `path` for judging: what only merging needs stays in the file. The model
    /// is self-tested on its device.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is damaged, the weights that it leaves out are not given, or
    /// the self-test fails.
    pub fn open(&self, path: &Path) -> Result<Dfm, Error> {
        self.open_with(path, false)
    }

    /// Opens the model at `path` for what needs to know the pictures of the fit: explaining,
    /// auditing, looking for drift, merging, updating and forgetting.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_whole(&self, path: &Path) -> Result<Dfm, Error> {
        self.open_with(path, true)
    }

    fn open_with(&self, path: &Path, fit_statistic: bool) -> Result<Dfm, Error> {
        refuse_parts(path)?;
        let compute = compute_or_usual(self.compute.as_ref())?;
        let weights = match &self.weights {
            Some(network) => network.weights_of(&Self::info(path)?)?,
            None => None,
        };
        let begun = Instant::now();
        let mut file = open_model(path)?;
        let options = LoadOptions { weights, fit_statistic, ..LoadOptions::on(compute) };
        // A pipe can be read once, and in one order.
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        let read = || match is_file {
            true => Dfm::read_file(&mut file, options),
            false => Dfm::read(&mut file, options),
        };
        let model = self.workers.run(read)?.at(path)?;
        info!(
            "model {}: {} components of {} pictures, read and self-tested in {:.1?}",
            path.display(),
            model.component_count(),
            model.record().picture_count,
            begun.elapsed()
        );
        Ok(model)
    }

    /// Reads what the model at `path` says of itself. Its hash is checked, its self-test is not run.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is damaged.
    pub fn info(path: &Path) -> Result<ModelInfo, Error> {
        refuse_parts(path)?;
        let file = open_model(path)?;
        ModelInfo::read(&mut BufReader::new(file), LoadOptions::MAX_BYTES).at(path)
    }

    /// Writes `model` to `path`. Replaces a model, and nothing else.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the file cannot be written.
    pub fn save(model: &Dfm, path: &Path, options: &SaveOptions) -> Result<WrittenSizes, Error> {
        Self::save_observed(model, path, options, &Silent)
    }

    /// [`save`](Self::save), where the `observer` hears if it waits for another writer.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the file cannot be written.
    pub fn save_observed(
        model: &Dfm,
        path: &Path,
        options: &SaveOptions,
        observer: &dyn Observer,
    ) -> Result<WrittenSizes, Error> {
        let lock = WriteLock::of(path, &Reporter::new(observer))?;
        Self::save_locked(model, path, options, &lock)
    }

    fn save_locked(
        model: &Dfm,
        path: &Path,
        options: &SaveOptions,
        _lock: &WriteLock,
    ) -> Result<WrittenSizes, Error> {
        write_file(path, FileKind::MODEL, |mut writer| Ok(model.write(&mut writer, options)?))
    }

    /// Makes one model of the pictures of all models at `paths`, and writes it to `output`. A
    /// picture that several know counts once.
    ///
    /// # Errors
    ///
    /// If a model cannot be opened, two do not agree in their method or network, or `output` cannot
    /// be written.
    pub fn merge(
        &self,
        paths: &[PathBuf],
        output: &Path,
        options: &SaveOptions,
        observer: &dyn Observer,
    ) -> Result<(Dfm, WrittenSizes), Error> {
        check_file(output, FileKind::MODEL)?;
        let reporter = Reporter::new(observer);
        let Some((first, others)) = paths.split_first() else {
            let (expected, got) = ("at least one".to_owned(), "none".to_owned());
            return Err(Error::Setting { name: "models to merge", expected, got });
        };
        // The output may be one of the models.
        let lock = WriteLock::of(output, &reporter)?;
        let first_model = self.open_whole(first)?;
        let mut validation = first_model.record().validation.clone();
        let mut map = first_model.map_kind();
        let mut pictures = first_model.record().sizes;
        let mut union = ModelUnion::of(first_model);
        for path in others {
            let other = self.open_whole(path)?;
            let both = || PathBuf::from(format!("{} and {}", first.display(), path.display()));
            self.workers.run(|| union.add(&other))?.map_err(|error| Error::from(error).at(&both()))?;
            map = if other.map_kind() == MapKind::Fine { MapKind::Fine } else { map };
            validation = validation.or_else(|| other.record().validation.clone());
            pictures = pictures.zip(other.record().sizes).map(|(one, other)| one.with(other));
        }
        let merged = self.workers.run(|| union.finish())??.with_sizes(pictures);
        note_dropped(validation.as_ref(), &merged, output, &reporter);
        note_coarse(map, &merged, output, &reporter);
        let sizes = Self::save_locked(&merged, output, options, &lock)?;
        Ok((merged, sizes))
    }

    /// Takes `pictures` out of the model at `path`, all of them or none, and writes the result to
    /// `output`. Each is a file, or a name or content hash by which the model knows a picture.
    ///
    /// # Errors
    ///
    /// If the model keeps no fit statistic or does not know a picture, or `output` cannot be written.
    pub fn forget(
        &self,
        path: &Path,
        pictures: &[String],
        output: &Path,
        observer: &dyn Observer,
    ) -> Result<(Dfm, WrittenSizes), Error> {
        self.revise(path, output, &Reporter::new(observer), |model| {
            let mut hashes = Vec::with_capacity(pictures.len());
            for picture in pictures {
                hashes.push(content_hash_of(&model, picture).at(Path::new(picture))?);
            }
            let sizes = model.record().sizes;
            let without = model.forget(&hashes).map_err(|error| match error {
                DfmError::UnknownPicture { place, .. } | DfmError::NeverLearnt { place, .. } => {
                    Error::from(error).at(Path::new(&pictures[place]))
                }
                other => other.into(),
            })?;
            Ok(without.with_sizes(sizes))
        })
    }

    /// Opens a model and writes what `change` makes of it. Whether the file holds its weights stays
    /// as it is.
    pub(crate) fn revise(
        &self,
        path: &Path,
        output: &Path,
        reporter: &Reporter<'_>,
        change: impl FnOnce(Dfm) -> Result<Dfm, Error> + Send,
    ) -> Result<(Dfm, WrittenSizes), Error> {
        refuse_parts(path)?;
        check_file(output, FileKind::MODEL)?;
        let lock = WriteLock::of(output, reporter)?;
        let model = self.open_whole(path)?;
        let slim = model.origin().is_some_and(|origin| !origin.weights_included);
        let (validation, map) = (model.record().validation.clone(), model.map_kind());
        let changed = self.workers.run(|| change(model))?.at(path)?;
        note_dropped(validation.as_ref(), &changed, output, reporter);
        note_coarse(map, &changed, output, reporter);
        let sizes = Self::save_locked(&changed, output, &SaveOptions { slim }, &lock)?;
        Ok((changed, sizes))
    }
}

/// Opens the file of a model. One that is plainly something else is named as such.
fn open_model(path: &Path) -> Result<File, Error> {
    match foreign(path) {
        Some(found) => Err(Error::NotAModel { found }.at(path)),
        None => File::open(path).at(path),
    }
}

/// Tells that figures about other pictures are not those of `model`, if they were dropped.
fn note_dropped(validation: Option<&ValidationRecord>, model: &Dfm, output: &Path, reporter: &Reporter<'_>) {
    if let Some(validation) = validation.filter(|_| model.record().validation.is_none()) {
        reporter.note(Note::ValidationDropped { path: output.to_owned(), decided: validation.decides });
    }
}

/// Tells if `model` has coarse maps, and what it is made of had fine ones.
fn note_coarse(before: MapKind, model: &Dfm, output: &Path, reporter: &Reporter<'_>) {
    if before == MapKind::Fine && model.map_kind() == MapKind::Coarse {
        reporter.note(Note::MapsCoarse { path: output.to_owned() });
    }
}

/// The content hash of what `picture` names: a file, or else a picture of the model by its content
/// hash or its name.
fn content_hash_of(model: &Dfm, picture: &str) -> Result<[u8; 32], Error> {
    let path = Path::new(picture);
    if !path.exists() {
        if let Some(hash) = content_hash(picture) {
            return Ok(hash);
        }
        let named_out = model.record().foreign.iter().flat_map(|foreign| &foreign.pictures);
        let mut named_out = named_out.filter(|out| out.name.as_deref() == Some(picture));
        let (_, known) = model.fit_statistics().unzip();
        let known = known.unwrap_or_default().iter().chain(model.set_aside());
        let mut named = known.filter(|hash| model.picture_name(hash) == Some(picture));
        if let Some(first) = named.next() {
            return match named.all(|other| other == first) {
                true => Ok(*first),
                false => Err(Error::SeveralNamed),
            };
        }
        if let Some(hash) = named_out.next().and_then(|out| content_hash(&out.content_hash)) {
            return Ok(hash);
        }
    }
    // As the model's own pictures were decoded.
    let (content, preprocessor) = (Content::Encoded(read_picture(path)?.into()), model.preprocessor());
    let picture = content.decode_for(&preprocessor)?;
    Ok(preprocessor.levels().read(picture)?.picture().content_hash())
}

/// Sixty-four hexadecimal digits.
fn content_hash(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(hash)
}
