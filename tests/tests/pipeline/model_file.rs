//! Model files that someone changed, digest and all: each way is refused, and named.

use std::sync::LazyLock;

use dfm_core::{
    CalibrationKind, CalibrationParams, Dfm, DfmError, FitParams, JudgeOptions, Keep, Keeping, Layer,
    LoadOptions, Method, ModelFileError, ModelInfo, SaveOptions, ScoreKind,
};
use dfm_tests::model_file::ModelFile;
use dfm_tests::models::{fit_prepared, flex, small_weights};
use dfm_tests::{devices, pictures};
use safetensors::Dtype;

pub(crate) fn fitted(params: impl Into<FitParams>) -> Dfm {
    let mut params = params.into();
    params.method.taps = vec![Layer::named("layer1").pooled(4)];
    params.method.keep = Keep::Components(5);
    let params = params.check().expect("valid");
    let extractor = params.extractor(small_weights(), flex()).expect("an extractor");
    let preprocessor = extractor.preprocessor();
    let prepared = (0..12).map(|seed| preprocessor.prepare(pictures::good(seed, 72, 56)).expect("prepared"));
    fit_prepared(&params, extractor, prepared.collect::<Vec<_>>()).expect("a fit")
}

pub(crate) fn bytes(model: &Dfm, slim: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    model.write(&mut bytes, &SaveOptions { slim }).expect("a written model");
    bytes
}

/// A likelihood, so that every tensor is there.
static FILE: LazyLock<Vec<u8>> =
    LazyLock::new(|| bytes(&fitted(Method::published().with_score(ScoreKind::Nll)), false));

fn open() -> ModelFile {
    ModelFile::open(&FILE)
}

fn refused(file: &ModelFile) -> ModelFileError {
    match Dfm::read(&mut file.close().as_slice(), LoadOptions::on(flex())) {
        Err(DfmError::Model(error)) => error,
        Err(other) => panic!("not an error of the file: {other}"),
        Ok(_) => panic!("the file was read"),
    }
}

#[test]
fn the_digest_is_that_of_the_documented_format() {
    assert!(open().close() == *FILE, "taken apart and put together, the file is another");
}

#[test]
fn a_score_that_is_not_the_probes_fails_the_self_test() {
    for score in ["self_test.score", "self_test.features"] {
        let file = match score {
            "self_test.score" => open().with_f64(score, |_, value| value * 1.001),
            _ => open().with_f32(score, |_, value| value * 1.001),
        };
        let error = refused(&file);
        assert!(matches!(error, ModelFileError::SelfTest { .. }), "{score}: {error}");
    }
    // The statistics rather than what is expected of them: still consistent in
    // themselves, they give the probe another score.
    let error = refused(&open().with_f64("gaussian.deviations", |_, value| value * 1.01));
    assert!(matches!(error, ModelFileError::SelfTest { quantity: "score", .. }), "{error}");
}

#[test]
fn an_unknown_field_is_refused_at_every_level() {
    for old in [
        "{\"version\"",
        "{\"params\"",
        "{\"layer\"",
        "{\"quantile\"",
        "{\"rank\"",
        "{\"architecture\"",
        "{\"height\"",
        "{\"channels\"",
    ] {
        let file = open().replace(old, &format!("{{\"surprise\":1,{}", &old[1..]));
        let error = refused(&file);
        assert!(matches!(error, ModelFileError::Header { .. }), "{old}: {error}");
        assert!(error.to_string().contains("surprise"), "{old}: {error}");
    }
}

#[test]
fn a_tensor_that_no_model_has_is_refused() {
    let error = refused(&open().with("extra", Dtype::U8, &[1], vec![0]));
    assert!(matches!(&error, ModelFileError::Unknown { what: "tensor", name } if name == "extra"), "{error}");
    // The format has this tensor, but this model does not.
    let error = refused(&open().replace("\"calibrated\":true", "\"calibrated\":false"));
    assert!(matches!(&error, ModelFileError::Unknown { name, .. } if name == "calibration"), "{error}");
}

#[test]
fn a_second_metadata_entry_is_refused() {
    let mut file = open();
    file.metadata.insert("more".to_owned(), "text".to_owned());
    let error = refused(&file);
    assert!(
        matches!(&error, ModelFileError::Unknown { what: "metadata entry", name } if name == "more"),
        "{error}"
    );
}

