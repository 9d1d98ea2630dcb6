//! From pictures to verdicts, on every device: the laws that a fitted model
//! keeps, whatever it was fitted to.

use std::sync::LazyLock;

use dfm_backbone::{Placement, WeightsHeader};
use dfm_core::device;
use dfm_core::{
    Architecture, BackboneWeights, CalibrationParams, Compute, Dfm, DfmError, FeatureRow, FitParams,
    InputContract, JudgeOptions, Keep, Keeping, Label, Layer, Learnt, LoadOptions, Method, ModelFileError,
    ModelInfo, ModelUnion, NetworkPrecision, PictureSize, Piece, PreparedPicture, Preprocessor, RgbImage,
    Run, SaveOptions, ScoreKind, UpdateOptions, Verdict,
};
use dfm_tests::models::{fit_prepared, flex, hash, pieces};
use dfm_tests::tolerance::{assert_close, relative_l2};
use dfm_tests::{devices, pictures};

/// Two `f32` implementations of this network and its scoring differ by about
/// 1e-6 relative; the issue of a wrong kernel or layout is far above 1e-4.
const ACROSS_DEVICES: f64 = 1e-4;
/// The same device, the same arithmetic in another order: a few roundings of
/// `f32`, relative to a score that is a sum of a thousand squares.
const REORDERED: f64 = 2e-5;

/// A dozen different good parts.
static GOOD: LazyLock<Vec<RgbImage>> =
    LazyLock::new(|| (0..12).map(|seed| pictures::good(seed, 72, 56)).collect());

fn small_weights(seed: u64) -> BackboneWeights {
    let architecture = Architecture::known("resnet18").expect("a known architecture");
    let input = InputContract::imagenet().with_size(64, 64);
    BackboneWeights::random(architecture, Layer::named("layer1"), input, seed).expect("random weights")
}

fn small_params() -> Method {
    Method::published().with_taps(vec![Layer::named("layer1").pooled(4)]).with_keep(Keep::Ratio(0.9))
}

fn prepare(preprocessor: &Preprocessor, pictures: &[RgbImage]) -> Vec<PreparedPicture> {
    pictures.iter().map(|picture| preprocessor.prepare(picture).expect("a prepared picture")).collect()
}

fn fit(params: impl Into<FitParams>, pictures: &[RgbImage], device: &Compute) -> Result<Dfm, DfmError> {
    let params = params.into().check()?;
    let extractor = params.extractor(small_weights(0), device)?;
    params.fit(extractor, pictures)
}

/// Good parts that the fit has not seen, and defective ones.
fn unseen() -> Vec<RgbImage> {
    let good = (100..103).map(|seed| pictures::good(seed, 72, 56));
    good.chain((200..203).map(|seed| pictures::defective(seed, 72, 56))).collect()
}

fn predict(model: &Dfm, pictures: &[RgbImage]) -> Vec<Verdict> {
    let prepared = prepare(&model.preprocessor(), pictures);
    model.predict(&prepared, &JudgeOptions::default().with_map(true)).expect("predictions")
}

fn scores(model: &Dfm, pictures: &[RgbImage]) -> Vec<f64> {
    predict(model, pictures).iter().map(|prediction| prediction.score).collect()
}

fn written(model: &Dfm, slim: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    model.write(&mut bytes, &SaveOptions { slim }).expect("a written model");
    bytes
}

#[test]
fn a_model_tells_defective_parts_from_good_ones_on_every_device() {
    for (name, device) in devices::available() {
        let model = fit(small_params(), &GOOD, &device).expect(&name);
        let labels: Vec<_> = predict(&model, &unseen()).iter().map(|prediction| prediction.label).collect();
        let (good, defective) = labels.split_at(3);
        assert!(defective.iter().all(|label| *label == Some(Label::Anomalous)), "{name}: {labels:?}");
        // One in a hundred good parts is expected above the threshold; of three, at most one.
        assert!(
            good.iter().filter(|label| **label == Some(Label::Anomalous)).count() <= 1,
            "{name}: {labels:?}"
        );
    }
}

#[test]
fn a_model_fitted_on_one_device_scores_the_same_on_every_other() {
    let devices = devices::available();
    for score in [ScoreKind::Fre, ScoreKind::Nll, ScoreKind::Mahalanobis] {
        for (fitted_on, device) in &devices {
            let model = fit(small_params().with_score(score), &GOOD, device).expect(fitted_on);
            let file = written(&model, false);
            let expected = scores(&model, &unseen());
            for (read_on, device) in &devices {
                let options = LoadOptions::on(device.clone());
                let read = Dfm::read(&mut file.as_slice(), options).expect(read_on);
                for (actual, expected) in scores(&read, &unseen()).into_iter().zip(&expected) {
                    let what = format!("{score:?} fitted on {fitted_on}, read on {read_on}");
                    assert_close(&what, actual, *expected, ACROSS_DEVICES);
                }
            }
        }
    }
}

