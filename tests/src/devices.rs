//! The devices that a suite runs on.

use dfm_core::Compute;

/// Names, comma-separated, of devices that must be there: set by `cargo xtask
/// test --all-backends`, so that an absent adapter fails instead of passing
/// unseen.
pub const REQUIRED: &str = "DFM_REQUIRE_DEVICES";

/// Every device compiled in and present, by name. Prints what it found.
///
/// # Panics
///
/// If a device named in `DFM_REQUIRE_DEVICES` is missing.
pub fn available() -> Vec<(String, Compute)> {
    let mut devices = Vec::new();
    for name in ["cpu", "flex", "ndarray", "wgpu"] {
        match dfm_core::device::parse(name) {
            Ok(device) => devices.push((name.to_owned(), device)),
            Err(error) => {
                assert!(!required(name), "{name} is required here, but: {error}");
                println!("device {name}: not run: {error}");
            }
        }
    }
    let names: Vec<&str> = devices.iter().map(|(name, _)| name.as_str()).collect();
    println!("devices run: {}", names.join(", "));
    assert!(!devices.is_empty(), "no device is compiled in");
    devices
}

/// Whether every new shape costs the device seconds of compiling and tuning, so that a
/// suite must give it few.
pub fn compiles_every_shape(name: &str) -> bool {
    name == "wgpu"
}

/// Whether `name` is one of the devices that must be there.
fn required(name: &str) -> bool {
    std::env::var(REQUIRED).is_ok_and(|names| names.split(',').any(|required| required.trim() == name))
}
