//! Synthetic defects: the noise against NumPy, and what holds of every picture that is made.

use dfm_backbone::CounterGenerator;
use dfm_synthetic::{
    Defective, LARGEST_SHARE, LEAST_DIFFERENCE, Perlin, SMALLEST_SHARE, Synthesiser, SyntheticError,
};
use dfm_tests::golden;
use dfm_tests::pictures;
use image::RgbImage;
use sha2::{Digest, Sha256};

#[test]
fn noise_is_what_numpy_makes_of_the_definition() {
    let golden = golden::tensors("synthetic/synthetic.safetensors");
    let (_, points) = golden.f64("points");
    let mut seen = 0;
    for name in golden.names().iter().filter_map(|name| name.strip_prefix("noise.")) {
        let mut perlin = Perlin::new(name.parse().unwrap());
        let (_, expected) = golden.f64(&format!("noise.{name}"));
        assert_eq!(points.len(), 2 * expected.len());
        for (point, expected) in points.chunks_exact(2).zip(expected) {
            let value = perlin.at(point[0], point[1]);
            // Sums of four products of numbers below 2: some roundings of f64, and those of
            // NumPy's angles, sines and cosines.
            assert!((value - expected).abs() < 1e-14, "{name} at {point:?}: {value} {expected}");
            seen += 1;
        }
    }
    assert_eq!(seen, 3 * 480);
}

/// Pictures of many sizes and kinds.
fn some() -> Vec<RgbImage> {
    let mut all: Vec<RgbImage> =
        [(72, 56), (56, 72), (1, 2), (2, 1), (1, 300), (300, 1), (3, 3), (200, 150), (17, 31)]
            .into_iter()
            .enumerate()
            .map(|(seed, (width, height))| pictures::good(seed as u64, width, height))
            .collect();
    // Nothing to see, the ends of the range among them: a defect must be seen all the same.
    for level in [0, 127, 128, 255] {
        all.push(RgbImage::from_pixel(40, 30, [level; 3].into()));
    }
    all
}

fn grey(picture: &RgbImage) -> RgbImage {
    let mut grey = picture.clone();
    grey.pixels_mut().for_each(|pixel| pixel.0 = [pixel.0[1]; 3]);
    grey
}

fn identity(of: u64) -> [u8; 32] {
    Sha256::digest(of.to_le_bytes()).into()
}

fn marked(defective: &Defective) -> usize {
    defective.mask.iter().filter(|marked| **marked).count()
}

/// Outside the mask nothing changes, inside everything does, so that it can be seen.
#[track_caller]
fn check(good: &RgbImage, made: &Defective) {
    assert_eq!(good.dimensions(), made.picture.dimensions());
    assert_eq!(made.mask.len(), good.pixels().len());
    for ((old, new), marked) in good.pixels().zip(made.picture.pixels()).zip(&made.mask) {
        let most = old.0.iter().zip(new.0).map(|(old, new)| old.abs_diff(new)).max().unwrap();
        match marked {
            true => assert!(most >= LEAST_DIFFERENCE, "{old:?} became {new:?}"),
            false => assert_eq!(old, new),
        }
    }
}

#[test]
fn a_picture_changes_inside_the_mask_and_nowhere_else() {
    let lender = pictures::good(99, 50, 44);
    for (place, colour) in some().into_iter().enumerate() {
        for good in [grey(&colour), colour] {
            let is_grey = |picture: &RgbImage| picture.pixels().all(|pixel| pixel.0 == [pixel.0[0]; 3]);
            for copy in 0..40 {
                let recipe = Synthesiser::new(5).recipe(&identity(place as u64), copy);
                let made = recipe.apply(&good, &lender, None).unwrap();
                check(&good, &made);
                let (pixels, count) = (made.mask.len(), marked(&made));
                assert!(count >= 1 && count < pixels, "{count} of {pixels}");
                // The share that was drawn, rounded down, but one pixel.
                let least = ((SMALLEST_SHARE * pixels as f64) as usize).max(1);
                assert!(count >= least, "{count} of {pixels}");
                assert!(count == 1 || (count as f64) < LARGEST_SHARE * pixels as f64, "{count} of {pixels}");
                // A grey camera's pictures have no colours.
                assert!(!is_grey(&good) || is_grey(&made.picture));
            }
        }
    }
}

#[test]
fn sizes_and_shapes_vary() {
    let good = pictures::good(0, 160, 120);
    let (mut small, mut large, mut shares) = (0, 0, Vec::new());
    for copy in 0..200 {
        let made = Synthesiser::new(1).recipe(&identity(0), copy).apply(&good, &good, None).unwrap();
        let share = marked(&made) as f64 / made.mask.len() as f64;
        small += usize::from(share < 2.0 * SMALLEST_SHARE);
        large += usize::from(share > 0.5 * LARGEST_SHARE);
        shares.push(marked(&made));
    }
    // Each of five octaves is as likely: 40 of 200, with a standard deviation of 5.7.
    assert!((12..=68).contains(&small) && (12..=68).contains(&large), "{small} {large}");
    shares.sort_unstable();
    shares.dedup();
    assert!(shares.len() > 100, "{}", shares.len());
}

