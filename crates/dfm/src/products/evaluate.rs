//! Evaluation of the model of every product on the data set of that product.

use std::path::{Path, PathBuf};
use std::time::Instant;

use dfm_core::metrics::BootstrapParams;
use dfm_core::{JudgeOptions, Threshold};
use dfm_data::{Dataset, Layout};
use serde::Serialize;

use super::list::{Product, model_of, products, with_ending};
use crate::error::{At, Error};
use crate::evaluate::{Evaluation, Evaluator};
use crate::files::{check_file, make_folder, write_file};
use crate::judge::Judge;
use crate::kind::FileKind;
use crate::note::Note;
use crate::observer::{Observer, Reporter};
use crate::parts::refuse_parts;
use crate::store::ModelStore;

/// The file with the [`ProductsEvaluation`], beside the folders of the products.
pub const PRODUCTS: &str = "products.json";

/// Measures the models of all products.
///
/// ```no_run
/// use dfm::{ModelStore, ProductsEvaluator, Silent};
///
/// let evaluator = ProductsEvaluator::new(ModelStore::default());
/// let found = evaluator.run("models".as_ref(), "products".as_ref(), &Silent, |_| {})?;
/// println!("{:?}", found.mean.image_auroc);
/// # Ok::<(), dfm::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ProductsEvaluator {
    store: ModelStore,
    layout: Option<Layout>,
    bootstrap: Option<BootstrapParams>,
    false_alarm: Option<f64>,
    output: Option<PathBuf>,
    device: String,
}

/// The figures of all products.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ProductsEvaluation {
    /// One row for each product.
    pub products: Vec<EvaluatedProduct>,
    /// The mean of each figure over the products that have it.
    pub mean: MeanFigures,
    /// The product with the worst value of each figure.
    pub worst: WorstFigures,
    /// The number of products that could not be measured.
    pub failed: usize,
}

/// The figures of one product.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EvaluatedProduct {
    /// The name of its sub-folder.
    pub product: String,
    /// Its model.
    pub model: PathBuf,
    /// AUROC of the pictures' scores; null where a class is missing.
    pub image_auroc: Option<f64>,
    /// AUROC over the pixels of all pictures; null without masks or maps.
    pub pixel_auroc: Option<f64>,
    /// The number of pictures with a defect that are called anomalous; null without a threshold.
    pub found: Option<usize>,
    /// The number of pictures with a defect.
    pub defects: usize,
    /// The number of good pictures that are called anomalous; null without a threshold.
    pub rejected: Option<usize>,
    /// The number of good pictures.
    pub good: usize,
    /// The threshold.
    pub threshold: Option<f64>,
    /// The number of pictures, masks and folders that could not be used.
    pub errors: usize,
    /// How long it took.
    pub seconds: f64,
    /// Why it could not be measured; null if it was.
    pub reason: Option<String>,
}

/// The mean of each figure over the products that have it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MeanFigures {
    /// The mean of `image_auroc`.
    pub image_auroc: Option<f64>,
    /// The mean of `pixel_auroc`.
    pub pixel_auroc: Option<f64>,
    /// The mean share of pictures with a defect that are found.
    pub found: Option<f64>,
    /// The mean share of good pictures that are rejected.
    pub rejected: Option<f64>,
}

/// The product with the worst value of each figure. The worst is the smallest value, and for the share
/// rejected the largest.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorstFigures {
    /// The smallest `image_auroc`.
    pub image_auroc: Option<Worst>,
    /// The smallest `pixel_auroc`.
    pub pixel_auroc: Option<Worst>,
    /// The smallest share of pictures with a defect that are found.
    pub found: Option<Worst>,
    /// The largest share of good pictures that are rejected.
    pub rejected: Option<Worst>,
}

/// The worst value of a figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Worst {
    /// The product that has it.
    pub product: String,
    /// The value.
    pub value: f64,
}

impl ProductsEvaluator {
    /// Opens models with `store`.
    pub fn new(store: ModelStore) -> Self {
        Self {
            store,
            layout: None,
            bootstrap: Some(BootstrapParams::default()),
            false_alarm: None,
            output: None,
            device: String::new(),
        }
    }

    /// Sets the layout of every data set. By default it is recognised.
    #[must_use]
    pub fn with_layout(self, layout: Option<Layout>) -> Self {
        Self { layout, ..self }
    }

