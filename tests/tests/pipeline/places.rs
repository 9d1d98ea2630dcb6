//! Tiles with statistics of their own, by position: what such a model is made of, and what it
//! finds that shared statistics cannot.

use dfm_backbone::{CounterGenerator, Layer, PreprocessError};
use dfm_core::{
    Aggregation, AnomalyGrid, CalibrationKind, CalibrationParams, Compat, Dfm, DfmError, DriftParams,
    FeatureExtractor, FeatureRow, FitParams, JudgeOptions, Keeping, Label, Learnt, LoadOptions, Method,
    PictureSize, Piece, Preparer, Region, RgbImage, SaveOptions, ScoreKind, Tap, ThresholdEstimate,
    TileStatistics, Tiling, UpdateOptions, Verdict, content_hash,
};
use dfm_tests::models::{flex, small_weights, weights};
use dfm_tests::pictures;
use dfm_tests::tolerance::assert_close;

const SIZE: PictureSize = PictureSize { width: 150, height: 100 };
const TILING: Tiling = Tiling { side: 64, stride: 48 };
/// Six tiles of a picture.
const CORNERS: [[u32; 2]; 6] = [[0, 0], [43, 0], [86, 0], [0, 36], [43, 36], [86, 36]];
/// The same numbers by other products: roundings of `f32`.
const ROUNDING: f64 = 1e-5;

/// Parameters by position, a threshold from held-out pictures as `kind` says.
fn params(tiling: Tiling, size: PictureSize, kind: CalibrationKind) -> Method {
    Method::published()
        .with_taps(vec![Layer::named("layer1").pooled(4)])
        .with_tiling(Some(tiling))
        .with_tile_statistics(TileStatistics::Position(size))
        .with_calibration(Some(
            CalibrationParams::default().with_kind(kind).with_estimate(ThresholdEstimate::Quantile),
        ))
}

fn by_position(kind: CalibrationKind) -> Method {
    params(TILING, SIZE, kind)
}

fn fit(params: impl Into<FitParams>, good: impl IntoIterator<Item = RgbImage>) -> Dfm {
    let params = params.into().check().unwrap();
    let weights = match params.method().taps.len() {
        1 => small_weights(),
        _ => weights("resnet18", Layer::named("layer2"), [64, 64]),
    };
    let extractor = params.extractor(weights, flex()).unwrap();
    params.fit(extractor, good).unwrap()
}

/// The pieces of pictures, numbered from 0.
fn pieces(extractor: &FeatureExtractor, pictures: impl IntoIterator<Item = RgbImage>) -> Vec<Piece> {
    let preparer = Preparer::for_fit(extractor);
    let pictures = pictures.into_iter().enumerate();
    let pieces = pictures.flat_map(|(number, picture)| preparer.pieces(number, picture).unwrap());
    pieces.collect::<Result<_, _>>().unwrap()
}

fn judged(model: &Dfm, picture: &RgbImage) -> Verdict {
    model.judge([picture], &JudgeOptions::default().with_map(true)).unwrap().remove(0).unwrap()
}

fn large(seed: u64) -> RgbImage {
    pictures::good(seed, SIZE.width, SIZE.height)
}

fn threshold(model: &Dfm) -> f64 {
    model.calibration().unwrap().threshold()
}

/// Two different ways there, one model: to the last bit, but for where tiles lie.
#[test]
fn one_tile_is_a_picture_without_tiles_to_the_bit() {
    let tiling = Tiling { side: 150, stride: 100 };
    for kind in [CalibrationKind::LeaveOneOut, CalibrationKind::Split] {
        let position = fit(params(tiling, SIZE, kind), (0..8).map(large));
        let plain = params(tiling, SIZE, kind).with_tiling(None);
        let mut others = vec![plain.with_tile_statistics(TileStatistics::Shared)];
        if kind == CalibrationKind::Split {
            others.push(others[0].clone().with_tiling(Some(tiling)));
        }
        for other in others {
            let other = fit(other, (0..8).map(large));
            assert_eq!(position.calibration(), other.calibration());
            assert_eq!(position.cell_threshold(), other.cell_threshold());
            let (got, expected) = (judged(&position, &large(30)), judged(&other, &large(30)));
            assert_eq!((got.score, got.p_value), (expected.score, expected.p_value));
            let map = |verdict: Verdict| verdict.map().unwrap();
            assert!(map(got) == map(expected), "maps differ");
        }
    }
}

