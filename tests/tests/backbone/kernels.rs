//! Our own convolutions against Burn's, on every instruction set that this
//! processor has.

use dfm_backbone::{
    BackboneWeights, Compute, CounterGenerator, FeatureExtractor, InstructionSet, Layer, PictureSize,
    Placement, PreparedPicture, ResNet,
};
use dfm_tests::models::{flex, kernels, weights};
use dfm_tests::tolerance::relative_l2_f32;

/// Both sum in `f32`, in other orders: about 5e-7 is seen, and a wrong tap or
/// edge is far above this.
const AGREEMENT: f64 = 2e-5;

fn pictures(seed: u64, count: usize, [height, width]: [usize; 2], scale: f32) -> Vec<PreparedPicture> {
    let length = 3 * height * width;
    let picture = |index: usize| {
        let noise = CounterGenerator::new(seed + index as u64);
        PreparedPicture {
            pixels: (0..length as u64).map(|at| scale * noise.unit_f32(at)).collect(),
            original: PictureSize { width: width as u32, height: height as u32 },
            placement: Placement::WHOLE,
            content_hash: None,
            outside: None,
        }
    };
    (0..count).map(picture).collect()
}

fn features(
    weights: &BackboneWeights,
    tap: Layer,
    pictures: &[PreparedPicture],
    compute: &Compute,
) -> Vec<f32> {
    let extractor = FeatureExtractor::new(weights.clone(), &[tap.pooled(1)], compute).expect("an extractor");
    extractor.extract(pictures).expect("features").try_into_vec_as::<f32>().expect("host values")
}

/// Compares every instruction set with flex.
fn agrees(name: &str, tap: Layer, size: [usize; 2], scale: f32) {
    let (weights, pictures) = (weights(name, tap, size), pictures(1, 1, size, scale));
    let expected = features(&weights, tap, &pictures, &flex());
    for instructions in InstructionSet::available() {
        let actual = features(&weights, tap, &pictures, &kernels(instructions));
        let distance = relative_l2_f32(&actual, &expected);
        println!("{name} {tap} {size:?} {instructions}: {distance:.1e}");
        assert!(distance < AGREEMENT, "{name} {tap} {size:?} {instructions}: {distance}");
    }
}

#[test]
fn every_architecture_agrees_with_flex() {
    for name in ResNet::names() {
        agrees(name, Layer::named("layer3"), [64, 64], 2.0);
    }
}

#[test]
fn every_tap_agrees_with_flex() {
    for name in ["resnet18", "resnet50_1by2", "resnext50_32x4d"] {
        for tap in Layer::RESNET {
            agrees(name, tap, [96, 64], 2.0);
        }
    }
}

#[test]
fn odd_sizes_agree_with_flex() {
    for size in [[233, 317], [33, 35], [65, 127], [7, 90], [17, 16], [3, 3]] {
        agrees("resnet18", Layer::named("layer2"), size, 2.0);
        agrees("resnet50_1by2", Layer::named("layer3"), size, 2.0);
    }
}

#[test]
fn large_and_small_inputs_agree_with_flex() {
    for scale in [1e-30, 1e-12, 1e6, 1e15] {
        agrees("resnet18", Layer::named("layer2"), [48, 40], scale);
    }
}

#[test]
fn a_batch_gives_the_bits_of_its_pictures_alone() {
    let size = [48, 56];
    let (weights, tap) = (weights("resnet50_1by2", Layer::named("layer3"), size), Layer::named("layer3"));
    let pictures = pictures(5, 9, size, 2.0);
    for instructions in InstructionSet::available() {
        let alone: Vec<f32> = pictures
            .iter()
            .flat_map(|picture| {
                features(&weights, tap, std::slice::from_ref(picture), &kernels(instructions))
            })
            .collect();
        for count in 1..=9 {
            let together = features(&weights, tap, &pictures[..count], &kernels(instructions));
            assert!(
                together == alone[..together.len()],
                "{instructions}: a batch of {count} gives other bits"
            );
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let size = [80, 64];
    let (weights, tap) = (weights("resnet50", Layer::named("layer2"), size), Layer::named("layer2"));
    let pictures = pictures(6, 2, size, 2.0);
    for instructions in InstructionSet::available() {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| features(&weights, tap, &pictures, &kernels(instructions)))
        };
        let expected = on(1);
        for threads in [2, 3, 8] {
            assert!(on(threads) == expected, "{instructions}: {threads} threads give other bits");
        }
    }
}

#[test]
fn a_picture_leaves_nothing_behind_for_the_next() {
    let size = [64, 48];
    let (weights, tap) = (weights("resnext50_32x4d", Layer::named("layer3"), size), Layer::named("layer3"));
    let extractor = FeatureExtractor::new(weights, &[tap.pooled(1)], kernels(InstructionSet::best()))
        .expect("an extractor");
    let run =
        |pictures: &[PreparedPicture]| extractor.extract(pictures).unwrap().try_into_vec_as::<f32>().unwrap();
    let plain = pictures(7, 1, size, 1.0);
    let before = run(&plain);
    // So large that activations overflow: infinities and what becomes of them
    // stay in the buffers.
    let _ = run(&pictures(8, 1, size, f32::MAX));
    assert!(run(&plain) == before, "the buffers remember");
}
