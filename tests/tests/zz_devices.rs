//! Last of the suites, by its name: says which devices the others ran on, after a
//! small computation on each, and how to add the rest.
//!
//! It has no harness, because a harness would keep its words to itself.
#![allow(clippy::print_stdout, reason = "a suite")]

use burn::tensor::Tensor;
use dfm_tests::devices;

/// Set by `cargo xtask test`, which repeats the list as its last words: a file
/// for the names, one a line.
const REPORT: &str = "DFM_DEVICES_FILE";

fn main() {
    let mut names = String::new();
    println!("\ndevices of this test run");
    for (name, device) in devices::available() {
        let numbers = Tensor::<1>::from_data([1.0_f32, 2.0, 3.0], device.device());
        let sum = numbers.sum().into_scalar::<f32>();
        assert!(sum == 6.0, "{name}: 1 + 2 + 3 = {sum}");
        names.push_str(&name);
        names.push('\n');
    }
    println!("to run every backend: cargo xtask test --all-backends\n");
    if let Some(path) = std::env::var_os(REPORT) {
        std::fs::write(&path, names).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}
