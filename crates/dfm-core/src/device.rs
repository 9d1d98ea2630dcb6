//! Devices by name: the one place where `cpu`, `wgpu:1` and their like become a
//! Burn device.

use burn::tensor::Device;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
use burn::tensor::DeviceType;
use dfm_backbone::{Compute, InstructionSet};
use serde::Serialize;

/// Why a device name could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// No device is called that.
    #[error("unknown device '{name}': expected cpu, flex, ndarray, wgpu, wgpu:N or cuda:N")]
    Unknown {
        /// The name as given.
        name: String,
    },
    /// This program was built without that backend.
    #[error("device '{name}' is not compiled in: it takes a build with the feature `{feature}`")]
    NotCompiledIn {
        /// The name as given.
        name: String,
        /// The Cargo feature that adds it.
        feature: &'static str,
    },
    /// The backend is there, the adapter is not.
    #[error("device '{name}' has no adapter: found {found} of that kind; {cure}")]
    NoAdapter {
        /// The name as given.
        name: String,
        /// How many adapters the backend lists.
        found: usize,
        /// What would help.
        cure: String,
    },
}

/// One line of [`list`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceDescription {
    /// The name that [`parse`] takes.
    pub name: String,
    /// What answers to it.
    pub description: String,
    /// Whether it can be used by this program on this machine.
    pub available: bool,
}

/// The device called `name`.
///
/// Known are `cpu` (a processor, by our own kernels), `flex`, `ndarray`, `wgpu`
/// (the first adapter), `wgpu:N` and `cuda:N` (the `N`-th of [`list`], counted from
/// 0 for each kind). Adapters come in the order in which the graphics interface
/// (Vulkan, Metal, DirectX 12) or CUDA lists them: another driver, or a GPU that
/// comes or goes, changes their numbers.
///
/// # Errors
///
/// [`DeviceError`] if the name means nothing, the backend is not compiled in, or
/// there is no such adapter. Adapters are counted here because Burn itself
/// panics at the first operation on one that is missing.
///
/// # Example
///
/// ```
/// # fn main() -> Result<(), dfm_core::device::DeviceError> {
/// let device = dfm_core::device::parse("cpu")?;
/// assert!(dfm_core::device::parse("tpu").is_err());
/// # Ok(())
/// # }
/// ```
pub fn parse(name: &str) -> Result<Compute, DeviceError> {
    let unknown = || DeviceError::Unknown { name: name.to_owned() };
    let (kind, index) = match name.split_once(':') {
        Some((kind @ ("wgpu" | "cuda"), index)) => (kind, index.parse().map_err(|_| unknown())?),
        Some(_) => return Err(unknown()),
        None => (name, 0),
    };
    match kind {
        "cpu" => flex().map(Compute::with_kernels).ok_or_else(|| not_compiled_in(name, "flex")),
        "flex" => flex().map(Compute::from).ok_or_else(|| not_compiled_in(name, "flex")),
        "ndarray" => ndarray().map(Compute::from).ok_or_else(|| not_compiled_in(name, "ndarray")),
        "wgpu" => {
            let adapters = wgpu().ok_or_else(|| not_compiled_in(name, "wgpu"))?;
            nth(name, adapters, index, "install a Vulkan, Metal or DirectX 12 driver, or use the device cpu")
        }
        "cuda" => {
            let adapters = cuda().ok_or_else(|| not_compiled_in(name, "cuda"))?;
            nth(name, adapters, index, "install the NVIDIA driver and CUDA runtime, or use the device cpu")
        }
        _ => Err(unknown()),
    }
}

/// Every device name that this program knows, and whether it can be used here.
pub fn list() -> Vec<DeviceDescription> {
    let mut lines = Vec::new();
    let mut push = |name: String, description: String, available: bool| {
        lines.push(DeviceDescription { name, description, available });
    };
    let on_processor = |found: Option<Device>, what: &str, feature: &str| match found {
        Some(_) => (what.to_owned(), true),
        None => (format!("not compiled in: it takes a build with the feature {feature}"), false),
    };
    let (description, available) = on_processor(
        flex(),
        &format!("this processor, by our own kernels ({})", InstructionSet::best()),
        "flex",
    );
    push("cpu".to_owned(), description, available);
    let (description, available) = on_processor(flex(), "this processor, Burn's flex backend", "flex");
    push("flex".to_owned(), description, available);
    let (description, available) =
        on_processor(ndarray(), "this processor, Burn's ndarray backend", "ndarray");
    push("ndarray".to_owned(), description, available);
    for (kind, adapters) in [("wgpu", wgpu()), ("cuda", cuda())] {
        match adapters {
            None => push(
                kind.to_owned(),
                format!("not compiled in: it takes a build with the feature {kind}"),
                false,
            ),
            Some(adapters) if adapters.is_empty() => {
                push(
                    kind.to_owned(),
                    "compiled in, but no adapter was found: is a driver installed?".to_owned(),
                    false,
                );
            }
            Some(adapters) => {
                for (index, adapter) in adapters.iter().enumerate() {
                    push(format!("{kind}:{index}"), adapter_name(adapter), true);
                }
            }
        }
    }
    lines
}

