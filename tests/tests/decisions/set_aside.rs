//! Fits whose memory does not suffice: pictures that are set aside calibrate them.

use std::collections::HashSet;
use std::sync::LazyLock;

use dfm_core::{
    CalibrationKind, CalibrationParams, Dfm, DfmError, DriftParams, FitParams, JudgeOptions, Keep, Keeping,
    Label, Layer, Learnt, LoadOptions, Method, ModelFileError, ModelInfo, PictureSize, Piece, Preparer,
    RgbImage, Run, SaveOptions, StreamingParams, TileStatistics, Tiling, UpdateOptions, content_hash,
};
use dfm_tests::model_file::ModelFile;
use dfm_tests::models::{flex, small_weights};
use dfm_tests::pictures;
use safetensors::tensor::Dtype;

/// Rows of 1024 values, of which 2 MiB hold some 60 exactly.
const TIGHT: u64 = 2 << 20;

fn pictures_of(seeds: std::ops::Range<u64>) -> Vec<RgbImage> {
    seeds.map(|seed| pictures::good(seed, 72, 56)).collect()
}

fn method() -> Method {
    Method::published().with_taps(vec![Layer::named("layer1").pooled(4)]).with_keep(Keep::Ratio(0.99))
}

fn within(method: Method, max_bytes: u64) -> FitParams {
    let memory = StreamingParams { max_bytes, exact: false };
    FitParams::from(method).with_run(Run::default().with_memory(memory))
}

fn fit(params: FitParams, pictures: &[RgbImage]) -> Result<Dfm, DfmError> {
    let params = params.check()?;
    params.fit(params.extractor(small_weights(), flex())?, pictures)
}

fn hashes(pictures: &[RgbImage]) -> Vec<[u8; 32]> {
    pictures.iter().map(content_hash).collect()
}

fn learnt(model: &Dfm) -> &[[u8; 32]] {
    model.fit_statistics().unwrap().1
}

fn threshold(model: &Dfm) -> f64 {
    model.calibration().unwrap().threshold()
}