#[test]
fn the_defect_is_where_the_map_is_highest() {
    let model = fit(small_params(), &GOOD, &flex()).unwrap();
    for prediction in &predict(&model, &unseen())[3..] {
        let grid = prediction.grid.as_ref().expect("FRE has a map");
        let map = grid.upsample(PictureSize { width: 72, height: 56 });
        assert_eq!((map.width, map.height, map.values.len()), (72, 56, 72 * 56));
        let highest = (0..map.values.len()).max_by(|a, b| map.values[*a].total_cmp(&map.values[*b])).unwrap();
        let (x, y) = (highest % 72, highest / 72);
        // The square covers 29–43 × 21–35; a cell of the map is 18 × 14 pixels.
        assert!((20..52).contains(&x) && (14..42).contains(&y), "highest at {x}, {y}");
    }
}

#[test]
fn a_likelihood_has_no_map_and_its_threshold_works_below_zero() {
    let model = fit(small_params().with_score(ScoreKind::Nll), &GOOD, &flex()).unwrap();
    let calibration = model.calibration().expect("a threshold");
    for prediction in predict(&model, &unseen()) {
        assert!(prediction.grid.is_none());
        let normalized = prediction.normalized_score.expect("a normalised score");
        assert!(normalized > 0.0 && normalized < 1.0);
        assert_eq!(normalized >= 0.5, prediction.score >= calibration.threshold());
        assert_eq!(prediction.label == Some(Label::Anomalous), prediction.score >= calibration.threshold());
    }
}

#[test]
fn neither_the_order_of_pictures_nor_the_batch_changes_a_score() {
    let model = fit(small_params(), &GOOD, &flex()).unwrap();
    let expected = scores(&model, &unseen());
    let reversed: Vec<RgbImage> = GOOD.iter().rev().cloned().collect();
    for (pictures, batch) in [(reversed.as_slice(), 8), (GOOD.as_slice(), 1), (GOOD.as_slice(), 5)] {
        let other = fit(
            FitParams::from(small_params()).with_run(Run::default().with_batch(batch)),
            pictures,
            &flex(),
        )
        .unwrap();
        let threshold = |model: &Dfm| model.calibration().unwrap().threshold();
        assert_close("threshold", threshold(&other), threshold(&model), REORDERED);
        for (actual, expected) in scores(&other, &unseen()).into_iter().zip(&expected) {
            assert_close("score", actual, *expected, REORDERED);
        }
    }
}

#[test]
fn a_score_does_not_depend_on_the_pictures_beside_it() {
    let model = fit(small_params(), &GOOD, &flex()).unwrap();
    let together = scores(&model, &unseen());
    let alone: Vec<f64> =
        unseen().iter().map(|picture| scores(&model, std::slice::from_ref(picture))[0]).collect();
    assert!(relative_l2(&alone, &together) < REORDERED);
}

#[test]
fn a_model_reads_back_as_it_was_written() {
    for score in [ScoreKind::Fre, ScoreKind::Nll, ScoreKind::Mahalanobis] {
        let model = fit(small_params().with_score(score), &GOOD, &flex()).unwrap();
        let file = written(&model, false);
        let read = Dfm::read(&mut file.as_slice(), LoadOptions::on(flex())).unwrap();
        assert_eq!(read.calibration(), model.calibration());
        assert_eq!(read.record(), model.record());
        assert_eq!(written(&read, false), file, "{score:?}: writing what was read gives other bytes");
        let info = ModelInfo::read(&mut file.as_slice(), LoadOptions::MAX_BYTES).unwrap();
        assert_eq!(info.taps[0].components, model.component_count());
        assert_eq!(info.total_bytes, file.len() as u64);
        assert_eq!(info.threshold, model.calibration().map(|calibration| calibration.threshold()));
    }
}

#[test]
fn the_same_pictures_give_the_same_bytes() {
    let file = || written(&fit(small_params(), &GOOD, &flex()).unwrap(), false);
    assert_eq!(file(), file());
}

