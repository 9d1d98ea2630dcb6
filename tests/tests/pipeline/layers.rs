//! Models of several layers: what they say is the geometric mean of what models of each layer
//! alone say, wherever a score is asked for.

use dfm_backbone::{Architecture, BackboneWeights, InputContract, Layer};
use dfm_core::{
    AnomalyGrid, CalibrationKind, CalibrationParams, Compute, Dfm, DfmError, DriftParams, FeatureRow,
    JudgeOptions, Keep, LoadOptions, Method, PictureSize, Piece, PreparedPicture, SaveOptions, ScoreKind,
    Tap, Verdict,
};
use dfm_tests::models::{fit_prepared, hash, pieces};
use dfm_tests::pictures;
use dfm_tests::tolerance::assert_close;

const TAPS: [Tap; 2] = [Layer::named("layer1").pooled(2), Layer::named("layer2").pooled(2)];

/// Scores are read off a device in `f32`; sums of another order differ by a few roundings.
const TOLERANCE: f64 = 1e-5;

fn cpu() -> Compute {
    dfm_core::device::parse("cpu").expect("a processor")
}

fn params(taps: &[Tap]) -> Method {
    Method::published().with_taps(taps.to_vec()).with_keep(Keep::Ratio(0.8))
}

fn weights() -> BackboneWeights {
    let architecture = Architecture::known("resnet18").expect("a known architecture");
    let input = InputContract::imagenet().with_size(64, 64);
    BackboneWeights::random(architecture, Layer::named("layer2"), input, 0).expect("random weights")
}

fn prepared(make: impl Fn(u64) -> dfm_core::RgbImage, seeds: std::ops::Range<u64>) -> Vec<PreparedPicture> {
    let extractor = params(&TAPS).check().unwrap().extractor(weights(), cpu()).unwrap();
    let preprocessor = extractor.preprocessor();
    seeds.map(|seed| preprocessor.prepare(make(seed)).expect("prepared")).collect()
}

fn good(seeds: std::ops::Range<u64>) -> Vec<PreparedPicture> {
    prepared(|seed| pictures::good(seed, 64, 64), seeds)
}

fn defective() -> Vec<PreparedPicture> {
    prepared(|seed| pictures::defective(seed, 64, 64), 100..104)
}

fn fit(params: Method, pictures: &[PreparedPicture]) -> Dfm {
    let params = params.check().unwrap();
    fit_prepared(&params, params.extractor(weights(), cpu()).unwrap(), pictures.to_vec()).expect("a fit")
}

fn each_layer(params: &Method, pictures: &[PreparedPicture]) -> [Dfm; 2] {
    TAPS.map(|tap| fit(params.clone().with_taps(vec![tap]), pictures))
}

fn mean(a: f64, b: f64) -> f64 {
    (a * b).sqrt()
}

fn predict(model: &Dfm, pictures: &[PreparedPicture]) -> Vec<Verdict> {
    model.predict(pictures, &JudgeOptions::default().with_map(true)).expect("predictions")
}

/// The map of a model of one layer in cells of `size`.
fn cells(map: &AnomalyGrid, size: PictureSize) -> Vec<f32> {
    AnomalyGrid::new(map.height, map.width, map.values.clone()).upsample(size).values
}

#[test]
fn scores_and_maps_are_the_geometric_means_of_the_layers() {
    let (learnt, new) = (good(0..24), [good(50..53), defective()].concat());
    for aggregation in ["sum", "relative", "max"].map(|name| name.parse().expect(name)) {
        for score in [ScoreKind::Fre, ScoreKind::Mahalanobis] {
            let asked = params(&TAPS).with_aggregation(aggregation).with_score(score);
            if asked.clone().check().is_err() {
                continue;
            }
            let both = predict(&fit(asked.clone(), &learnt), &new);
            let [first, second] = each_layer(&asked, &learnt).map(|model| predict(&model, &new));
            for (both, (first, second)) in both.iter().zip(first.iter().zip(&second)) {
                let what = format!("{aggregation} of {}", score.name());
                assert_close(&what, both.score, mean(first.score, second.score), TOLERANCE);
                let maps = [both, first, second].map(|found| found.grid.as_ref().expect("a map"));
                let [both, first, second] = maps;
                assert_eq!((both.height, both.width), (first.height, first.width), "the finer of both");
                let size = PictureSize { width: both.width as u32, height: both.height as u32 };
                let expected = cells(first, size).into_iter().zip(cells(second, size));
                for (cell, (first, second)) in both.values.iter().zip(expected) {
                    let expected = mean(first.into(), second.into());
                    assert!((f64::from(*cell) - expected).abs() <= 1e-4 * expected + 1e-9, "{what}");
                }
            }
        }
    }
}

