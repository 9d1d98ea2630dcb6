//! Compares every way to compute with plain code, in f32 and in int8, over shapes and values of the
//! fuzzer's choice: `cargo +nightly fuzz run paths` in `crates/dfm-kernels`.

#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

use arbitrary::Arbitrary;
use dfm_kernels::InstructionSet;
use libfuzzer_sys::fuzz_target;
use support::{MaxPool, Noise};

#[derive(Debug, Arbitrary)]
struct Case {
    seed: u64,
    per_group: u8,
    groups: u8,
    height: u8,
    width: u8,
    before: bool,
    average: u8,
    /// The size of the largest input, in powers of ten.
    exponent: i8,
    threads: u8,
}

fuzz_target!(|case: Case| {
    let mut noise = Noise(case.seed);
    let groups = 1 + usize::from(case.groups % 5);
    let channels = groups * (1 + usize::from(case.per_group) % (80 / groups));
    let pool = MaxPool { before: usize::from(case.before), after: 1 };
    let mut network = noise.network(channels, groups, pool);
    network.taps[0].average = 1 + usize::from(case.average % 4);
    let size = [case.height, case.width].map(|side| 1 + usize::from(side % 70));
    let scale = 10.0_f32.powi(i32::from(case.exponent % 16));
    let picture = noise.take(3 * size[0] * size[1], scale);

    let Ok(plain) = network.plan(size, InstructionSet::Portable) else { return };
    let expected = plain.run(&[&picture]).expect("features");
    let norm = expected.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    // A network of a few channels can cancel nearly all of its sums. Rounding then follows
    // the terms, not what is left of them: each value has terms of the size of the input
    // and of the biases (0.1), because the weights keep the variance.
    let terms = (expected.len() as f64).sqrt() * f64::from(scale).max(0.1);
    let magnitude = norm.max(terms);
    let threads = 1 + usize::from(case.threads % 4);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    for instructions in InstructionSet::available() {
        let plan = network.plan(size, instructions).expect("a plan");
        let actual = plan.run(&[&picture]).expect("features");
        let pairs = actual.iter().zip(&expected);
        let distance = pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt();
        // Each of the two f32 results is some 1e-7 for every layer from the truth.
        assert!(distance <= 4e-6 * magnitude, "{instructions}: {distance:e} of {magnitude:e}");
        let shared = pool.install(|| plan.run(&[&picture])).expect("features");
        assert!(shared == actual, "{instructions}: {threads} threads give other bits");
    }

    let Ok(ranges) = plain.ranges(&[&picture]) else { return };
    // Another picture, with values up to twice as large as those that the ranges were measured on.
    let picture = noise.take(picture.len(), 2.0 * scale);
    let int8 = |instructions| network.int8(size, instructions, &ranges).expect("a plan");
    let expected = int8(InstructionSet::Portable).run(&[&picture]).expect("features");
    for instructions in InstructionSet::available() {
        let plan = int8(instructions);
        assert!(plan.run(&[&picture]).expect("features") == expected, "{instructions} in int8: other bits");
        let shared = pool.install(|| plan.run(&[&picture])).expect("features");
        assert!(shared == expected, "{instructions} in int8: {threads} threads give other bits");
    }
});
