//! Fine maps: they show where more closely, change no score, and survive files, merges and updates.

use burn::tensor::Tensor;
use dfm_backbone::{BackboneWeights, InstructionSet};
use dfm_core::{
    AnomalyGrid, CalibrationKind, Compute, Dfm, DfmError, FeatureExtractor, FitParams, JudgeOptions, Keep,
    Keeping, Layer, LoadOptions, MapKind, MapRegion, Method, ModelFileError, NetworkPrecision, PictureSize,
    Piece, PreparedPicture, Region, RgbImage, Run, SaveOptions, Tap, Tiling, UpdateOptions, Verdict,
};
use dfm_stats::Tail;
use dfm_tests::model_file::ModelFile;
use dfm_tests::models::{fit_prepared, flex, hash, kernels, pieces, weights};
use dfm_tests::pictures;
use dfm_tests::tolerance::{assert_close, relative_l2_f32};
use image::Rgb;
use safetensors::Dtype;

const TAPS: [Tap; 2] = [Layer::named("layer1").pooled(4), Layer::named("layer2").pooled(2)];
const SIZE: [usize; 2] = [64, 80];

/// What two sums of `f32` in another order differ by, with a margin.
pub(crate) const TOLERANCE: f64 = 1e-4;

pub(crate) fn method() -> Method {
    Method::default().with_taps(TAPS).with_keep(Keep::Components(5))
}

pub(crate) fn extractor(method: &Method, compute: impl Into<Compute>) -> FeatureExtractor {
    let params = method.clone().check().expect("valid");
    params.extractor(weights("resnet18", Layer::named("layer2"), SIZE), compute).expect("an extractor")
}

pub(crate) fn best() -> Compute {
    kernels(InstructionSet::best())
}

pub(crate) fn prepared(
    extractor: &FeatureExtractor,
    make: impl Fn(u64) -> RgbImage,
    seeds: std::ops::Range<u64>,
) -> Vec<PreparedPicture> {
    let preprocessor = extractor.preprocessor();
    seeds.map(|seed| preprocessor.prepare(make(seed)).expect("prepared")).collect()
}

pub(crate) fn good(seed: u64) -> RgbImage {
    pictures::good(seed, 80, 64)
}

pub(crate) fn fit_of(params: impl Into<FitParams>, seeds: std::ops::Range<u64>) -> Dfm {
    let params = params.into();
    let extractor = extractor(&params.method, best());
    let pictures = prepared(&extractor, good, seeds);
    fit_prepared(&params.check().expect("valid"), extractor, pictures).expect("a fit")
}

fn judged(model: &Dfm, pictures: &[PreparedPicture]) -> Vec<Verdict> {
    model.predict(pictures, &JudgeOptions::default().with_map(true).with_regions(true)).expect("verdicts")
}

fn new(model: &Dfm) -> Vec<PreparedPicture> {
    let defective = prepared(model.extractor(), |seed| pictures::defective(seed, 80, 64), 70..72);
    [prepared(model.extractor(), good, 60..62), defective].concat()
}

pub(crate) fn grids(model: &Dfm) -> Vec<AnomalyGrid> {
    judged(model, &new(model)).into_iter().map(|verdict| verdict.grid.expect("a map")).collect()
}

pub(crate) fn assert_near(what: &str, got: &[AnomalyGrid], expected: &[AnomalyGrid], tolerance: f64) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert_eq!((got.height, got.width), (expected.height, expected.width), "{what}");
        let distance = relative_l2_f32(&got.values, &expected.values);
        assert!(distance <= tolerance, "{what}: {distance}");
    }
}

pub(crate) fn bytes(model: &Dfm) -> Vec<u8> {
    let mut bytes = Vec::new();
    model.write(&mut bytes, &SaveOptions::default()).expect("a written model");
    bytes
}

fn read(bytes: &[u8]) -> Result<Dfm, DfmError> {
    Dfm::read(&mut &*bytes, LoadOptions::on(best()))
}

