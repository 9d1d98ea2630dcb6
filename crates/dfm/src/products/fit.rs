//! Fits a model to each product.

use std::path::{Path, PathBuf};
use std::time::Instant;

use dfm_core::{ForeignRecord, NotSearched, SaveOptions, Support};
use dfm_data::{Layout, read_picture, says_defects, training, training_on_all};
use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::list::{Product, model_of, products};
use super::record::{Record, digest};
use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::files::make_folder;
use crate::learn::Learner;
use crate::note::Note;
use crate::observer::{Observer, Reporter};
use crate::source::{Files, Source};
use crate::store::ModelStore;

/// Fits a model to each product of a folder.
///
/// ```no_run
/// use dfm::{Learner, ProductsLearner, Silent};
///
/// let learner = ProductsLearner::new(Learner::default());
/// let rows = learner.run("products".as_ref(), "models".as_ref(), &Silent, |_| {})?;
/// for row in rows {
///     println!("{}: {:?}", row.product, row.status);
/// }
/// # Ok::<(), dfm::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ProductsLearner {
    learner: Learner,
    layout: Option<Layout>,
    save: SaveOptions,
    all_folders: bool,
}

/// The result for one product.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FittedProduct {
    /// The name of its sub-folder.
    pub product: String,
    /// Its model.
    pub model: PathBuf,
    /// The number of pictures that the model has learnt; `None` if there is no model of them.
    pub pictures: Option<usize>,
    /// The model's threshold.
    pub threshold: Option<f64>,
    /// Pictures that the fit left out as foreign to the others, if there are any.
    pub foreign: Option<ForeignRecord>,
    /// Why the fit looked at no picture for being foreign, if it did not.
    pub not_searched: Option<NotSearched>,
    /// What the pictures that calibrate can say about the false-alarm rate. `None` without such pictures.
    pub support: Option<Support>,
    /// How long the fit took.
    pub seconds: f64,
    /// How it ended.
    pub status: FitStatus,
    /// The number of pictures and folders that could not be used.
    pub errors: usize,
    /// Why it failed.
    pub reason: Option<String>,
}

/// How the fit of one product ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FitStatus {
    /// It was fitted.
    Fitted,
    /// It was fitted, and the fit went on from a checkpoint.
    Resumed,
    /// Its model was there already, made of the same pictures with the same settings.
    Kept,
    /// It has no model of these pictures and settings.
    Failed,
}

/// A model that is in place now.
struct Made {
    pictures: usize,
    threshold: Option<f64>,
    foreign: Option<ForeignRecord>,
    not_searched: Option<NotSearched>,
    support: Option<Support>,
    status: FitStatus,
    /// The number of pictures that an earlier run could not use.
    earlier_errors: usize,
}

impl ProductsLearner {
    /// Fits each product with `learner`.
    pub fn new(learner: Learner) -> Self {
        Self { learner, layout: None, save: SaveOptions::default(), all_folders: false }
    }

    /// Sets the layout of every product. By default it is recognised.
    #[must_use]
    pub fn with_layout(self, layout: Option<Layout>) -> Self {
        Self { layout, ..self }
    }

    /// Sets how models are written.
    #[must_use]
    pub fn with_save_options(self, save: SaveOptions) -> Self {
        Self { save, ..self }
    }

    /// Learns from every folder, also from those whose names say that they hold defects.
    #[must_use]
    pub fn with_all_folders(self, all_folders: bool) -> Self {
        Self { all_folders, ..self }
    }

    /// Fits a model to every product in `root` and writes it to `NAME.dfm` in the folder `models`, which
    /// is made if it is not there. `NAME.made.json` beside it says what it was made of. `each` is
    /// given every row as soon as it is known.
    ///
    /// A model is kept if it was made of the same pictures with the same settings. The fit of a product
    /// that was interrupted goes on from its checkpoint. A model that something else made or changed is
    /// not replaced: its product fails. A failure is reported to the observer and in its row.
    ///
    /// Cost: reads every picture once more than a fit does, to know whether it has changed.
    ///
    /// # Errors
    ///
    /// If `root` has no products, `models` cannot be made, or the settings suit no fit.
    pub fn run(
        &self,
        root: &Path,
        models: &Path,
        observer: &dyn Observer,
        mut each: impl FnMut(&FittedProduct),
    ) -> Result<Vec<FittedProduct>, Error> {
        let products = products(root, &[models])?;
        let settings = serde_json::json!({
            "learner": self.learner.settings(observer)?,
            "layout": self.layout.map(Layout::name),
            "slim": self.save.slim,
        });
        let settings = digest(serde_json::to_string(&settings)?.as_bytes());
        make_folder(models)?;
        let mut rows = Vec::with_capacity(products.len());
        for (number, product) in products.iter().enumerate() {
            let (name, total) = (product.name.clone(), products.len());
            observer.note(&Note::Product { name, number: number + 1, total });
            let begun = Instant::now();
            let counting = Reporter::new(observer);
            let made = self.product(product, models, &settings, &counting);
            let (made, reason) = match made {
                Ok(made) => (Some(made), None),
                Err(error) => {
                    Observer::problem(&counting, &product.folder, &error);
                    (None, Some(error.to_string()))
                }
            };
            let row = FittedProduct {
                product: product.name.clone(),
                model: model_of(product, models),
                pictures: made.as_ref().map(|made| made.pictures),
                threshold: made.as_ref().and_then(|made| made.threshold),
                foreign: made.as_ref().and_then(|made| made.foreign.clone()),
                not_searched: made.as_ref().and_then(|made| made.not_searched),
                support: made.as_ref().and_then(|made| made.support),
                seconds: begun.elapsed().as_secs_f64(),
                status: made.as_ref().map_or(FitStatus::Failed, |made| made.status),
                errors: counting.count() + made.map_or(0, |made| made.earlier_errors),
                reason,
            };
            each(&row);
            rows.push(row);
        }
        Ok(rows)
    }

