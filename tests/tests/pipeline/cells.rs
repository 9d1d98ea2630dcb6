//! Cells as rows: the laws that such a model keeps.

use std::ops::Range;

use dfm_core::{
    Aggregation, AnomalyGrid, CalibrationKind, CalibrationParams, Dfm, DfmError, DriftParams, FitParams,
    JudgeOptions, Keep, Keeping, Label, Layer, Learnt, LoadOptions, Method, PictureSize, Piece, Placement,
    Preparer, Region, RgbImage, Robust, Rows, Run, SaveOptions, StreamingParams, TileStatistics, Tiling,
    UpdateOptions, Verdict, content_hash,
};
use dfm_tests::model_file::ModelFile;
use dfm_tests::models::{flex, small_weights, weights};
use dfm_tests::pictures;
use dfm_tests::tolerance::assert_close;

/// The same numbers by other sums: roundings of `f32`, relative to a residual that is a part of the features.
const ROUNDING: f64 = 2e-5;

/// Cells of 16 × 16: three are the largest hundredth.
fn method() -> Method {
    Method::published().with_taps([Layer::named("layer1").pooled(1)]).with_keep(Keep::Ratio(0.9)).of_cells()
}

fn two_layers() -> Method {
    method().with_taps([Layer::named("layer1").pooled(2), Layer::named("layer2").pooled(1)])
}

fn fit(params: impl Into<FitParams>, pictures: &[RgbImage]) -> Result<Dfm, DfmError> {
    let params = params.into().check()?;
    let weights = match params.method().taps.len() {
        1 => small_weights(),
        _ => weights("resnet18", Layer::named("layer2"), [64, 64]),
    };
    params.fit(params.extractor(weights, flex())?, pictures)
}

fn good(seeds: Range<u64>) -> Vec<RgbImage> {
    seeds.map(|seed| pictures::good(seed, 72, 56)).collect()
}

fn new() -> Vec<RgbImage> {
    let defective = (200..203).map(|seed| pictures::defective(seed, 72, 56));
    good(100..103).into_iter().chain(defective).collect()
}

fn judged(model: &Dfm, pictures: &[RgbImage]) -> Vec<Verdict> {
    let verdicts = model.judge(pictures, &JudgeOptions::default().with_map(true)).unwrap();
    verdicts.into_iter().map(Result::unwrap).collect()
}

