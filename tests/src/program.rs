//! The program under test and small data sets for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::RgbImage;

use crate::pictures;

/// Fits in a moment: random weights, an early layer, small pictures.
pub const SMALL: [&str; 8] =
    ["--backbone", "resnet18", "--weights", "random", "--layer", "layer1", "--size", "64"];

/// A scratch folder and the program, which runs inside it.
pub struct Program {
    executable: &'static str,
    folder: tempfile::TempDir,
}

impl Program {
    /// With an empty folder. `executable` is `env!("CARGO_BIN_EXE_dfm-under-test")`.
    pub fn new(executable: &'static str) -> Self {
        Self { executable, folder: tempfile::tempdir().expect("a scratch folder") }
    }

    /// A path in the scratch folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program, ready to be given arguments.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.executable);
        command.current_dir(self.folder.path()).env("DFM_CACHE_DIR", self.path("cache"));
        command
    }

    /// Runs it.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        let output = self.command().args(arguments).output().expect("the program runs");
        Finished::new(arguments, output)
    }

    /// Writes a picture.
    pub fn save(&self, name: &str, picture: &RgbImage) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("inside the folder")).expect("a folder");
        picture.save(&path).expect("a written picture");
        path
    }

    /// `good/00.png` to `good/11.png`.
    pub fn save_good(&self) {
        for seed in 0..12 {
            self.save(&format!("good/{seed:02}.png"), &pictures::good(seed, 72, 56));
        }
    }

    /// [`save_good`](Self::save_good), and `model.dfm` fitted to them.
    pub fn fit_small(&self) {
        self.save_good();
        self.run(&[&["fit", "good", "-o", "model.dfm"], SMALL.as_slice()].concat()).expect_code(0);
    }

    /// `data/test/good`, `data/test/square` and `data/ground_truth/square`.
    pub fn save_dataset(&self) {
        for seed in 0..4 {
            self.save(&format!("data/test/good/{seed}.png"), &pictures::good(100 + seed, 72, 56));
            self.save(&format!("data/test/square/{seed}.png"), &pictures::defective(200 + seed, 72, 56));
            let mask = RgbImage::from_fn(72, 56, |x, y| {
                let inside = (29..43).contains(&x) && (21..35).contains(&y);
                [if inside { 255 } else { 0 }; 3].into()
            });
            self.save(&format!("data/ground_truth/square/{seed}_mask.png"), &mask);
        }
    }
}

/// What a run left.
#[derive(Debug)]
pub struct Finished {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    command: String,
}

impl Finished {
    /// What a run of these arguments left.
    ///
    /// # Panics
    ///
    /// If a signal ended it, or its output is no text.
    pub fn new(arguments: &[&str], output: Output) -> Self {
        Self {
            code: output.status.code().expect("an exit code, not a signal"),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            command: arguments.join(" "),
        }
    }

    /// The same, if it ended with `code`.
    ///
    /// # Panics
    ///
    /// If it did not, or panicked.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert!(!self.err.contains("panicked"), "dfm {}: {}", self.command, self.err);
        assert_eq!(self.code, code, "dfm {}\n{}\n{}", self.command, self.out, self.err);
        self
    }

    /// The same, if standard error says every one of `words`.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[track_caller]
    pub fn expect_said(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word), "dfm {}: expected '{word}' in: {}", self.command, self.err);
        }
        self
    }

    /// Standard output, a JSON value a line.
    pub fn json(&self) -> Vec<serde_json::Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.out.lines().map(parse).collect()
    }

    /// The `path` of every JSON line, with the separators of Unix.
    pub fn paths(&self) -> Vec<String> {
        let lines = self.json();
        lines.iter().map(|line| line["path"].as_str().expect("a path").replace('\\', "/")).collect()
    }

    /// The `score` of every JSON line.
    pub fn scores(&self) -> Vec<f64> {
        self.json().iter().map(|line| line["score"].as_f64().expect("a score")).collect()
    }
}

/// Names of all files in `folder` and below that are not hidden, sorted.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