#[test]
fn details_agree_between_engines_and_are_what_the_pool_hides() {
    let kernels = extractor(&method(), best());
    let burn = extractor(&method(), flex());
    let pictures = prepared(&kernels, good, 0..3);
    // The outputs themselves, from an extractor without pools.
    let single = method().with_taps(TAPS.map(|tap| tap.layer.pooled(1)));
    let outputs = extractor(&single, flex()).extract(&pictures).unwrap();
    let mut first = 0;
    let (rows, details) = kernels.extract_with_details(&pictures).unwrap();
    let (others, other_details) = burn.extract_with_details(&pictures).unwrap();
    let host = |tensor: Tensor<2>| tensor.try_into_vec_as::<f32>().unwrap();
    let alone = host(kernels.extract(&pictures).unwrap());
    assert!(host(rows.clone()) == alone, "details change the rows");
    assert!(relative_l2_f32(&alone, &host(others)) < TOLERANCE);
    let shapes = kernels.detail_shapes();
    assert_eq!(shapes.len(), 2);
    assert_eq!(kernels.detail_len(), shapes.iter().map(|shape| shape.len()).sum::<usize>());
    assert_eq!(details.layers(), 2);
    // A picture's details do not depend on those that are asked for with it.
    let parts: Vec<_> = details.parts().into_iter().map(|part| details.of(part)).collect();
    assert_eq!((parts.len(), other_details.parts().len()), (3, 1));
    for (layer, whole) in details.of(0..3).into_iter().enumerate() {
        let in_parts: Vec<f32> = parts.iter().flat_map(|part| host(part[layer].clone())).collect();
        assert!(in_parts == host(whole), "layer {layer}");
    }
    for (index, (ours, theirs)) in details.of(0..3).into_iter().zip(other_details.of(0..3)).enumerate() {
        let (shape, cells) = (shapes[index], kernels.feature_shapes()[index]);
        let output = outputs.clone().slice([0..3, first..first + shape.len()]);
        first += shape.len();
        let (output, ours) = (host(output), host(ours));
        assert!(relative_l2_f32(&ours, &host(theirs)) < TOLERANCE, "{shape:?}");
        // Bilinear between the cells of the rows, by the way of maps.
        let offset: usize = kernels.feature_shapes()[..index].iter().map(|shape| shape.len()).sum();
        let size = PictureSize { width: shape.width as u32, height: shape.height as u32 };
        let (mut place, mut expected) = (0, Vec::with_capacity(ours.len()));
        for row in alone.chunks(kernels.row_len()) {
            for channel in row[offset..offset + cells.len()].chunks(cells.height * cells.width) {
                let between = AnomalyGrid::new(cells.height, cells.width, channel.to_vec()).upsample(size);
                for value in between.values {
                    expected.push(output[place] - value);
                    place += 1;
                }
            }
        }
        assert!(relative_l2_f32(&ours, &expected) < TOLERANCE, "{shape:?}");
    }
}

#[test]
fn maps_are_as_fine_as_the_first_layer_and_scores_are_those_of_the_coarse_model() {
    let fine = fit_of(method(), 0..20);
    let coarse = fit_of(method().with_map(MapKind::Coarse), 0..20);
    assert_eq!((fine.map_kind(), coarse.map_kind()), (MapKind::Fine, MapKind::Coarse));
    assert_eq!(fine.calibration(), coarse.calibration());
    let [ours, theirs] = [&fine, &coarse].map(|model| judged(model, &new(model)));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!((ours.score, ours.p_value, ours.label), (theirs.score, theirs.p_value, theirs.label));
        let [ours, theirs] = [ours, theirs].map(|verdict| verdict.grid.as_ref().unwrap());
        assert_eq!((ours.height, ours.width), (16, 20));
        assert_eq!((theirs.height, theirs.width), (4, 5));
    }
    // A threshold of its own, from maps of its own.
    let threshold = fine.cell_threshold().expect("a threshold");
    assert!(threshold > 0.0 && Some(threshold) != coarse.cell_threshold());
    let peak =
        |verdict: &Verdict| verdict.grid.iter().flat_map(|grid| &grid.values).copied().fold(0.0, f32::max);
    assert!(ours[..2].iter().all(|verdict| f64::from(peak(verdict)) < 1.5 * threshold));
    assert!(ours[2..].iter().all(|verdict| f64::from(peak(verdict)) > threshold));
    // No method but the usual one has fine maps unless it asks for them.
    assert_eq!(Method::published().map_kind(), MapKind::Coarse);
    assert_eq!(Method::anomalib().map_kind(), MapKind::Coarse);
    assert_eq!(method().with_taps([Layer::named("layer1").pooled(1)]).map_kind(), MapKind::Coarse);
}

