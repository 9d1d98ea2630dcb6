//! Which modules of a crate import one another in a circle.
//!
//! A module is a file. An edge goes from a file to the file that defines a name which the first one
//! uses, even if other files pass the name on: a file that uses `super::Thing`, which the parent
//! re-exports from a child, depends on the child. Declaring a module is no edge, nor is re-exporting
//! its names.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::imports::Source;
use super::tree::Tree;

/// Crates that still have cycles. The list may only become shorter.
const CYCLIC: &[&str] = &[];

/// How often a name may be passed on before we give up on it.
const LONGEST_CHAIN: usize = 16;

/// The names from the crate's root to a module; empty for the root itself.
type Path = Vec<String>;

/// No module depends on itself by way of others.
pub(crate) fn modules_import_in_no_circle(tree: &Tree) -> Vec<String> {
    findings(tree, CYCLIC)
}

/// The same check, except for the crates in `excused`. Each of those must have a cycle.
fn findings(tree: &Tree, excused: &[&str]) -> Vec<String> {
    let crates = crates(tree);
    let mut findings = Vec::new();
    if crates.is_empty() {
        findings.push("no crate has a lib.rs or a main.rs".to_owned());
    }
    for (folder, modules) in &crates {
        let cycles = modules.cycles();
        match (excused.contains(&folder.as_str()), cycles.is_empty()) {
            (false, false) => findings.extend(cycles.iter().map(|cycle| format!("{folder}: {cycle}"))),
            (true, true) => findings.push(format!("{folder} has no cycle: take it out of CYCLIC")),
            _ => {}
        }
    }
    let gone = excused.iter().filter(|folder| !crates.contains_key(**folder));
    findings.extend(gone.map(|folder| format!("{folder} is no crate: take it out of CYCLIC")));
    findings
}

/// The crates of the tree by the folder of their root. A program beside a library is the
/// library's user, and left out.
fn crates(tree: &Tree) -> BTreeMap<String, Modules<'_>> {
    let mut crates = BTreeMap::new();
    for root in ["main.rs", "lib.rs"] {
        for file in tree.rust("") {
            let folder = file.path.strip_suffix(root).and_then(|folder| folder.strip_suffix('/'));
            if let Some(folder) = folder {
                crates.insert(folder.to_owned(), Modules::read(tree, folder, root));
            }
        }
    }
    crates
}

/// The files of one crate.
struct Modules<'a> {
    sources: BTreeMap<Path, (&'a str, Source)>,
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    /// A module itself.
    Module(Path),
    /// Something that the module defines.
    Item(Path),
}

impl<'a> Modules<'a> {
    fn read(tree: &'a Tree, folder: &str, root: &str) -> Self {
        let prefix = format!("{folder}/");
        let mut sources = BTreeMap::new();
        for file in tree.files.iter().filter(|file| file.path.ends_with(".rs")) {
            let Some(name) = file.path.strip_prefix(&prefix) else { continue };
            let mut path: Path = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            let is_other_root = ["lib.rs", "main.rs"].contains(&name) && name != root;
            if is_other_root || path.first().is_some_and(|first| first == "bin") {
                continue;
            }
            if name == root || path.last().is_some_and(|last| last == "mod") {
                path.pop();
            }
            sources.insert(path, (file.path.as_str(), Source::parse(&file.text)));
        }
        Self { sources }
    }

    /// One cycle, the shortest, for each set of modules that depend on one another.
    fn cycles(&self) -> Vec<String> {
        let edges: BTreeMap<&Path, BTreeSet<Path>> =
            self.sources.keys().map(|module| (module, self.edges(module))).collect();
        let mut seen: BTreeSet<Path> = BTreeSet::new();
        let mut cycles = Vec::new();
        for module in self.sources.keys() {
            if seen.contains(module) {
                continue;
            }
            let forward = reachable(&edges, module);
            let together: BTreeSet<Path> = forward
                .into_iter()
                .filter(|other| other == module || reachable(&edges, other).contains(module))
                .collect();
            let shortest =
                together.iter().filter_map(|start| cycle_through(&edges, start)).min_by_key(Vec::len);
            if let Some(cycle) = shortest {
                cycles.push(self.shown(&cycle, together.len()));
            }
            seen.extend(together);
        }
        cycles
    }