/// Models of the crops of each place, and what is usual there.
fn of_crops(good: &[RgbImage], taps: &[Tap]) -> Vec<(Dfm, f64)> {
    let of_place = |[x, y]: &[u32; 2]| {
        let params = Method::published().with_taps(taps.to_vec());
        let model = fit(params, good.iter().map(|picture| crop(picture, [*x, *y])));
        let hash = |picture| content_hash(&crop(picture, [*x, *y]));
        let named = good.iter().enumerate().map(|(number, picture)| (hash(picture), number.to_string()));
        let model = model.with_names(named);
        let mut scores: Vec<f64> = audited(&model).into_iter().map(|(_, score)| score).collect();
        scores.sort_by(f64::total_cmp);
        (model, scores[scores.len() / 2])
    };
    CORNERS.iter().map(of_place).collect()
}

fn crop(picture: &RgbImage, [x, y]: [u32; 2]) -> RgbImage {
    RgbImage::from_fn(64, 64, |across, down| *picture.get_pixel(x + across, y + down))
}

/// Number and held-out score of each picture, by number.
fn audited(model: &Dfm) -> Vec<(usize, f64)> {
    let pictures = model.audit().unwrap().pictures.into_iter();
    let mut scores: Vec<(usize, f64)> =
        pictures.map(|picture| (picture.name.unwrap().parse().unwrap(), picture.score)).collect();
    scores.sort_by_key(|(number, _)| *number);
    scores
}

/// What is documented of the scale: a place's score over what is usual there, times the
/// geometric mean of what is usual anywhere.
#[test]
fn every_place_is_a_plain_model_of_its_crops() {
    let good: Vec<RgbImage> = (0..12).map(large).collect();
    for taps in [
        vec![Layer::named("layer1").pooled(4)],
        vec![Layer::named("layer1").pooled(4), Layer::named("layer2").pooled(2)],
    ] {
        let asked = by_position(CalibrationKind::LeaveOneOut).with_taps(taps.clone());
        let model = fit(asked, good.iter().cloned());
        assert_eq!(model.record().picture_count, 12);
        assert_eq!(model.record().taps.len(), 6 * taps.len());
        let hashes = model.fit_statistics().unwrap().1.to_vec();
        let model = model.with_names(hashes.into_iter().zip((0..12).map(|number| number.to_string())));
        let crops = of_crops(&good, &taps);
        let mean = (crops.iter().map(|(_, usual)| usual.ln()).sum::<f64>() / 6.0).exp();
        for picture in [large(40), pictures::defective(41, 150, 100)] {
            let grid = judged(&model, &picture).grid.unwrap();
            let mut worst = 0.0_f64;
            for (((plain, usual), corner), (cells, _)) in crops.iter().zip(CORNERS).zip(grid.tiles()) {
                let expected = judged(plain, &crop(&picture, corner)).score * mean / usual;
                let of_place = AnomalyGrid::new(grid.height, grid.width, cells.to_vec());
                // With several layers the cells are means, which do not make up the score.
                if let [_] = taps[..] {
                    assert_close("a place", Aggregation::Sum.of(&of_place), expected, ROUNDING);
                }
                worst = worst.max(expected);
            }
            assert_close("the picture", judged(&model, &picture).score, worst, ROUNDING);
        }
        let held_out: Vec<_> = crops.iter().map(|(plain, _)| audited(plain)).collect();
        for (number, score) in audited(&model) {
            let at = |place: usize| held_out[place][number].1 * mean / crops[place].1;
            let expected = (0..6).map(at).fold(0.0, f64::max);
            assert_close("a held-out picture", score, expected, ROUNDING);
        }
    }
}