/// The sharper map marks less around a thin scratch. The network is the usual one: random weights see a
/// scratch everywhere.
#[test]
fn a_scratch_has_a_tighter_box_than_in_the_coarse_map() {
    let scratched = |seed| {
        let mut picture = pictures::good(seed, 256, 256);
        (100..150).for_each(|y| picture.put_pixel(140, y, Rgb([255, 255, 255])));
        picture
    };
    let boxed = |map: MapKind| -> [u32; 4] {
        let params = Method::default().with_map(map).check().expect("valid");
        let extractor = params.extractor(BackboneWeights::embedded().unwrap(), best()).unwrap();
        let learnt = prepared(&extractor, |seed| pictures::good(seed, 256, 256), 0..24);
        let model = fit_prepared(&params, extractor, learnt).expect("a fit");
        let verdicts = judged(&model, &prepared(model.extractor(), scratched, 90..91));
        let regions: &[MapRegion] = verdicts[0].regions.as_ref().expect("regions");
        let found = regions.first().expect("the scratch is found");
        [found.x, found.y, found.width, found.height]
    };
    let [fine, coarse] = [MapKind::Fine, MapKind::Coarse].map(boxed);
    let area = |[_, _, width, height]: [u32; 4]| width * height;
    assert!(2 * area(fine) < area(coarse), "{fine:?} against {coarse:?}");
    // The scratch is inside.
    assert!(fine[0] <= 140 && 140 < fine[0] + fine[2], "{fine:?}");
}

#[test]
fn a_batch_changes_nothing_beyond_rounding() {
    let model = fit_of(method(), 0..12);
    let pictures = new(&model);
    let alone = JudgeOptions::default().with_map(true).with_batch(1);
    let one_by_one = model.predict(&pictures, &alone).unwrap().into_iter().filter_map(|verdict| verdict.grid);
    assert_near("one by one", &one_by_one.collect::<Vec<_>>(), &grids(&model), TOLERANCE);
    let batched = method();
    let run = Run::default().with_batch(3);
    let other = fit_of(FitParams::from(batched).with_run(run), 0..12);
    assert_near("a fit in other batches", &grids(&other), &grids(&model), TOLERANCE);
}

#[test]
fn a_file_keeps_every_bit_and_a_coarse_one_is_as_ever() {
    let model = fit_of(method(), 0..12);
    let written = bytes(&model);
    let back = read(&written).expect("a model");
    assert_eq!(back.cell_threshold(), model.cell_threshold());
    assert!(grids(&back) == grids(&model), "the file changes maps");
    assert!(bytes(&back) == written, "written again it is another file");
    // Without the fit statistic, too.
    let lean = FitParams::from(method()).with_keeping(Keeping::default().with_fit_statistic(false));
    let lean = fit_of(lean, 0..12);
    assert!(grids(&read(&bytes(&lean)).unwrap()) == grids(&lean));
    let coarse = bytes(&fit_of(method().with_map(MapKind::Coarse), 0..12));
    let file = ModelFile::open(&coarse);
    assert!(!file.header.contains("\"map\""), "{}", file.header);
    let has_details = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..40_000]).contains("detail.");
    assert!(!has_details(&coarse) && has_details(&written));
    assert!(written.len() < 2 * coarse.len());
}

#[test]
fn what_a_hostile_hand_does_to_details_is_refused() {
    let file = ModelFile::open(&bytes(&fit_of(method(), 0..8)));
    let refused = |file: ModelFile| match read(&file.close()) {
        Err(DfmError::Model(error)) => error,
        other => panic!("{other:?}"),
    };
    let tensor = |error: ModelFileError| match error {
        ModelFileError::Tensor { tensor, .. } => tensor,
        other => panic!("{other}"),
    };
    for value in [f32::NAN, f32::INFINITY] {
        let mean =
            file.clone().with_f32("layer1.detail.mean", |index, mean| if index == 7 { value } else { mean });
        assert_eq!(tensor(refused(mean)), "layer1.detail.mean");
    }
    let negative = file.clone().with_f32("layer2.detail.variance", |_, variance| -variance);
    assert_eq!(tensor(refused(negative)), "layer2.detail.variance");
    let short = file.clone().with("layer1.detail.mean", Dtype::F32, &[1], vec![0; 4]);
    assert_eq!(tensor(refused(short)), "layer1.detail.mean");
    let other = file.clone().with_f64("detail.count", |_, count| count + 1.0);
    assert!(matches!(refused(other), ModelFileError::Inconsistent { what: "detail.count", .. }));
    let no_number = file.clone().with_f64("calibration.peaks", |_, _| f64::NAN);
    assert_eq!(tensor(refused(no_number)), "calibration.peaks");
    let many = file.clone().with("calibration.peaks", Dtype::F64, &[9], vec![0; 72]);
    assert_eq!(tensor(refused(many)), "calibration.peaks");
    for name in
        ["layer1.detail.mean", "layer2.detail.variance", "detail.count", "calibration.peaks", "self_test.map"]
    {
        refused(file.clone().without(name));
    }
    // What the probe gave is computed again.
    let other = file.clone().with_f32("self_test.map", |_, cell| cell * 1.01);
    assert!(matches!(refused(other), ModelFileError::SelfTest { quantity: "fine map", .. }));
    let other = file.clone().with_f32("layer1.detail.mean", |_, mean| mean + 0.01);
    assert!(matches!(refused(other), ModelFileError::SelfTest { quantity: "fine map", .. }));
    // A coarse model has no details, and a fine one cannot be of cells that hide nothing.
    refused(file.clone().replace(",\"map\":\"fine\"", ""));
    refused(file.replace("\"pool\":4", "\"pool\":1"));
}