    /// The cycle by its files, and how many modules depend on one another.
    fn shown(&self, cycle: &[Path], count: usize) -> String {
        let name = |module: &Path| {
            let file = self.sources[module].0;
            file.rsplit_once("src/").map_or(file, |(_, name)| name).to_owned()
        };
        let mut names: Vec<String> = cycle.iter().map(name).collect();
        names.extend(cycle.first().map(name));
        format!("{} (modules that depend on one another: {count})", names.join(" → "))
    }

    /// The modules that `module` depends on.
    fn edges(&self, module: &Path) -> BTreeSet<Path> {
        let (_, source) = &self.sources[module];
        let mut edges = BTreeSet::new();
        for used in &source.uses {
            match self.find(module, &used.path, 0) {
                Some(Found::Item(target)) if !used.public || source.names.contains(&used.name) => {
                    edges.insert(target);
                }
                // A module that is named leads on by the paths that start with it.
                Some(Found::Module(target)) if used.name == "*" && !used.public => {
                    edges.insert(target);
                }
                _ => {}
            }
        }
        for path in &source.paths {
            if let Some(Found::Item(target)) = self.find(module, path, 0) {
                edges.insert(target);
            }
        }
        edges.remove(module);
        edges
    }

    /// What `path` leads to from `module`; nothing if it leads out of the crate.
    fn find(&self, module: &Path, path: &[String], depth: usize) -> Option<Found> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            _ if depth > LONGEST_CHAIN => None,
            "crate" => self.find_in(&Path::new(), rest, depth),
            "self" => self.find_in(module, rest, depth),
            "super" => {
                let mut above = module.clone();
                above.pop()?;
                match rest.first() {
                    Some(next) if next == "super" => self.find(&above, rest, depth + 1),
                    _ => self.find_in(&above, rest, depth),
                }
            }
            _ if self.child(module, first).is_some() => self.find_in(module, path, depth),
            _ => self.passed_on(module, first, rest, depth),
        }
    }

    /// What `path` leads to among what `module` holds.
    fn find_in(&self, module: &Path, path: &[String], depth: usize) -> Option<Found> {
        let Some((first, rest)) = path.split_first() else { return Some(Found::Module(module.clone())) };
        if let Some(child) = self.child(module, first) {
            return self.find_in(&child, rest, depth);
        }
        let (_, source) = self.sources.get(module)?;
        if source.defined.contains(first) {
            return Some(Found::Item(module.clone()));
        }
        // The module is declared, and no file here belongs to it: `#[path]` names a file of another
        // crate.
        if source.modules.contains(first) {
            return None;
        }
        if source.uses.iter().any(|used| used.name == *first) {
            return self.passed_on(module, first, rest, depth);
        }
        let everything = source.uses.iter().filter(|used| used.name == "*" && depth < LONGEST_CHAIN);
        for used in everything {
            if let Some(Found::Module(other)) = self.find(module, &used.path, depth + 1)
                && other != *module
                && self.sources.get(&other).is_some_and(|(_, source)| {
                    source.defined.contains(first)
                        || source.uses.iter().any(|used| used.public && used.name == *first)
                })
            {
                return self.find_in(&other, path, depth + 1);
            }
        }
        // A macro made the name, or it is of another kind. It belongs to this module in any case.
        Some(Found::Item(module.clone()))
    }

    /// What a path leads to that begins with `name`, which a `use` in `module` binds, and goes on with
    /// `rest`.
    fn passed_on(&self, module: &Path, name: &str, rest: &[String], depth: usize) -> Option<Found> {
        let (_, source) = self.sources.get(module)?;
        let used = source.uses.iter().find(|used| used.name == name)?;
        // `use name;` binds the name of another crate.
        if used.path.len() == 1 {
            return None;
        }
        let path: Path = used.path.iter().chain(rest).cloned().collect();
        self.find(module, &path, depth + 1)
    }

    fn child(&self, module: &Path, name: &str) -> Option<Path> {
        let child: Path = module.iter().cloned().chain([name.to_owned()]).collect();
        self.sources.contains_key(&child).then_some(child)
    }
}