    /// Sets how intervals are made. With `None` there are no intervals.
    #[must_use]
    pub fn with_bootstrap(self, bootstrap: Option<BootstrapParams>) -> Self {
        Self { bootstrap, ..self }
    }

    /// Sets a rate of false alarms in place of the models' own thresholds.
    #[must_use]
    pub fn with_false_alarm(self, false_alarm: Option<f64>) -> Self {
        Self { false_alarm, ..self }
    }

    /// Writes what [`EvaluationRun::write`](crate::EvaluationRun::write) writes of each product into a
    /// sub-folder of its name, and [`PRODUCTS`] beside them.
    #[must_use]
    pub fn with_output(self, folder: Option<PathBuf>) -> Self {
        Self { output: folder, ..self }
    }

    /// The name of the device, for the settings of the evaluations.
    #[must_use]
    pub fn with_device_name(self, device: impl Into<String>) -> Self {
        Self { device: device.into(), ..self }
    }

    /// Measures the model `NAME.dfm` in the folder `models` on the sub-folder `NAME` of `root`, for every
    /// product. `each` is given every row as soon as it is known. A product without a model, a model
    /// without a product, and anything else that cannot be measured is reported to the observer and in its
    /// row.
    ///
    /// # Errors
    ///
    /// If `root` has no products, `models` cannot be listed, or a file cannot be written.
    pub fn run(
        &self,
        models: &Path,
        root: &Path,
        observer: &dyn Observer,
        mut each: impl FnMut(&EvaluatedProduct),
    ) -> Result<ProductsEvaluation, Error> {
        self.bootstrap.map(BootstrapParams::check).transpose()?;
        let except: Vec<&Path> = std::iter::once(models).chain(self.output.as_deref()).collect();
        let products = products(root, &except)?;
        let left_over = without_product(models, &products)?;
        if let Some(folder) = &self.output {
            make_folder(folder)?;
            check_file(&folder.join(PRODUCTS), FileKind::PRODUCTS)?;
        }
        let mut rows = Vec::with_capacity(products.len());
        for (number, product) in products.iter().enumerate() {
            let (name, total) = (product.name.clone(), products.len());
            observer.note(&Note::Product { name, number: number + 1, total });
            let begun = Instant::now();
            let counting = Reporter::new(observer);
            let path = model_of(product, models);
            let row = match self.product(product, &path, &counting) {
                Ok(evaluation) => EvaluatedProduct {
                    seconds: begun.elapsed().as_secs_f64(),
                    ..EvaluatedProduct::of(product.name.clone(), path, &evaluation)
                },
                Err(error) => {
                    Observer::problem(&counting, &product.folder, &error);
                    let mut row = EvaluatedProduct::failed(product.name.clone(), path, &error);
                    (row.errors, row.seconds) = (counting.count(), begun.elapsed().as_secs_f64());
                    row
                }
            };
            each(&row);
            rows.push(row);
        }
        for path in left_over {
            let name = path.file_stem().unwrap_or_default();
            let error = Error::Unmatched { expected: "the data set of this model", path: root.join(name) };
            observer.problem(&path, &error);
            let row = EvaluatedProduct::failed(name.to_string_lossy().into_owned(), path, &error);
            each(&row);
            rows.push(row);
        }
        let found = ProductsEvaluation::new(rows);
        if let Some(folder) = &self.output {
            let text = serde_json::to_string(&found)?;
            write_file(&folder.join(PRODUCTS), FileKind::PRODUCTS, |writer| Ok(writeln!(writer, "{text}")?))?;
        }
        Ok(found)
    }

