//! What a sweep found, for people and for programs.

use std::io::Write;

use dfm::metrics::Figure;
use dfm::{Common, Dataset, Setting, Trial};
use serde::Serialize;

use crate::flags::{RankBy, ReportFormat, SweepFlags};
use crate::hints::told;
use crate::report::plain;
use crate::report::table::{self, Align, Table};

/// What is said of every sweep.
const SELECTION: &str = "settings were ranked by the labels of the test pictures: the best figure is too good for new \
                         pictures; measure the chosen setting on pictures that had no say";

/// What `dfm sweep --format json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Sweep {
    dataset: String,
    layout: String,
    /// Good pictures that the data set has to learn from.
    train: usize,
    /// Pictures that it has to judge.
    test: usize,
    /// The figure that `rank` is by, as `--rank-by` takes it.
    rank_by: &'static str,
    /// What the ranking is worth.
    selection: &'static str,
    /// What holds for every setting, as it was named.
    roi: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    levels: Option<String>,
    tile: Option<u32>,
    stride: Option<u32>,
    /// The best first, those that cannot be at the end.
    settings: Vec<Row>,
}

/// One setting.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// From 1; null of a setting without the figure that is ranked by.
    rank: Option<usize>,
    backbone: String,
    weights: String,
    layer: String,
    pool: String,
    pca: String,
    score: &'static str,
    aggregate: String,
    image_auroc: Option<f64>,
    pixel_auroc: Option<f64>,
    aupro: Option<f64>,
    feature_seconds: Option<f64>,
    fit_seconds: Option<f64>,
    components: Option<usize>,
    model_bytes: Option<u64>,
    /// Why it cannot be, if it cannot.
    reason: Option<String>,
    #[serde(skip)]
    flags: String,
}

impl Row {
    pub(super) fn new(trial: Trial) -> Self {
        let Trial { network: [backbone, weights], setting, tried, .. } = trial;
        let value = |figure: Option<Figure>| figure.map(|figure| figure.value);
        let pixel = tried.as_ref().ok().map(|tried| tried.evaluated.pixel.figures);
        let image = tried.as_ref().ok().map(|tried| tried.evaluated.image.figures);
        let of = tried.as_ref().ok();
        Self {
            rank: None,
            backbone,
            weights,
            layer: joined(&setting.layers, "+"),
            pool: joined(&setting.pools, "+"),
            pca: table::keep(setting.keep),
            score: setting.score.name(),
            aggregate: setting.aggregation.to_string(),
            image_auroc: image.and_then(|image| value(image.auroc)),
            pixel_auroc: pixel.and_then(|pixel| value(pixel.auroc)),
            aupro: pixel.and_then(|pixel| value(pixel.aupro_30)),
            feature_seconds: of.map(|tried| tried.feature_seconds),
            fit_seconds: of.map(|tried| tried.fit_seconds),
            components: of.map(|tried| tried.components),
            model_bytes: of.map(|tried| tried.model_bytes),
            flags: typed(&setting),
            reason: tried.err().map(|error| told(&error)),
        }
    }

    fn figure(&self, rank_by: RankBy) -> Option<f64> {
        match rank_by {
            RankBy::ImageAuroc => self.image_auroc,
            RankBy::PixelAuroc => self.pixel_auroc,
            RankBy::Aupro => self.aupro,
        }
    }
}

impl Sweep {
    /// Ranks `rows`, which share what is `fixed`; among equals the order of the grid stays.
    pub(super) fn new(flags: &SweepFlags, fixed: &Common, dataset: &Dataset, mut rows: Vec<Row>) -> Self {
        let key = |row: &Row| match row.figure(flags.rank_by) {
            _ if row.reason.is_some() => f64::NEG_INFINITY,
            // Below any figure, above what cannot be.
            figure => figure.unwrap_or(-1.0),
        };
        rows.sort_by(|one, other| key(other).total_cmp(&key(one)));
        for (place, row) in rows.iter_mut().enumerate() {
            row.rank = row.figure(flags.rank_by).map(|_| place + 1);
        }
        Self {
            dataset: flags.dataset.display().to_string(),
            layout: dataset.layout.name().to_owned(),
            train: dataset.train.len(),
            test: dataset.pictures.len(),
            rank_by: match flags.rank_by {
                RankBy::ImageAuroc => "image-auroc",
                RankBy::PixelAuroc => "pixel-auroc",
                RankBy::Aupro => "aupro",
            },
            selection: SELECTION,
            roi: flags.roi.clone(),
            levels: (!flags.levels.is_auto()).then(|| flags.levels.to_string()),
            tile: fixed.tiling.map(|tiling| tiling.side),
            stride: fixed.tiling.map(|tiling| tiling.stride),
            settings: rows,
        }
    }