/// A board of two tiles: on the left a component, which good parts have; on the right nothing.
fn board(seed: u64, component: bool) -> RgbImage {
    let noise = CounterGenerator::new(1000 + seed);
    let [dx, dy] = [0, 1].map(|index| (3.0 * noise.unit_f32(index)) as u32);
    RgbImage::from_fn(128, 64, |x, y| {
        let body = (20 + dx..44 + dx).contains(&x) && (22 + dy..40 + dy).contains(&y);
        let pin = (20 + dx..44 + dx).contains(&x) && x % 6 < 3 && (18 + dy..44 + dy).contains(&y);
        let level = match (component && body, component && pin) {
            (true, _) => 30.0,
            (_, true) => 210.0,
            _ => 100.0,
        };
        let level = level + 10.0 * noise.unit_f32(2 + u64::from(y) * 128 + u64::from(x));
        [(0.5 * level) as u8, level as u8, (0.6 * level) as u8].into()
    })
}

#[test]
fn a_missing_component_is_found_by_position_and_not_by_shared_statistics() {
    let (tiling, size) = (Tiling { side: 64, stride: 64 }, PictureSize { width: 128, height: 64 });
    let good = || (0..24).map(|seed| board(seed, true));
    let position = fit(params(tiling, size, CalibrationKind::Split), good());
    let shared = params(tiling, size, CalibrationKind::Split).with_tile_statistics(TileStatistics::Shared);
    let shared = fit(shared, good());
    for seed in 100..110 {
        let missing = board(seed, false);
        assert_eq!(judged(&position, &missing).label, Some(Label::Anomalous), "{seed}");
        assert!(judged(&position, &missing).score > 3.0 * threshold(&position), "{seed}");
        assert_eq!(judged(&shared, &missing).label, Some(Label::Normal), "{seed}");
    }
    // Where it is missing, and a picture among the good that lacks it.
    let map = judged(&position, &board(100, false)).map().unwrap().values;
    let highest = (0..map.len()).max_by(|a, b| map[*a].total_cmp(&map[*b])).unwrap();
    assert!(highest % 128 < 64, "{highest}");
    let spoilt = fit(params(tiling, size, CalibrationKind::LeaveOneOut), good().chain([board(50, false)]));
    let audit = spoilt.audit().unwrap();
    let hash = content_hash(&board(50, false));
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(audit.pictures[0].stands_out && audit.pictures[0].content_hash == hash, "{audit:?}");
}

/// The left half is calm, the right one differs in every picture; `mark` is a scratch in the calm
/// one.
fn calm_and_busy(seed: u64, mark: bool) -> RgbImage {
    let noise = CounterGenerator::new(2000 + seed);
    let phases: Vec<f32> = (0..6).map(|index| 6.3 * noise.unit_f32(index)).collect();
    RgbImage::from_fn(128, 64, |x, y| {
        let (across, down) = (x as f32, y as f32);
        let wave = |(index, phase): (usize, &f32)| {
            ((0.1 + 0.1 * index as f32) * across + (index as f32 - 3.0) * 0.1 * down + phase).sin()
        };
        let busy = 20.0 * phases.iter().enumerate().map(wave).sum::<f32>();
        let calm = 8.0 * noise.unit_f32(6 + u64::from(y) * 128 + u64::from(x));
        let scratch = if mark && (20..44).contains(&x) && (x / 2).abs_diff(y) < 2 { 30.0 } else { 0.0 };
        let level = 110.0 + scratch + if x < 64 { calm } else { calm + busy };
        [level.clamp(0.0, 255.0) as u8; 3].into()
    })
}

