//! Who may depend on whom.
//!
//! To add a crate, add its row to [`LAYERS`]. `[bans]` in deny.toml says which crates from elsewhere it
//! may use, except for those that nearly everything depends on.

use super::tree::{Package, Tree};
use Kind::{Library, Program, Tool};

/// What a member is to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It is used by others and talks to nobody.
    Library,
    /// A front-end of its own: it may use every library, and a server.
    Program,
    /// A front-end that a program may start; it knows [`PRODUCT`] alone.
    Server,
    /// A front-end for another language: it may use every library.
    #[cfg_attr(not(test), expect(dead_code, reason = "there is no binding yet"))]
    Binding,
    /// It is for those who work on the project, and is not handed out.
    Tool,
}

/// A member, what it is, and the members that it may depend on.
type Layer = (&'static str, Kind, &'static [&'static str]);

/// Every member.
const LAYERS: &[Layer] = &[
    ("dfm-graph", Library, &[]),
    ("dfm-kernels", Library, &["dfm-graph"]),
    ("dfm-image", Library, &[]),
    ("dfm-backbone", Library, &["dfm-graph", "dfm-image", "dfm-kernels"]),
    ("dfm-stats", Library, &[]),
    ("dfm-core", Library, &["dfm-backbone", "dfm-image", "dfm-stats"]),
    ("dfm-report", Library, &[]),
    ("dfm-synthetic", Library, &[]),
    ("dfm-data", Library, &["dfm-image"]),
    ("dfm-render", Library, &["dfm-core", "dfm-image"]),
    ("dfm-weights", Library, &["dfm-backbone", "dfm-image"]),
    (
        "dfm",
        Library,
        &[
            "dfm-backbone",
            "dfm-core",
            "dfm-data",
            "dfm-image",
            "dfm-render",
            "dfm-report",
            "dfm-synthetic",
            "dfm-weights",
        ],
    ),
    ("dfm-cli", Program, &["dfm"]),
    (
        "dfm-tests",
        Tool,
        &[
            "dfm",
            "dfm-backbone",
            "dfm-cli",
            "dfm-core",
            "dfm-data",
            "dfm-graph",
            "dfm-image",
            "dfm-report",
            "dfm-stats",
            "dfm-synthetic",
            "dfm-weights",
        ],
    ),
    ("dfm-convert", Tool, &["dfm-backbone"]),
    ("dfm-measure", Tool, &["dfm-backbone", "dfm-kernels", "dfm-stats"]),
    ("xtask", Tool, &[]),
];

/// The library that consumers add; a server knows no other.
const PRODUCT: &str = "dfm";

/// What a library must do without, though half of all crates have it, and why.
const NOT_ITS_TRADE: &[(&str, &[&str], &str)] = &[
    ("dfm-kernels", &["serde", "serde_json"], "it knows convolutions alone"),
    ("dfm-stats", &["serde", "serde_json"], "it knows no files"),
    ("dfm-cli", &["rayon"], "the library does the work, on threads of its own"),
    ("dfm-report", &["rayon", "serde", "serde_json"], "it knows pages alone"),
    ("dfm-synthetic", &["rayon", "serde", "serde_json"], "it knows pictures alone"),
];

/// Crates that speak to a person at a terminal, or that leave it open what failed. Libraries
/// say what happened by values and typed errors.
const FOR_FRONT_ENDS: [&str; 5] = ["anyhow", "clap", "clap_complete", "indicatif", "tracing-subscriber"];

/// Members depend on members as [`LAYERS`] says, and on no other.
pub(crate) fn crates_depend_only_downwards(tree: &Tree) -> Vec<String> {
    downwards(tree, LAYERS)
}

/// A front-end depends on no other front-end. Only a program that starts a server depends on that
/// server.
pub(crate) fn front_ends_stand_alone(tree: &Tree) -> Vec<String> {
    alone(tree, LAYERS)
}

/// No library depends on what is another crate's business.
pub(crate) fn libraries_keep_to_their_trade(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, banned, trade) in NOT_ITS_TRADE {
        let Some(package) = tree.package(name) else {
            findings.push(format!("{name} is not a member of the workspace"));
            continue;
        };
        for other in banned.iter().filter(|other| package.depends_on(other)) {
            findings.push(format!("{name} depends on {other}, but {trade}"));
        }
    }
    findings
}

/// Terminals and untyped errors are no library's business.
pub(crate) fn libraries_speak_to_no_terminal(tree: &Tree) -> Vec<String> {
    silent(tree, LAYERS)
}

fn downwards(tree: &Tree, layers: &[Layer]) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, ..) in layers {
        if tree.package(name).is_none() {
            findings.push(format!("{name} is not a member of the workspace"));
        }
    }
    for package in &tree.packages {
        let Some((name, _, allowed)) = layers.iter().find(|(name, ..)| *name == package.name) else {
            findings
                .push(format!("{} has no place among the layers (xtask/src/tidy/layers.rs)", package.name));
            continue;
        };
        for other in others(package, layers).filter(|other| !allowed.contains(other)) {
            findings.push(format!("{name} depends on {other}"));
        }
    }
    findings
}