/// All that `start` depends on, itself among them.
fn reachable(edges: &BTreeMap<&Path, BTreeSet<Path>>, start: &Path) -> BTreeSet<Path> {
    let mut found = BTreeSet::from([start.clone()]);
    let mut open = vec![start.clone()];
    while let Some(module) = open.pop() {
        for next in edges.get(&module).into_iter().flatten() {
            if found.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    found
}

/// The shortest way from `start` back to it.
fn cycle_through(edges: &BTreeMap<&Path, BTreeSet<Path>>, start: &Path) -> Option<Vec<Path>> {
    let mut before: BTreeMap<Path, Path> = BTreeMap::new();
    let mut open = VecDeque::from([start.clone()]);
    while let Some(module) = open.pop_front() {
        for next in edges.get(&module).into_iter().flatten() {
            if next == start {
                let mut cycle = vec![module];
                while let Some(earlier) = cycle.last().and_then(|last| before.get(last)) {
                    cycle.push(earlier.clone());
                }
                cycle.reverse();
                return Some(cycle);
            }
            if !before.contains_key(next) {
                before.insert(next.clone(), module.clone());
                open.push_back(next.clone());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<(String, &str)> =
            files.iter().map(|(name, text)| (format!("a/src/{name}"), *text)).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        findings(&Tree::of_files(&files), &[])
    }

    #[test]
    fn a_cycle_is_found_and_shown() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", "fn f() { super::c::g() } pub struct B;"),
            ("c/mod.rs", "use crate::{a::A}; pub fn g() {}"),
        ];
        let expected = "a/src: a.rs → b.rs → c/mod.rs → a.rs (modules that depend on one another: 3)";
        assert_eq!(found(&files), [expected]);
    }

    #[test]
    fn names_that_are_passed_on_lead_to_who_defines_them() {
        let root = "mod a; mod b; pub use a::A; pub use b::B;";
        let straight = [("lib.rs", root), ("a.rs", "use crate::B; pub struct A;"), ("b.rs", "pub struct B;")];
        assert_eq!(found(&straight), [""; 0]);
        let round = [
            ("lib.rs", root),
            ("a.rs", "use crate::B; pub struct A;"),
            ("b.rs", "use super::A; pub struct B;"),
        ];
        assert_eq!(found(&round).len(), 1);
        let by_star = [
            ("lib.rs", "mod a; mod b; pub use a::*;"),
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", "use crate::A; pub struct B;"),
        ];
        assert_eq!(found(&by_star).len(), 1);
    }

    #[test]
    fn a_parent_that_calls_its_child_and_is_called_back_is_found() {
        let child = ("a/b.rs", "use super::Kind; pub fn f(_: Kind) {}");
        for (parent, findings) in [
            ("mod b; pub use b::f; pub enum Kind {}", 0),
            ("mod b; pub use b::f; pub enum Kind {} fn g(k: Kind) { f(k) }", 1),
            ("mod b; pub enum Kind {} fn g(k: Kind) { b::f(k) }", 1),
            ("mod b; pub enum Kind {} use b::f;", 1),
        ] {
            assert_eq!(
                found(&[("lib.rs", "mod a;"), ("a/mod.rs", parent), child]).len(),
                findings,
                "{parent}"
            );
        }
    }

    #[test]
    fn what_tests_and_comments_name_and_other_crates_are_no_edge() {
        let files = [
            ("main.rs", "mod a; mod b; mod elsewhere; use a::A; use other::a;"),
            (
                "a.rs",
                "use crate::elsewhere; fn f() { elsewhere::g() }\n// crate::b::B\n#[cfg(test)]\nmod tests { use crate::b::B; } pub struct A; use other::b::C;",
            ),
            ("b.rs", "use crate::a::A; pub struct B;"),
        ];
        assert_eq!(found(&files), [""; 0]);
    }

    #[test]
    fn a_module_that_is_named_is_an_edge_where_it_is_used() {
        let files = |body| {
            [("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b; pub fn f() { b::g() }"), ("b.rs", body)]
        };
        assert_eq!(found(&files("pub fn g() {}")), [""; 0]);
        assert_eq!(found(&files("use super::a; pub fn g() { a::f() }")).len(), 1);
    }

    #[test]
    fn a_crate_that_is_excused_must_need_it() {
        let tree = Tree::of_files(&[
            ("a/src/lib.rs", "mod b; fn f() {} use b::g;"),
            ("a/src/b.rs", "use super::f; fn g() {}"),
        ]);
        assert_eq!(findings(&tree, &["a/src"]), [""; 0]);
        assert_eq!(findings(&tree, &[]).len(), 1);
        let tree = Tree::of_files(&[("a/src/lib.rs", "")]);
        assert_eq!(findings(&tree, &["a/src"]).len(), 1);
        assert_eq!(findings(&tree, &["b/src"]).len(), 1);
        assert_eq!(findings(&Tree::default(), &[]).len(), 1);
    }
}
