//! What one file of Rust defines and imports, near enough: no macro is expanded.

use std::collections::BTreeSet;

use super::code::code_only;

/// What a file says of names, its tests left out.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Items that it defines.
    pub(crate) defined: BTreeSet<String>,
    /// Modules that it declares.
    pub(crate) modules: BTreeSet<String>,
    pub(crate) uses: Vec<Use>,
    /// Paths of two or more names that stand in its code, as they stand there.
    pub(crate) paths: BTreeSet<Vec<String>>,
    /// Every name in its code outside of `use`.
    pub(crate) names: BTreeSet<String>,
}

/// One name that a `use` binds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) path: Vec<String>,
    /// `*` for all that the path holds.
    pub(crate) name: String,
    /// Whether others may name it from here.
    pub(crate) public: bool,
}

impl Source {
    /// What `text` says.
    pub(crate) fn parse(text: &str) -> Self {
        let code = code_only(text);
        let tokens = without_tests(&tokens(&code));
        let mut source = Self::default();
        let mut at = 0;
        while at < tokens.len() {
            let next = tokens.get(at + 1).copied().unwrap_or("");
            match tokens[at] {
                "use" if next != "<" => {
                    let end = tokens[at..].iter().position(|&token| token == ";");
                    let end = at + end.unwrap_or(tokens.len() - at);
                    add_uses(&tokens[at + 1..end], &[], is_public(&tokens[..at]), &mut source.uses);
                    at = end;
                }
                "mod" => {
                    source.modules.insert(next.to_owned());
                    at += 2;
                }
                token if is_name(token) => {
                    if DEFINES.contains(&token) {
                        source.defined.insert(next.to_owned());
                    }
                    source.names.insert(token.to_owned());
                    let path = path_at(&tokens, at);
                    at += 2 * path.len() - 1;
                    if path.len() > 1 {
                        source.paths.insert(path);
                    }
                }
                _ => at += 1,
            }
        }
        source
    }
}

/// Words after which the name of an item stands.
const DEFINES: [&str; 8] = ["fn", "struct", "enum", "union", "trait", "type", "const", "static"];

/// Names, `::`, and single characters.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let of_a_name = |character: char| character.is_alphanumeric() || character == '_';
        let length = if of_a_name(first) {
            rest.find(|character| !of_a_name(character)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

fn is_name(token: &str) -> bool {
    token.starts_with(|character: char| character.is_alphabetic() || character == '_')
}

/// The path that starts at `at`; one name if nothing follows it.
fn path_at(tokens: &[&str], at: usize) -> Vec<String> {
    let mut path = vec![tokens[at].to_owned()];
    let mut place = at;
    // What follows another path, as in `<T>::new`, is a path of no module.
    while tokens.get(place + 1) == Some(&"::") && tokens.get(place + 2).is_some_and(|token| is_name(token)) {
        place += 2;
        path.push(tokens[place].to_owned());
    }
    path
}

/// Whether `pub`, with or without a scope, ends `before`.
fn is_public(before: &[&str]) -> bool {
    match before {
        [.., "pub"] | [.., "pub", "(", _, ")"] => true,
        // `pub(in a::b)`
        [.., ")"] => {
            let open = before.iter().rposition(|&token| token == "(");
            open.is_some_and(|open| open > 0 && before[open - 1] == "pub")
        }
        _ => false,
    }
}

/// Adds what the tree of a `use` binds; `prefix` stands before all of it.
fn add_uses(tree: &[&str], prefix: &[String], public: bool, uses: &mut Vec<Use>) {
    let mut path = prefix.to_vec();
    let mut at = 0;
    while at < tree.len() {
        match tree[at] {
            "{" => {
                let inside = &tree[at + 1..tree.len().saturating_sub(1)];
                for part in split_at_commas(inside) {
                    add_uses(part, &path, public, uses);
                }
                return;
            }
            "as" => break,
            "::" => {}
            token => path.push(token.to_owned()),
        }
        at += 1;
    }
    if path.last().is_some_and(|name| name == "self") && path.len() > 1 {
        path.pop();
    }
    let renamed = tree.get(at + 1).filter(|_| tree.get(at) == Some(&"as"));
    let Some(name) = renamed.map(|&name| name.to_owned()).or_else(|| path.last().cloned()) else { return };
    if name == "*" {
        path.pop();
    }
    uses.push(Use { path, name, public });
}

/// The parts of `tokens` between commas that stand in no brace.
fn split_at_commas<'a, 'b>(tokens: &'a [&'b str]) -> Vec<&'a [&'b str]> {
    let mut depth = 0_usize;
    let parts = tokens.split(|&token| {
        match token {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token == ","
    });
    parts.filter(|part| !part.is_empty()).collect()
}

/// `tokens` without the items that are there for tests alone.
fn without_tests<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].starts_with(&["#", "[", "cfg", "("]) {
            let end = at + closing(&tokens[at + 1..]) + 2;
            let condition = &tokens[at..end.min(tokens.len())];
            let named = ["test", "doctest"].iter().any(|name| condition.contains(name));
            if named && !condition.contains(&"not") {
                at = end + item_length(&tokens[end.min(tokens.len())..]);
                continue;
            }
        }
        kept.push(tokens[at]);
        at += 1;
    }
    kept
}