fn written(model: &Dfm) -> Vec<u8> {
    let mut bytes = Vec::new();
    model.write(&mut bytes, &SaveOptions { slim: true }).unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Result<Dfm, DfmError> {
    let options = LoadOptions { weights: Some(small_weights()), ..LoadOptions::on(flex()) };
    Dfm::read(&mut &*bytes, options)
}

/// The share of new good pictures that a model calls anomalous.
fn rejected(model: &Dfm) -> usize {
    let judged = model.judge(pictures_of(1000..1100), &JudgeOptions::default()).unwrap();
    judged.into_iter().filter(|verdict| verdict.as_ref().unwrap().label == Some(Label::Anomalous)).count()
}

/// A model of 120 pictures, some of them set aside.
static COMPRESSED: LazyLock<Vec<u8>> =
    LazyLock::new(|| written(&fit(within(method(), TIGHT), &pictures_of(0..120)).unwrap()));

fn compressed() -> Dfm {
    read(&COMPRESSED).unwrap()
}

/// A file of today as older programs wrote it: compressed, and nothing set aside. Such a fit is one
/// without a threshold here.
fn old() -> Dfm {
    let model = fit(within(method().with_calibration(None), TIGHT), &pictures_of(0..120)).unwrap();
    assert!(model.set_aside().is_empty() && model.record().set_aside.is_none());
    model
}

#[test]
fn new_good_pictures_are_rejected_about_as_often_as_by_an_exact_fit() {
    let exact = fit(within(method(), 1 << 30), &pictures_of(0..120)).unwrap();
    let small = compressed();
    assert!(small.record().taps[0].compression.as_ref().unwrap().dropped_share > 1e-4);
    // What the pictures of the fit score without themselves says nothing of new ones.
    let largest = small.audit().unwrap().pictures[0].score;
    let judged = small.judge(pictures_of(1000..1100), &JudgeOptions::default()).unwrap();
    let above = judged.into_iter().filter(|verdict| verdict.as_ref().unwrap().score > largest).count();
    assert!(above > 60, "{above}");
    assert_eq!(exact.record().set_aside, None);
    let (exact, small) = (rejected(&exact), rejected(&small));
    println!("of 100 new good pictures {exact} are rejected by the exact fit, {small} by the compressed one");
    // The estimate of 99 % from some thirty pictures: about their largest score, which one in
    // thirty new ones exceeds on average.
    assert!(small <= exact + 15, "{small} against {exact}");
}

#[test]
fn pictures_are_learnt_or_set_aside_and_the_record_counts_them() {
    let (model, all) = (compressed(), hashes(&pictures_of(0..120)));
    let (learnt, aside): (HashSet<_>, HashSet<_>) =
        (learnt(&model).iter().collect(), model.set_aside().iter().collect());
    assert!(aside.len() > 8 && learnt.is_disjoint(&aside), "{}", aside.len());
    assert_eq!(learnt.union(&aside).count(), 120);
    let mut sorted = all.clone();
    sorted.sort_unstable();
    assert!(sorted[..aside.len()].iter().all(|hash| aside.contains(hash)), "the smallest hashes");
    let record = model.record();
    let counts = (record.picture_count, record.held_out, record.set_aside);
    assert_eq!(counts, (120, aside.len(), Some(aside.len())));
    assert_eq!(model.calibration_kind(), Some(CalibrationKind::Split));
    assert_eq!(model.support().unwrap().pictures, aside.len());
    // Each is scored as a new picture.
    for (hash, score) in model.held_out_scores().unwrap() {
        let picture = &pictures_of(0..120)[all.iter().position(|other| *other == hash).unwrap()];
        let judged = model.judge([picture], &JudgeOptions::default()).unwrap().remove(0).unwrap();
        assert!((judged.score / score - 1.0).abs() < 1e-4, "{} against {score}", judged.score);
    }
    assert!(model.cell_threshold().unwrap() > 0.0 && model.pixel_threshold().is_some());
}

#[test]
fn leave_one_out_and_split_become_the_same_and_a_jackknife_is_refused() {
    let of_kind = |kind: CalibrationKind| {
        let calibration = CalibrationParams::default().with_kind(kind);
        fit(within(method().with_calibration(calibration), TIGHT), &pictures_of(0..120))
    };
    let split = of_kind(CalibrationKind::Split).unwrap();
    assert_eq!(split.set_aside(), compressed().set_aside());
    assert_eq!(split.record().held_out, compressed().record().held_out);
    let read = read(&written(&split)).unwrap();
    assert_eq!((read.calibration(), read.set_aside()), (split.calibration(), split.set_aside()));
    let refused = of_kind(CalibrationKind::JackknifePlus).unwrap_err();
    let kind = CalibrationKind::JackknifePlus;
    assert!(matches!(refused, DfmError::TakesExactFit { kind: got } if got == kind), "{refused}");
}

#[test]
fn memory_that_suffices_sets_nothing_aside_and_changes_no_bit() {
    let all = pictures_of(0..40);
    let (enough, plenty) = (fit(within(method(), TIGHT), &all), fit(within(method(), 1 << 30), &all));
    let bytes = written(&enough.unwrap());
    assert_eq!(bytes, written(&plenty.unwrap()));
    assert_eq!(ModelInfo::read(&mut bytes.as_slice(), 1 << 30).unwrap().version, 2);
    let header = ModelFile::open(&bytes).header;
    assert!(!header.contains("set_aside"), "{header}");
}

#[test]
fn a_file_holds_what_was_set_aside() {
    let model = compressed();
    let (file, again) = (ModelFile::open(&COMPRESSED), ModelFile::open(&written(&model)));
    for name in ["set_aside.rows", "set_aside.content_hashes", "content_hashes", "coordinates", "directions"]
    {
        assert!(file.bytes_of(name) == again.bytes_of(name), "{name}");
    }
    let info = ModelInfo::read(&mut COMPRESSED.as_slice(), 1 << 30).unwrap();
    assert_eq!(info.version, 3);
    let calibration = info.calibration.unwrap();
    let count = model.set_aside().len();
    assert_eq!((calibration.kind, calibration.pictures), (CalibrationKind::Split, count));
    // A row is 1024 values of four bytes, and a hash of 32.
    assert!(info.fit_statistic_bytes > (count * (4096 + 32)) as u64);
    // Judging needs none of it.
    let options =
        LoadOptions { weights: Some(small_weights()), fit_statistic: false, ..LoadOptions::on(flex()) };
    let lean = Dfm::read(&mut COMPRESSED.as_slice(), options).unwrap();
    assert_eq!((lean.calibration(), lean.record()), (model.calibration(), model.record()));
    let lean = model.without_fit_statistic();
    let bytes = written(&lean);
    assert!(bytes.len() + count * (4096 + 32) < COMPRESSED.len());
    assert_eq!(read(&bytes).unwrap().record(), lean.record());
}

#[test]
fn a_hostile_file_of_pictures_set_aside_is_refused() {
    let count = compressed().set_aside().len();
    let open = || ModelFile::open(&COMPRESSED);
    let refused = |file: ModelFile| match read(&file.close()).unwrap_err() {
        DfmError::Model(error) => error,
        error => panic!("{error}"),
    };
    let error = refused(open().replace("\"version\":3", "\"version\":2"));
    assert!(matches!(error, ModelFileError::Inconsistent { what: "version", .. }), "{error}");
    let error = refused(open().replace("\"version\":3", "\"version\":4"));
    assert!(matches!(error, ModelFileError::Version { got: 4, .. }), "{error}");
    let more = open().replace(&format!("\"set_aside\":{count}"), &format!("\"set_aside\":{}", count + 1));
    refused(more);
    refused(open().replace(&format!("\"set_aside\":{count},"), ""));
    refused(open().replace(&format!("\"held_out\":{count}"), "\"held_out\":0"));
    refused(open().replace(&format!("\"held_out\":{count}"), "\"held_out\":18446744073709551615"));
    refused(open().without("set_aside.rows"));
    let rows = |values: Vec<f32>| {
        let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
        open().with("set_aside.rows", Dtype::F32, &[count, 1024], bytes)
    };
    let mut values = vec![0.5; count * 1024];
    read(&rows(values.clone()).close()).expect("other finite rows");
    values[7] = f32::NAN;
    let error = refused(rows(values));
    assert!(error.to_string().contains("set_aside.rows"), "{error}");
    // A picture that is learnt as well, and an order that is not theirs.
    let with_hashes = |hashes: &[[u8; 32]]| {
        let bytes = hashes.as_flattened().to_vec();
        open().with("set_aside.content_hashes", Dtype::U8, &[hashes.len(), 32], bytes)
    };
    let (model, mut swapped) = (compressed(), compressed().set_aside().to_vec());
    swapped.swap(0, 1);
    let mut both = model.set_aside().to_vec();
    both[count - 1] = *learnt(&model).iter().max().unwrap();
    for bad in [swapped, both] {
        let error = refused(with_hashes(&bad));
        assert!(error.to_string().contains("set_aside.content_hashes"), "{error}");
    }
    refused(with_hashes(&model.set_aside()[1..]));
}

fn pieces_of(model: &Dfm, pictures: &[RgbImage]) -> Vec<Piece> {
    let preparer = Preparer::for_fit(model.extractor());
    let pieces = |(number, picture): (usize, &RgbImage)| {
        preparer.pieces(number, picture).unwrap().collect::<Result<Vec<_>, _>>().unwrap()
    };
    pictures.iter().enumerate().flat_map(pieces).collect()
}

#[test]
fn an_update_learns_what_is_new_and_knows_what_was_set_aside() {
    let model = compressed();
    let (aside, before) = (model.set_aside().to_vec(), learnt(&model).len());
    let all = pictures_of(0..130);
    let mut known = 0;
    let pieces = pieces_of(&model, &all);
    let more = model
        .update_each(pieces, UpdateOptions::default(), |learnt| {
            known += usize::from(matches!(learnt, Learnt::Known(_)));
            Ok(())
        })
        .unwrap();
    assert_eq!((known, learnt(&more).len(), more.set_aside()), (120, before + 10, aside.as_slice()));
    assert_eq!(more.record().picture_count, 130);
    assert!((threshold(&more) / threshold(&compressed()) - 1.0).abs() < 0.5);
    // What an exact model learns beyond memory is held out of the new pictures.
    let exact = fit(within(method(), TIGHT), &pictures_of(200..220)).unwrap();
    let pieces = pieces_of(&exact, &pictures_of(0..120));
    let more = exact.update_each(pieces, UpdateOptions::default(), |_| Ok(())).unwrap();
    assert_eq!((more.set_aside(), more.record().picture_count), (aside.as_slice(), 140));
    let pieces = pieces_of(&old(), &pictures_of(200..203));
    assert!(
        old().update_each(pieces, UpdateOptions::default(), |_| Ok(())).unwrap().calibration().is_none(),
        "none was asked for"
    );
}

#[test]
fn pictures_that_were_set_aside_are_forgotten_too() {
    let model = compressed();
    let (aside, learnt_before) = (model.set_aside().to_vec(), learnt(&model).to_vec());
    let less = model.forget(&[aside[0], learnt_before[0]]).unwrap();
    assert_eq!(less.set_aside(), &aside[1..]);
    assert_eq!((learnt(&less), less.record().picture_count), (&learnt_before[1..], 118));
    assert!((threshold(&less) / threshold(&compressed()) - 1.0).abs() < 0.5);
    let unknown = compressed().forget(&[[0; 32]]).unwrap_err();
    assert!(matches!(unknown, DfmError::UnknownPicture { pictures: 120, .. }), "{unknown}");
    let none = compressed().forget(&aside).unwrap_err();
    assert!(matches!(none, DfmError::NoneSetAside { .. }), "{none}");
}

#[test]
fn merged_models_set_aside_what_neither_has_learnt() {
    let (first, second) = (compressed(), fit(within(method(), TIGHT), &pictures_of(60..180)).unwrap());
    let both: HashSet<[u8; 32]> = learnt(&first).iter().chain(learnt(&second)).copied().collect();
    let aside = first.set_aside().iter().chain(second.set_aside()).filter(|hash| !both.contains(*hash));
    let aside: HashSet<[u8; 32]> = aside.copied().collect();
    assert!(aside.len() > 4, "{}", aside.len());
    let second = read(&written(&second)).unwrap();
    let merged = compressed().merge(&second).unwrap();
    assert_eq!(merged.set_aside().iter().copied().collect::<HashSet<_>>(), aside);
    assert_eq!(learnt(&merged).iter().copied().collect::<HashSet<_>>(), both);
    assert_eq!(learnt(&merged).len(), both.len(), "each once");
    assert!(rejected(&merged) <= 25);
    // With an exact model that has learnt all that was set aside, nothing could calibrate.
    let first = compressed();
    let mut some = pictures_of(0..120);
    some.retain(|picture| first.set_aside().contains(&content_hash(picture)));
    let exact = || fit(within(method(), 1 << 30), &some).unwrap();
    for refused in [first.merge(&exact()), exact().merge(&compressed())] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, DfmError::NoneSetAside { .. }), "{refused}");
    }
    // An exact model that knows all of the other stays as it is, whichever comes first.
    let exact = || fit(within(method(), 1 << 30), &pictures_of(0..120)).unwrap();
    for same in [exact().merge(&compressed()), compressed().merge(&exact())] {
        let same = same.unwrap();
        let kind = Some(CalibrationKind::LeaveOneOut);
        assert_eq!((same.set_aside(), same.calibration_kind()), (&[][..], kind));
        assert!((threshold(&same) / threshold(&exact()) - 1.0).abs() < 1e-6);
    }
}

