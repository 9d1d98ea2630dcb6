//! Fine maps of a fit that leaves foreign pictures out: they know nothing of these pictures.

use std::collections::HashMap;

use dfm_core::{Dfm, MapKind, Piece, PreparedPicture};
use dfm_tests::model_file::ModelFile;
use dfm_tests::models::{fit_prepared, hash, pieces};
use dfm_tests::pictures;
use dfm_tests::tolerance::assert_close;

use crate::fine::{TOLERANCE, assert_near, best, bytes, extractor, fit_of, good, grids, method, prepared};

/// Good pictures of the fit. With fewer, a fit looks for no foreign ones unless that is asked for.
const GOOD: u64 = 110;

/// Good pictures, and among them defective ones; the last one comes twice.
fn mixed() -> (Vec<PreparedPicture>, Vec<[u8; 32]>) {
    let extractor = extractor(&method(), best());
    let bad = prepared(&extractor, |seed| pictures::defective(seed, 80, 64), 1000..1003);
    let hashes = bad.iter().map(hash).collect();
    let good = prepared(&extractor, good, 0..GOOD);
    let again = bad[2..].to_vec();
    ([&good[..50], &bad, &good[50..], &again].concat(), hashes)
}

/// The model of those pictures. `give` says what the fit gets if it asks for a picture once more.
fn fit(give: impl Fn(PreparedPicture) -> Option<PreparedPicture>) -> (Dfm, Vec<[u8; 32]>) {
    let (all, bad) = mixed();
    let known: HashMap<[u8; 32], PreparedPicture> =
        all.iter().map(|picture| (hash(picture), picture.clone())).collect();
    let params = method().check().expect("valid");
    let mut asked = Vec::new();
    let again = |hashes: &[[u8; 32]]| -> Vec<Piece> {
        asked.extend_from_slice(hashes);
        // In another order.
        pieces(hashes.iter().rev().filter_map(|hash| give(known[hash].clone())))
    };
    let extractor = extractor(&method(), best());
    let model = params.fit_each_rereading(extractor, pieces(all), |_| Ok(()), again).expect("a fit");
    let foreign = model.record().foreign.as_ref().expect("foreign pictures");
    assert_eq!((foreign.pictures.len(), model.record().picture_count as u64), (bad.len(), GOOD));
    assert!(bad.iter().all(|hash| asked.contains(hash)));
    (model, asked)
}

#[test]
fn the_model_is_that_of_a_fit_without_the_foreign_pictures() {
    let (model, asked) = fit(Some);
    let clean = fit_of(method(), 0..GOOD);
    assert_eq!((model.map_kind(), clean.map_kind()), (MapKind::Fine, MapKind::Fine));
    assert_near("maps", &grids(&model), &grids(&clean), TOLERANCE);
    let files = [&model, &clean].map(|model| ModelFile::open(&bytes(model)));
    // What the foreign pictures did to mean, variance and threshold is gone.
    for name in
        ["layer1.detail.mean", "layer1.detail.variance", "layer2.detail.mean", "layer2.detail.variance"]
    {
        let [got, expected] = files.each_ref().map(|file| file.f32_of(name));
        let largest = expected.iter().copied().fold(0.0, f32::max);
        let near = |(got, expected): (&f32, &f32)| (got - expected).abs() <= 1e-6 * largest;
        assert!(got.len() == expected.len() && got.iter().zip(&expected).all(near), "{name}");
    }
    let [got, expected] = files.each_ref().map(|file| file.f64_of("calibration.peaks"));
    assert_eq!((got.len(), expected.len()), (64, 64));
    for (got, expected) in got.iter().zip(&expected) {
        assert_close("a peak", *got, *expected, 1e-4);
    }
    let [got, expected] = [&model, &clean].map(|model| model.cell_threshold().expect("a threshold"));
    assert_close("cell threshold", got, expected, 1e-4);
    // Some foreign pictures had been held for the threshold, and others took their places.
    assert!(asked.len() > 3, "{}", asked.len());
    // A copy of a picture was taken out with it.
    assert_eq!(files[0].f64_of("detail.count"), [GOOD as f64]);
}

#[test]
fn maps_are_coarse_if_a_foreign_picture_is_not_given_again() {
    let params = method().with_map(MapKind::Coarse);
    let coarse = fit_of(params, 0..GOOD);
    let other = |picture: PreparedPicture| {
        let content_hash = picture.content_hash.map(|hash| hash.map(|byte| byte ^ 1));
        Some(PreparedPicture { content_hash, ..picture })
    };
    let without = |_| None;
    for (model, _) in [fit(without), fit(other)] {
        assert_eq!(model.map_kind(), MapKind::Coarse);
        assert_near("coarse", &grids(&model), &grids(&coarse), TOLERANCE);
    }
    // A fit that cannot ask for them.
    let params = method().check().expect("valid");
    let model = fit_prepared(&params, extractor(&method(), best()), mixed().0).expect("a fit");
    assert_eq!((model.map_kind(), model.record().foreign.is_some()), (MapKind::Coarse, true));
}
