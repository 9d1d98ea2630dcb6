//! Who may depend on whom.

use super::tree::Tree;

/// Every member, and the members that it may depend on.
const LAYERS: &[(&str, &[&str])] = &[
    ("dfm-image", &[]),
    ("dfm-kernels", &[]),
    ("dfm-backbone", &["dfm-image", "dfm-kernels"]),
    ("dfm-stats", &[]),
    ("dfm-core", &["dfm-backbone", "dfm-stats"]),
    ("dfm-report", &[]),
    ("dfm-synthetic", &[]),
    ("dfm-cli", &["dfm-backbone", "dfm-core", "dfm-report", "dfm-synthetic"]),
    ("dfm-tests", &["dfm-backbone", "dfm-stats", "dfm-core", "dfm-report", "dfm-synthetic", "dfm-cli"]),
    ("xtask", &["dfm-backbone", "dfm-kernels", "dfm-stats"]),
];

/// What a library must do without, and why.
const NOT_ITS_TRADE: &[(&str, &[&str], &str)] = &[
    (
        "dfm-image",
        &[
            "burn",
            "burn-flex",
            "faer",
            "clap",
            "indicatif",
            "glob",
            "rayon",
            "safetensors",
            "serde_json",
            "tempfile",
            "toml",
            "tracing-subscriber",
            "ureq",
        ],
        "it knows pictures, and neither networks nor files",
    ),
    ("dfm-kernels", &["burn", "burn-flex", "image", "serde", "safetensors"], "it knows convolutions alone"),
    (
        "dfm-backbone",
        &[
            "faer",
            "clap",
            "fast_image_resize",
            "image",
            "indicatif",
            "glob",
            "toml",
            "tracing-subscriber",
            "ureq",
            "zune-jpeg",
        ],
        "it turns prepared pictures into features",
    ),
    (
        "dfm-stats",
        &[
            "image",
            "fast_image_resize",
            "safetensors",
            "serde",
            "serde_json",
            "clap",
            "indicatif",
            "glob",
            "toml",
            "ureq",
        ],
        "it knows neither images nor files",
    ),
    (
        "dfm-core",
        &["clap", "clap_complete", "glob", "indicatif", "tempfile", "toml", "tracing-subscriber", "ureq"],
        "it opens no path and prints nothing",
    ),
    ("dfm-core", &["image", "fast_image_resize", "zune-jpeg"], "dfm-image prepares pictures"),
    (
        "dfm-report",
        &["burn", "clap", "glob", "image", "serde", "serde_json", "tempfile", "toml", "ureq"],
        "it knows pages alone",
    ),
    (
        "dfm-synthetic",
        &[
            "burn",
            "clap",
            "fast_image_resize",
            "glob",
            "rayon",
            "serde",
            "serde_json",
            "tempfile",
            "toml",
            "ureq",
        ],
        "it knows pictures alone",
    ),
    // It may write pictures, so it may depend on `image`.
    ("dfm-cli", &["fast_image_resize", "zune-jpeg"], "dfm-image prepares pictures"),
];

/// Where `anyhow` may be: programs, which add the context that libraries lack.
const PROGRAMS: [&str; 2] = ["dfm-cli", "xtask"];

/// Members depend on members as `LAYERS` says, and on no other.
pub(crate) fn crates_depend_only_downwards(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, _) in LAYERS {
        if tree.package(name).is_none() {
            findings.push(format!("{name} is not a member of the workspace"));
        }
    }
    for package in &tree.packages {
        let Some((name, allowed)) = LAYERS.iter().find(|(name, _)| *name == package.name) else {
            findings
                .push(format!("{} has no place among the layers (xtask/src/tidy/layers.rs)", package.name));
            continue;
        };
        for (other, _) in LAYERS {
            if package.depends_on(other) && !allowed.contains(other) {
                findings.push(format!("{name} depends on {other}"));
            }
        }
    }
    findings
}

/// No library depends on what is another crate's business.
pub(crate) fn libraries_keep_to_their_trade(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, banned, trade) in NOT_ITS_TRADE {
        let package = tree.package(name);
        for other in banned.iter().filter(|other| package.is_some_and(|package| package.depends_on(other))) {
            findings.push(format!("{name} depends on {other}, but {trade}"));
        }
    }
    findings
}

/// Libraries have typed errors.
pub(crate) fn anyhow_stays_in_programs(tree: &Tree) -> Vec<String> {
    let outside = tree.packages.iter().filter(|package| !PROGRAMS.contains(&package.name.as_str()));
    outside
        .filter(|package| package.depends_on("anyhow"))
        .map(|package| format!("{} depends on anyhow", package.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The workspace as it should be, but for what `dependencies` gives `odd`.
    fn members(odd: &str, dependencies: &[&str]) -> Tree {
        let start = Tree::default();
        LAYERS.iter().fold(start, |tree, (name, allowed)| {
            tree.with_package(name, name, if *name == odd { dependencies } else { allowed })
        })
    }

    #[test]
    fn an_edge_sideways_or_upwards_is_found() {
        assert_eq!(crates_depend_only_downwards(&members("", &[])), [""; 0]);
        for (odd, other) in [
            ("dfm-stats", "dfm-backbone"),
            ("dfm-backbone", "dfm-stats"),
            ("dfm-image", "dfm-backbone"),
            ("dfm-core", "dfm-cli"),
            ("dfm-cli", "dfm-tests"),
        ] {
            let findings = crates_depend_only_downwards(&members(odd, &[other]));
            assert_eq!(findings, [format!("{odd} depends on {other}")]);
        }
    }

    #[test]
    fn a_member_without_a_place_or_a_place_without_a_member_is_found() {
        let more = members("", &[]).with_package("dfm-new", "crates/dfm-new", &[]);
        assert_eq!(crates_depend_only_downwards(&more).len(), 1);
        let mut fewer = members("", &[]);
        fewer.packages.pop();
        assert_eq!(crates_depend_only_downwards(&fewer), ["xtask is not a member of the workspace"]);
    }

    #[test]
    fn another_trade_is_found() {
        assert_eq!(libraries_keep_to_their_trade(&members("", &[])), [""; 0]);
        for (odd, other) in [
            ("dfm-stats", "image"),
            ("dfm-core", "clap"),
            ("dfm-core", "image"),
            ("dfm-cli", "fast_image_resize"),
            ("dfm-backbone", "faer"),
            ("dfm-backbone", "image"),
            ("dfm-image", "burn"),
            ("dfm-report", "image"),
        ] {
            assert_eq!(libraries_keep_to_their_trade(&members(odd, &[other])).len(), 1, "{odd} {other}");
        }
    }

    #[test]
    fn anyhow_in_a_library_is_found() {
        assert_eq!(anyhow_stays_in_programs(&members("xtask", &["anyhow"])), [""; 0]);
        assert_eq!(
            anyhow_stays_in_programs(&members("dfm-core", &["anyhow"])),
            ["dfm-core depends on anyhow"]
        );
    }
}