/// Two models of earlier versions cannot be updated, merged or made to forget. One keeps its threshold until
/// another is asked for.
#[test]
fn a_compressed_model_that_set_nothing_aside_keeps_its_threshold_and_finds_no_other() {
    let held_out = compressed().held_out_scores().unwrap().len();
    // Such a file: as if its pictures had been learnt, and its scores were those of leave-one-out.
    let old = old();
    let file = ModelFile::open(&written(&old));
    let stated = fit(within(method(), 1 << 30), &pictures_of(0..120)).unwrap();
    let stated = ModelFile::open(&written(&stated));
    let calibration = stated.header.split("\"calibration\":").nth(1).unwrap();
    let calibration = &calibration[..=calibration.find('}').unwrap()];
    let scores: Vec<u8> = (0..120).flat_map(|score| f64::from(score).to_le_bytes()).collect();
    let threshold = [50.0_f64, 1.0].into_iter().flat_map(f64::to_le_bytes).collect();
    let file = file
        .replace("\"calibration\":null", &format!("\"calibration\":{calibration}"))
        .replace("\"calibrated\":false", "\"calibrated\":true")
        .with("calibration", Dtype::F64, &[2], threshold)
        .with("calibration.scores", Dtype::F64, &[120], scores)
        .close();
    let open = || read(&file).unwrap();
    assert_eq!(open().calibration().unwrap().threshold(), 50.0);
    assert!(held_out < 120 && open().set_aside().is_empty());
    assert!(written(&read(&written(&open())).unwrap()) == written(&open()), "the same bits");
    let first = learnt(&open())[0];
    let pieces = pieces_of(&open(), &pictures_of(300..302));
    for refused in [
        open().forget(&[first]),
        open().update_each(pieces, UpdateOptions::default(), |_| Ok(())),
        open().merge(&fit(within(method(), TIGHT), &pictures_of(300..320)).unwrap()),
    ] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, DfmError::NoneSetAside { .. }), "{refused}");
    }
    let drift = open().drift_of_scores(&[1.0, 2.0], DriftParams::default().check().unwrap()).unwrap_err();
    assert!(matches!(drift, DfmError::NoneSetAside { .. }), "{drift}");
    // With pictures that another model set aside there is a threshold again.
    let both = open().merge(&fit(within(method(), TIGHT), &pictures_of(300..420)).unwrap()).unwrap();
    assert!(!both.set_aside().is_empty() && both.calibration().is_some());
}