#[test]
fn a_slim_model_needs_its_own_weights() {
    let model = fit(small_params(), &GOOD, &flex()).unwrap();
    // Random weights are made again from their seed; trained ones have to be given.
    let trained = |seed| {
        let weights = small_weights(seed);
        let header = WeightsHeader { source: "a training run".to_owned(), ..weights.header().clone() };
        BackboneWeights::new(header, weights.values().to_vec()).expect("sound weights")
    };
    let file = written(&model, true);
    assert!(file.len() < written(&model, false).len());
    let again = Dfm::read(&mut file.as_slice(), LoadOptions::on(flex())).expect("random weights");
    assert_eq!(scores(&again, &unseen()), scores(&model, &unseen()));

    let valid = small_params().check().unwrap();
    let extractor = valid.extractor(trained(0), flex()).unwrap();
    let prepared = prepare(&extractor.preprocessor(), &GOOD);
    let file = written(&fit_prepared(&valid, extractor, prepared).unwrap(), true);
    let read = |weights| Dfm::read(&mut file.as_slice(), LoadOptions { weights, ..LoadOptions::on(flex()) });
    assert!(matches!(read(None), Err(DfmError::Model(ModelFileError::WeightsNeeded { .. }))));
    assert!(matches!(read(Some(trained(1))), Err(DfmError::Model(ModelFileError::OtherWeights { .. }))));
    let whole = read(Some(trained(0))).expect("its own weights");
    assert_eq!(scores(&whole, &unseen()), scores(&model, &unseen()));
}

#[test]
fn the_kept_statistic_can_be_left_out() {
    let whole = fit(small_params(), &GOOD, &flex()).unwrap();
    let lean = FitParams::from(small_params()).with_keeping(Keeping::default().with_fit_statistic(false));
    let lean = fit(lean, &GOOD, &flex()).unwrap();
    assert!(lean.fit_statistics().is_none());
    assert!(written(&lean, false).len() < written(&whole, false).len());
    assert_eq!(scores(&lean, &unseen()), scores(&whole, &unseen()));
}

#[test]
fn a_model_without_calibration_gives_raw_scores_alone() {
    let model = fit(small_params().with_calibration(None), &GOOD, &flex()).unwrap();
    let prediction = predict(&model, &unseen()).remove(0);
    assert_eq!((prediction.label, prediction.normalized_score), (None, None));
    let model = model.with_threshold(prediction.score).unwrap();
    let judged = predict(&model, &unseen()).remove(0);
    assert_eq!((judged.label, judged.normalized_score), (Some(Label::Anomalous), Some(0.5)));
}

#[test]
fn one_picture_or_one_many_times_is_refused_by_name() {
    let copies = vec![GOOD[0].clone(); 4];
    assert!(matches!(fit(small_params(), &GOOD[..1], &flex()), Err(DfmError::TooFewPictures { .. })));
    assert!(matches!(fit(small_params(), &copies, &flex()), Err(DfmError::NoVariation { pictures: 4 })));
    assert!(matches!(fit(small_params(), &[], &flex()), Err(DfmError::TooFewPictures { got: 0, .. })));
}

#[test]
fn two_pictures_are_enough() {
    let fre = small_params();
    let nll = small_params().with_score(ScoreKind::Nll).with_calibration(None);
    for params in [fre, nll] {
        let model = fit(params.clone(), &GOOD[..2], &flex()).unwrap();
        assert!(scores(&model, &unseen()).iter().all(|score| score.is_finite()), "{params:?}");
        assert_eq!(model.calibration().is_some(), params.calibration.is_some());
    }
}

#[test]
fn three_pictures_of_which_two_are_the_same_are_enough() {
    // Without the odd one, a part has nothing but copies.
    let pictures = [GOOD[0].clone(), GOOD[0].clone(), GOOD[1].clone()];
    assert!(fit(small_params(), &pictures, &flex()).unwrap().calibration().is_some());
}

#[test]
fn a_likelihoods_threshold_needs_more_pictures_than_components() {
    let params = small_params().with_score(ScoreKind::Nll);
    let refused = fit(params, &GOOD[..2], &flex());
    assert!(matches!(refused, Err(DfmError::TooFewToCalibrate { needed: 3, got: 2, .. })), "{refused:?}");
}

/// With fewer components in the models without a picture than in the whole, their likelihoods
/// would be sums over fewer dimensions, and the threshold far above what the model gives to
/// good pictures.
#[test]
fn held_out_likelihoods_are_those_of_good_pictures_that_the_model_never_saw() {
    let part = |seeds: std::ops::Range<u64>| -> Vec<RgbImage> {
        seeds.map(|seed| pictures::good(seed, 72, 56)).collect()
    };
    let calibration = Some(CalibrationParams::default().with_quantile(0.5));
    let params =
        small_params().with_score(ScoreKind::Nll).with_keep(Keep::Ratio(0.97)).with_calibration(calibration);
    let model = fit(params, &part(0..40), &flex()).unwrap();
    let mut fresh = scores(&model, &part(1000..1040));
    fresh.sort_by(f64::total_cmp);
    let median = f64::midpoint(fresh[19], fresh[20]);
    // The medians of forty likelihoods each, whose spread is about as large as their number of
    // terms, differ by a few tenths of it. Each component left out would move the sum by
    // 2 log σ, which is about −5.
    let distance = (model.calibration().unwrap().threshold() - median).abs();
    assert!(distance < 0.22 * model.component_count() as f64, "{distance}");
}