#[test]
fn weights_that_are_not_those_of_the_header_are_refused() {
    for (old, new, entry) in [
        ("\"license\":\"none needed", "\"license\":\"all rights", "backbone.license"),
        ("\"source\":\"random", "\"source\":\"trained", "backbone.source"),
    ] {
        let error = refused(&open().replace(old, new));
        assert!(matches!(error, ModelFileError::Inconsistent { what, .. } if what == entry), "{error}");
    }
    // Another number in the weights themselves, the last byte of a bias.
    let mut weights = open().bytes_of("backbone").to_vec();
    let last = weights.len() - 1;
    weights[last] ^= 1;
    let error = refused(&open().with("backbone", Dtype::U8, &[weights.len()], weights.clone()));
    assert!(matches!(error, ModelFileError::Inconsistent { what: "backbone.sha256", .. }), "{error}");
}

#[test]
fn a_fit_statistic_that_contradicts_itself_or_the_model_is_refused() {
    let rank = open().shape_of("singular_values")[0];
    let content = [
        // Not centred; not as long as the singular values; the wrong singular values.
        open().with_f32("coordinates", |_, value| value + 1e-2 * value.abs()),
        open().with_f32("coordinates", |_, value| 1.01 * value),
        open()
            .with_f64("singular_values", |index, value| if index + 1 == rank { 0.9 * value } else { value }),
        // One direction twice, in place of the second.
        {
            let file = open();
            let (rows, columns) = (file.shape_of("directions")[0], file.shape_of("directions")[1]);
            let first = file.bytes_of("directions")[..4 * columns].to_vec();
            let rest = file.bytes_of("directions")[8 * columns..].to_vec();
            file.clone().with(
                "directions",
                Dtype::F32,
                &[rows, columns],
                [first.clone(), first, rest].concat(),
            )
        },
    ];
    for (case, file) in content.iter().enumerate() {
        let error = refused(file);
        assert!(matches!(error, ModelFileError::Content { part: "fit statistic", .. }), "{case}: {error}");
    }
    let error = refused(&open().with_f64("explained_variance", |_, value| 1.001 * value));
    assert!(matches!(error, ModelFileError::Inconsistent { what: "explained_variance", .. }), "{error}");
}

#[test]
fn parts_of_the_wrong_shape_are_refused_by_name() {
    let probe = open().bytes_of("self_test.probe").to_vec();
    let long = [probe.clone(), vec![0; 3]].concat();
    let count = open().replace("\"picture_count\":12", "\"picture_count\":13");
    let files = [
        ("self_test.probe", open().with("self_test.probe", Dtype::U8, &[48, 40, 3], probe)),
        ("self_test.probe", open().with("self_test.probe", Dtype::U8, &[long.len()], long)),
        ("mean", open().with("mean", Dtype::F64, &[1], vec![0; 8])),
        ("mean", open().with("mean", Dtype::F32, &[1], vec![0; 4])),
        ("content_hashes", count),
    ];
    for (name, file) in files {
        let error = refused(&file);
        assert!(matches!(&error, ModelFileError::Tensor { tensor, .. } if tensor == name), "{name}: {error}");
    }
}

#[test]
fn values_that_no_fit_gives_are_errors_of_the_file() {
    let files = [
        ("parameters", open().replace("\"pool\":4", "\"pool\":0")),
        ("parameters", open().replace("\"batch\":16", "\"batch\":99999")),
        ("parameters", open().replace("\"quantile\":0.99", "\"quantile\":7.0")),
        ("calibration", open().with_f64("calibration", |_, _| -1.0)),
        ("calibration", open().with_f64("calibration", |_, _| f64::NAN)),
        ("principal components", open().with_f64("variances", |_, _| f64::INFINITY)),
        ("gaussian", open().with_f64("gaussian.deviations", |_, _| 0.0)),
        ("backbone", open().with("backbone", Dtype::U8, &[3], vec![1, 2, 3])),
    ];
    for (name, file) in files {
        let error = refused(&file);
        assert!(matches!(error, ModelFileError::Content { part, .. } if part == name), "{name}: {error}");
    }
}

fn written(params: Method) -> ModelFile {
    ModelFile::open(&bytes(&fitted(params), false))
}

