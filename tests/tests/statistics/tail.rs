//! Thresholds from the tail of few scores, against SciPy.

use dfm_stats::Tail;
use dfm_tests::golden;

#[test]
fn thresholds_rates_and_p_values_are_scipys() {
    let golden = golden::tensors("statistics/tail.safetensors");
    for case in 0..10 {
        let part = |name: &str| golden.f64(&format!("{case}.{name}")).1;
        let (asked, expected) = (part("asked"), part("expected"));
        let tail = Tail::of(&part("scores")).unwrap();
        let threshold = tail.threshold(asked[0]);
        let [low, high] = tail.rates(threshold);
        let found = [threshold, low, high, tail.p_value(asked[1])];
        for (found, expected) in found.into_iter().zip(expected) {
            // The quantile of Student's t is found by halving in one library and by a series in the other.
            let apart = (found - expected).abs() / expected.abs().max(1e-12);
            assert!(apart < 1e-6, "case {case}: {found} for {expected}");
        }
    }
}