#[test]
fn merged_and_updated_maps_are_those_of_one_fit() {
    let fresh = grids(&fit_of(method(), 0..24));
    let [one, other] = [0..14, 14..24].map(|seeds| fit_of(method(), seeds));
    // The peaks of both models decide.
    let peaks_of = |model: &Dfm| ModelFile::open(&bytes(model)).f64_of("calibration.peaks");
    let peaks = [&one, &other].map(peaks_of).concat();
    assert_eq!(peaks.len(), 24);
    let merged = read(&bytes(&one)).unwrap().merge(&read(&bytes(&other)).unwrap()).expect("a merge");
    assert_near("merged", &grids(&merged), &fresh, TOLERANCE);
    let found = merged.cell_threshold().expect("a threshold");
    let expected = Tail::of(&peaks).expect("a tail").threshold(0.01);
    assert_close("the threshold of both", found, expected, 1e-9);
    assert_eq!(read(&bytes(&merged)).unwrap().cell_threshold(), Some(found));
    // Update with new pictures and one that is known.
    let model = read(&bytes(&one)).unwrap();
    let more = pieces(prepared(model.extractor(), good, 13..24));
    let updated = model.update_each(more, UpdateOptions::default(), |_| Ok(())).expect("an update");
    assert_near("updated", &grids(&updated), &fresh, TOLERANCE);
    assert!(updated.cell_threshold().is_some());
    // The order changes nothing, also where one has all pictures of the other.
    let [small, large] = [0..10, 0..24].map(|seeds| fit_of(method(), seeds));
    assert_near("contained", &grids(&small.merge(&large).expect("a merge")), &fresh, TOLERANCE);
    // Nothing new: nothing changes.
    let again = fit_of(method(), 0..14).merge(&one).expect("a merge");
    assert!(grids(&again) == grids(&one));
}

#[test]
fn maps_become_coarse_where_details_cannot_be_told_apart() {
    let same_as_coarse = |model: &Dfm, seeds: std::ops::Range<u64>| {
        let coarse = fit_of(method().with_map(MapKind::Coarse), seeds);
        assert_eq!(model.map_kind(), MapKind::Coarse);
        assert_near("coarse", &grids(model), &grids(&coarse), TOLERANCE);
        let [ours, theirs] = [model, &coarse].map(|model| model.cell_threshold().expect("a threshold"));
        assert_close("cell threshold", ours, theirs, 1e-3);
    };
    let model = fit_of(method(), 0..14);
    let gone: Vec<[u8; 32]> = prepared(model.extractor(), good, 12..14).iter().map(hash).collect();
    let without = model.forget(&gone).expect("it forgets");
    same_as_coarse(&without, 0..12);
    same_as_coarse(&read(&bytes(&without)).unwrap(), 0..12);
    // A model of other pictures can still be added, whichever comes first.
    let other = fit_of(method(), 12..20);
    same_as_coarse(&other.merge(&without).expect("a merge"), 0..20);
    same_as_coarse(&without.merge(&fit_of(method(), 12..20)).expect("a merge"), 0..20);
    // So can one of some of the same pictures.
    same_as_coarse(&fit_of(method(), 0..14).merge(&fit_of(method(), 10..20)).expect("a merge"), 0..20);
}

