//! Decisions from good pictures alone, as laws: over many draws no more good pictures are
//! called anomalous than is stated.

use dfm_backbone::{Architecture, BackboneWeights, InputContract, Layer};
use dfm_core::{
    CalibrationKind, CalibrationParams, Compute, Dfm, DfmError, JudgeOptions, Keep, Label, Method,
    PreparedPicture, ScoreKind, Threshold,
};
use dfm_tests::models::{fit_prepared, hash};
use dfm_tests::pictures;
use dfm_tests::tolerance::assert_close;

/// Pictures of a fit: a quarter is nine, and a tenth is the smallest p-value that nine give.
const COUNT: u64 = 33;
/// Fits, each with a new picture: one only, since those of one fit depend on each other.
const DRAWS: u64 = 400;
const RATE: f64 = 0.1;

fn cpu() -> Compute {
    dfm_core::device::parse("cpu").expect("a processor")
}

fn params(kind: CalibrationKind, false_alarm: Option<f64>) -> Method {
    let calibration = Some(CalibrationParams::default().with_kind(kind).with_false_alarm(false_alarm));
    Method::published()
        .with_taps(vec![Layer::named("layer1").pooled(4)])
        .with_keep(Keep::Ratio(0.8))
        .with_calibration(calibration)
}

fn fit(params: Method, pictures: &[PreparedPicture]) -> Result<Dfm, DfmError> {
    let architecture = Architecture::known("resnet18").expect("a known architecture");
    let input = InputContract::imagenet().with_size(32, 32);
    let weights =
        BackboneWeights::random(architecture, Layer::named("layer1"), input, 0).expect("random weights");
    let params = params.check()?;
    fit_prepared(&params, params.extractor(weights, cpu())?, pictures.to_vec())
}

/// Good parts, prepared for [`fit`].
fn good(seeds: std::ops::Range<u64>) -> Vec<PreparedPicture> {
    let extractor = {
        let architecture = Architecture::known("resnet18").expect("a known architecture");
        let input = InputContract::imagenet().with_size(32, 32);
        let weights =
            BackboneWeights::random(architecture, Layer::named("layer1"), input, 0).expect("random weights");
        Method::published()
            .with_taps(vec![Layer::named("layer1").pooled(4)])
            .check()
            .unwrap()
            .extractor(weights, cpu())
    };
    let preprocessor = extractor.unwrap().preprocessor();
    seeds.map(|seed| preprocessor.prepare(pictures::good(seed, 32, 32)).expect("prepared")).collect()
}

/// In how many draws a good picture has a p-value of [`RATE`] or less, and that they are those
/// that are called anomalous.
fn alarms(kind: CalibrationKind) -> u64 {
    let mut alarms = 0;
    for draw in 0..DRAWS {
        let seeds = draw * (COUNT + 1)..(draw + 1) * (COUNT + 1);
        let mut drawn = good(seeds);
        let new = drawn.pop().expect("a new picture");
        let model = fit(params(kind, Some(RATE)), &drawn).unwrap();
        let prediction = model.predict(&[new], &JudgeOptions::default()).unwrap().remove(0);
        let p_value = prediction.p_value.expect("a p-value");
        let count = if kind == CalibrationKind::Split { COUNT.div_ceil(4) } else { COUNT };
        assert!(p_value >= 1.0 / (count + 1) as f64 && p_value <= 1.0, "{p_value}");
        let alarm = p_value <= RATE;
        assert_eq!(prediction.label == Some(Label::Anomalous), alarm, "{p_value}");
        alarms += u64::from(alarm);
    }
    println!("{kind}: {alarms} alarms in {DRAWS} draws at a rate of {RATE}");
    alarms
}

/// The chance of more than `count` successes in [`DRAWS`] of `rate` each.
fn chance_of_more(count: u64, rate: f64) -> f64 {
    let mut share = (1.0 - rate).powi(i32::try_from(DRAWS).unwrap());
    let mut up_to = share;
    for successes in 1..=count {
        share *= (DRAWS - successes + 1) as f64 / successes as f64 * rate / (1.0 - rate);
        up_to += share;
    }
    1.0 - up_to
}

/// Exactly a tenth, as nine scores and the new one are ten that come in any order: neither
/// more nor fewer than one run in a thousand would give.
#[test]
fn split_calibration_has_the_stated_rate() {
    let alarms = alarms(CalibrationKind::Split);
    assert!(chance_of_more(alarms - 1, RATE) > 1e-3, "too many: {alarms}");
    assert!(1.0 - chance_of_more(alarms, RATE) > 1e-3, "too few: {alarms}");
}

/// Twice the rate is proved. That it is about the rate is usual, and the half and one and a
/// half of it are what is asked of it here, with the same tolerance.
#[test]
fn jackknife_plus_has_at_most_twice_the_stated_rate() {
    let alarms = alarms(CalibrationKind::JackknifePlus);
    assert!(chance_of_more(alarms - 1, 2.0 * RATE) > 1e-3, "too many: {alarms}");
    assert!(chance_of_more(alarms - 1, 1.5 * RATE) > 1e-3, "unusually many: {alarms}");
    assert!(1.0 - chance_of_more(alarms, 0.5 * RATE) > 1e-3, "too few: {alarms}");
}

