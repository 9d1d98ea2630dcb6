//! Scores taken apart: shares that make the whole, and the good picture that is nearest.

use std::sync::LazyLock;

use dfm_core::{
    Aggregation, Architecture, BackboneWeights, CalibrationParams, Dfm, Explanation, FitParams,
    InputContract, JudgeOptions, Keep, Keeping, Layer, LoadOptions, Method, PreparedPicture, RgbImage,
    SaveOptions, ScoreKind, Verdict,
};
use dfm_stats::Samples;
use dfm_tests::models::{flex, hash, small_weights};
use dfm_tests::pictures;
use dfm_tests::program::{Program, SMALL};
use dfm_tests::tolerance::assert_close;

/// Sums of thousands of shares in `f64`.
const ROUNDING: f64 = 1e-9;
/// The host in `f64` against a device in `f32`, which differ by about 1e-6.
const ACROSS_DEVICES: f64 = 1e-4;

static GOOD: LazyLock<Vec<RgbImage>> =
    LazyLock::new(|| (0..12).map(|seed| pictures::good(seed, 72, 56)).collect());
/// A good picture and two with a defect.
static NEW: LazyLock<Vec<RgbImage>> = LazyLock::new(|| {
    vec![pictures::good(99, 72, 56), pictures::defective(5, 72, 56), pictures::defective(6, 90, 41)]
});

fn fit(params: impl Into<FitParams>) -> Dfm {
    let params = params.into().check().expect("valid parameters");
    let extractor = params.extractor(small_weights(), flex()).expect("an extractor");
    params.fit(extractor, GOOD.iter()).expect("a model")
}

fn params(score: ScoreKind, aggregation: Aggregation) -> Method {
    let keep = Keep::Components(4);
    let calibration = Some(CalibrationParams::default().with_quantile(0.9));
    let taps = vec![Layer::named("layer1").pooled(4)];
    Method::published()
        .with_taps(taps)
        .with_score(score)
        .with_aggregation(aggregation)
        .with_keep(keep)
        .with_calibration(calibration)
}

fn prepare(model: &Dfm, pictures: &[RgbImage]) -> Vec<PreparedPicture> {
    pictures.iter().map(|picture| model.preprocessor().prepare(picture).expect("prepared")).collect()
}

fn judged(model: &Dfm, pictures: &[RgbImage]) -> Vec<Verdict> {
    let verdicts = model.judge(pictures, &JudgeOptions::default().with_explain(true)).expect("options");
    verdicts.into_iter().collect::<Result<_, _>>().expect("verdicts")
}

fn explain(model: &Dfm, pictures: &[RgbImage]) -> Vec<Explanation> {
    judged(model, pictures).into_iter().map(|verdict| verdict.explanation.expect("explained")).collect()
}

#[test]
fn shares_make_the_whole_and_the_layers_score_is_the_models() {
    let top = Aggregation::Top { percent: 30.0 };
    for (score, aggregation) in [
        (ScoreKind::Fre, Aggregation::Sum),
        (ScoreKind::Fre, Aggregation::Relative),
        (ScoreKind::Fre, Aggregation::Max),
        (ScoreKind::Fre, top),
        (ScoreKind::Fre, Aggregation::Power { exponent: 4.0 }),
        (ScoreKind::Mahalanobis, Aggregation::Sum),
        (ScoreKind::Nll, Aggregation::Sum),
    ] {
        let what = format!("{}, {aggregation}", score.name());
        let model = fit(params(score, aggregation));
        let predictions = model.predict(&prepare(&model, &NEW), &JudgeOptions::default()).unwrap();
        for (mut judged, prediction) in judged(&model, &NEW).into_iter().zip(predictions) {
            let explanation = judged.explanation.take().expect("explained");
            assert_eq!(judged, prediction, "{what}");
            let [layer] = &explanation.layers[..] else { panic!("{what}: one layer") };
            assert_close(&what, layer.score, prediction.score, ACROSS_DEVICES);
            let shares = |shares: &mut dyn Iterator<Item = f64>| {
                let shares: Vec<f64> = shares.collect();
                assert!(shares.is_sorted_by(|a, b| a >= b) && shares.iter().all(|share| *share >= 0.0));
                shares.iter().sum::<f64>() + layer.elsewhere
            };
            let cells = shares(&mut layer.cells.iter().map(|cell| cell.share));
            let channels = shares(&mut layer.channels.iter().map(|channel| channel.share));
            assert!((cells - 1.0).abs() < ROUNDING, "{what}: cells make {cells}");
            assert!((channels - 1.0).abs() < ROUNDING, "{what}: channels make {channels}");
            match score {
                ScoreKind::Fre => assert_eq!(layer.elsewhere, 0.0),
                ScoreKind::Mahalanobis => assert!(layer.elsewhere > 0.0 && layer.elsewhere < 1.0),
                ScoreKind::Nll => assert_eq!(layer.elsewhere, 1.0),
            }
            let counted = layer.cells.iter().filter(|cell| cell.share > 0.0).count();
            let all = layer.cells.len();
            let expected = match (score, aggregation) {
                (ScoreKind::Nll, _) => 0,
                (_, Aggregation::Max) => 1,
                (_, Aggregation::Top { percent }) => (percent / 100.0 * all as f64).ceil() as usize,
                _ => all,
            };
            assert_eq!(counted, expected, "{what}");
        }
    }
}