#[test]
fn features_computed_before_take_the_place_of_pictures() {
    let params = small_params().check().expect("params");
    let extractor =
        || params.extractor(small_weights(0), device::parse("cpu").expect("cpu")).expect("an extractor");
    let prepared = prepare(&extractor().preprocessor(), &GOOD);
    let mut rows = Vec::new();
    let learn = |pieces: Vec<Piece>, rows: &mut Vec<FeatureRow>| {
        let model = params.fit_each(extractor(), pieces, |learnt| {
            match learnt {
                Learnt::Features(_, row) => rows.push(row.clone()),
                Learnt::Picture(number, hash) => {
                    assert_eq!((number + 1, hash), (rows.len(), rows[number].content_hash));
                }
                _ => panic!("{learnt:?}"),
            }
            Ok(())
        });
        let mut bytes = Vec::new();
        model.and_then(|model| model.write(&mut bytes, &SaveOptions::default()).map(|_| bytes))
    };
    let all = pieces(prepared);
    let computed = |number, row| Piece::computed(number, true, row, Placement::WHOLE, None);
    let whole = learn(all.clone(), &mut rows).expect("a model");
    for known in [0..12, 0..5, 6..7, 5..12] {
        let mut mixed = all.clone();
        for place in known.clone() {
            mixed[place] = computed(place, rows[place].clone());
        }
        let mut again = Vec::new();
        assert!(learn(mixed, &mut again).expect("a model") == whole, "{known:?}");
        assert_eq!(again, rows);
    }
    // Those of another extractor.
    let mut short = all.clone();
    short[3] = computed(3, FeatureRow { values: vec![0.0; 7], ..rows[3].clone() });
    let error = learn(short, &mut Vec::new()).expect_err("seven features");
    assert!(matches!(error, DfmError::ComputedFeatures { picture: 3, got: 7, .. }), "{error}");
    // In int8 the first decide the steps, and features say nothing of those.
    let int8 = small_params().with_precision(NetworkPrecision::Int8).check().expect("params");
    let known = rows.iter().cloned().enumerate().map(|(number, row)| computed(number, row));
    let error = int8.fit_each(extractor(), known, |_| Ok(())).expect_err("features");
    assert!(matches!(error, DfmError::Parameter { name: "pictures", .. }), "{error}");
}

#[test]
fn an_update_looks_at_no_picture_that_the_model_knows() {
    let model = fit(small_params(), &GOOD[..8], &flex()).expect("a model");
    let prepared = prepare(&model.preprocessor(), &GOOD[6..10]);
    // Nothing could be made of these, if anybody looked.
    let mut all = pieces(prepared.clone());
    for (number, picture) in prepared[..2].iter().enumerate() {
        let row = FeatureRow { content_hash: hash(picture), values: Vec::new() };
        all[number] = Piece::computed(number, true, row, Placement::WHOLE, None);
    }
    let mut told = Vec::new();
    let model = model.update_each(all, UpdateOptions::default(), |learnt| {
        match learnt {
            Learnt::Known(number) => told.push((number, true)),
            Learnt::Picture(number, _) => told.push((number, false)),
            _ => {}
        }
        Ok(())
    });
    assert_eq!(told, [(0, true), (1, true), (2, false), (3, false)]);
    assert_eq!(model.expect("a model").record().picture_count, 10);
}

#[test]
fn a_union_of_several_is_the_fit_of_all_in_any_order() {
    let part = |range: std::ops::Range<usize>| fit(small_params(), &GOOD[range], &flex()).expect("a model");
    let expected = scores(&fit(small_params(), &GOOD, &flex()).expect("a model"), &unseen());
    let parts = || [part(0..4), part(3..8), part(8..12)];
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        let mut parts = parts().map(Some);
        let mut next = order.into_iter().map(|place| parts[place].take().expect("a part"));
        let mut union = ModelUnion::of(next.next().expect("a first"));
        next.for_each(|other| union.add(&other).expect("a part of the same kind"));
        let model = union.finish().expect("a model");
        assert_eq!(model.record().picture_count, 12);
        for (actual, expected) in scores(&model, &unseen()).iter().zip(&expected) {
            assert_close("score", *actual, *expected, REORDERED);
        }
    }
    let refused = ModelUnion::of(part(0..4)).add(
        &fit(small_params().with_taps(vec![Layer::named("layer1").pooled(2)]), &GOOD, &flex())
            .expect("a model"),
    );
    assert!(matches!(refused, Err(DfmError::DifferentModels { what: "feature shapes", .. })));
}
