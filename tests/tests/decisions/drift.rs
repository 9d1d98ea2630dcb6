//! Drift: the tests against SciPy, their false-alarm rate over many streams, and that what
//! moved is found.

use std::fs;

use dfm_backbone::CounterGenerator;
use dfm_core::DriftParams;
use dfm_stats::{FitStatistic, Keep, PcaParams, Samples, StatsError, score_drift, subspace_drift};
use dfm_tests::program::{Program, SMALL};
use dfm_tests::tolerance::assert_close;
use dfm_tests::{golden, pictures};

#[test]
fn distances_and_p_values_are_scipys() {
    let golden = golden::tensors("statistics/drift.safetensors");
    for case in 0..6 {
        let part = |name: &str| golden.f64(&format!("{case}.{name}")).1;
        let found = score_drift(&part("reference"), &part("today")).unwrap();
        let expected = part("expected");
        assert_close("distance", found.distance, expected[0], 1e-12);
        // SciPy counts paths, we add up probabilities; what is left of one has fewer digits.
        assert!((found.p_value - expected[1]).abs() < 1e-12, "{case}: {found:?} {expected:?}");
    }
}

/// Every order of three and four different numbers, by counting.
#[test]
fn the_p_value_is_the_share_of_orders_that_are_as_far() {
    let mut distances = Vec::new();
    for order in (0_u32..1 << 7).filter(|order| order.count_ones() == 3) {
        let group = |inside: bool| -> Vec<f64> {
            (0..7).filter(|bit| (order >> bit & 1 == 1) == inside).map(f64::from).collect()
        };
        distances.push(score_drift(&group(true), &group(false)).unwrap());
    }
    assert_eq!(distances.len(), 35);
    for found in &distances {
        let as_far = distances.iter().filter(|other| other.distance >= found.distance).count();
        assert_close("share", found.p_value, as_far as f64 / 35.0, 1e-12);
    }
}

#[test]
fn equal_scores_are_no_drift_and_none_are_an_error() {
    let same = score_drift(&[1.0; 9], &[1.0; 4]).unwrap();
    assert_eq!((same.distance, same.p_value), (0.0, 1.0));
    for (reference, today) in [(&[][..], &[1.0][..]), (&[1.0], &[]), (&[1.0], &[f64::NAN])] {
        assert!(matches!(score_drift(reference, today), Err(StatsError::Shape { .. })));
    }
    // As far as it goes: two of all the orders of 2000 and 1000 numbers, too few for f64.
    let numbers: Vec<f64> = (0..3000).map(f64::from).collect();
    let apart = score_drift(&numbers[..2000], &numbers[2000..]).unwrap();
    assert!(apart.distance == 1.0 && apart.p_value < 1e-9, "{apart:?}");
}

/// Rows of far fewer samples than columns, of skewed numbers with a few strong directions.
fn stream(seed: u64, rows: usize, shift: f64, turn: bool) -> Samples {
    const COLUMNS: usize = 60;
    let noise = CounterGenerator::new(seed);
    let unit = |index: usize| f64::from(noise.unit_f32(index as u64));
    let mut values = Vec::with_capacity(rows * COLUMNS);
    for row in 0..rows {
        let base = row * (COLUMNS + 8);
        let factors: Vec<f64> = (0..8).map(|k| unit(base + k).powi(3) * 6.0 / (1 + k) as f64).collect();
        for column in 0..COLUMNS {
            let k = if turn { (column + 3) % 8 } else { column % 8 };
            let moved = if column % 2 == 0 { shift } else { 0.0 };
            values.push(factors[k] + 0.3 * unit(base + 8 + column) + moved);
        }
    }
    Samples::from_f64(values, COLUMNS).expect("finite rows")
}

/// Reconstruction errors of `new` by five components of `rows`.
fn errors(rows: &Samples, new: &Samples) -> Vec<f64> {
    let pca = PcaParams { keep: Keep::Components(5) }.check().unwrap().fit(rows).unwrap();
    pca.feature_reconstruction_error(new).unwrap()
}

/// Streams of the fitted distribution are called drift no more often than stated. With a
/// rate of one in ten, 300 streams give 30 at most on average; 48 and more have a chance
/// below one in a thousand (binomial).
#[test]
fn the_false_alarm_rate_is_at_most_the_one_stated() {
    const STREAMS: u64 = 300;
    let alpha = 0.1;
    let mut alarms = [0; 4];
    for index in 0..STREAMS {
        let rows = stream(2 * index, 20, 0.0, false);
        let statistic = FitStatistic::of(&rows).unwrap();
        let today = stream(2 * index + 1, 15, 0.0, false);
        let found = subspace_drift(&statistic, &today, 99, index).unwrap();
        // As a model has them: today's from the whole fit, the others each without itself.
        let held_out = |row: usize| {
            let others: Vec<usize> = (0..20).filter(|other| *other != row).collect();
            errors(&rows.select(&others), &rows.select(&[row]))[0]
        };
        let score = score_drift(&(0..20).map(held_out).collect::<Vec<_>>(), &errors(&rows, &today)).unwrap();
        let p_values = [score.p_value, found.mean_p_value, found.angle_p_value];
        for (count, p_value) in alarms.iter_mut().zip(p_values) {
            *count += usize::from(p_value <= alpha);
        }
        alarms[3] += usize::from(p_values.iter().any(|p_value| *p_value <= alpha / 3.0));
    }
    println!("alarms in {STREAMS} streams at {alpha}: {alarms:?} (scores, means, angles, all together)");
    assert!(alarms.iter().all(|count| *count < 48), "{alarms:?}");
    // A test that never speaks would pass too; those of rows are exact, and near their rate.
    assert!(alarms[1] > 12 && alarms[2] > 12, "{alarms:?}");
}