/// Why places are brought to one scale: the scores of a busy place hide all others.
#[test]
fn a_faint_scratch_in_a_calm_place_counts_beside_a_busy_one() {
    let (tiling, size) = (Tiling { side: 64, stride: 64 }, PictureSize { width: 128, height: 64 });
    let good: Vec<RgbImage> = (0..24).map(|seed| calm_and_busy(seed, false)).collect();
    let model = fit(params(tiling, size, CalibrationKind::LeaveOneOut), good.iter().cloned());
    let plain = |corner: u32| {
        fit(
            Method::published().with_taps(vec![Layer::named("layer1").pooled(4)]),
            good.iter().map(|picture| crop(picture, [corner, 0])),
        )
    };
    let (calm, busy) = (plain(0), plain(64));
    for seed in 100..110 {
        let marked = calm_and_busy(seed, true);
        assert_eq!(judged(&model, &marked).label, Some(Label::Anomalous), "{seed}");
        // As they are, no scratch ever reaches what is usual of good pictures.
        let least = audited_scores(&busy).into_iter().fold(f64::INFINITY, f64::min);
        assert!(judged(&calm, &crop(&marked, [0, 0])).score < least, "{seed}");
    }
}

fn audited_scores(model: &Dfm) -> Vec<f64> {
    model.audit().unwrap().pictures.into_iter().map(|picture| picture.score).collect()
}

#[test]
fn merged_updated_and_forgetful_models_are_those_of_one_fit() {
    let kinds = [CalibrationKind::LeaveOneOut, CalibrationKind::Split];
    for kind in kinds {
        let of = |seeds: std::ops::Range<u64>| fit(by_position(kind), seeds.map(large));
        let whole = of(0..12);
        let agree = |what: &str, model: &Dfm| {
            assert_eq!(model.record().picture_count, 12, "{what}");
            assert_close(what, threshold(model), threshold(&whole), ROUNDING);
            for picture in [large(50), pictures::defective(51, 150, 100)] {
                assert_close(what, judged(model, &picture).score, judged(&whole, &picture).score, ROUNDING);
            }
        };
        // With pictures that both know.
        agree("merged", &of(0..7).merge(&of(5..12)).unwrap());
        let more = pieces(whole.extractor(), (8..12).map(large));
        let updated = of(0..9).update_each(more, UpdateOptions::default(), |_| Ok(())).unwrap();
        agree("updated", &updated);
        let longer = of(0..13);
        let hash = content_hash(&large(12));
        agree("forgetful", &longer.forget(&[hash]).unwrap());
    }
}

#[test]
fn a_picture_that_lacks_a_tile_is_left_out_as_a_whole() {
    let params = by_position(CalibrationKind::LeaveOneOut).check().unwrap();
    let extractor = params.extractor(small_weights(), flex()).unwrap();
    let mut all = pieces(&extractor, (0..6).map(large));
    all.remove(2 * 6 + 3);
    let (mut learnt, mut left_out) = (Vec::new(), Vec::new());
    let model = params.fit_each(extractor, all, |what| {
        match what {
            Learnt::Picture(number, hash) => learnt.push((number, hash)),
            Learnt::LeftOut(number) => left_out.push(number),
            _ => {}
        }
        Ok(())
    });
    let model = model.unwrap();
    assert_eq!(learnt, [0, 1, 3, 4, 5].map(|seed| (seed as usize, content_hash(&large(seed)))));
    assert_eq!(left_out, [2]);
    assert_eq!(model.record().picture_count, 5);
    let expected = fit(by_position(CalibrationKind::LeaveOneOut), [0, 1, 3, 4, 5].into_iter().map(large));
    assert_eq!(judged(&model, &large(9)).score, judged(&expected, &large(9)).score);
}

