//! Rules for the members' manifests, so that every command resolves to the same dependencies.

use super::code::{code_only, has_token};
use super::tree::{Package, Tree};

/// The member that may hold unsafe code.
const WITH_UNSAFE: &str = "dfm-kernels";

/// Dependencies, with their versions and features, are written in one place.
pub(crate) fn dependencies_come_from_the_workspace(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        let path = manifest_path(package);
        for (name, value) in section(tree.text(&path), "[dependencies]") {
            let inherits = value.starts_with(".workspace") || value.contains("workspace = true");
            if !inherits || value.contains("features") {
                findings.push(format!(
                    "{path}: {name} takes its version or features from elsewhere than the workspace"
                ));
            }
        }
    }
    findings
}

/// Tests run with the dependencies of the program. A dev-dependency could widen the features of a
/// shared one, and Burn would be compiled twice.
pub(crate) fn members_have_no_dev_dependencies(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.dev) {
            findings.push(format!("{}: {} is a dev-dependency", package.name, dependency.name));
        }
    }
    findings
}

/// Every dependency of the workspace is used by a member.
pub(crate) fn every_workspace_dependency_is_used(tree: &Tree) -> Vec<String> {
    let shared = section(tree.text("Cargo.toml"), "[workspace.dependencies]");
    if shared.is_empty() {
        return vec!["Cargo.toml lists no shared dependency".to_owned()];
    }
    let unused =
        shared.iter().filter(|(name, _)| !tree.packages.iter().any(|package| package.depends_on(name)));
    unused.map(|(name, _)| format!("Cargo.toml: no member depends on {name}")).collect()
}

/// Every dependency of a member is named in its code. Optional dependencies are exempt, because
/// some only switch on features of others.
pub(crate) fn every_dependency_is_named_in_its_code(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        let folder = format!("{}/", package.folder);
        let code: Vec<String> = tree.rust(&folder).map(|file| code_only(&file.text)).collect();
        for dependency in package.dependencies.iter().filter(|dependency| !dependency.optional) {
            let name = dependency.name.replace('-', "_");
            if !code.iter().any(|code| has_token(code, &name)) {
                findings.push(format!("{} does not name {name} in its code", package.name));
            }
        }
    }
    findings
}

/// The workspace's lints hold everywhere. [`WITH_UNSAFE`] must write them out.
pub(crate) fn every_member_takes_the_lints(tree: &Tree) -> Vec<String> {
    let takes = |package: &&Package| {
        let manifest = tree.text(&manifest_path(package));
        if package.name != WITH_UNSAFE {
            return section(manifest, "[lints]").contains(&("workspace", "= true"));
        }
        ["rust", "clippy", "rustdoc"].iter().all(|tool| {
            let mut shared = section(tree.text("Cargo.toml"), &format!("[workspace.lints.{tool}]"));
            let forbids = shared.iter_mut().find(|(name, _)| *name == "unsafe_code");
            if let Some((_, level)) = forbids {
                // One of its files takes this back, which `forbid` would not let it do.
                *level = "= \"deny\"";
            }
            section(manifest, &format!("[lints.{tool}]")) == shared
        })
    };
    let without = tree.packages.iter().filter(|package| !takes(package));
    without.map(|package| format!("{} does not take the workspace's lints", package.name)).collect()
}

fn manifest_path(package: &Package) -> String {
    format!("{}/Cargo.toml", package.folder)
}

/// The keys of one section of a manifest, each with the rest of its line.
fn section<'a>(manifest: &'a str, header: &str) -> Vec<(&'a str, &'a str)> {
    manifest
        .lines()
        .skip_while(|line| line.trim() != header)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            let end = line.find(['.', ' ', '=']).unwrap_or(line.len());
            (&line[..end], line[end..].trim())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "[workspace.dependencies]\n# why\nhalf = \"2\"\n\n[profile.release]\ndebug = false\n";

    fn one(manifest: &str, source: &str, dependencies: &[&str]) -> Tree {
        let files = [("Cargo.toml", ROOT), ("a/Cargo.toml", manifest), ("a/src/lib.rs", source)];
        Tree::of_files(&files).with_package("a", "a", dependencies)
    }

    #[test]
    fn a_version_or_a_feature_of_ones_own_is_found() {
        for (line, findings) in [
            ("half.workspace = true", 0),
            ("half = { workspace = true, optional = true }", 0),
            ("half = \"2\"", 1),
            ("half = { workspace = true, features = [\"std\"] }", 1),
        ] {
            let tree = one(&format!("[dependencies]\n{line}\n"), "", &["half"]);
            assert_eq!(dependencies_come_from_the_workspace(&tree).len(), findings, "{line}");
        }
    }

    #[test]
    fn a_dev_dependency_is_found() {
        let mut tree = one("", "", &["half"]);
        assert_eq!(members_have_no_dev_dependencies(&tree), [""; 0]);
        tree.packages[0].dependencies[0].dev = true;
        assert_eq!(members_have_no_dev_dependencies(&tree), ["a: half is a dev-dependency"]);
    }

    #[test]
    fn a_shared_dependency_that_nobody_takes_is_found() {
        assert_eq!(every_workspace_dependency_is_used(&one("", "", &["half"])), [""; 0]);
        assert_eq!(
            every_workspace_dependency_is_used(&one("", "", &[])),
            ["Cargo.toml: no member depends on half"]
        );
    }

    #[test]
    fn a_dependency_that_the_code_does_not_name_is_found() {
        assert_eq!(every_dependency_is_named_in_its_code(&one("", "use half::f16;", &["half"])), [""; 0]);
        assert_eq!(every_dependency_is_named_in_its_code(&one("", "// half", &["half"])).len(), 1);
    }

    #[test]
    fn a_member_without_the_lints_is_found() {
        assert_eq!(every_member_takes_the_lints(&one("[lints]\nworkspace = true\n", "", &[])), [""; 0]);
        assert_eq!(
            every_member_takes_the_lints(&one("[lints.rust]\nmissing_docs = \"warn\"\n", "", &[])).len(),
            1
        );
    }

    #[test]
    fn the_member_with_unsafe_code_has_every_other_lint() {
        let shared = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\nmissing_docs = \"deny\"\n";
        for (lints, findings) in [
            ("[lints.rust]\nunsafe_code = \"deny\"\nmissing_docs = \"deny\"\n", 0),
            ("[lints.rust]\nunsafe_code = \"deny\"\n", 1),
            ("[lints.rust]\nunsafe_code = \"allow\"\nmissing_docs = \"deny\"\n", 1),
            ("[lints]\nworkspace = true\n", 1),
        ] {
            let tree = Tree::of_files(&[("Cargo.toml", shared), ("k/Cargo.toml", lints)]);
            let tree = tree.with_package(WITH_UNSAFE, "k", &[]);
            assert_eq!(every_member_takes_the_lints(&tree).len(), findings, "{lints}");
        }
    }
}
