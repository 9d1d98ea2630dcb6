//! What the sources must not hold.

use super::code::{code_only, has_token, lines_where};
use super::tree::{File, Tree};

/// Lines of a Rust file, its tests not counted.
const LONGEST: usize = 400;
/// Below these folders nothing is printed.
const LIBRARIES: [&str; 6] = [
    "crates/dfm-backbone/src/",
    "crates/dfm-kernels/src/",
    "crates/dfm-stats/src/",
    "crates/dfm-core/src/",
    "crates/dfm-report/src/",
    "crates/dfm-synthetic/src/",
];
/// Below these folders no path is named.
const PATHLESS: [&str; 5] = [
    "crates/dfm-kernels/src/",
    "crates/dfm-stats/src/",
    "crates/dfm-core/src/",
    "crates/dfm-report/src/",
    "crates/dfm-synthetic/src/",
];
/// Where pictures are decoded and resized.
const PREPROCESSING: &str = "crates/dfm-backbone/src/preprocess/";
/// The one file that names the linear algebra library.
const SEAM: &str = "crates/dfm-stats/src/decompose.rs";
/// The suites, whose files may be long.
const SUITES: &str = "tests/tests/";
/// Where paths of one person's or one machine's disk begin.
const HOMES: [&str; 4] = ["home", "root", "work", "Users"];

/// Only the program and the chores print.
pub(crate) fn libraries_print_nothing(tree: &Tree) -> Vec<String> {
    find_in_code(
        tree,
        &LIBRARIES,
        &["print!", "println!", "eprint!", "eprintln!", "dbg!", "stdout", "stderr"],
    )
}

/// Models pass through `Read` and `Write`.
pub(crate) fn no_path_is_opened(tree: &Tree) -> Vec<String> {
    find_in_code(tree, &PATHLESS, &["fs::", "std::fs", "Path", "PathBuf", "File", "OpenOptions"])
}

/// Pictures are decoded and resized in the backbone's preprocessing; the program
/// writes some, and measures with none.
pub(crate) fn pictures_are_decoded_in_one_place(tree: &Tree) -> Vec<String> {
    let decoders =
        ["fast_image_resize", "zune_jpeg", "ImageReader", "load_from_memory", "from_decoder", "image::open"];
    let outside =
        tree.rust("crates/").filter(|file| !file.path.starts_with(PREPROCESSING)).flat_map(|file| {
            findings(file, &code_only(&file.text), |line| decoders.iter().any(|name| has_token(line, name)))
        });
    let mut found: Vec<String> = outside.collect();
    if tree.rust(PREPROCESSING).next().is_none() {
        found.push(format!("{PREPROCESSING}: no Rust file there"));
    }
    found
}

/// The decomposition happens in one file.
pub(crate) fn faer_has_one_seam(tree: &Tree) -> Vec<String> {
    if !has_token(&code_only(tree.text(SEAM)), "faer") {
        return vec![format!("{SEAM} does not name faer: is the seam elsewhere?")];
    }
    let others = tree.rust("").filter(|file| file.path != SEAM);
    others.flat_map(|file| findings(file, &code_only(&file.text), |line| has_token(line, "faer"))).collect()
}