#[test]
fn cells_are_those_of_the_map() {
    let model = fit(params(ScoreKind::Fre, Aggregation::Sum));
    let maps = model.predict(&prepare(&model, &NEW), &JudgeOptions::default().with_map(true)).unwrap();
    for (explanation, prediction) in explain(&model, &NEW).iter().zip(maps) {
        let grid = prediction.grid.expect("a map");
        for cell in &explanation.layers[0].cells {
            let expected = grid.values[cell.row * grid.width + cell.column];
            assert_close("cell", cell.share * prediction.score, expected.into(), ACROSS_DEVICES);
        }
    }
    // The square lies in the middle of the picture, where cells meet.
    let [x, y, width, height] = explain(&model, &NEW)[1].layers[0].cells[0].pixels.expect("pixels");
    assert!([x, x + width].contains(&36), "{x} and {width} more of 72");
    assert!([y, y + height].contains(&28), "{y} and {height} more of 56");
}

#[test]
fn a_picture_of_the_fit_is_nearest_to_itself() {
    let model = fit(params(ScoreKind::Fre, Aggregation::Sum));
    let hashes: Vec<_> = prepare(&model, &GOOD).iter().map(hash).collect();
    let model =
        model.with_names(hashes.iter().enumerate().map(|(place, hash)| (*hash, format!("{place}.png"))));
    for (place, explanation) in explain(&model, &GOOD).iter().enumerate() {
        let nearest = explanation.nearest.as_ref().expect("a picture");
        assert_eq!(nearest.name, Some(format!("{place}.png")));
        let usual = nearest.usual_distance.expect("others");
        // The same features, in f64 both times.
        assert!(nearest.distance < 1e-6 * usual, "{} of {usual}", nearest.distance);
    }
    // Coordinates in a file are rounded to f32.
    let mut file = Vec::new();
    model.write(&mut file, &SaveOptions::default()).unwrap();
    let read = Dfm::read(&mut file.as_slice(), LoadOptions::on(flex())).unwrap();
    let nearest = explain(&read, &GOOD[3..4]).remove(0).nearest.expect("a picture");
    assert_eq!(nearest.name.as_deref(), Some("3.png"));
    assert!(nearest.distance < 1e-4 * nearest.usual_distance.unwrap());
}

/// In coordinates of the fit statistic against the features themselves.
#[test]
fn the_nearest_picture_is_that_of_the_features() {
    let model = fit(params(ScoreKind::Fre, Aggregation::Sum));
    let rows = |pictures: &[RgbImage]| {
        Samples::from_tensor(model.extractor().extract(&prepare(&model, pictures)).unwrap()).unwrap()
    };
    let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    let (good, new) = (rows(&GOOD), rows(&NEW));
    let mut usual: Vec<f64> = (0..GOOD.len())
        .map(|place| {
            let others = (0..GOOD.len()).filter(|other| *other != place);
            others.map(|other| distance(good.row(place), good.row(other))).fold(f64::INFINITY, f64::min)
        })
        .collect();
    usual.sort_by(f64::total_cmp);
    for (row, explanation) in new.iter().zip(explain(&model, &NEW)) {
        let nearest = explanation.nearest.expect("a picture");
        let distances: Vec<f64> = good.iter().map(|other| distance(row, other)).collect();
        let expected = (0..distances.len()).min_by(|a, b| distances[*a].total_cmp(&distances[*b])).unwrap();
        let hash = hash(&prepare(&model, &GOOD)[expected]);
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(nearest.content_hash, hash);
        // Sums in another order.
        assert_close("distance", nearest.distance, distances[expected], ROUNDING);
        assert_close("usual distance", nearest.usual_distance.unwrap(), usual[usual.len() / 2], ROUNDING);
    }
}

