//! Patterns: from the path of a picture to its part and its view.

use std::fmt;
use std::path::{Component, Path};
use std::str::FromStr;

use dfm_data::PartOf;
use regex::{Regex, RegexBuilder};

use super::error::PartsError;

/// The most bytes of a pattern.
const MAX_BYTES: usize = 1000;
/// The most bytes of a compiled pattern: what people write takes some kilobytes.
const MAX_COMPILED: usize = 1 << 20;
/// The deepest nesting of a pattern.
const DEEPEST: u32 = 50;

/// A regular expression with the groups `part` and `view`, such as `(?<part>.+)_(?<view>top|side)`.
///
/// It is matched against the end of a picture's path: from the beginning of the name of the file, or of
/// a folder above it, to the end without the extension. Names are joined by `/` on every system. The
/// shortest such end that matches counts. Folders before it belong to the name of the part, so the
/// views of a part lie in one folder, or in a folder for each view that the pattern names.
///
/// ```
/// use dfm::parts::PartPattern;
/// use std::path::Path;
///
/// let pattern = PartPattern::new("(?<part>.+)_(?<view>top|side)")?;
/// let found = pattern.part_of(Path::new("line/0017_top.png")).expect("it matches");
/// assert_eq!((found.part.as_str(), found.view.as_str()), ("line/0017", "top"));
/// assert!(pattern.part_of(Path::new("line/0017_left.png")).is_none());
///
/// let folders = PartPattern::new("(?<view>top|side)/(?<part>.+)")?;
/// let found = folders.part_of(Path::new("line/top/0017.png")).expect("it matches");
/// assert_eq!((found.part.as_str(), found.view.as_str()), ("line/0017", "top"));
/// # Ok::<(), dfm::parts::PartsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct PartPattern {
    text: String,
    regex: Regex,
}

impl PartPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// [`PartsError::Pattern`] if it is no regular expression, lacks a group, or is too large.
    pub fn new(text: &str) -> Result<Self, PartsError> {
        let refused = |found: String| PartsError::Pattern {
            pattern: text.chars().take(MAX_BYTES).collect(),
            expected: "a regular expression with the groups (?<part>…) and (?<view>…)",
            found,
        };
        if text.len() > MAX_BYTES {
            return Err(refused(format!("found {} bytes, and {MAX_BYTES} are the limit", text.len())));
        }
        let compiled = |text: &str| {
            let mut builder = RegexBuilder::new(text);
            builder.size_limit(MAX_COMPILED).dfa_size_limit(MAX_COMPILED).nest_limit(DEEPEST);
            builder.build().map_err(|error| refused(format!("found {}", last_line(&error.to_string()))))
        };
        // The pattern is compiled alone first, so that it cannot close the group that we put around it.
        compiled(text)?;
        let regex = compiled(&format!(r"\A(?:{text})\z"))?;
        for group in ["part", "view"] {
            if !regex.capture_names().flatten().any(|name| name == group) {
                return Err(refused(format!("found no group {group}")));
            }
        }
        Ok(Self { text: text.to_owned(), regex })
    }

    /// The pattern as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part and the view of the picture at `path`; `None` if the pattern does not match, or one of
    /// the two is empty.
    pub fn part_of(&self, path: &Path) -> Option<PartOf> {
        let path = path.with_extension("");
        let components: Vec<Component<'_>> = path.components().collect();
        let names: Vec<String> =
            components.iter().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
        (0..names.len()).rev().find_map(|start| {
            let end = names[start..].join("/");
            let found = self.regex.captures(&end)?;
            let [part, view] = ["part", "view"].map(|group| found.name(group).map(|found| found.as_str()));
            let (part, view) = (part.filter(|part| !part.is_empty())?, view.filter(|view| !view.is_empty())?);
            let folder = components[..start].iter().collect::<std::path::PathBuf>();
            let folder = folder.display().to_string().replace(std::path::MAIN_SEPARATOR, "/");
            let part = match folder.as_str() {
                "" => part.to_owned(),
                folder if folder.ends_with('/') => format!("{folder}{part}"),
                folder => format!("{folder}/{part}"),
            };
            Some(PartOf { part, view: view.to_owned() })
        })
    }
}

impl PartialEq for PartPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PartPattern {}

impl fmt::Display for PartPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for PartPattern {
    type Err = PartsError;

    fn from_str(text: &str) -> Result<Self, PartsError> {
        Self::new(text)
    }
}

/// The last line of the crate's message. The lines before it show the pattern.
fn last_line(message: &str) -> String {
    let line = message.lines().last().unwrap_or(message);
    line.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part_of(pattern: &str, path: &str) -> Option<(String, String)> {
        PartPattern::new(pattern).unwrap().part_of(Path::new(path)).map(|found| (found.part, found.view))
    }

    #[test]
    fn a_pattern_matches_whole_names_alone() {
        let pattern = "(?<part>.+)_(?<view>top|side)";
        let found = |part: &str, view: &str| Some((part.to_owned(), view.to_owned()));
        assert_eq!(part_of(pattern, "a_b_top.png"), found("a_b", "top"));
        assert_eq!(part_of(pattern, "/data/new/7_side.jpeg"), found("/data/new/7", "side"));
        assert_eq!(part_of(pattern, "./7_side.jpeg"), found("./7", "side"));
        for other in ["7_topleft.png", "7_top.old.png", "_top.png", "top.png", "7_TOP.png", "7_top/x.png"] {
            assert_eq!(part_of(pattern, other), None, "{other}");
        }
        assert_eq!(part_of("(?i)(?<part>.+)_(?<view>top|side)", "7_TOP.png"), found("7", "TOP"));
        assert_eq!(part_of(r"(?<view>[a-z]+)\d*/(?<part>\d+)", "line/top2/7.png"), found("line/7", "top"));
        // An alternative at the top level must match as a whole, too.
        assert_eq!(part_of("(?<part>.+)_(?<view>a)|b_c_d", "x_a_y.png"), None);
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_the_reason() {
        let nested = format!("(?<part>.+)(?<view>.){}a{}", "(".repeat(80), ")".repeat(80));
        let long = format!("(?<part>.+)(?<view>{})", "x".repeat(2000));
        for (pattern, word) in [
            ("(?<part>.+)", "no group view"),
            ("(.+)_(?<view>top)", "no group part"),
            ("(?<part>.+)_(?<view>top", "unclosed group"),
            ("(?<part>.+)(?<view>.)(?:a{1000}){1000}", "size"),
            ("(?<part>.+))|((?<view>.)", "unopened group"),
            (nested.as_str(), "nest"),
            (long.as_str(), "1000 are the limit"),
        ] {
            let error = PartPattern::new(pattern).unwrap_err().to_string();
            assert!(error.contains(word), "{word}: {error}");
        }
    }
}