/// Unsafe code is for kernels alone.
pub(crate) fn unsafe_only_in_kernels(tree: &Tree) -> Vec<String> {
    let in_kernels = |file: &&File| {
        let mut parts = file.path.split('/');
        parts.next() == Some("crates")
            && parts.nth(1) == Some("src")
            && parts.next().is_some_and(|part| part.starts_with("kernels"))
    };
    let others = tree.rust("").filter(|file| !in_kernels(file));
    others.flat_map(|file| findings(file, &code_only(&file.text), |line| has_token(line, "unsafe"))).collect()
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

/// No gap is left to be filled, and no test is left out.
pub(crate) fn nothing_is_left_unfinished(tree: &Tree) -> Vec<String> {
    let unfinished = ["todo!", "unimplemented!", "#[ignore"];
    let skipped_example = concat!("```", "ignore");
    let mut found = Vec::new();
    for file in tree.rust("") {
        let code = code_only(&file.text);
        found.extend(findings(file, &code, |line| unfinished.iter().any(|pattern| has_token(line, pattern))));
        found.extend(findings(file, &file.text, |line| {
            line.trim_start().starts_with("//") && line.contains(skipped_example)
        }));
    }
    found
}

/// What is written holds on every machine.
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

/// Where the code below `folders` holds one of `patterns`.
fn find_in_code(tree: &Tree, folders: &[&str], patterns: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for folder in folders {
        let mut files = tree.rust(folder).peekable();
        if files.peek().is_none() {
            found.push(format!("{folder}: no Rust file there"));
        }
        for file in files {
            let code = code_only(&file.text);
            found.extend(findings(file, &code, |line| {
                patterns.iter().any(|pattern| has_token(line, pattern))
            }));
        }
    }
    found
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

    /// One file in each library, and `text` in the file at `path`.
    fn tree(path: &str, text: &str) -> Tree {
        let mut files: Vec<(&str, &str)> = vec![
            ("crates/dfm-backbone/src/lib.rs", "//! Prints: println!"),
            ("crates/dfm-core/src/lib.rs", "//! Prints: println!"),
            ("crates/dfm-kernels/src/lib.rs", "//! Opens: File"),
            ("crates/dfm-report/src/lib.rs", "//! Prints: println!"),
            ("crates/dfm-synthetic/src/lib.rs", "//! Prints: println!"),
            ("crates/dfm-backbone/src/preprocess/decode.rs", "use image::ImageReader;"),
            (SEAM, "use faer::Mat;"),
        ];
        files.push((path, text));
        Tree::of_files(&files)
    }

    const CORE: &str = "crates/dfm-core/src/a.rs";

    #[test]
    fn a_print_in_a_library_is_found() {
        assert_eq!(libraries_print_nothing(&tree("xtask/src/a.rs", "println!(\"x\")")), [""; 0]);
        for print in ["println!(\"x\")", "eprint!(\"x\")", "std::io::stdout()"] {
            assert_eq!(libraries_print_nothing(&tree(CORE, print)).len(), 1, "{print}");
        }
        assert!(!libraries_print_nothing(&Tree::default()).is_empty());
    }

    #[test]
    fn a_path_in_the_core_is_found() {
        assert_eq!(no_path_is_opened(&tree("crates/dfm-cli/src/a.rs", "use std::fs;")), [""; 0]);
        for line in [
            "use std::fs;",
            "fs::read(p)",
            "fn f(p: &std::path::Path) {}",
            "use std::{path::PathBuf, io};",
            "File::open(p)",
            "OpenOptions::new()",
        ] {
            let expected = format!("{CORE}:2: {line}");
            assert_eq!(no_path_is_opened(&tree(CORE, &format!("\n{line}"))), [expected]);
        }
    }

    #[test]
    fn a_picture_decoded_elsewhere_is_found() {
        let draws = tree("crates/dfm-cli/src/a.rs", "use image::RgbImage; // image::open");
        assert_eq!(pictures_are_decoded_in_one_place(&draws), [""; 0]);
        for line in ["image::open(p)", "use image::ImageReader;", "use fast_image_resize::Resizer;"] {
            let found = pictures_are_decoded_in_one_place(&tree("crates/dfm-cli/src/a.rs", line));
            assert_eq!(found.len(), 1, "{line}");
        }
        assert!(!pictures_are_decoded_in_one_place(&Tree::default()).is_empty());
    }

    #[test]
    fn a_second_seam_and_a_missing_one_are_found() {
        assert_eq!(faer_has_one_seam(&tree(CORE, "// faer")), [""; 0]);
        assert_eq!(faer_has_one_seam(&tree(CORE, "use faer::Mat;")).len(), 1);
        assert_eq!(faer_has_one_seam(&Tree::default()).len(), 1);
    }

    #[test]
    fn unsafe_outside_a_kernel_is_found() {
        assert_eq!(
            unsafe_only_in_kernels(&tree("crates/dfm-kernels/src/kernels/avx.rs", "unsafe {}")),
            [""; 0]
        );
        assert_eq!(unsafe_only_in_kernels(&tree(CORE, "let unsafe_looking = 1; // unsafe")), [""; 0]);
        assert_eq!(unsafe_only_in_kernels(&tree(CORE, "unsafe {}")).len(), 1);
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
    fn what_is_unfinished_is_found() {
        assert_eq!(nothing_is_left_unfinished(&tree(CORE, "// todo!\n//! ```\n//! ```text")), [""; 0]);
        let example = format!("/// ```{}", "ignore");
        for line in ["todo!()", "#[ignore]", "#[ignore = \"slow\"]", "unimplemented!()", &example] {
            assert_eq!(nothing_is_left_unfinished(&tree(CORE, line)).len(), 1, "{line}");
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