#[test]
fn the_same_seed_picture_and_copy_give_the_same_bytes_and_no_others_do() {
    let (good, lender) = (pictures::good(3, 60, 45), pictures::good(4, 60, 45));
    let make = |seed, of, copy| {
        Synthesiser::new(seed).recipe(&identity(of), copy).apply(&good, &lender, None).unwrap()
    };
    let first = make(7, 1, 2);
    assert_eq!(first, make(7, 1, 2));
    // On other threads, in another order.
    let rows: Vec<(u64, Defective)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .rev()
            .map(|copy| {
                let make = &make;
                scope.spawn(move || (copy, make(7, 1, copy)))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (copy, made) in rows {
        assert_eq!(made, make(7, 1, copy));
        assert_eq!(made == first, copy == 2);
    }
    assert_ne!(first.mask, make(8, 1, 2).mask);
    assert_ne!(first.mask, make(7, 2, 2).mask);
}

/// What no platform, no compiler and no later change may alter: data sets that were made stay
/// those that would be made.
#[test]
fn bytes_are_those_of_the_first_day() {
    let mut hasher = Sha256::new();
    for (place, good) in some().into_iter().enumerate() {
        // The noise takes whole numbers alone, unlike the gratings, whose sines are the platform's.
        let noise = CounterGenerator::new(place as u64);
        let (width, height) = good.dimensions();
        let value = |x: u32, y: u32| noise.value(u64::from(y * width + x)).to_le_bytes();
        let good = RgbImage::from_fn(width, height, |x, y| {
            let [red, green, blue, ..] = value(x, y);
            [red, green, blue].into()
        });
        for copy in 0..20 {
            let recipe = Synthesiser::new(11).recipe(&identity(place as u64), copy);
            let made = recipe.apply(&good, &good, None).unwrap();
            hasher.update(made.picture.as_raw());
            hasher.update(made.mask.iter().map(|marked| u8::from(*marked)).collect::<Vec<_>>());
        }
    }
    let digest: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, "260dc420519f90a8eb20f299c26c6723ebc8f7b409edc01dd19906fa0ebf700b");
}

#[test]
fn a_defect_lies_where_it_may() {
    let good = pictures::good(1, 80, 60);
    let inside = |place: usize| (20..50).contains(&(place % 80)) && (10..40).contains(&(place / 80));
    let within: Vec<bool> = (0..80 * 60).map(inside).collect();
    for copy in 0..50 {
        let recipe = Synthesiser::new(2).recipe(&identity(1), copy);
        let made = recipe.apply(&good, &good, Some(&within)).unwrap();
        check(&good, &made);
        assert!(made.mask.iter().zip(&within).all(|(marked, may_be)| !marked || *may_be));
        let count = marked(&made);
        assert!(count >= 3 && (count as f64) < LARGEST_SHARE * 900.0, "{count} of 900");
    }
    // One pixel is a place.
    let one: Vec<bool> = (0..80 * 60).map(|place| place == 4000).collect();
    let made = Synthesiser::new(2).recipe(&identity(1), 0).apply(&good, &good, Some(&one)).unwrap();
    assert_eq!(made.mask, one);
}

#[test]
fn what_cannot_be_says_why() {
    let recipe = Synthesiser::new(0).recipe(&identity(0), 0);
    let refused = |width, height, within: Option<&[bool]>| {
        let good = RgbImage::new(width, height);
        recipe.apply(&good, &good, within).unwrap_err()
    };
    assert_eq!(refused(1, 1, None), SyntheticError::TooSmall { width: 1, height: 1 });
    assert_eq!(refused(0, 9, None), SyntheticError::TooSmall { width: 0, height: 9 });
    assert_eq!(refused(2, 2, Some(&[false; 4])), SyntheticError::NoPlace);
    assert_eq!(refused(2, 2, Some(&[true; 3])), SyntheticError::OtherSize { expected: 4, got: 3 });
    // A lender without pixels lends none: the picture's own serve.
    let good = pictures::good(0, 20, 20);
    for copy in 0..20 {
        let recipe = Synthesiser::new(0).recipe(&identity(0), copy);
        check(&good, &recipe.apply(&good, &RgbImage::new(0, 0), None).unwrap());
    }
}

#[test]
fn another_picture_lends_wherever_there_is_one() {
    let mut lenders = [0; 5];
    for copy in 0..400 {
        let recipe = Synthesiser::new(9).recipe(&identity(3), copy);
        assert_eq!(recipe.lender(0, 1), 0);
        assert_eq!(recipe.lender(1, 2), 0);
        let lender = recipe.lender(2, 5);
        assert_ne!(lender, 2);
        lenders[lender] += 1;
    }
    // 100 each, with a standard deviation of 8.7.
    assert!(lenders.iter().enumerate().all(|(place, count)| place == 2 || (60..=140).contains(count)));
}