#[test]
fn scores_that_no_calibration_gives_are_refused() {
    const SCORES: &str = "calibration.scores";
    let values = |count: usize| [1.0_f64.to_le_bytes()].repeat(count).concat();
    let error = refused(&open().with_f64(SCORES, |index, value| if index == 3 { f64::NAN } else { value }));
    assert!(matches!(error, ModelFileError::Content { part: "held-out scores", .. }), "{error}");
    for count in [0, 13] {
        let error = refused(&open().with(SCORES, Dtype::F64, &[count], values(count)));
        assert!(
            matches!(&error, ModelFileError::Tensor { tensor, .. } if tensor == SCORES),
            "{count}: {error}"
        );
    }
    // A picture's score is missing.
    let error = refused(&open().with(SCORES, Dtype::F64, &[11], values(11)));
    assert!(matches!(error, ModelFileError::Inconsistent { what: SCORES, .. }), "{error}");
    let error = refused(&open().replace("\"kind\":\"leave-one-out\"", "\"kind\":\"no way\""));
    assert!(matches!(error, ModelFileError::Header { .. }), "{error}");
    let error = refused(&open().replace("\"false_alarm\":null", "\"false_alarm\":0.9"));
    assert!(matches!(error, ModelFileError::Content { part: "parameters", .. }), "{error}");
}

#[test]
fn a_split_that_contradicts_itself_is_refused() {
    let calibration = Some(CalibrationParams::default().with_kind(CalibrationKind::Split));
    let split = written(Method::published().with_calibration(calibration));
    assert!(Dfm::read(&mut split.close().as_slice(), LoadOptions::on(flex())).is_ok());
    for held_out in ["0", "12", "99"] {
        let error = refused(&split.clone().replace("\"held_out\":3", &format!("\"held_out\":{held_out}")));
        let named = match &error {
            ModelFileError::Inconsistent { what, .. } => *what == "record.held_out",
            // With all 12 pictures held out, none is left that could vary.
            ModelFileError::Content { part, .. } => *part == "principal components" && held_out == "12",
            _ => false,
        };
        assert!(named, "{held_out}: {error}");
    }
    let error = refused(&open().replace("\"held_out\":0", "\"held_out\":3"));
    assert!(matches!(error, ModelFileError::Inconsistent { what: "record.held_out", .. }), "{error}");
    let shape = split.shape_of("components").to_vec();
    let short = split.bytes_of("components")[4 * shape[1]..].to_vec();
    let error = refused(&split.clone().with("components", Dtype::F32, &[shape[0] - 1, shape[1]], short));
    assert!(matches!(&error, ModelFileError::Tensor { tensor, .. } if tensor == "components"), "{error}");
    let error = refused(&split.with_f64("statistic.mean", |_, _| f64::NAN));
    assert!(matches!(error, ModelFileError::Content { part: "fit statistic", .. }), "{error}");
}

#[test]
fn names_that_no_fit_gives_are_refused() {
    const NAMES: &str = "picture_names";
    let model = fitted(Method::published());
    let (_, hashes) = model.fit_statistics().unwrap();
    let first = hashes[0];
    let model = model.with_names([(first, "line/a.png".to_owned())]);
    let file = ModelFile::open(&bytes(&model, false));
    let names = file.bytes_of(NAMES).to_vec();
    assert_eq!(names, [b"line/a.png".as_slice(), &[0; 12]].concat());
    let read = Dfm::read(&mut file.close().as_slice(), LoadOptions::on(flex())).unwrap();
    assert_eq!(read.picture_name(&first), Some("line/a.png"));
    for (what, bytes) in [
        ("none", Vec::new()),
        ("one too few", names[..names.len() - 1].to_vec()),
        ("one too many", [names.as_slice(), &[0]].concat()),
        ("no end", [&names[..names.len() - 1], b"b"].concat()),
        ("not Unicode", [&[0xFF][..], &[0; 12]].concat()),
        ("too long", ["n".repeat(4097).as_bytes(), &[0; 12]].concat()),
    ] {
        let error = refused(&file.clone().with(NAMES, Dtype::U8, &[bytes.len()], bytes));
        assert!(
            matches!(&error, ModelFileError::Tensor { tensor, .. } if tensor == NAMES),
            "{what}: {error}"
        );
    }
    let error = refused(&open().with(NAMES, Dtype::U8, &[names.len()], names));
    assert!(matches!(&error, ModelFileError::Unknown { name, .. } if name == NAMES), "{error}");
}

