//! `cargo xtask tidy`: holds what ARCHITECTURE.md promises and a program can check.
//!
//! What clippy (clippy.toml), rustc's lints (Cargo.toml) and cargo-deny (deny.toml) can check is left
//! to them.
//!
//! A check is a function from the [`Tree`] to its findings; each has a test that
//! shows it can fail.

mod code;
mod cycles;
mod fixtures;
mod imports;
mod layers;
mod manifests;
mod readme;
mod sources;
mod tree;

use anyhow::ensure;

use crate::workspace;
use tree::Tree;

/// One check: what it holds, and the function that finds where it does not hold.
type Check = (&'static str, fn(&Tree) -> Vec<String>);

const CHECKS: &[Check] = &[
    ("crates depend only downwards", layers::crates_depend_only_downwards),
    ("front-ends stand alone", layers::front_ends_stand_alone),
    ("libraries keep to their trade", layers::libraries_keep_to_their_trade),
    ("libraries speak to no terminal", layers::libraries_speak_to_no_terminal),
    ("modules import in no circle", cycles::modules_import_in_no_circle),
    ("one feature set", manifests::dependencies_come_from_the_workspace),
    ("no dev-dependencies", manifests::members_have_no_dev_dependencies),
    ("every shared dependency is used", manifests::every_workspace_dependency_is_used),
    ("every dependency is named in its code", manifests::every_dependency_is_named_in_its_code),
    ("every member takes the lints", manifests::every_member_takes_the_lints),
    ("faer has one seam", sources::faer_has_one_seam),
    ("unsafe only in kernels", sources::unsafe_only_in_kernels),
    ("files are short", sources::files_are_short),
    ("nothing is skipped", sources::nothing_is_skipped),
    ("no path of one machine", sources::no_path_of_one_machine),
    ("fixtures have their script", fixtures::fixtures_have_their_script),
    ("fixtures are small", fixtures::fixtures_are_small),
    ("the workflow runs the README's commands", readme::the_workflow_runs_the_readmes_commands),
];

/// Runs every check.
///
/// # Errors
///
/// If one finds something, or the tree cannot be read.
pub(crate) fn run() -> anyhow::Result<()> {
    let tree = Tree::read(&workspace::root())?;
    let mut count = 0;
    for (name, check) in CHECKS {
        for finding in check(&tree) {
            println!("{name}: {finding}");
            count += 1;
        }
    }
    ensure!(count == 0, "tidy: findings: {count}");
    println!(
        "tidy: {} checks, {} files, {} packages: all is well",
        CHECKS.len(),
        tree.files.len(),
        tree.packages.len()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_tree_does_not_pass_unseen() {
        let findings: usize = CHECKS.iter().map(|(_, check)| check(&Tree::default()).len()).sum();
        assert!(findings > 0);
    }
}