fn alone(tree: &Tree, layers: &[Layer]) -> Vec<String> {
    let is_front_end = |kind: Kind| matches!(kind, Program | Kind::Server | Kind::Binding);
    let mut findings = Vec::new();
    for package in &tree.packages {
        let Some(kind) = kind(&package.name, layers) else { continue };
        for other in others(package, layers) {
            let Some(others) = self::kind(other, layers) else { continue };
            let allowed = match kind {
                Tool => true,
                Program => !is_front_end(others) || others == Kind::Server,
                Kind::Server => other == PRODUCT,
                Kind::Binding | Library => !is_front_end(others),
            };
            if !allowed || (others == Tool && kind != Tool) {
                findings.push(format!("{}, a {kind:?}, depends on {other}, a {others:?}", package.name));
            }
        }
    }
    findings
}

fn silent(tree: &Tree, layers: &[Layer]) -> Vec<String> {
    let libraries = tree.packages.iter().filter(|package| kind(&package.name, layers) == Some(Library));
    libraries
        .flat_map(|package| {
            let taken = FOR_FRONT_ENDS.into_iter().filter(|name| package.depends_on(name));
            taken.map(move |name| format!("{} depends on {name}, which is for front-ends", package.name))
        })
        .collect()
}

/// The members that `package` depends on.
fn others<'a>(package: &'a Package, layers: &'a [Layer]) -> impl Iterator<Item = &'static str> + 'a {
    layers.iter().map(|(name, ..)| *name).filter(|name| package.depends_on(name))
}

fn kind(name: &str, layers: &[Layer]) -> Option<Kind> {
    layers.iter().find(|(other, ..)| *other == name).map(|(_, kind, _)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The members as `layers` has them, but for what `dependencies` gives `odd`.
    fn members(layers: &[Layer], odd: &str, dependencies: &[&str]) -> Tree {
        layers.iter().fold(Tree::default(), |tree, (name, _, allowed)| {
            tree.with_package(name, name, if *name == odd { dependencies } else { allowed })
        })
    }

    #[test]
    fn an_edge_sideways_or_upwards_is_found() {
        assert_eq!(crates_depend_only_downwards(&members(LAYERS, "", &[])), [""; 0]);
        for (odd, other) in [
            ("dfm-stats", "dfm-backbone"),
            ("dfm-backbone", "dfm-stats"),
            ("dfm-core", "dfm-cli"),
            ("dfm-cli", "dfm-tests"),
        ] {
            let findings = crates_depend_only_downwards(&members(LAYERS, odd, &[other]));
            assert_eq!(findings, [format!("{odd} depends on {other}")]);
        }
    }

    #[test]
    fn a_member_without_a_place_or_a_place_without_a_member_is_found() {
        let more = members(LAYERS, "", &[]).with_package("dfm-new", "crates/dfm-new", &[]);
        assert_eq!(crates_depend_only_downwards(&more).len(), 1);
        let mut fewer = members(LAYERS, "", &[]);
        fewer.packages.pop();
        assert_eq!(crates_depend_only_downwards(&fewer), ["xtask is not a member of the workspace"]);
    }

    #[test]
    fn a_front_end_below_or_beside_another_is_found() {
        const HOUSE: &[Layer] = &[
            ("below", Library, &[]),
            (PRODUCT, Library, &["below"]),
            ("server", Kind::Server, &[PRODUCT]),
            ("binding", Kind::Binding, &[PRODUCT, "below"]),
            ("program", Program, &["server", PRODUCT, "below"]),
            ("suites", Tool, &["program", "below"]),
        ];
        assert_eq!(alone(&members(LAYERS, "", &[]), LAYERS), [""; 0]);
        assert_eq!(alone(&members(HOUSE, "", &[]), HOUSE), [""; 0]);
        for (odd, other) in [
            ("server", "below"),
            ("server", "program"),
            ("binding", "server"),
            ("program", "binding"),
            ("program", "suites"),
            ("below", "server"),
        ] {
            assert_eq!(alone(&members(HOUSE, odd, &[other]), HOUSE).len(), 1, "{odd} {other}");
        }
    }

    #[test]
    fn another_trade_is_found() {
        assert_eq!(libraries_keep_to_their_trade(&members(LAYERS, "", &[])), [""; 0]);
        for (odd, banned, _) in NOT_ITS_TRADE {
            let tree = members(LAYERS, odd, banned);
            assert_eq!(libraries_keep_to_their_trade(&tree).len(), banned.len(), "{odd}");
        }
        assert_eq!(libraries_keep_to_their_trade(&Tree::default()).len(), NOT_ITS_TRADE.len());
    }

    #[test]
    fn what_is_for_front_ends_is_found_in_every_library() {
        assert_eq!(libraries_speak_to_no_terminal(&members(LAYERS, "dfm-cli", &["clap", "anyhow"])), [""; 0]);
        for name in FOR_FRONT_ENDS {
            assert_eq!(
                libraries_speak_to_no_terminal(&members(LAYERS, "dfm-core", &[name])),
                [format!("dfm-core depends on {name}, which is for front-ends")]
            );
        }
    }
}