/// A byte changed without a new digest, in each part of the file.
#[test]
fn a_changed_byte_anywhere_is_noticed() {
    let find = |needle: &[u8]| FILE.windows(needle.len()).position(|window| window == needle).expect("there");
    let data = 8 + u64::from_le_bytes(*FILE.first_chunk().unwrap()) as usize;
    // Each change keeps the length, so that the container stays whole.
    let mut places: Vec<(&str, usize)> = vec![
        ("a number in the header", find(b"\\\"picture_count\\\":12") + 19),
        ("a letter in the header", find(b"none needed") + 1),
    ];
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&FILE).unwrap();
    for name in ["content_hashes", "backbone", "mean", "directions", "calibration", "calibration.scores"] {
        let (start, end) = metadata.info(name).unwrap().data_offsets;
        places.push((name, data + (start + end) / 2));
    }
    for (what, place) in places {
        let mut changed = FILE.clone();
        changed[place] ^= 1;
        let read = Dfm::read(&mut changed.as_slice(), LoadOptions::on(flex()));
        let Err(DfmError::Model(ModelFileError::Digest { .. })) = read else { panic!("{what}: {read:?}") };
        assert!(ModelInfo::read(&mut changed.as_slice(), LoadOptions::MAX_BYTES).is_err(), "{what}");
    }
    // A shape of as many values: [12, 32] hashes as [32, 12].
    let (old, new) = (b"\"shape\":[12,32]", b"\"shape\":[32,12]");
    let mut changed = FILE.clone();
    let place = find(old);
    changed[place..place + old.len()].copy_from_slice(new);
    let read = Dfm::read(&mut changed.as_slice(), LoadOptions::on(flex()));
    assert!(matches!(read, Err(DfmError::Model(ModelFileError::Digest { .. }))), "{read:?}");
}

