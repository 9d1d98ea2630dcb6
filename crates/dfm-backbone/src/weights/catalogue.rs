//! The weights that can be fetched from their official home.

use dfm_image::InputContract;

/// The digits of a SHA-256 that tell a file from an altered one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// The whole SHA-256, in hexadecimal, as the publisher states it.
    Sha256(&'static str),
    /// The first eight digits, which the publisher puts into the name of the file.
    Prefix8(&'static str),
    /// The whole SHA-256, in hexadecimal, as several copies of the file state it that others keep. The
    /// publisher states none.
    Copies(&'static str),
    /// None: the publisher states none, and nobody else does.
    Unstated,
}

impl Checksum {
    /// Whether `sha256`, in lower-case hexadecimal, has these digits.
    pub fn matches(&self, sha256: &str) -> bool {
        match self {
            Self::Sha256(expected) | Self::Copies(expected) => sha256 == *expected,
            Self::Prefix8(expected) => sha256.len() == 64 && sha256.starts_with(expected),
            Self::Unstated => true,
        }
    }

    /// The digits that are known; empty if none are.
    pub fn digits(&self) -> &'static str {
        match self {
            Self::Sha256(digits) | Self::Prefix8(digits) | Self::Copies(digits) => digits,
            Self::Unstated => "",
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

/// Every file that can be fetched from its official home:
///
/// - torchvision's first ImageNet weights, which other implementations call pretrained. Their publisher puts
///   eight digits of the SHA-256 into the name of each file.
/// - DINOv2 with and without registers. Their publisher states no digits.
pub fn catalogue() -> &'static [CatalogueEntry] {
    &CATALOGUE
}

const CATALOGUE: [CatalogueEntry; 14] = [
    torchvision("resnet18", "resnet18-f37072fd.pth", "f37072fd"),
    torchvision("resnet34", "resnet34-b627a593.pth", "b627a593"),
    torchvision("resnet50", "resnet50-0676ba61.pth", "0676ba61"),
    torchvision("resnet101", "resnet101-63fe2227.pth", "63fe2227"),
    torchvision("resnet152", "resnet152-394f9c45.pth", "394f9c45"),
    torchvision("wide_resnet50_2", "wide_resnet50_2-95faca4d.pth", "95faca4d"),
    torchvision("wide_resnet101_2", "wide_resnet101_2-32ee1156.pth", "32ee1156"),
    torchvision("resnext50_32x4d", "resnext50_32x4d-7cdf4587.pth", "7cdf4587"),
    dinov2(
        "vit_small_patch14_dinov2",
        "https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/",
        "dinov2_vits14_pretrain.pth",
        Checksum::Copies("b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9"),
    ),
    dinov2(
        "vit_base_patch14_dinov2",
        "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitb14/",
        "dinov2_vitb14_pretrain.pth",
        Checksum::Copies("0b8b82f85de91b424aded121c7e1dcc2b7bc6d0adeea651bf73a13307fad8c73"),
    ),
    dinov2(
        "vit_large_patch14_dinov2",
        "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/",
        "dinov2_vitl14_pretrain.pth",
        Checksum::Copies("d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428"),
    ),
    dinov2(
        "vit_small_patch14_reg4_dinov2",
        "https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/",
        "dinov2_vits14_reg4_pretrain.pth",
        Checksum::Unstated,
    ),
    dinov2(
        "vit_base_patch14_reg4_dinov2",
        "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitb14/",
        "dinov2_vitb14_reg4_pretrain.pth",
        Checksum::Copies("73182a088cf94833c94b1666d1c99e02fe87e2007bff57b564fb6206e25dba71"),
    ),
    dinov2(
        "vit_large_patch14_reg4_dinov2",
        "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/",
        "dinov2_vitl14_reg4_pretrain.pth",
        Checksum::Unstated,
    ),
];

const fn dinov2(
    name: &'static str,
    endpoint: &'static str,
    file_name: &'static str,
    checksum: Checksum,
) -> CatalogueEntry {
    let input = InputContract::imagenet().with_size(518, 518);
    CatalogueEntry { name, endpoint, file_name, checksum, license: "Apache-2.0 (Meta)", input }
}

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
    fn every_entry_has_an_architecture_and_its_input_and_digits_of_their_kind() {
        for entry in catalogue() {
            let architecture = Architecture::known(entry.name).expect(entry.name);
            assert_eq!(entry.input, architecture.usual_input(), "{}", entry.name);
            let digits = entry.checksum.digits();
            match entry.checksum {
                Checksum::Prefix8(_) => {
                    assert!(digits.len() == 8 && entry.file_name.contains(digits), "{}", entry.file_name);
                }
                Checksum::Sha256(_) | Checksum::Copies(_) => assert_eq!(digits.len(), 64),
                Checksum::Unstated => assert_eq!(digits, ""),
            }
            assert!(digits.bytes().all(|byte| b"0123456789abcdef".contains(&byte)), "{digits}");
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