/// Nothing is proved of it; an estimate that is off by half would be of no use.
#[test]
fn leave_one_out_is_about_the_stated_rate() {
    let alarms = alarms(CalibrationKind::LeaveOneOut);
    assert!(chance_of_more(alarms - 1, 1.5 * RATE) > 1e-3, "too many: {alarms}");
    assert!(1.0 - chance_of_more(alarms, 0.5 * RATE) > 1e-3, "too few: {alarms}");
}

/// A jackknife+ by its definition: each picture and the new one by a fit without the picture,
/// which counts its own components.
#[test]
fn a_jackknife_plus_is_that_of_as_many_fits() {
    let (pictures, new) = (good(0..16), good(100..112));
    let model = fit(params(CalibrationKind::JackknifePlus, None), &pictures).unwrap();
    let found = model.predict(&new, &JudgeOptions::default()).unwrap();
    let mut as_high = vec![0; new.len()];
    for place in 0..pictures.len() {
        let others = [&pictures[..place], &pictures[place + 1..]].concat();
        let raw = params(CalibrationKind::JackknifePlus, None).with_calibration(None);
        let without = fit(raw, &others).unwrap();
        let score = |picture: &PreparedPicture| {
            without.predict(std::slice::from_ref(picture), &JudgeOptions::default()).unwrap()[0].score
        };
        let own = score(&pictures[place]);
        for (count, new) in as_high.iter_mut().zip(&new) {
            *count += usize::from(own >= score(new));
        }
    }
    for (prediction, as_high) in found.iter().zip(as_high) {
        assert_eq!(prediction.p_value, Some((1 + as_high) as f64 / 17.0));
    }
}

/// The calibrating quarter has no part in the fit: the model is that of the others.
#[test]
fn a_split_model_is_that_of_three_quarters_and_its_scores_are_those_of_the_rest() {
    for score in [ScoreKind::Fre, ScoreKind::Nll, ScoreKind::Mahalanobis] {
        let mut pictures = good(0..20);
        // A copy has the part of the picture itself.
        pictures.push(pictures[3].clone());
        let split = params(CalibrationKind::Split, Some(0.2)).with_score(score);
        let model = fit(split.clone(), &pictures).unwrap();
        let mut hashes: Vec<[u8; 32]> = pictures.iter().map(hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        let (calibrating, fitted): (Vec<_>, Vec<_>) =
            pictures.iter().cloned().partition(|picture| hashes[..5].contains(&hash(picture)));
        let expected = fit(split.with_calibration(None), &fitted).unwrap();
        assert_eq!(model.component_count(), expected.component_count());
        assert_eq!(model.record().held_out, calibrating.len());
        let new = good(300..306);
        let scores = |model: &Dfm, pictures: &[PreparedPicture]| -> Vec<f64> {
            let predictions = model.predict(pictures, &JudgeOptions::default()).unwrap();
            predictions.iter().map(|prediction| prediction.score).collect()
        };
        for (found, expected) in scores(&model, &new).iter().zip(scores(&expected, &new)) {
            // The same directions by way of the whole fit; the scores are of f32.
            assert_close("score", *found, expected, 1e-4);
        }
        let mut held_out = scores(&expected, &calibrating);
        held_out.sort_by(f64::total_cmp);
        held_out.dedup_by(|a, b| (*a - *b).abs() < 1e-9 * b.abs());
        assert_eq!(held_out.len(), 5);
        // One in six may be above: the largest of five is the threshold.
        assert_close("threshold", model.calibration().unwrap().threshold(), held_out[4], 1e-4);
    }
}

#[test]
fn what_cannot_be_supported_says_what_could() {
    let at = |rate| JudgeOptions::default().with_threshold(Threshold::FalseAlarm(rate));
    let pictures = good(0..20);
    let refused = fit(params(CalibrationKind::LeaveOneOut, Some(0.01)), &pictures).unwrap_err();
    assert!(matches!(refused, DfmError::TooFewForFalseAlarm { needed: 99, got: 20, .. }), "{refused}");
    let refused = fit(params(CalibrationKind::Split, Some(0.1)), &pictures).unwrap_err();
    assert!(matches!(refused, DfmError::TooFewForFalseAlarm { needed: 33, got: 5, .. }), "{refused}");
    assert!(fit(params(CalibrationKind::Split, Some(0.1)), &good(0..33)).is_ok());
    let refused = fit(params(CalibrationKind::Split, None), &pictures[..2]).unwrap_err();
    assert!(matches!(refused, DfmError::TooFewPictures { expected: 3, got: 2 }), "{refused}");
    let raw = fit(params(CalibrationKind::Split, None).with_calibration(None), &pictures).unwrap();
    assert!(matches!(raw.judging(&at(0.2)), Err(DfmError::NotCalibrated)));
    let model = fit(params(CalibrationKind::LeaveOneOut, None), &pictures).unwrap();
    let own = model.calibration().unwrap().threshold();
    assert!(model.judging(&at(0.001)).is_err());
    assert_eq!(model.calibration().unwrap().threshold(), own, "refused, and changed all the same");
    assert!(model.judging(&at(0.3)).unwrap().threshold().unwrap() < own);
    assert_eq!(model.judging(&JudgeOptions::default()).unwrap().threshold(), Some(own));
}