#[test]
fn models_with_parts_left_out_load_and_score_as_they_did_on_every_device() {
    let whole = FitParams::from(Method::published());
    let lean = whole.clone().with_keeping(Keeping::default().with_fit_statistic(false));
    let raw = lean.clone().with_method(Method::published().with_calibration(None));
    for params in [whole, lean, raw] {
        for score in [ScoreKind::Fre, ScoreKind::Nll, ScoreKind::Mahalanobis] {
            let method = params.method.clone().with_score(score);
            let model = fitted(params.clone().with_method(method));
            let new = [pictures::good(100, 72, 56), pictures::defective(200, 72, 56)];
            let new = new.map(|picture| model.preprocessor().prepare(&picture).unwrap());
            let expected = model.predict(&new, &JudgeOptions::default()).unwrap();
            for slim in [false, true] {
                let file = bytes(&model, slim);
                for (name, device) in devices::available() {
                    let read = Dfm::read(&mut file.as_slice(), LoadOptions::on(device)).expect(&name);
                    assert_eq!(read.fit_statistics().is_some(), params.keeping.fit_statistic);
                    assert_eq!(read.calibration(), model.calibration());
                    for (actual, expected) in
                        read.predict(&new, &JudgeOptions::default()).unwrap().iter().zip(&expected)
                    {
                        // Two f32 implementations of the network differ by about 1e-6.
                        let distance = (actual.score - expected.score).abs() / expected.score.abs();
                        assert!(distance < 1e-4, "{name}, slim {slim}: {actual:?} {expected:?}");
                        assert_eq!(actual.label, expected.label, "{name}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_judging_does_not_need_can_stay_in_the_file() {
    let calibrated = |kind| Some(CalibrationParams::default().with_kind(kind));
    for (kind, score) in [
        (CalibrationKind::LeaveOneOut, ScoreKind::Fre),
        (CalibrationKind::LeaveOneOut, ScoreKind::Nll),
        (CalibrationKind::Split, ScoreKind::Mahalanobis),
        (CalibrationKind::JackknifePlus, ScoreKind::Fre),
    ] {
        let calibration = calibrated(kind);
        let file = bytes(&fitted(Method::published().with_score(score).with_calibration(calibration)), false);
        let read = |fit_statistic| {
            let options = LoadOptions { fit_statistic, ..LoadOptions::on(flex()) };
            Dfm::read(&mut file.as_slice(), options).expect("a model")
        };
        let (whole, judging) = (read(true), read(false));
        let new = [pictures::good(100, 72, 56), pictures::defective(200, 72, 56)];
        let new = new.map(|picture| whole.preprocessor().prepare(&picture).unwrap());
        let predict = |model: &Dfm| model.predict(&new, &JudgeOptions::default().with_map(true)).unwrap();
        // To the bit: the same numbers are computed with.
        assert_eq!(predict(&judging), predict(&whole), "{kind}, {score:?}");
        // A jackknife+ goes by the pictures of the fit.
        let needed = kind == CalibrationKind::JackknifePlus;
        assert_eq!(judging.fit_statistics().is_some(), needed, "{kind}");
        assert_eq!(bytes(&judging, false) == file, needed, "{kind}: as if it kept nothing");
        assert!(Dfm::read(&mut bytes(&judging, false).as_slice(), LoadOptions::on(flex())).is_ok(), "{kind}");
    }
    // What is left in the file is not looked at; what is not, as ever.
    let options = LoadOptions { fit_statistic: false, ..LoadOptions::on(flex()) };
    let read = |file: &ModelFile| Dfm::read(&mut file.close().as_slice(), options.clone());
    assert!(read(&open().with_f32("coordinates", |_, value| 2.0 * value)).is_ok());
    assert!(read(&open().with_f32("directions", |_, value| 2.0 * value)).is_err());
    assert!(read(&open().with_f64("mean", |_, value| 2.0 * value + 1.0)).is_err());
}

#[test]
fn the_record_says_where_the_rank_was_cut_and_what_the_gaussian_is() {
    let info = ModelInfo::read(&mut FILE.as_slice(), LoadOptions::MAX_BYTES).unwrap();
    let gaussian = info.record.taps[0].gaussian.clone().expect("a likelihood");
    // Twelve pictures in five components: more rows than columns.
    assert_eq!((gaussian.rank, gaussian.route.as_str()), (5, "scatter"));
    assert!(info.record.taps[0].rank_cut > 0.0 && info.record.taps[0].rank_cut <= 1e-8);
    let error = refused(&open().replace("{\"rank\":5", "{\"rank\":4"));
    assert!(
        matches!(error, ModelFileError::Inconsistent { what: "record.taps.gaussian.rank", .. }),
        "{error}"
    );
}

#[test]
fn half_components_halve_them_in_the_file_and_change_scores_by_less_than_a_thousandth() {
    let keeping = Keeping::default().with_fit_statistic(false);
    let params = FitParams::from(Method::default());
    let whole = fitted(params.clone().with_keeping(keeping));
    let half = fitted(params.clone().with_keeping(keeping.with_half_components(true)));
    let files = [&whole, &half].map(|model| bytes(model, true));
    // Of 5 components each entry takes two bytes less; beside the field in the header.
    let columns: usize = whole.extractor().feature_shapes().iter().map(|shape| shape.len()).sum();
    let saved = files[0].len() - files[1].len();
    assert!(saved.abs_diff(2 * 5 * columns) < 200, "{saved} bytes of {}", files[0].len());
    assert_eq!(ModelFile::open(&files[1]).dtype("directions"), Dtype::F16);
    let options = || LoadOptions { weights: Some(small_weights()), ..LoadOptions::on(flex()) };
    let read = Dfm::read(&mut files[1].as_slice(), options()).expect("a model");
    assert!(bytes(&read, true) == files[1], "read and written again, the file is another");
    let score = |model: &Dfm, seed: u64| {
        let verdicts = model.judge([pictures::good(seed, 72, 56)], &JudgeOptions::default());
        verdicts.expect("verdicts").remove(0).expect("a verdict").score
    };
    for seed in 100..110 {
        let [whole, half, read] = [&whole, &half, &read].map(|model| score(model, seed));
        assert_eq!(half, read);
        // Entries change by 2⁻¹² of themselves or less, and the square of a residual by some times that.
        assert!((half - whole).abs() < 1e-3 * whole, "{half} for {whole}");
    }
    // A model that is merged or updated needs all digits.
    let both = params.with_keeping(Keeping::default().with_half_components(true));
    assert!(matches!(both.check(), Err(DfmError::Parameter { name: "precision of components", .. })));
}