#[test]
fn several_layers_are_explained_each_by_itself() {
    let taps = vec![Layer::named("layer1").pooled(2), Layer::named("layer2").pooled(2)];
    let params = params(ScoreKind::Fre, Aggregation::Relative).with_taps(taps.clone()).check().unwrap();
    let input = InputContract::imagenet().with_size(64, 64);
    let network = Architecture::known("resnet18").expect("a network");
    let weights = BackboneWeights::random(network, Layer::named("layer2"), input, 0).unwrap();
    let extractor = params.extractor(weights, flex()).unwrap();
    let model = params.fit(extractor, GOOD.iter()).unwrap();
    for verdict in judged(&model, &NEW) {
        let explanation = verdict.explanation.expect("explained");
        let layers = &explanation.layers;
        assert_eq!(layers.iter().map(|layer| layer.tap).collect::<Vec<_>>(), taps);
        let product = layers[0].score * layers[1].score;
        assert_close("geometric mean", product.sqrt(), verdict.score, ACROSS_DEVICES);
        for (layer, cells) in layers.iter().zip([8 * 8, 4 * 4]) {
            assert_eq!(layer.cells.len(), cells);
            let shares: f64 = layer.channels.iter().map(|channel| channel.share).sum();
            assert!((shares - 1.0).abs() < ROUNDING, "{shares}");
        }
    }
    for (place, explanation) in explain(&model, &GOOD).into_iter().enumerate() {
        let nearest = explanation.nearest.expect("a picture");
        let hash = hash(&prepare(&model, &GOOD[place..=place])[0]);
        assert!(nearest.content_hash.starts_with(&format!("{:02x}{:02x}", hash[0], hash[1])));
        assert!(nearest.distance < 1e-6 * nearest.usual_distance.unwrap());
    }
}

#[test]
fn what_a_model_does_not_keep_is_left_out() {
    let lean = FitParams::from(params(ScoreKind::Fre, Aggregation::Sum));
    let model = fit(lean.with_keeping(Keeping::default().with_fit_statistic(false)));
    for explanation in explain(&model, &NEW) {
        assert_eq!((explanation.nearest, explanation.layers[0].usual), (None, None));
        assert!(explanation.layers[0].cells[0].share > 0.0);
    }
}

#[test]
fn a_usual_score_is_usual_of_good_pictures() {
    let model = fit(params(ScoreKind::Fre, Aggregation::Sum));
    let audit = model.audit().unwrap();
    let explanation = explain(&model, &NEW[..1]).remove(0);
    // Twelve scores, worst first: the seventh from below.
    assert_eq!(explanation.layers[0].usual, Some(audit.pictures[5].score));
}

#[test]
fn the_program_explains_what_it_can_and_names_what_it_cannot() {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    dfm.fit_small();
    dfm.save("new/a.png", &pictures::defective(5, 72, 56));
    let said = dfm.run(&["explain", "model.dfm", "new", "good/03.png", "--top", "2"]).expect_code(0).out;
    for expected in [
        "new/a.png: ",
        ", anomalous; the threshold is ",
        "layer1, pool 4: ",
        " pixels at ",
        " other cells",
        " other channels",
        "nearest good picture: 03.png, at 0.00 times the usual distance",
    ] {
        assert!(said.replace('\\', "/").contains(expected), "'{expected}' in {said}");
    }
    std::fs::write(dfm.path("new/b.png"), b"no picture").unwrap();
    let run = dfm.run(&["explain", "model.dfm", "new", "--top", "3", "--format", "json"]);
    let lines = run.expect_code(2).expect_said(&["b.png"]).json();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let layer = &line["layers"][0];
    let lengths = ["cells", "channels"].map(|name| layer[name].as_array().expect(name).len());
    assert_eq!((lengths, &layer["layer"], &layer["pool"]), ([3, 3], &"layer1".into(), &4.into()));
    // In tiles, the one that the score is of.
    let tiles = [&["fit", "good", "-o", "tiles.dfm", "--tile", "40"], SMALL.as_slice()].concat();
    dfm.run(&tiles).expect_code(0);
    std::fs::remove_file(dfm.path("new/b.png")).unwrap();
    let [explained, judged] = ["explain", "predict"]
        .map(|command| dfm.run(&[command, "tiles.dfm", "new", "--format", "json"]).json().remove(0));
    assert_eq!(explained["score"], judged["score"]);
    let cell = &explained["layers"][0]["cells"][0];
    let pixels = ["x", "y", "width", "height"].map(|name| cell[name].as_u64().expect(name));
    assert!(pixels[0] + pixels[2] <= 72 && pixels[1] + pixels[3] <= 56, "{cell}");
    assert!(explained["layers"][0]["usual"].is_null(), "tiles of one picture cannot be held out");
}

#[test]
fn predict_says_the_same_below_its_table() {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    dfm.fit_small();
    dfm.save("new/a.png", &pictures::defective(5, 72, 56));
    std::fs::write(dfm.path("new/b.png"), b"no picture").unwrap();
    let explained = dfm.run(&["explain", "model.dfm", "new"]).expect_code(2).out;
    let judged = dfm.run(&["predict", "model.dfm", "new"]).expect_code(2).out;
    let both = dfm.run(&["predict", "model.dfm", "new", "--explain"]).expect_code(2);
    assert_eq!(both.out, format!("{judged}\n{explained}"));
    // What could not be judged is not asked for again.
    assert_eq!(both.err.matches("b.png").count(), 1, "{}", both.err);
    let for_programs = dfm.run(&["predict", "model.dfm", "new", "--explain", "--format", "json"]);
    for_programs.expect_code(2).expect_said(&["--explain", "dfm explain --format json"]);
}