/// The name of what computes on a device, as far as the last digits of features depend on it.
pub fn describe(compute: &Compute) -> String {
    match compute.instructions() {
        Some(instructions) => format!("own kernels, {instructions}"),
        // Burn's kernels choose their instructions too.
        None => format!("{}, {}", adapter_name(compute.device()), InstructionSet::best()),
    }
}

fn not_compiled_in(name: &str, feature: &'static str) -> DeviceError {
    DeviceError::NotCompiledIn { name: name.to_owned(), feature }
}

/// The `index`-th of the adapters; `driver` is what would help if there is none.
fn nth<D: Into<Compute>>(
    name: &str,
    adapters: Vec<D>,
    index: usize,
    driver: &str,
) -> Result<Compute, DeviceError> {
    let found = adapters.len();
    adapters.into_iter().nth(index).map(Into::into).ok_or_else(|| DeviceError::NoAdapter {
        name: name.to_owned(),
        found,
        cure: match (found, name.split(':').next().unwrap_or(name)) {
            (0, _) => driver.to_owned(),
            (1, kind) => format!("use {kind}:0"),
            (_, kind) => format!("use {kind}:0 to {kind}:{}", found - 1),
        },
    })
}

fn flex() -> Option<Device> {
    #[cfg(feature = "flex")]
    return Some(Device::flex());
    #[cfg(not(feature = "flex"))]
    None
}

#[cfg_attr(feature = "ndarray", expect(deprecated, reason = "kept until Burn drops it"))]
fn ndarray() -> Option<Device> {
    #[cfg(feature = "ndarray")]
    return Some(Device::ndarray());
    #[cfg(not(feature = "ndarray"))]
    None
}

fn wgpu() -> Option<Vec<Device>> {
    #[cfg(feature = "wgpu")]
    return Some(Device::enumerate(DeviceType::Wgpu).into_vec());
    #[cfg(not(feature = "wgpu"))]
    None
}

fn cuda() -> Option<Vec<Device>> {
    #[cfg(feature = "cuda")]
    return Some(Device::enumerate(DeviceType::Cuda).into_vec());
    #[cfg(not(feature = "cuda"))]
    None
}

/// What the driver calls an adapter. Opens it.
fn adapter_name(adapter: &Device) -> String {
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    if let Some(identity) = adapter.identity() {
        return identity.name;
    }
    format!("{adapter:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_refused_with_the_known_ones() {
        for name in ["", "gpu", "flex:0", "wgpu:", "wgpu:-1", "wgpu:one", "cuda:99999999999999999999999"] {
            let error = parse(name).expect_err(name);
            assert!(matches!(error, DeviceError::Unknown { .. }), "{name}: {error}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_backend_that_is_not_compiled_in_names_its_feature() {
        assert_eq!(
            parse("cuda:0").map(drop),
            Err(DeviceError::NotCompiledIn { name: "cuda:0".into(), feature: "cuda" })
        );
    }

    #[cfg(not(feature = "wgpu"))]
    #[test]
    fn the_message_says_which_feature_to_build_with() {
        let error = parse("wgpu:1").expect_err("not compiled in");
        assert!(error.to_string().contains("the feature `wgpu`"), "{error}");
    }

    #[cfg(feature = "flex")]
    #[test]
    fn a_missing_adapter_is_counted_and_the_cure_fits() {
        let refused = |found: usize, index: usize| {
            // Any device will do: they are only counted.
            let adapters = vec![Device::flex(); found];
            match nth(&format!("wgpu:{index}"), adapters, index, "install a driver") {
                Err(DeviceError::NoAdapter { name, found, cure }) => (name, found, cure),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refused(0, 0), ("wgpu:0".into(), 0, "install a driver".into()));
        assert_eq!(refused(1, 1), ("wgpu:1".into(), 1, "use wgpu:0".into()));
        assert_eq!(refused(3, 7), ("wgpu:7".into(), 3, "use wgpu:0 to wgpu:2".into()));
        assert!(nth("wgpu:1", vec![Device::flex(); 2], 1, "install a driver").is_ok());
    }

    #[test]
    fn every_available_line_parses() {
        for line in list().iter().filter(|line| line.available) {
            parse(&line.name).unwrap_or_else(|error| panic!("{}: {error}", line.name));
        }
    }
}