#[test]
fn what_moved_is_found_by_the_mean_and_what_turned_by_the_angles() {
    let statistic = FitStatistic::of(&stream(0, 60, 0.0, false)).unwrap();
    let look = |shift, turn| subspace_drift(&statistic, &stream(1, 40, shift, turn), 999, 0).unwrap();
    let (same, moved, turned) = (look(0.0, false), look(1.0, false), look(0.0, true));
    assert!(same.mean_p_value > 0.01 && same.angle_p_value > 0.01, "{same:?}");
    assert!(moved.mean_p_value <= 0.002 && moved.mean_shift > same.mean_shift, "{moved:?}");
    assert!(turned.angle_p_value <= 0.002 && turned.largest_angle > same.largest_angle, "{turned:?}");
    assert_eq!(look(0.0, true), turned, "the seed decides");
}

#[test]
fn few_rows_have_an_answer_too() {
    for (reference, today) in [(1, 1), (2, 1), (2, 2), (1, 5), (12, 1)] {
        let statistic = FitStatistic::of(&stream(0, reference, 0.0, false)).unwrap();
        let found = subspace_drift(&statistic, &stream(1, today, 0.0, false), 99, 0).unwrap();
        let p_values = [found.mean_p_value, found.angle_p_value];
        assert!(p_values.iter().all(|p_value| *p_value > 0.0 && *p_value <= 1.0), "{found:?}");
        assert!(found.mean_shift.is_finite() && found.largest_angle.is_finite(), "{found:?}");
    }
    // All the same, today as at the fit.
    let same = Samples::from_f64(vec![0.5; 12], 3).unwrap();
    let found = subspace_drift(&FitStatistic::of(&same).unwrap(), &same, 99, 0).unwrap();
    assert_eq!((found.mean_p_value, found.angle_p_value, found.subspace), (1.0, 1.0, 0));
}

#[test]
fn a_rate_out_of_range_is_refused() {
    for false_alarm in [0.0, -0.1, 0.6, f64::NAN] {
        assert!(DriftParams { false_alarm, ..DriftParams::default() }.check().is_err(), "{false_alarm}");
    }
    assert_eq!(DriftParams::default().false_alarm, 0.01);
}

fn program() -> Program {
    let dfm = Program::new(env!("CARGO_BIN_EXE_dfm-under-test"));
    for seed in 0..30 {
        dfm.save(&format!("good/{seed:02}.png"), &pictures::good(seed, 72, 56));
        dfm.save(&format!("today/{seed:02}.png"), &pictures::good(500 + seed, 72, 56));
        dfm.save(&format!("moved/{seed:02}.png"), &pictures::defective(500 + seed, 72, 56));
    }
    dfm.run(&[&["fit", "good", "-o", "model.dfm"], SMALL.as_slice()].concat()).expect_code(0);
    dfm
}

#[test]
fn the_program_tells_drift_by_its_exit_code_from_pictures_and_from_scores() {
    let dfm = program();
    let look = |today: &str| dfm.run(&["drift", "model.dfm", today, "--format", "json"]);
    let same = look("today").expect_code(0).json().remove(0);
    assert_eq!((&same["drift"], &same["pictures"]), (&false.into(), &30.into()), "{same}");
    let moved = look("moved").expect_code(1).json().remove(0);
    assert!(moved["features"][0]["mean_p_value"].as_f64().unwrap() < 0.003, "{moved}");
    assert!(dfm.run(&["drift", "model.dfm", "moved"]).expect_code(1).out.starts_with("drift: 30 pictures"));

    for (folder, code) in [("today", 0), ("moved", 1)] {
        let lines = dfm.run(&["predict", "model.dfm", folder, "--format", "json"]).out;
        fs::write(dfm.path("predictions.jsonl"), lines).unwrap();
        let found = look("predictions.jsonl").expect_code(code).json().remove(0);
        assert!(
            found["features"] == serde_json::json!([]) && found["level"] == found["false_alarm"],
            "{found}"
        );
        let said = dfm.run(&["drift", "model.dfm", "predictions.jsonl"]).out;
        assert!(said.contains("Only scores were compared"), "{said}");
    }
}

#[test]
fn what_cannot_be_compared_is_an_error() {
    let dfm = program();
    let look =
        |today: &str, more: &[&str]| dfm.run(&[&["drift", "model.dfm", today], more].concat()).expect_code(2);
    for (content, words) in [
        ("", &["found none"][..]),
        ("{\"path\": \"a.png\"}\n", &["line 1", "score"]),
        ("{\"score\": 1}\nscore\n", &["line 2", "dfm predict"]),
        ("{\"score\": 1e999}\n", &["line 1"]),
    ] {
        fs::write(dfm.path("bad.jsonl"), content).unwrap();
        look("bad.jsonl", &[]).expect_said(words);
    }
    look("nowhere", &[]).expect_said(&["nowhere"]);
    look("today", &["--false-alarm", "0"]).expect_said(&["--false-alarm", "0.001"]);
    fs::create_dir(dfm.path("empty")).unwrap();
    look("empty", &[]).expect_said(&["empty"]);
    // One picture that cannot be read is named; the others are compared all the same.
    fs::write(dfm.path("today/broken.png"), "no picture").unwrap();
    assert!(look("today", &[]).expect_said(&["broken.png"]).out.starts_with("no drift: 30"));
    dfm.run(&[&["fit", "good", "-o", "model.dfm", "--no-update"], SMALL.as_slice()].concat()).expect_code(0);
    look("today", &[]).expect_said(&["--no-update"]);
}