fn written(model: &Dfm) -> Vec<u8> {
    let mut bytes = Vec::new();
    model.write(&mut bytes, &SaveOptions::default()).unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Result<Dfm, DfmError> {
    Dfm::read(&mut &bytes[..], LoadOptions::on(flex()))
}

fn threshold(model: &Dfm) -> f64 {
    model.calibration().unwrap().threshold()
}

/// Held-out scores by content hash.
fn audited(model: &Dfm) -> Vec<(String, f64)> {
    let audit = model.audit().unwrap();
    let mut scores: Vec<_> =
        audit.pictures.into_iter().map(|picture| (picture.content_hash, picture.score)).collect();
    scores.sort_by(|a, b| a.0.cmp(&b.0));
    scores
}

/// Both models say the same of new pictures and of those that they held out.
fn assert_same(what: &str, model: &Dfm, expected: &Dfm) {
    assert_eq!(model.record().picture_count, expected.record().picture_count, "{what}");
    assert_eq!(model.component_count(), expected.component_count(), "{what}");
    assert_close(&format!("{what}: threshold"), threshold(model), threshold(expected), ROUNDING);
    for (got, expected) in judged(model, &new()).iter().zip(judged(expected, &new())) {
        assert_close(what, got.score, expected.score, ROUNDING);
    }
    if model.calibration_kind() == Some(CalibrationKind::LeaveOneOut) {
        for ((hash, got), (expected_hash, expected)) in audited(model).iter().zip(audited(expected)) {
            assert_eq!(*hash, expected_hash, "{what}");
            assert_close(&format!("{what}: held out"), *got, expected, ROUNDING);
        }
    }
}

#[test]
fn defects_are_found_and_the_map_shows_where() {
    for method in [method(), two_layers()] {
        let model = fit(method, &good(0..12)).unwrap();
        let verdicts = judged(&model, &new());
        for (index, verdict) in verdicts.iter().enumerate() {
            let grid: &AnomalyGrid = verdict.grid.as_ref().unwrap();
            assert_eq!(
                verdict.label,
                Some(if index < 3 { Label::Normal } else { Label::Anomalous }),
                "{index}"
            );
            if model.record().params.method.taps.len() == 1 {
                let top = Aggregation::Top { percent: 1.0 };
                assert_close("the score of the map", top.of(grid), verdict.score, 1e-6);
            }
        }
        let map = verdicts[4].grid.as_ref().unwrap().upsample(PictureSize { width: 72, height: 56 });
        let highest = (0..map.values.len()).max_by(|a, b| map.values[*a].total_cmp(&map.values[*b])).unwrap();
        let (x, y) = (highest % 72, highest / 72);
        assert!((20..52).contains(&x) && (14..42).contains(&y), "highest at {x}, {y}");
    }
}

#[test]
fn a_statistic_has_a_row_for_each_cell_and_the_components_are_those_of_channels() {
    let model = fit(two_layers(), &good(0..6)).unwrap();
    let (statistics, hashes) = model.fit_statistics().unwrap();
    let shapes = model.extractor().feature_shapes();
    assert_eq!((hashes.len(), statistics.len(), shapes.len()), (6, 2, 2));
    for (statistic, shape) in statistics.iter().zip(shapes) {
        assert_eq!(statistic.sample_count(), 6 * shape.height * shape.width);
        assert_eq!(statistic.mean().len(), shape.channels);
        assert!(statistic.rank() <= shape.channels);
    }
}

/// With one cell, a picture is its only cell.
#[test]
fn with_one_cell_both_kinds_of_rows_are_the_same_model() {
    let taps = [Layer::named("layer1").pooled(16)];
    let of = |rows| {
        let method = method().with_taps(taps).with_rows(rows).with_map(dfm_core::MapKind::Coarse);
        fit(method, &good(0..10)).unwrap()
    };
    assert_same("one cell", &of(Rows::Cells), &of(Rows::Picture));
}

#[test]
fn merging_updating_and_forgetting_are_exact_and_order_does_not_matter() {
    for method in [method(), two_layers(), method().with_aggregation(Aggregation::Relative)] {
        let of = |seeds| fit(method.clone(), &good(seeds)).unwrap();
        let whole = of(0..12);
        let halves = || (of(0..6), of(6..12));
        let (left, right) = halves();
        assert_same("merged", &left.merge(&right).unwrap(), &whole);
        let (left, right) = halves();
        assert_same("merged the other way round", &right.merge(&left).unwrap(), &whole);
        // Pictures that both know count once.
        assert_same("merged with common pictures", &of(0..8).merge(&of(5..12)).unwrap(), &whole);
        let mut turned = good(0..12);
        turned.reverse();
        assert_same("turned", &fit(method.clone(), &turned).unwrap(), &whole);
        let gone = [12, 13].map(|seed| content_hash(&pictures::good(seed, 72, 56)));
        assert_same("forgetful", &of(0..14).forget(&gone).unwrap(), &whole);
        let half = of(0..7);
        let preparer = Preparer::for_fit(half.extractor());
        let pieces: Vec<Piece> = good(4..12)
            .into_iter()
            .enumerate()
            .flat_map(|(number, picture)| preparer.pieces(number, picture).unwrap())
            .collect::<Result<_, _>>()
            .unwrap();
        let updated = half.update_each(pieces, UpdateOptions::default(), |_| Ok(())).unwrap();
        assert_same("updated", &updated, &whole);
        // Coordinates in a file are `f32`.
        let halves = [of(0..6), of(6..12)].map(|half| read(&written(&half)).unwrap());
        let [left, right] = halves;
        assert_same("merged from files", &left.merge(&right).unwrap(), &whole);
    }
}

#[test]
fn copies_of_a_picture_are_held_out_together() {
    let mut copied = good(0..8);
    copied.push(copied[3].clone());
    let model = fit(method(), &copied).unwrap();
    let hash: String = content_hash(&copied[3]).iter().map(|byte| format!("{byte:02x}")).collect();
    let score = audited(&model).into_iter().find(|(own, _)| *own == hash).unwrap().1;
    let mut others = good(0..8);
    others.remove(3);
    let components = Keep::Components(model.component_count());
    let without = fit(method().with_keep(components), &others).unwrap();
    assert_close("held out", score, judged(&without, &copied[3..4])[0].score, ROUNDING);
}

#[test]
fn a_split_calibrates_on_pictures_that_it_was_not_fitted_on() {
    let split = method().with_calibration(CalibrationParams::from(CalibrationKind::Split));
    let model = fit(split, &good(0..12)).unwrap();
    assert_eq!((model.record().picture_count, model.record().held_out), (12, 3));
    let hashes: Vec<[u8; 32]> = good(0..12).iter().map(content_hash).collect();
    let held_out = dfm_core::held_out_hashes(&hashes).unwrap();
    let is_out = |picture: &RgbImage| held_out.contains(&content_hash(picture));
    let (out, fitted): (Vec<_>, Vec<_>) = good(0..12).into_iter().partition(is_out);
    let plain = fit(method(), &fitted).unwrap();
    let found = model.held_out_scores().unwrap();
    assert_eq!(found.len(), 3);
    for picture in &out {
        let hash = content_hash(picture);
        let (_, held_out) = *found.iter().find(|(own, _)| *own == hash).unwrap();
        let picture = std::slice::from_ref(picture);
        assert_close("held out", held_out, judged(&plain, picture)[0].score, ROUNDING);
        assert_close("judged", judged(&model, picture)[0].score, held_out, ROUNDING);
    }
    let again = read(&written(&model)).unwrap();
    assert_same("read", &again, &model);
}

#[test]
fn a_model_reads_back_with_the_same_bits_and_is_written_as_cells() {
    for method in [method(), two_layers()] {
        let model = fit(method, &good(0..8)).unwrap();
        let bytes = written(&model);
        assert!(ModelFile::open(&bytes).header.contains("\"rows\":\"cells\""));
        let again = read(&bytes).unwrap();
        assert_eq!(again.record().params.method.rows, Rows::Cells);
        for (got, expected) in judged(&again, &new()).iter().zip(judged(&model, &new())) {
            assert_eq!((got.score, &got.grid, got.label), (expected.score, &expected.grid, expected.label));
        }
        let bits = written(&again);
        assert!(written(&read(&bits).unwrap()) == bits, "the same bytes");
        assert_eq!(bits.len().abs_diff(bytes.len()) / 100, 0, "{} and {} bytes", bits.len(), bytes.len());
        // A model that keeps only what it judges by.
        let lean = FitParams::from(model.record().params.method.clone());
        let lean = lean.with_keeping(Keeping::default().with_fit_statistic(false));
        let lean = fit(lean, &good(0..8)).unwrap();
        assert!(written(&lean).len() < bytes.len());
        assert_eq!(judged(&lean, &new())[0].score, judged(&model, &new())[0].score);
    }
    let plain = fit(method().with_rows(Rows::Picture), &good(0..8)).unwrap();
    assert!(!ModelFile::open(&written(&plain)).header.contains("\"rows\""), "an earlier reader takes it");
}

#[test]
fn a_file_whose_rows_do_not_fit_its_tensors_is_refused() {
    let cells = written(&fit(method(), &good(0..4)).unwrap());
    let other = ModelFile::open(&cells).replace(",\"rows\":\"cells\"", "").close();
    assert!(read(&other).is_err());
    let pictures = written(&fit(method().with_rows(Rows::Picture), &good(0..4)).unwrap());
    let params = "\"keep_fit_statistic\":true";
    let with = format!("{params},\"rows\":\"cells\"");
    let other = ModelFile::open(&pictures).replace(params, &with).close();
    assert!(read(&other).is_err());
    let unknown = ModelFile::open(&cells).replace("\"rows\":\"cells\"", "\"rows\":\"stripes\"").close();
    assert!(read(&unknown).is_err());
    let short = ModelFile::open(&cells);
    let shape = short.shape_of("coordinates").to_vec();
    let bytes = short.bytes_of("coordinates")[..(shape[0] - 256) * shape[1] * 4].to_vec();
    let short = short.with("coordinates", safetensors::Dtype::F32, &[shape[0] - 256, shape[1]], bytes);
    assert!(read(&short.close()).is_err());
}

#[test]
fn an_explanation_sums_to_the_score_and_names_the_nearest_picture() {
    let model = fit(method(), &good(0..8)).unwrap();
    let asked = JudgeOptions::default().with_map(true).with_explain(true);
    let pictures = [pictures::defective(200, 72, 56), pictures::good(5, 72, 56)];
    let verdicts: Vec<Verdict> =
        model.judge(&pictures, &asked).unwrap().into_iter().map(Result::unwrap).collect();
    for verdict in &verdicts {
        let explanation = verdict.explanation.as_ref().unwrap();
        let [layer] = &explanation.layers[..] else { panic!("one layer") };
        assert_close("layer", layer.score, verdict.score, 1e-4);
        let cells: f64 = layer.cells.iter().map(|cell| cell.share).sum();
        let channels: f64 = layer.channels.iter().map(|channel| channel.share).sum();
        assert!((cells - 1.0).abs() < 1e-9 && (channels - 1.0).abs() < 1e-9, "{cells} {channels}");
        assert_eq!((layer.cells.len(), layer.channels.len()), (256, 64));
        assert_eq!(layer.cells.iter().filter(|cell| cell.share > 0.0).count(), 3);
        let top = &layer.cells[0];
        let grid = verdict.grid.as_ref().unwrap();
        assert_close("cell", grid.values[top.row * 16 + top.column].into(), grid_peak(grid), 1e-4);
        let mut scores: Vec<f64> = audited(&model).into_iter().map(|(_, score)| score).collect();
        scores.sort_by(f64::total_cmp);
        assert_close("usual", layer.usual.unwrap(), scores[4], 1e-9);
    }
    let nearest = verdicts[1].explanation.as_ref().unwrap().nearest.as_ref().unwrap();
    let own: String = content_hash(&pictures[1]).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(nearest.content_hash, own);
    assert!(nearest.distance < 1e-3 * nearest.usual_distance.unwrap());
}

fn grid_peak(grid: &AnomalyGrid) -> f64 {
    grid.values.iter().copied().fold(0.0, f32::max).into()
}

#[test]
fn drift_is_looked_for_in_scores() {
    let model = fit(method(), &good(0..20)).unwrap();
    let params = || DriftParams::default().check().unwrap();
    let report = |picture: &dyn Fn(u64) -> RgbImage| {
        let mut watch = model.watch(params());
        let preparer = watch.preparer();
        for seed in 100..120 {
            let pieces: Vec<Piece> =
                preparer.pieces(seed as usize, picture(seed)).unwrap().collect::<Result<_, _>>().unwrap();
            assert!(watch.push(&pieces).is_empty());
        }
        watch.finish().unwrap()
    };
    let same = report(&|seed| pictures::good(seed, 72, 56));
    assert_eq!((same.pictures, same.reference, same.features.len()), (20, 20, 0));
    assert!(!same.drift, "{same:?}");
    assert!(report(&|seed| pictures::defective(seed, 72, 56)).drift, "no drift");
}

#[test]
fn foreign_pictures_are_left_out() {
    let mut all = good(0..24);
    all.push(pictures::defective(7, 72, 56));
    let robust = FitParams::from(method()).with_run(Run::default().with_robust(Robust::On));
    let model = fit(robust, &all).unwrap();
    let foreign = model.record().foreign.as_ref().expect("a foreign picture");
    assert_eq!(foreign.pictures.len(), 1);
    let out: String = content_hash(&all[24]).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(foreign.pictures[0].content_hash, out);
    assert_same("without it", &model, &fit(method(), &good(0..24)).unwrap());
}

/// Memory that does not hold all cells: pictures are set aside whole, and calibrate.
#[test]
fn pictures_are_set_aside_whole_where_memory_does_not_suffice() {
    let memory = |max_bytes| {
        let memory = StreamingParams { max_bytes, exact: false };
        FitParams::from(method()).with_run(Run::default().with_memory(memory))
    };
    let (small, exact) =
        (fit(memory(12 << 20), &good(0..60)).unwrap(), fit(memory(4 << 30), &good(0..60)).unwrap());
    assert!(!small.set_aside().is_empty() && exact.set_aside().is_empty());
    let learnt = small.fit_statistics().unwrap();
    assert_eq!(learnt.0[0].sample_count(), 256 * learnt.1.len());
    assert_eq!(learnt.1.len() + small.set_aside().len(), 60);
    // Held-out pictures of both say about the same.
    let ratio = threshold(&small) / threshold(&exact);
    assert!((0.5..2.0).contains(&ratio), "{ratio}");
    for (got, expected) in judged(&small, &new()).iter().zip(judged(&exact, &new())) {
        assert_eq!(got.label, expected.label);
    }
    let again = read(&written(&small)).unwrap();
    assert_eq!(again.set_aside(), small.set_aside());
    assert_eq!(judged(&again, &new())[4].score, judged(&small, &new())[4].score);
    let strict = StreamingParams { max_bytes: 12 << 20, exact: true };
    let strict = FitParams::from(method()).with_run(Run::default().with_memory(strict));
    assert!(fit(strict, &good(0..60)).is_err());
}

#[test]
fn tiles_may_share_cells_or_have_those_of_their_place() {
    let tiling = Tiling { side: 48, stride: 36 };
    let size = PictureSize { width: 72, height: 56 };
    for statistics in [TileStatistics::Shared, TileStatistics::Position(size)] {
        let tiled = method().with_tiling(tiling).with_tile_statistics(statistics);
        let model = fit(tiled, &good(0..16)).unwrap();
        let verdicts = judged(&model, &new());
        let worst_good = verdicts[..3].iter().map(|verdict| verdict.score).fold(0.0, f64::max);
        assert!(verdicts[3..].iter().all(|verdict| verdict.score > worst_good), "{statistics:?}");
        let again = read(&written(&model)).unwrap();
        assert_eq!(judged(&again, &new())[3].score, verdicts[3].score, "{statistics:?}");
    }
}

#[test]
fn a_rectangle_counts_and_a_mask_is_refused() {
    let rectangle = Region::rectangle(12, 8, PictureSize { width: 48, height: 40 }).unwrap();
    let model = fit(method().with_region(rectangle), &good(0..10)).unwrap();
    let verdicts = judged(&model, &new());
    assert!(verdicts[3..].iter().all(|verdict| verdict.label == Some(Label::Anomalous)));
    let inside: Vec<bool> = (0..72 * 56).map(|index| index % 72 < 40).collect();
    let mask = Region::mask(PictureSize { width: 72, height: 56 }, &inside).unwrap();
    let refused = method().with_region(mask).check().unwrap_err();
    assert!(matches!(refused, DfmError::Parameter { name: "rows", .. }), "{refused}");
}

#[test]
fn models_of_other_rows_are_not_merged() {
    let cells = fit(method().with_aggregation(Aggregation::Sum), &good(0..4)).unwrap();
    let pictures = method().with_aggregation(Aggregation::Sum).with_rows(Rows::Picture);
    let refused = cells.merge(&fit(pictures, &good(4..8)).unwrap()).unwrap_err();
    assert!(
        refused.to_string().contains("rows cells") && refused.to_string().contains("no rows"),
        "{refused}"
    );
}

/// A fit that is resumed takes the features of pictures from its checkpoint.
#[test]
fn features_computed_before_make_the_same_model() {
    let params = FitParams::from(two_layers()).check().unwrap();
    let extractor = || {
        let weights = weights("resnet18", Layer::named("layer2"), [64, 64]);
        params.extractor(weights, flex()).unwrap()
    };
    let preparer = Preparer::for_fit(&extractor());
    let pictures = good(0..6).into_iter().enumerate();
    let pieces: Vec<Piece> = pictures
        .flat_map(|(number, picture)| preparer.pieces(number, picture).unwrap())
        .collect::<Result<_, _>>()
        .unwrap();
    let mut rows = Vec::new();
    let whole = params.fit_each(extractor(), pieces.clone(), |learnt| {
        if let Learnt::Features(_, row) = learnt {
            rows.push(row.clone());
        }
        Ok(())
    });
    let mut mixed = pieces;
    for (number, row) in rows.into_iter().enumerate().take(4) {
        mixed[number] = Piece::computed(number, true, row, Placement::WHOLE, None);
    }
    let resumed = params.fit_each(extractor(), mixed, |_| Ok(())).unwrap();
    assert!(written(&resumed) == written(&whole.unwrap()), "the same bytes");
}
