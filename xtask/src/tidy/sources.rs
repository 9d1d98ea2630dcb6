//! Rules for the sources.

use super::code::{code_only, has_token, lines_where};
use super::tree::{File, Tree};

/// Largest number of lines of a Rust file, without its tests.
const LONGEST: usize = 400;
/// The one file that names the linear algebra library.
const SEAM: &str = "crates/dfm-stats/src/decompose.rs";
/// The crate that may hold unsafe code, and its file that allows it.
const KERNELS: &str = "crates/dfm-kernels/";
const UNSAFE: &str = "crates/dfm-kernels/src/kernels/mod.rs";
/// The suites, whose files may be long.
const SUITES: &str = "tests/tests/";
/// Where paths of one person's or one machine's disk begin.
const HOMES: [&str; 4] = ["home", "root", "work", "Users"];

/// The decomposition happens in one file.
pub(crate) fn faer_has_one_seam(tree: &Tree) -> Vec<String> {
    if !has_token(&code_only(tree.text(SEAM)), "faer") {
        return vec![format!("{SEAM} does not name faer: is the seam elsewhere?")];
    }
    let others = tree.rust("").filter(|file| file.path != SEAM);
    others.flat_map(|file| findings(file, &code_only(&file.text), |line| has_token(line, "faer"))).collect()
}

/// Only kernels may hold unsafe code. Elsewhere the workspace's lints forbid it. Their crate only
/// denies it, and one of its files allows it.
pub(crate) fn unsafe_only_in_kernels(tree: &Tree) -> Vec<String> {
    let others = tree.rust(KERNELS).filter(|file| file.path != UNSAFE);
    let mut found: Vec<String> =
        others.flat_map(|file| findings(file, &file.text, |line| line.contains("unsafe_code"))).collect();
    if !tree.text(UNSAFE).contains("unsafe_code") {
        found.push(format!("{UNSAFE} does not speak of unsafe_code: are the kernels elsewhere?"));
    }
    found
}

/// One concern a file.
pub(crate) fn files_are_short(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for file in tree.rust("") {
        let lines = file.text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        let is_suite = file.path.starts_with(SUITES) || file.path.split('/').rev().nth(1) == Some("tests");
        if lines > LONGEST && !is_suite {
            findings.push(format!("{}: {lines} lines, {LONGEST} allowed", file.path));
        }
    }
    findings
}

/// No test and no example is left out.
pub(crate) fn nothing_is_skipped(tree: &Tree) -> Vec<String> {
    let skipped_example = concat!("```", "ignore");
    let mut found = Vec::new();
    for file in tree.rust("") {
        let code = code_only(&file.text);
        found.extend(findings(file, &code, |line| has_token(line, "#[ignore")));
        found.extend(findings(file, &file.text, |line| {
            line.trim_start().starts_with("//") && line.contains(skipped_example)
        }));
    }
    found
}

/// No file names a path of one machine.
pub(crate) fn no_path_of_one_machine(tree: &Tree) -> Vec<String> {
    tree.files.iter().flat_map(|file| findings(file, &file.text, names_a_home)).collect()
}

/// Whether `line` holds an absolute path into one of [`HOMES`].
fn names_a_home(line: &str) -> bool {
    line.match_indices('/').any(|(slash, _)| {
        let before = line[..slash].chars().next_back();
        let starts = !before.is_some_and(|c| c.is_alphanumeric() || "._-~/*})>$".contains(c));
        let rest = &line[slash + 1..];
        let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').next().unwrap_or("");
        starts && HOMES.contains(&name)
    })
}

/// A finding for each line of `text`, which stands for `file`, that `wanted` picks.
fn findings(file: &File, text: &str, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = lines_where(text, wanted);
    let shown = |number: usize| file.text.lines().nth(number - 1).unwrap_or("").trim().to_owned();
    lines.into_iter().map(|(number, _)| format!("{}:{number}: {}", file.path, shown(number))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seam, and `text` in the file at `path`.
    fn tree(path: &str, text: &str) -> Tree {
        Tree::of_files(&[(SEAM, "use faer::Mat;"), (path, text)])
    }

    const CORE: &str = "crates/dfm-core/src/a.rs";

    #[test]
    fn a_second_seam_and_a_missing_one_are_found() {
        assert_eq!(faer_has_one_seam(&tree(CORE, "// faer")), [""; 0]);
        assert_eq!(faer_has_one_seam(&tree(CORE, "use faer::Mat;")).len(), 1);
        assert_eq!(faer_has_one_seam(&Tree::default()).len(), 1);
    }

    #[test]
    fn unsafe_outside_a_kernel_is_found() {
        let line = "#![expect(unsafe_code)]";
        let kernels = |more| Tree::of_files(&[(UNSAFE, line), more]);
        assert_eq!(
            unsafe_only_in_kernels(&kernels(("crates/dfm-kernels/src/plan.rs", "let a = 1;"))),
            [""; 0]
        );
        assert_eq!(unsafe_only_in_kernels(&kernels(("crates/dfm-kernels/src/plan.rs", line))).len(), 1);
        assert_eq!(unsafe_only_in_kernels(&Tree::default()).len(), 1);
    }

    #[test]
    fn a_long_file_is_found() {
        let line = "fn f() {}\n";
        let tests = format!("#[cfg(test)]\n{}", line.repeat(2 * LONGEST));
        assert_eq!(files_are_short(&tree(CORE, &(line.repeat(LONGEST) + &tests))), [""; 0]);
        assert_eq!(files_are_short(&tree("tests/tests/a/b.rs", &line.repeat(LONGEST + 1))), [""; 0]);
        assert_eq!(files_are_short(&tree(CORE, &line.repeat(LONGEST + 1))).len(), 1);
    }

    #[test]
    fn what_is_skipped_is_found() {
        assert_eq!(nothing_is_skipped(&tree(CORE, "// #[ignore]\n//! ```\n//! ```text")), [""; 0]);
        let example = format!("/// ```{}", "ignore");
        for line in ["#[ignore]", "#[ignore = \"slow\"]", &example] {
            assert_eq!(nothing_is_skipped(&tree(CORE, line)).len(), 1, "{line}");
        }
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        for home in HOMES {
            for line in [format!("open('/{home}/me/x')"), format!("/{home}"), format!("cd /{home}/")] {
                assert_eq!(no_path_of_one_machine(&tree("a.py", &line)).len(), 1, "{line}");
            }
            for line in [format!("https://a.org/{home}/x"), format!("../{home}/x"), format!("/{home}bench/x")]
            {
                assert_eq!(no_path_of_one_machine(&tree("a.py", &line)), [""; 0], "{line}");
            }
        }
    }
}
