//! The weights that can be fetched from their official home.

use dfm_image::InputContract;

/// The digits of a SHA-256 that tell a file from an altered one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// The whole SHA-256, in hexadecimal.
    Sha256(&'static str),
    /// The first eight digits, which the publisher puts into the name of the file.
    Prefix8(&'static str),
}

impl Checksum {
    /// Whether `sha256`, in lower-case hexadecimal, has these digits.
    pub fn matches(&self, sha256: &str) -> bool {
        match self {
            Self::Sha256(expected) => sha256 == *expected,
            Self::Prefix8(expected) => sha256.len() == 64 && sha256.starts_with(expected),
        }
    }

    /// The digits that are known.
    pub fn digits(&self) -> &'static str {
        match self {
            Self::Sha256(digits) | Self::Prefix8(digits) => digits,
        }
    }
}

/// One file that can be fetched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CatalogueEntry {
    /// The name of the weights, which is also that of their [`Architecture`](crate::Architecture).
    pub name: &'static str,
    /// The URL of the folder that holds the file, with a slash at the end.
    pub endpoint: &'static str,
    /// The name of the file.
    pub file_name: &'static str,
    /// The digits to check the file by.
    pub checksum: Checksum,
    /// The licence of the weights.
    pub license: &'static str,
    /// What the network expects of pictures.
    pub input: InputContract,
}

impl CatalogueEntry {
    /// The URL of the file at its official home.
    pub fn url(&self) -> String {
        format!("{}{}", self.endpoint, self.file_name)
    }
}

/// Every file that can be fetched: torchvision's first ImageNet weights, which other implementations
/// call pretrained. Their publisher puts eight digits of the SHA-256 into the name of each file.
pub fn catalogue() -> &'static [CatalogueEntry] {
    &CATALOGUE
}

const CATALOGUE: [CatalogueEntry; 8] = [
    torchvision("resnet18", "resnet18-f37072fd.pth", "f37072fd"),
    torchvision("resnet34", "resnet34-b627a593.pth", "b627a593"),
    torchvision("resnet50", "resnet50-0676ba61.pth", "0676ba61"),
    torchvision("resnet101", "resnet101-63fe2227.pth", "63fe2227"),
    torchvision("resnet152", "resnet152-394f9c45.pth", "394f9c45"),
    torchvision("wide_resnet50_2", "wide_resnet50_2-95faca4d.pth", "95faca4d"),
    torchvision("wide_resnet101_2", "wide_resnet101_2-32ee1156.pth", "32ee1156"),
    torchvision("resnext50_32x4d", "resnext50_32x4d-7cdf4587.pth", "7cdf4587"),
];

const fn torchvision(name: &'static str, file_name: &'static str, digits: &'static str) -> CatalogueEntry {
    CatalogueEntry {
        name,
        endpoint: "https://download.pytorch.org/models/",
        file_name,
        checksum: Checksum::Prefix8(digits),
        license: "BSD-3-Clause (torchvision)",
        input: InputContract::imagenet(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::Architecture;

    #[test]
    fn every_entry_has_an_architecture_and_digits_that_its_name_carries() {
        for entry in catalogue() {
            assert!(Architecture::known(entry.name).is_some(), "{}", entry.name);
            assert!(entry.file_name.contains(entry.checksum.digits()), "{}", entry.file_name);
            assert_eq!(entry.checksum.digits().len(), 8);
        }
    }

    #[test]
    fn a_prefix_needs_a_whole_hash_to_match() {
        let checksum = Checksum::Prefix8("f37072fd");
        assert!(checksum.matches(&format!("f37072fd{}", "0".repeat(56))));
        assert!(!checksum.matches("f37072fd"));
        assert!(!checksum.matches(&"0".repeat(64)));
    }
}