#[test]
fn copies_do_not_come_into_a_fit_by_another_door() {
    let mut all = pictures_of(0..100);
    all.extend(pictures_of(0..100).into_iter().rev());
    let model = fit(within(method(), TIGHT), &all).unwrap();
    let aside: HashSet<&[u8; 32]> = model.set_aside().iter().collect();
    assert!(!aside.is_empty() && learnt(&model).iter().all(|hash| !aside.contains(hash)));
    // Those learnt are there twice, and of the others one copy counts.
    assert_eq!(learnt(&model).len(), 2 * (100 - aside.len()));
}

#[test]
fn tiles_and_places_are_set_aside_by_picture() {
    for (by_position, max_bytes) in [(false, 8 << 20), (true, 12 << 20)] {
        let large = |seeds: std::ops::Range<u64>| -> Vec<RgbImage> {
            seeds.map(|seed| pictures::good(seed, 150, 100)).collect()
        };
        let mut of_tiles = method().with_tiling(Tiling { side: 64, stride: 48 });
        if by_position {
            let size = PictureSize { width: 150, height: 100 };
            of_tiles = of_tiles.with_tile_statistics(TileStatistics::Position(size));
        }
        let model = fit(within(of_tiles.clone(), max_bytes), &large(0..80)).unwrap();
        let exact = fit(within(of_tiles, 4 << 30), &large(0..80)).unwrap();
        assert!(model.record().taps[0].compression.is_some(), "by position {by_position}");
        let aside: HashSet<&[u8; 32]> = model.set_aside().iter().collect();
        assert!(!aside.is_empty() && learnt(&model).iter().all(|hash| !aside.contains(hash)));
        assert_eq!(model.record().picture_count, exact.record().picture_count);
        let judge = |model: &Dfm| {
            let judged = model.judge(large(1000..1060), &JudgeOptions::default()).unwrap();
            let labels = judged.into_iter().map(|verdict| verdict.unwrap().label);
            labels.filter(|label| *label == Some(Label::Anomalous)).count()
        };
        let (found, expected) = (judge(&model), judge(&exact));
        println!(
            "by position {by_position}: {found} of 60, {expected} by the exact fit, {} aside",
            aside.len()
        );
        // By scores of its own pictures, it would be nearly all.
        assert!(found < 30, "by position {by_position}: {found}, not about {expected}");
        let again = read(&written(&model)).unwrap();
        assert_eq!((again.calibration(), again.set_aside()), (model.calibration(), model.set_aside()));
        let gone = model.set_aside()[0];
        let rows = model.record().held_out / model.set_aside().len();
        let less = again.forget(&[gone]).unwrap();
        assert_eq!(less.record().picture_count, model.record().picture_count - rows);
    }
}

