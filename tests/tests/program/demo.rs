//! `dfm demo`: that it finds its defects, and that it would not by chance.

use std::path::Path;

use dfm_core::metrics::{MapCounts, PixelTally, auroc};
use dfm_core::{AnomalyGrid, Dfm, JudgeOptions, LoadOptions, PictureSize};
use dfm_tests::program::{Program, files_below};

const TEST_PICTURES: usize = 36;
const SHUFFLES: u64 = 20;

/// The next of a row of numbers that look drawn (SplitMix64).
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Every order of `count` things is as likely (Fisher and Yates).
fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut state = seed;
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last, (draw(&mut state) % (last as u64 + 1)) as usize);
    }
    order
}

struct Judged {
    score: f64,
    map: AnomalyGrid,
}

struct Truth {
    anomalous: bool,
    mask: Vec<bool>,
}

/// Image and pixel AUROC if the `k`-th truth belongs to picture `order[k]`.
fn figures(judged: &[Judged], truths: &[Truth], size: PictureSize, order: &[usize]) -> [f64; 2] {
    let scores: Vec<f64> = order.iter().map(|picture| judged[*picture].score).collect();
    let labels: Vec<bool> = truths.iter().map(|truth| truth.anomalous).collect();
    let mut pixels = PixelTally::new(1);
    for (truth, picture) in truths.iter().zip(order) {
        let map = judged[*picture].map.upsample(size);
        pixels.push(truth.anomalous.then_some(0), &MapCounts::new(&map, Some(&truth.mask)));
    }
    let pixel = pixels.finish(None).figures.auroc.expect("both kinds of pixels");
    [auroc(&scores, &labels).expect("both classes"), pixel.value]
}

/// The median intersection over union of the box of a scratch and the first box that is reported.
fn assert_scratches_have_tight_boxes(dfm: &Program) {
    let judge = ["predict", "demo/demo.dfm", "demo/pictures/test/scratch", "--format", "json"];
    let mut shares: Vec<f64> = Vec::new();
    for verdict in dfm.run(&judge).expect_code(1).json() {
        let stem =
            Path::new(verdict["path"].as_str().expect("a path")).file_stem().expect("a name").to_owned();
        let mask = format!("demo/pictures/ground_truth/scratch/{}_mask.png", stem.to_string_lossy());
        let mask = image::open(dfm.path(&mask)).expect("a mask").into_luma8();
        let marked = mask.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] > 127);
        let scratch = marked.fold([u32::MAX, u32::MAX, 0, 0], |[left, top, right, bottom], (x, y, _)| {
            [left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)]
        });
        let found = verdict["regions"].as_array().and_then(|regions| regions.first()).map(|region| {
            let [x, y, width, height] =
                ["x", "y", "width", "height"].map(|name| region[name].as_u64().expect(name) as u32);
            [x, y, x + width, y + height]
        });
        shares.push(found.map_or(0.0, |found| overlap(scratch, found)));
    }
    shares.sort_by(f64::total_cmp);
    assert_eq!(shares.len(), 8);
    let median = (shares[3] + shares[4]) / 2.0;
    println!("scratches: {median:.3} of {shares:.2?}");
    // 0.57 with fine maps when this was written, 0.37 with coarse ones.
    assert!(median >= 0.5, "{shares:?}");
}

/// The intersection of two boxes over their union. Each has its first and its last column and row.
fn overlap(one: [u32; 4], other: [u32; 4]) -> f64 {
    let area = |[left, top, right, bottom]: [u32; 4]| {
        f64::from(right.saturating_sub(left)) * f64::from(bottom.saturating_sub(top))
    };
    let common = [0, 1, 2, 3].map(|side: usize| match side {
        0 | 1 => one[side].max(other[side]),
        _ => one[side].min(other[side]),
    });
    area(common) / (area(one) + area(other) - area(common))
}

#[test]
fn the_demo_finds_its_defects_and_is_at_chance_when_the_labels_are_shuffled() {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    let table = dfm.run(&["demo", "-o", "demo"]).expect_code(0).out;
    assert!(table.contains("Next:"), "{table}");
    assert_eq!(files_below(&dfm.path("demo/maps")).len(), 2 * TEST_PICTURES + 1);
    let page = std::fs::read_to_string(dfm.path("demo/report/index.html")).expect("a report");
    assert_eq!(page.matches("<li data-score").count(), TEST_PICTURES);
    let run = dfm.run(&["evaluate", "demo/demo.dfm", "demo/pictures", "--format", "json"]).expect_code(0);
    let report = run.json().remove(0);
    let [image, pixel] = ["image_auroc", "pixel_auroc"].map(|name| report[name].as_f64().expect(name));
    // 1.0 and 0.988 when the pictures were made.
    assert!(image > 0.98 && pixel > 0.97, "image {image}, pixel {pixel}");
    assert_scratches_have_tight_boxes(&dfm);
    // Good pictures are drawn as those that were learnt, so that the threshold means what it says.
    assert!(report["confusion"]["false_positives"].as_u64().expect("a count") <= 1, "{report}");

    let file = std::fs::read(dfm.path("demo/demo.dfm")).expect("a model");
    let device = dfm_core::device::parse("cpu").expect("flex is compiled in");
    let model = Dfm::read(&mut file.as_slice(), LoadOptions::on(device)).expect("a model");
    let (mut prepared, mut truths) = (Vec::new(), Vec::new());
    for path in files_below(&dfm.path("demo/pictures/test")) {
        let picture = image::open(&path).expect("a picture").into_rgb8();
        let class = path.parent().and_then(|folder| folder.file_name()).expect("a class").to_string_lossy();
        let anomalous = class != "good";
        let stem = path.file_stem().expect("a name").to_string_lossy();
        let mask = dfm.path(&format!("demo/pictures/ground_truth/{class}/{stem}_mask.png"));
        let mask = match anomalous {
            true => image::open(&mask).expect("a mask").into_luma8().pixels().map(|p| p.0[0] > 127).collect(),
            false => vec![false; (picture.width() * picture.height()) as usize],
        };
        prepared.push(model.preprocessor().prepare(&picture).expect("a prepared picture"));
        truths.push(Truth { anomalous, mask });
    }
    let size = prepared[0].original;
    let judged: Vec<Judged> = model
        .predict(&prepared, &JudgeOptions::default().with_map(true))
        .expect("verdicts")
        .into_iter()
        .map(|verdict| Judged { score: verdict.score, map: verdict.grid.expect("a map") })
        .collect();
    assert_eq!(judged.len(), TEST_PICTURES);
    let plain: Vec<usize> = (0..TEST_PICTURES).collect();
    let told = figures(&judged, &truths, size, &plain);
    // Other decoders of JPEG on the two ways here.
    assert!((told[0] - image).abs() < 0.02 && (told[1] - pixel).abs() < 0.02, "{told:?}");

    // One shuffle has a standard deviation of about 0.1 (36 pictures), their mean of 0.02.
    let mut mean = [0.0; 2];
    for seed in 0..SHUFFLES {
        let figures = figures(&judged, &truths, size, &shuffled(TEST_PICTURES, seed));
        mean = [0, 1].map(|index: usize| mean[index] + figures[index] / SHUFFLES as f64);
    }
    println!("shuffled: image {:.3}, pixel {:.3}", mean[0], mean[1]);
    assert!(mean.iter().all(|mean| (mean - 0.5).abs() < 0.1), "image, pixel: {mean:?}");
}