/// Its finite tiles must not make it one of those that are learnt.
#[test]
fn a_picture_with_a_tile_that_is_not_finite_is_told_as_left_out() {
    let params = by_position(CalibrationKind::Split).check().unwrap();
    let extractor = params.extractor(small_weights(), flex()).unwrap();
    let values = vec![f32::NAN; extractor.row_len()];
    for broken in [0, 3, 5] {
        let mut all = pieces(&extractor, (0..6).map(large));
        let row = FeatureRow { content_hash: content_hash(&large(2)), values: values.clone() };
        all[2 * 6 + broken] = all[2 * 6 + broken].clone().with_features(row);
        let (mut learnt, mut left_out, mut broken_tiles) = (Vec::new(), Vec::new(), Vec::new());
        let model = params.fit_each(extractor.clone(), all, |what| {
            match what {
                Learnt::Picture(number, _) => learnt.push(number),
                Learnt::LeftOut(number) => left_out.push(number),
                Learnt::NotFinite(piece, _) => broken_tiles.push((piece.number, piece.tile)),
                _ => {}
            }
            Ok(())
        });
        assert_eq!((learnt, left_out, broken_tiles), (vec![0, 1, 3, 4, 5], vec![2], vec![(2, broken)]));
        assert_eq!(model.unwrap().record().picture_count, 5);
    }
}

#[test]
fn a_place_where_nothing_changes_is_named() {
    let half_black = |seed| {
        let mut picture = large(seed);
        (0..100).for_each(|y| (80..150).for_each(|x| picture.put_pixel(x, y, [0; 3].into())));
        picture
    };
    let params = by_position(CalibrationKind::Split).check().unwrap();
    let extractor = params.extractor(small_weights(), flex()).unwrap();
    let error = params.fit(extractor, (0..8).map(half_black)).unwrap_err();
    assert!(matches!(error, DfmError::Parameter { name: "tile statistics", .. }), "{error}");
    assert!(error.to_string().contains("tile 2 alike in all 8 pictures"), "{error}");
}