#[test]
fn good_pictures_of_today_are_no_drift_for_a_compressed_model() {
    let model = compressed();
    let params = DriftParams::default().check().unwrap();
    let looked = |pictures: &[RgbImage]| {
        let mut watch = model.watch(params);
        let preparer = watch.preparer();
        for (number, picture) in pictures.iter().enumerate() {
            let pieces: Vec<Piece> =
                preparer.pieces(number, picture).unwrap().collect::<Result<_, _>>().unwrap();
            assert!(watch.push(&pieces).is_empty());
        }
        watch.finish().unwrap()
    };
    let report = looked(&pictures_of(500..530));
    assert_eq!(report.reference, model.set_aside().len());
    assert!(!report.drift, "{report:?}");
    let defective: Vec<RgbImage> = (0..30).map(|seed| pictures::defective(seed, 72, 56)).collect();
    assert!(looked(&defective).drift);
}

#[test]
fn a_fit_without_a_threshold_learns_every_picture() {
    let old = old();
    assert_eq!((learnt(&old).len(), old.record().held_out), (120, 0));
    let keeping = Keeping::default().with_fit_statistic(false);
    let lean = fit(within(method(), TIGHT).with_keeping(keeping), &pictures_of(0..120)).unwrap();
    assert_eq!(
        (lean.calibration(), lean.set_aside()),
        (compressed().calibration(), compressed().set_aside())
    );
}