#[test]
fn a_split_and_tiles_have_fine_maps_too() {
    let split = method().with_calibration(dfm_core::CalibrationParams::from(CalibrationKind::Split));
    let model = fit_of(split, 0..24);
    assert!(model.cell_threshold().is_some());
    assert_eq!(grids(&model)[0].values.len(), 16 * 20);
    let tiled = method().with_tiling(Tiling { side: 64, stride: 48 }).check().expect("valid");
    let weights = weights("resnet18", Layer::named("layer2"), [64, 64]);
    let model = tiled
        .fit(tiled.extractor(weights, best()).unwrap(), (0..16).map(|seed| pictures::good(seed, 112, 112)))
        .expect("a fit");
    assert_eq!(model.map_kind(), MapKind::Fine);
    let threshold = model.cell_threshold().expect("a threshold");
    let options = JudgeOptions::default().with_map(true);
    let parts = [pictures::good(50, 112, 112), pictures::defective(51, 112, 112)];
    let verdicts = model.judge(parts, &options).unwrap();
    let peaks: Vec<f32> = verdicts
        .into_iter()
        .map(|verdict| {
            let grid = verdict.unwrap().grid.unwrap();
            assert_eq!((grid.height, grid.width, grid.placements.len()), (16, 16, 4));
            grid.values.into_iter().fold(0.0, f32::max)
        })
        .collect();
    assert!(f64::from(peaks[1]) > threshold && peaks[0] < peaks[1], "{peaks:?}, {threshold}");
    assert!(read(&bytes(&model)).is_ok());
    // At its own place a tile has statistics of its own, and no details.
    let size = PictureSize { width: 112, height: 112 };
    let by_position = tiled.method().clone().with_tile_statistics(dfm_core::TileStatistics::Position(size));
    assert!(matches!(by_position.clone().check(), Err(DfmError::Parameter { name: "map", .. })));
    assert_eq!(by_position.with_map(None).map_kind(), MapKind::Coarse);
}

#[test]
fn int8_has_fine_maps_near_those_in_f32() {
    let exact = fit_of(method(), 0..16);
    let int8 = fit_of(method().with_precision(NetworkPrecision::Int8), 0..16);
    assert_eq!(int8.map_kind(), MapKind::Fine);
    let (exact, int8) = (grids(&exact), grids(&int8));
    for (exact, int8) in exact[2..].iter().zip(&int8[2..]) {
        let distance = relative_l2_f32(&int8.values, &exact.values);
        assert!(distance < 0.3, "{distance}");
    }
}

#[test]
fn outside_of_a_mask_a_fine_map_is_nothing_and_what_lies_there_changes_nothing_inside() {
    let inside: Vec<bool> = (0..80 * 64).map(|pixel| pixel % 80 < 40 || pixel / 80 >= 56).collect();
    let region = Region::mask(PictureSize { width: 80, height: 64 }, &inside).expect("a mask");
    let asked = method().with_region(region);
    let model = fit_of(asked.clone(), 0..16);
    let grid = &grids(&model)[2];
    // The mask has a part of the first three columns of cells, and of the last row.
    for (y, row) in grid.values.chunks(grid.width).enumerate() {
        assert!(row[12..].iter().all(|value| (*value > 0.0) == (y >= 12)), "{y}: {row:?}");
        assert!(row[..12].iter().all(|value| *value > 0.0), "{y}: {row:?}");
    }
    // Pixels outside are replaced before the network sees them.
    let painted = |seed| {
        let mut picture = good(seed);
        (0..50).for_each(|y| (44..80).for_each(|x| picture.put_pixel(x, y, Rgb([9, 200, 9]))));
        picture
    };
    let [plain, painted] = [&good as &dyn Fn(u64) -> RgbImage, &painted]
        .map(|make| judged(&model, &prepared(model.extractor(), make, 60..61)).remove(0).grid.unwrap());
    assert!(plain == painted);
}

#[test]
fn features_without_details_make_no_fine_map() {
    let model = fit_of(method(), 0..8);
    let pictures = new(&model);
    let rows = model.extractor().extract(&pictures).unwrap().try_into_vec_as::<f32>().unwrap();
    let computed = |values: Vec<f32>| {
        let row = dfm_core::FeatureRow { content_hash: hash(&pictures[0]), values };
        Piece::computed(0, true, row, dfm_core::Placement::WHOLE, Some(pictures[0].original))
    };
    let judge = |piece: Piece, map: bool| {
        let options = JudgeOptions::default().with_map(map).with_regions(false);
        model.judging(&options).unwrap().push(vec![piece]).remove(0).1
    };
    let row = rows[..model.extractor().row_len()].to_vec();
    assert!(judge(computed(row.clone()), false).is_ok());
    assert!(matches!(judge(computed(row.clone()), true), Err(DfmError::ComputedFeatures { .. })));
    // With the details behind it, the row is as good as the picture.
    let (_, details) = model.extractor().extract_with_details(&pictures[..1]).unwrap();
    let details = details.of(0..1).into_iter().flat_map(|layer| layer.try_into_vec_as::<f32>().unwrap());
    let whole: Vec<f32> = row.into_iter().chain(details).collect();
    let grid = judge(computed(whole.clone()), true).unwrap().grid.expect("a map");
    assert_near("computed", &[grid], &grids(&model)[..1], TOLERANCE);
    assert!(judge(computed(whole), false).is_ok());
}