    fn product(&self, product: &Product, path: &Path, observer: &Reporter<'_>) -> Result<Evaluation, Error> {
        if path.symlink_metadata().is_err() {
            // A model of parts is a folder without the ending.
            refuse_parts(&path.with_extension(""))?;
            return Err(Error::Unmatched { expected: "the model of this product", path: path.to_owned() });
        }
        let workers = self.store.workers();
        let mut dataset = workers.run(|| Dataset::read(&product.folder, self.layout))??;
        observer.problems(std::mem::take(&mut dataset.problems));
        let earlier = observer.count();
        dataset.check_test()?;
        observer.note(Note::Dataset { summary: dataset.to_string() });
        for text in &dataset.remarks {
            observer.note(Note::Remark { path: dataset.root.clone(), text: text.clone() });
        }
        for text in workers.run(|| dataset.duplicates())? {
            observer.note(Note::Duplicate { text });
        }
        let model = self.store.open(path)?;
        let options = JudgeOptions::default().with_threshold(self.false_alarm.map(Threshold::FalseAlarm));
        let evaluator = Evaluator::new(Judge::new(model).with_workers(workers.clone()))
            .with_bootstrap(self.bootstrap)
            .with_names(path.display().to_string(), self.device.clone());
        let run = evaluator.run(&dataset, &options, observer).at(path)?;
        if let Some(folder) = &self.output {
            run.write(&folder.join(with_ending(product, "")), None)?;
        }
        let mut evaluation = run.evaluation().clone();
        evaluation.errors += earlier;
        Ok(evaluation)
    }
}

impl EvaluatedProduct {
    fn of(product: String, model: PathBuf, evaluation: &Evaluation) -> Self {
        let [good, defects] = evaluation.kinds();
        Self {
            product,
            model,
            image_auroc: evaluation.image_auroc,
            pixel_auroc: evaluation.pixel_auroc,
            found: evaluation.confusion.map(|confusion| confusion.true_positives),
            defects,
            rejected: evaluation.confusion.map(|confusion| confusion.false_positives),
            good,
            threshold: evaluation.threshold,
            errors: evaluation.errors,
            seconds: 0.0,
            reason: None,
        }
    }

    fn failed(product: String, model: PathBuf, error: &Error) -> Self {
        Self {
            product,
            model,
            image_auroc: None,
            pixel_auroc: None,
            found: None,
            defects: 0,
            rejected: None,
            good: 0,
            threshold: None,
            errors: 1,
            seconds: 0.0,
            reason: Some(error.to_string()),
        }
    }

    /// The share of pictures with a defect that are found.
    pub fn share_found(&self) -> Option<f64> {
        share(self.found, self.defects)
    }

    /// The share of good pictures that are rejected.
    pub fn share_rejected(&self) -> Option<f64> {
        share(self.rejected, self.good)
    }
}

impl ProductsEvaluation {
    fn new(products: Vec<EvaluatedProduct>) -> Self {
        let figures: [fn(&EvaluatedProduct) -> Option<f64>; 4] = [
            |row| row.image_auroc,
            |row| row.pixel_auroc,
            EvaluatedProduct::share_found,
            EvaluatedProduct::share_rejected,
        ];
        let mean = figures.map(|figure| {
            let values: Vec<f64> = products.iter().filter_map(figure).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        });
        let extreme = |figure: fn(&EvaluatedProduct) -> Option<f64>, sign: f64| {
            let valued = products.iter().filter_map(|row| Some((row, figure(row)?)));
            let worst = valued.min_by(|(_, one), (_, other)| (sign * one).total_cmp(&(sign * other)));
            worst.map(|(row, value)| Worst { product: row.product.clone(), value })
        };
        Self {
            mean: MeanFigures {
                image_auroc: mean[0],
                pixel_auroc: mean[1],
                found: mean[2],
                rejected: mean[3],
            },
            worst: WorstFigures {
                image_auroc: extreme(figures[0], 1.0),
                pixel_auroc: extreme(figures[1], 1.0),
                found: extreme(figures[2], 1.0),
                rejected: extreme(figures[3], -1.0),
            },
            failed: products.iter().filter(|row| row.reason.is_some()).count(),
            products,
        }
    }
}

fn share(part: Option<usize>, whole: usize) -> Option<f64> {
    part.filter(|_| whole > 0).map(|part| part as f64 / whole as f64)
}

/// The models in the folder that belong to none of the `products`, sorted.
fn without_product(models: &Path, products: &[Product]) -> Result<Vec<PathBuf>, Error> {
    let known: Vec<PathBuf> = products.iter().map(|product| model_of(product, models)).collect();
    let mut others = Vec::new();
    for entry in std::fs::read_dir(models).at(models)? {
        let path = entry.at(models)?.path();
        let is_model = path.extension().is_some_and(|extension| extension == "dfm");
        if is_model && !known.contains(&path) {
            others.push(path);
        }
    }
    others.sort();
    Ok(others)
}