    /// Whether no setting could be tried.
    pub(super) fn is_empty(&self) -> bool {
        self.settings.iter().all(|row| row.reason.is_some())
    }

    /// Writes it.
    pub(super) fn write(&self, format: ReportFormat, out: &mut impl Write) -> anyhow::Result<()> {
        match format {
            ReportFormat::Json => writeln!(out, "{}", serde_json::to_string(self)?)?,
            ReportFormat::Table => self.print(out)?,
        }
        Ok(())
    }

    /// What `dfm fit` is told beside the flags of a setting.
    fn fixed(&self) -> String {
        let flag = |name: &str, value: Option<String>| {
            value.map_or_else(String::new, |value| format!(" --{name} {value}"))
        };
        let number = |value: Option<u32>| value.map(|value| value.to_string());
        flag("roi", self.roi.clone())
            + &flag("levels", self.levels.clone())
            + &flag("tile", number(self.tile))
            + &flag("stride", number(self.stride))
    }

    fn print(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let mut settings = Table::new(&[
            ("rank", Align::Right),
            ("network", Align::Left),
            ("layer", Align::Left),
            ("pool", Align::Right),
            ("pca", Align::Right),
            ("score", Align::Left),
            ("aggregate", Align::Left),
            ("image AUROC", Align::Right),
            ("pixel AUROC", Align::Right),
            ("AUPRO", Align::Right),
            ("ms/picture", Align::Right),
            ("fit s", Align::Right),
            ("components", Align::Right),
            ("model", Align::Right),
        ]);
        let (tried, refused): (Vec<&Row>, Vec<&Row>) =
            self.settings.iter().partition(|row| row.reason.is_none());
        let number = |value: Option<f64>, digits| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
        };
        for row in &tried {
            settings.push([
                row.rank.map_or_else(|| "-".to_owned(), |rank| rank.to_string()),
                plain(&row.network()).into_owned(),
                row.layer.clone(),
                row.pool.clone(),
                row.pca.clone(),
                row.score.to_owned(),
                row.aggregate.clone(),
                table::figure(row.image_auroc),
                table::figure(row.pixel_auroc),
                table::figure(row.aupro),
                number(row.feature_seconds.map(|seconds| 1e3 * seconds), 1),
                number(row.fit_seconds, 2),
                row.components.map_or_else(String::new, |count| count.to_string()),
                row.model_bytes.map_or_else(String::new, table::bytes),
            ]);
        }
        if !tried.is_empty() {
            settings.write(out)?;
            writeln!(out)?;
        }
        // The same reason is often that of many.
        let mut reasons: Vec<(&str, Vec<&Row>)> = Vec::new();
        for row in refused {
            let reason = row.reason.as_deref().unwrap_or_default();
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, rows)) => rows.push(row),
                None => reasons.push((reason, vec![row])),
            }
        }
        for (reason, rows) in reasons {
            let more = match rows.len() {
                1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            let (network, flags) = (rows[0].network(), &rows[0].flags);
            writeln!(out, "cannot be: {} {flags}{more}: {}", plain(&network), plain(reason))?;
        }
        if let [best, ..] = tried.as_slice() {
            writeln!(out, "first: {}{}", best.flags, plain(&self.fixed()))?;
            writeln!(out, "{SELECTION}.")?;
        }
        Ok(())
    }
}

/// Several values of one model, as they are typed.
fn joined<T: ToString>(values: &[T], by: &str) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(by)
}

/// What `dfm fit` is told to make this model, but for the network and what all settings share.
fn typed(setting: &Setting) -> String {
    format!(
        "--layer {} --pool {} --pca {} --score {} --aggregate {}",
        joined(&setting.layers, ","),
        joined(&setting.pools, ","),
        table::keep(setting.keep),
        setting.score.name(),
        setting.aggregation
    )
}

impl Row {
    fn network(&self) -> String {
        match self.weights.as_str() {
            weights if weights == "-" || weights == self.backbone => self.backbone.clone(),
            weights => format!("{} ({weights})", self.backbone),
        }
    }
}