#[test]
fn held_out_scores_are_those_of_the_layers() {
    let learnt = good(0..24);
    let both = fit(params(&TAPS), &learnt).audit().expect("an audit");
    let layers = each_layer(&params(&TAPS), &learnt).map(|model| model.audit().expect("an audit").pictures);
    let of = |pictures: &[dfm_core::AuditedPicture], hash: &str| {
        pictures.iter().find(|picture| picture.content_hash == hash).expect("the same pictures").score
    };
    for picture in &both.pictures {
        let [first, second] = layers.each_ref().map(|pictures| of(pictures, &picture.content_hash));
        assert_close("a held-out score", picture.score, mean(first, second), 1e-9);
    }
}

#[test]
fn every_calibration_works_and_survives_its_file() {
    let (learnt, new) = (good(0..40), [good(50..53), defective()].concat());
    for kind in [CalibrationKind::LeaveOneOut, CalibrationKind::Split, CalibrationKind::JackknifePlus] {
        let calibration = Some(CalibrationParams::default().with_kind(kind));
        let model = fit(params(&TAPS).with_calibration(calibration), &learnt);
        let mut file = Vec::new();
        model.write(&mut file, &SaveOptions::default()).expect("written");
        let read = Dfm::read(&mut file.as_slice(), LoadOptions::on(cpu())).expect("read");
        assert_eq!(read.record().params, model.record().params);
        assert_eq!(read.cell_threshold(), model.cell_threshold());
        assert_eq!(read.record().taps.len(), 2);
        let (before, after) = (predict(&model, &new), predict(&read, &new));
        for (before, after) in before.iter().zip(&after) {
            // Files hold components in `f32`.
            assert_close("a score", after.score, before.score, TOLERANCE);
            assert_eq!((after.label, after.p_value), (before.label, before.p_value), "{kind}");
        }
        assert!(before[3..].iter().all(|found| found.p_value < Some(0.1)), "defects stand out");
        let (cell, worst) = (model.cell_threshold().expect("good pictures have maps"), &before[6]);
        let peak = worst.grid.iter().flat_map(|map| &map.values).fold(0.0_f32, |most, cell| most.max(*cell));
        assert!(cell > 0.0 && f64::from(peak) > cell, "{kind}: {peak} is not above {cell}");
    }
}

#[test]
fn parts_merge_to_the_whole_and_can_be_forgotten() {
    let (learnt, new) = (good(0..24), defective());
    let whole = fit(params(&TAPS), &learnt);
    let merged = fit(params(&TAPS), &learnt[..14]).merge(&fit(params(&TAPS), &learnt[9..])).expect("merged");
    assert_eq!(merged.record().picture_count, 24);
    let gone = [hash(&learnt[0])];
    let less = fit(params(&TAPS), &learnt).forget(&gone).expect("forgotten");
    let without = fit(params(&TAPS), &learnt[1..]);
    for (ours, expected) in [(&merged, &whole), (&less, &without)] {
        for (ours, expected) in predict(ours, &new).iter().zip(predict(expected, &new)) {
            assert_close("a score", ours.score, expected.score, TOLERANCE);
        }
        let thresholds = [ours, expected].map(|model| model.calibration().expect("a threshold").threshold());
        assert_close("the threshold", thresholds[0], thresholds[1], 1e-6);
    }
}

#[test]
fn drift_is_looked_for_in_each_layer() {
    let model = fit(params(&TAPS), &good(0..24));
    let mut watch = model.watch(DriftParams::default().check().unwrap());
    assert!(watch.push(&pieces(defective())).is_empty());
    let report = watch.finish().expect("a report");
    let layers: Vec<Layer> = report.features.iter().map(|features| features.layer).collect();
    assert_eq!(layers, TAPS.map(|tap| tap.layer));
    // A test of the scores, and two of each layer.
    assert_close("the level", report.level, report.false_alarm / 5.0, 1e-12);
}

#[test]
fn features_taken_before_are_judged_as_their_pictures() {
    let model = fit(params(&TAPS), &good(0..24));
    let new = defective();
    let columns = model.extractor().row_len();
    let values: Vec<f32> = model.extractor().extract(&new).unwrap().try_into_vec_as().unwrap();
    let rows = new.iter().zip(values.chunks(columns)).enumerate();
    let computed = |number, picture: &PreparedPicture, values: &[f32]| {
        let row = FeatureRow { content_hash: hash(picture), values: values.to_vec() };
        Piece::computed(number, true, row, picture.placement.clone(), Some(picture.original))
    };
    let mut rows: Vec<_> =
        rows.map(|(number, (picture, values))| computed(number, picture, values)).collect();
    let mut judging = model.judging(&JudgeOptions::default().with_map(true)).expect("options");
    let judged: Vec<(usize, Verdict)> =
        judging.push(rows.clone()).into_iter().map(|(number, found)| (number, found.unwrap())).collect();
    assert_eq!(judged, predict(&model, &new).into_iter().enumerate().collect::<Vec<_>>());
    rows.push(computed(4, &new[0], &[0.0; 3]));
    let mut found = judging.push(rows);
    let (number, error) = found.pop().expect("an error");
    assert!(found.iter().all(|(_, verdict)| verdict.is_ok()));
    assert!(matches!(error, Err(DfmError::ComputedFeatures { got: 3, .. })), "{error:?}");
    assert_eq!(number, 4);
}
