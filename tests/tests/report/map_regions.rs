//! Where maps reach a threshold: regions against SciPy, and what the program says of them.

use dfm_core::{AnomalyMap, MapRegion};
use dfm_tests::golden;
use dfm_tests::pictures;
use dfm_tests::program::{Program, SMALL};
use serde_json::Value;

/// Twice the area that a polygon goes around clockwise, and its length.
fn measure(polygon: &[[u32; 2]]) -> (f64, f64) {
    let next = polygon.iter().cycle().skip(1);
    polygon.iter().zip(next).fold((0.0, 0.0), |(area, length), (a, b)| {
        let [[ax, ay], [bx, by]] = [a, b].map(|point| point.map(f64::from));
        (area + ax * by - bx * ay, length + (bx - ax).hypot(by - ay))
    })
}

#[test]
fn regions_are_those_of_scipy() {
    let golden = golden::tensors("regions/regions.safetensors");
    for name in ["blobs", "speckles", "holes", "row", "column"] {
        let (shape, values) = golden.f32(&format!("{name}.map"));
        let map = AnomalyMap { width: shape[1], height: shape[0], values };
        let found = map.regions(golden.f64(&format!("{name}.threshold")).1[0]);
        let (shape, expected) = golden.i64(&format!("{name}.regions"));
        assert_eq!(found.len(), shape[0], "{name}");
        let peaks: Vec<f32> = found.iter().map(|region| region.peak).collect();
        assert_eq!(peaks, golden.f32(&format!("{name}.peaks")).1, "{name}");
        for (region, expected) in found.iter().zip(expected.chunks_exact(shape[1])) {
            let MapRegion { x, y, width, height, area, peak_x, peak_y, contour, .. } = region;
            let got = [x, y, width, height, area, peak_x, peak_y].map(|value| i64::from(*value));
            assert_eq!(got, expected[..7], "{name}");
            // A contour goes around holes; corners that it leaves out move its lines by half a
            // pixel at most, while the outline is short.
            let (twice, length) = measure(contour);
            let filled = expected[7] as f64;
            assert!((twice / 2.0 - filled).abs() <= 0.5 * length, "{name}: {twice} / 2, {filled}");
            let ends = |axis: usize| {
                let places = || contour.iter().map(|point| point[axis]);
                (places().min().unwrap(), places().max().unwrap())
            };
            assert_eq!((ends(0), ends(1)), ((*x, x + width), (*y, y + height)), "{name}");
        }
    }
}

/// What is known of a picture's regions, in a line of JSON.
fn regions(line: &Value) -> &Vec<Value> {
    line["regions"].as_array().unwrap_or_else(|| panic!("no regions: {line}"))
}

#[test]
fn programs_are_told_where() {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    dfm.fit_small();
    dfm.save_dataset();
    let judged = dfm.run(&["predict", "model.dfm", "data/test", "--format", "json"]).expect_code(1).json();
    assert_eq!(judged.len(), 8);
    for line in &judged {
        let threshold = line["pixel_threshold"].as_f64().expect("a threshold");
        let [path, peaks] = [&line["path"], &line["regions"]];
        for (region, next) in regions(line).iter().zip(regions(line).iter().skip(1)) {
            assert!(region["peak"].as_f64() >= next["peak"].as_f64(), "{peaks}");
        }
        for region in regions(line) {
            assert!(region["peak"].as_f64() >= Some(threshold), "{region}");
            let number = |name: &str| region[name].as_u64().unwrap_or_else(|| panic!("{name}: {region}"));
            assert!(number("x") + number("width") <= 72 && number("y") + number("height") <= 56, "{region}");
            assert!((number("x")..number("x") + number("width")).contains(&number("peak_x")));
            assert!((number("y")..number("y") + number("height")).contains(&number("peak_y")));
            assert!(number("area") <= number("width") * number("height"));
        }
        // The square lies in the middle, 29 to 43 across and 21 to 35 down.
        if path.as_str().expect("a path").contains("square") {
            let worst = &regions(line)[0];
            let covers = |from: &str, length: &str, place: u64| {
                let from = worst[from].as_u64().unwrap();
                (from..from + worst[length].as_u64().unwrap()).contains(&place)
            };
            assert!(covers("x", "width", 36) && covers("y", "height", 28), "{path}: {worst}");
        }
    }
    // The same in a table, counted, and in an evaluation.
    let csv = dfm.run(&["predict", "model.dfm", "data/test", "--format", "csv"]).expect_code(1).out;
    let mut rows = csv.lines().map(|row| row.split(',').map(str::to_owned).collect::<Vec<_>>());
    let column = rows.next().unwrap().iter().position(|name| name == "regions").expect("a column");
    let counts: Vec<String> = rows.map(|row| row[column].clone()).collect();
    let expected: Vec<String> = judged.iter().map(|line| regions(line).len().to_string()).collect();
    assert_eq!(counts, expected);
    dfm.run(&["evaluate", "model.dfm", "data", "-o", "run", "--bootstrap", "0"]).expect_code(0);
    let lines = std::fs::read_to_string(dfm.path("run/predictions.jsonl")).expect("predictions");
    for line in lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")) {
        let path = line["path"].as_str().expect("a path");
        let judged = judged
            .iter()
            .find(|judged| judged["path"].as_str().expect("a path").replace('\\', "/").ends_with(path));
        let judged = judged.unwrap_or_else(|| panic!("{path} was not judged"));
        assert_eq!(line["regions"], judged["regions"], "{path}");
        assert_eq!(line["pixel_threshold"], judged["pixel_threshold"], "{path}");
    }
    dfm.run(&["compare", "run", "run"]).expect_code(0);
}

#[test]
fn a_legend_lies_beside_maps_and_a_threshold_that_was_given_is_none_of_pixels() {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    dfm.fit_small();
    let fit = ["fit", "good", "-o", "given.dfm", "--threshold", "0.01"];
    dfm.run(&[&fit, SMALL.as_slice()].concat()).expect_code(0);
    dfm.save("new/a.png", &pictures::defective(5, 72, 56));
    let [mut own, mut given] = ["model.dfm", "given.dfm"].map(|model| {
        let run =
            dfm.run(&["predict", model, "new", "--maps", model.trim_end_matches(".dfm"), "--format", "json"]);
        run.expect_code(1).json()
    });
    assert!(!regions(&own.remove(0)).is_empty());
    let line = given.remove(0);
    assert!(line["regions"].is_null() && line["pixel_threshold"].is_null(), "{line}");
    // Contours and the threshold's mark have the same colour; without a threshold neither is there.
    let mark = |name: &str| {
        let picture =
            image::open(dfm.path(name)).unwrap_or_else(|error| panic!("{name}: {error}")).into_rgb8();
        picture.pixels().any(|pixel| pixel.0 == [0, 229, 255])
    };
    for picture in ["dfm-legend.png", "a.png-overlay.png"] {
        assert!(mark(&format!("model/{picture}")), "{picture}");
        assert!(!mark(&format!("given/{picture}")), "{picture}");
    }
}

#[test]
fn scores_without_maps_have_no_regions() {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    dfm.save_good();
    let fit = ["fit", "good", "-o", "nll.dfm", "--score", "nll", "--pca", "3"];
    dfm.run(&[&fit, SMALL.as_slice()].concat()).expect_code(0);
    dfm.save("new/a.png", &pictures::defective(5, 72, 56));
    let line = dfm.run(&["predict", "nll.dfm", "new", "--format", "json"]).json().remove(0);
    assert!(line["regions"].is_null() && line["pixel_threshold"].is_null(), "{line}");
}
