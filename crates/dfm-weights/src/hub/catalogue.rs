//! Repositories of a hub that have a short name.

use super::reference::HubReference;

/// A repository of a hub that has a short name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubEntry {
    /// The name of the weights, which is also that of their network.
    pub name: &'static str,
    /// The repository, as `hf:OWNER/NAME`.
    pub repository: &'static str,
    /// The licence that the page of the repository states.
    pub license: &'static str,
}

impl HubEntry {
    /// The repository at its newest commit.
    pub fn reference(&self) -> HubReference {
        self.repository.parse().expect("the name of a repository")
    }
}

/// Repositories of timm, each with the usual weights of a network. A repository itself states what its
/// network expects of pictures, and the hub the SHA-256 of its file.
pub fn hub_catalogue() -> &'static [HubEntry] {
    &CATALOGUE
}

const CATALOGUE: [HubEntry; 6] = [
    entry("mobilenetv3_small_100", "hf:timm/mobilenetv3_small_100.lamb_in1k"),
    entry("mobilenetv3_large_100", "hf:timm/mobilenetv3_large_100.ra_in1k"),
    entry("efficientnet_b0", "hf:timm/efficientnet_b0.ra_in1k"),
    entry("efficientnet_b3", "hf:timm/efficientnet_b3.ra2_in1k"),
    entry("convnext_atto", "hf:timm/convnext_atto.d2_in1k"),
    entry("convnext_tiny", "hf:timm/convnext_tiny.in12k_ft_in1k"),
];

const fn entry(name: &'static str, repository: &'static str) -> HubEntry {
    HubEntry { name, repository, license: "Apache-2.0 (timm)" }
}

#[cfg(test)]
mod tests {
    use dfm_backbone::{Architecture, catalogue};

    use super::*;

    #[test]
    fn every_entry_names_a_repository_of_its_network() {
        for entry in hub_catalogue() {
            assert!(Architecture::known(entry.name).is_some(), "{}", entry.name);
            assert_eq!(entry.reference().name().split('.').next(), Some(entry.name));
            assert!(catalogue().iter().all(|other| other.name != entry.name), "{}", entry.name);
        }
    }
}