    fn product(
        &self,
        product: &Product,
        models: &Path,
        settings: &str,
        observer: &Reporter<'_>,
    ) -> Result<Made, Error> {
        let found = match self.all_folders {
            true => training_on_all(&product.folder)?,
            false if says_defects(&product.folder) => {
                return Err(Error::SaysDefects { path: product.folder.clone() });
            }
            false => training(&product.folder, self.layout)?,
        };
        observer.problems(found.problems);
        if let Some(dataset) = &found.dataset {
            observer.note(Note::Dataset { summary: dataset.to_string() });
            for text in &dataset.remarks {
                observer.note(Note::Remark { path: dataset.root.clone(), text: text.clone() });
            }
        }
        for text in found.remarks {
            observer.note(Note::Remark { path: product.folder.clone(), text });
        }
        let listing_errors = observer.count();
        let files = Files::new(&product.folder, found.pictures);
        let pictures = self.learner.workers().run(|| content_of(&files))?;
        let path = model_of(product, models);
        let known = Record::read(product, models)?;
        if path.symlink_metadata().is_ok() {
            let owned = known.as_ref().ok_or_else(|| Error::NotMadeHere { path: path.clone() })?;
            // A model whose fit was begun and not finished is replaced.
            if let Some(digest) = &owned.model_digest {
                let info = ModelStore::info(&path)?;
                if info.digest != *digest {
                    return Err(Error::NotMadeHere { path });
                }
                if owned.pictures_sha256 == pictures && owned.settings_sha256 == settings {
                    return Ok(Made {
                        pictures: owned.pictures,
                        threshold: info.threshold,
                        foreign: info.record.foreign,
                        not_searched: info.record.not_searched,
                        support: info.calibration.and_then(|calibration| calibration.support),
                        status: FitStatus::Kept,
                        earlier_errors: owned.errors,
                    });
                }
                let what = if owned.pictures_sha256 == pictures { "settings" } else { "pictures" };
                let text = format!("was made of other {what}: fitted anew");
                observer.note(Note::Remark { path: path.clone(), text });
            }
        }
        let mut record = Record::begun(pictures, settings.to_owned());
        record.write(product, models)?;
        let mut checkpoint_path = path.clone().into_os_string();
        checkpoint_path.push(".partial");
        let resumes = PathBuf::from(checkpoint_path).symlink_metadata().is_ok();
        let checkpoint = Checkpoint::beside(&path, resumes, observer)?;
        let model = self.learner.fit_resumable(&files, &checkpoint, observer, |model| {
            ModelStore::save_observed(&model, &path, &self.save, observer)?;
            Ok(model)
        })?;
        record.model_digest = Some(ModelStore::info(&path)?.digest);
        record.pictures = model.record().picture_count;
        record.errors = observer.count() - listing_errors;
        record.write(product, models)?;
        Ok(Made {
            pictures: record.pictures,
            threshold: model.calibration().map(|calibration| calibration.threshold()),
            foreign: model.record().foreign.clone(),
            not_searched: model.record().not_searched,
            support: model.support(),
            status: if resumes { FitStatus::Resumed } else { FitStatus::Fitted },
            earlier_errors: 0,
        })
    }
}

/// The SHA-256 of the names and the bytes of all pictures. A picture that cannot be read
/// counts with its name.
fn content_of(files: &Files) -> String {
    let hash = |index: usize| -> [u8; 32] {
        let mut hash = Sha256::new().chain_update(files.name(index)).chain_update([0]);
        if let Ok(bytes) = read_picture(&files.paths()[index]) {
            hash.update(Sha256::digest(bytes));
        }
        hash.finalize().into()
    };
    let hashes: Vec<[u8; 32]> = (0..files.count()).into_par_iter().map(hash).collect();
    digest(hashes.as_flattened())
}