#[test]
fn pictures_of_another_size_are_refused_with_both_sizes() {
    let model = fit(by_position(CalibrationKind::LeaveOneOut), (0..6).map(large));
    let preprocessor = model.preprocessor();
    let small = pictures::good(0, 72, 56);
    let error = preprocessor.prepare_tiles(&small).map(|_| ()).unwrap_err();
    assert!(matches!(error, PreprocessError::OtherSize { .. }), "{error}");
    for word in ["72×56", "150×100", "leave it out"] {
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn a_read_model_judges_as_the_one_that_was_written() {
    let lean = Keeping::default().with_fit_statistic(false);
    let asked = [
        by_position(CalibrationKind::Split).into(),
        by_position(CalibrationKind::LeaveOneOut).with_score(ScoreKind::Mahalanobis).into(),
        FitParams::from(by_position(CalibrationKind::Split).with_calibration(None)).with_keeping(lean),
    ];
    for params in asked {
        let model = fit(params, (0..8).map(large));
        let mut file = Vec::new();
        model.write(&mut file, &SaveOptions::default()).unwrap();
        let read = Dfm::read(&mut file.as_slice(), LoadOptions::on(flex())).unwrap();
        assert_eq!(read.record(), model.record());
        assert!(judged(&read, &large(9)) == judged(&model, &large(9)), "read models judge otherwise");
        assert_eq!(read.preprocessor().picture_size(), Some(SIZE));
        let mut again = Vec::new();
        read.write(&mut again, &SaveOptions::default()).unwrap();
        assert!(again == file, "other bytes");
    }
}

#[test]
fn what_places_cannot_have_is_refused_by_name() {
    let good = by_position(CalibrationKind::LeaveOneOut);
    let refused = |params: Method| match params.check() {
        Err(DfmError::Parameter { name, .. }) => name,
        other => panic!("{other:?}"),
    };
    assert!(good.clone().check().is_ok());
    assert_eq!(refused(by_position(CalibrationKind::JackknifePlus)), "calibration");
    assert_eq!(refused(good.clone().with_score(ScoreKind::Nll)), "score");
    assert_eq!(refused(good.clone().with_tiling(None)), "tile statistics");
    assert_eq!(refused(good.clone().with_compat(Some(Compat::Anomalib))), "compat");
    // 25 × 25 places are too many, 22 × 22 are not.
    let fine = |side| good.clone().with_tiling(Some(Tiling { side: 4, stride: 4 })).at(side);
    assert_eq!(refused(fine(100)), "tiles of a picture");
    assert!(fine(88).check().is_ok());
    let far = fine(u32::MAX).check().unwrap_err().to_string();
    assert!(far.contains("the limit is 10000"), "{far}");
}

/// The same for square pictures.
trait At {
    fn at(self, side: u32) -> Self;
}

impl At for Method {
    fn at(self, side: u32) -> Self {
        let size = PictureSize { width: side, height: side };
        self.with_tile_statistics(TileStatistics::Position(size))
    }
}

#[test]
fn a_region_may_move_but_not_change_the_places() {
    let rectangle =
        |x, y, width, height| Some(Region::rectangle(x, y, PictureSize { width, height }).unwrap());
    let asked = by_position(CalibrationKind::LeaveOneOut).with_region(rectangle(10, 5, 120, 90));
    let model = fit(asked, (0..6).map(large));
    assert_eq!(model.record().taps.len(), 3 * 2);
    let at = |region| JudgeOptions::default().with_region(region);
    let moved = model.judge([large(7)], &at(rectangle(20, 8, 120, 90))).unwrap().remove(0).unwrap();
    assert!(moved.score > 0.0);
    let error = model.judging(&at(rectangle(0, 0, 60, 60))).unwrap_err();
    assert!(matches!(error, DfmError::OtherRectangle { .. }), "{error}");
}

#[test]
fn the_worst_tile_is_explained_by_its_own_place() {
    let model = fit(by_position(CalibrationKind::LeaveOneOut), (0..8).map(large));
    let explained = |picture: &RgbImage| {
        let options = JudgeOptions::default().with_map(true).with_explain(true);
        let mut verdict = model.judge([picture], &options).unwrap().remove(0).unwrap();
        (verdict.explanation.take().unwrap(), verdict)
    };
    let mut picture = large(20);
    for y in 80..92 {
        (130..142).for_each(|x| picture.put_pixel(x, y, [250, 20, 240].into()));
    }
    let (explanation, verdict) = explained(&picture);
    assert_eq!(verdict, judged(&model, &picture));
    let [x, y, width, height] = explanation.layers[0].cells[0].pixels.unwrap();
    assert!((x..x + width).contains(&136) && (y..y + height).contains(&86), "{x} {y} {width} {height}");
    let usual = explanation.layers[0].usual.unwrap();
    assert!(explanation.layers[0].score > usual, "{usual}");
    // A picture of the fit is nearest to itself.
    let nearest = explained(&large(3)).0.nearest.unwrap();
    let hash = content_hash(&large(3));
    assert_eq!(nearest.content_hash, hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    assert!(nearest.distance < 1e-3 * nearest.usual_distance.unwrap(), "{nearest:?}");
}

#[test]
fn drift_is_looked_for_in_the_scores_of_whole_pictures() {
    let model = fit(by_position(CalibrationKind::LeaveOneOut), (0..20).map(large));
    let params = || DriftParams::default().check().unwrap();
    let report = |picture: &dyn Fn(u64) -> RgbImage| {
        let mut watch = model.watch(params());
        let all = pieces(model.extractor(), (100..120).map(picture));
        // In batches that know no pictures.
        all.chunks(7).for_each(|batch| assert!(watch.push(batch).is_empty()));
        watch.finish().unwrap()
    };
    let same = report(&large);
    assert_eq!((same.pictures, same.reference, same.features.len()), (20, 20, 0));
    assert!(!same.drift, "{same:?}");
    let scores: Vec<f64> = (100..120).map(|seed| judged(&model, &large(seed)).score).collect();
    assert_eq!(same.score_p_value, model.drift_of_scores(&scores, params()).unwrap().score_p_value);
    assert!(report(&|seed| pictures::defective(seed, 150, 100)).drift, "no drift");
}