/// Where the bracket that opens `tokens` closes.
fn closing(tokens: &[&str]) -> usize {
    let mut depth = 0_usize;
    for (place, token) in tokens.iter().enumerate() {
        match *token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return place;
        }
    }
    tokens.len()
}

/// How many tokens the item at the start of `tokens` takes: up to a `;`, or its braces.
fn item_length(tokens: &[&str]) -> usize {
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at] {
            ";" => return at + 1,
            "{" => {
                let end = at + closing(&tokens[at..]) + 1;
                // The braces of a `use` have a `;` behind them.
                return end + usize::from(tokens.get(end) == Some(&";"));
            }
            "(" | "[" => at += closing(&tokens[at..]) + 1,
            _ => at += 1,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(source: &Source) -> Vec<(String, String, bool)> {
        source.uses.iter().map(|used| (used.path.join("::"), used.name.clone(), used.public)).collect()
    }

    #[test]
    fn a_use_binds_every_name_of_its_tree() {
        let source = Source::parse(
            "use crate::a::{b, c::{self, D as E}, f::*};\npub(crate) use x::Y;\npub use z::Z; use q as _;",
        );
        let expected = [
            ("crate::a::b", "b", false),
            ("crate::a::c", "c", false),
            ("crate::a::c::D", "E", false),
            ("crate::a::f", "*", false),
            ("x::Y", "Y", true),
            ("z::Z", "Z", true),
            ("q", "_", false),
        ];
        let expected = expected.map(|(path, name, public)| (path.to_owned(), name.to_owned(), public));
        assert_eq!(bound(&source), expected);
    }

    #[test]
    fn paths_and_items_are_found_and_comments_are_not() {
        let source = Source::parse(
            "mod child;\n// crate::no\nconst fn f(x: super::A) { crate::b::<T>(child::g(\"crate::no\")) }\nstruct S;",
        );
        let paths: Vec<String> = source.paths.iter().map(|path| path.join("::")).collect();
        assert_eq!(paths, ["child::g", "crate::b", "super::A"]);
        assert!(["f", "S"].iter().all(|name| source.defined.contains(*name)), "{:?}", source.defined);
        assert!(!source.names.contains("no") && !source.names.contains("mod"));
        assert!(source.modules.iter().eq(["child"]), "{:?}", source.modules);
    }

    #[test]
    fn what_is_for_tests_alone_is_left_out() {
        let source = Source::parse(
            "#[cfg(test)]\nuse crate::{a};\n#[cfg(all(test, unix))]\n#[allow(x)]\nfn f() -> [u8; 2] { crate::b() }\n\
             #[cfg(unix)]\nuse crate::c;\n#[cfg(not(test))]\nuse crate::d;\n#[cfg(test)]\nmod tests { use crate::e; }\nuse crate::f;",
        );
        let names: Vec<&str> = source.uses.iter().map(|used| used.name.as_str()).collect();
        assert_eq!(names, ["c", "d", "f"]);
        assert!(source.paths.is_empty());
    }
}
