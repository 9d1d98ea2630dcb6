//! The files and packages that the checks look at.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::workspace;

/// The project's files and packages.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
    pub(crate) packages: Vec<Package>,
}

/// One file that is tracked, or that is about to be.
#[derive(Debug)]
pub(crate) struct File {
    /// Path from the root, with `/`.
    pub(crate) path: String,
    pub(crate) bytes: u64,
    /// Content of the file; empty if it is not UTF-8.
    pub(crate) text: String,
}

/// One member of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Folder of the package, from the root.
    pub(crate) folder: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a member's manifest.
#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) optional: bool,
    /// Whether the dependency is for tests only.
    pub(crate) dev: bool,
}

impl Tree {
    /// Reads the workspace at `root`. Files come from git, without ignored ones. Packages come from
    /// cargo.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let listed = workspace::output(
            Command::new("git")
                .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
                .current_dir(root),
        )?;
        let files = listed
            .split('\0')
            .filter(|path| !path.is_empty() && root.join(path).is_file())
            .map(|path| {
                let bytes = std::fs::read(root.join(path)).with_context(|| path.to_owned())?;
                let length = bytes.len() as u64;
                let text = String::from_utf8(bytes).unwrap_or_default();
                Ok(File { path: path.to_owned(), bytes: length, text })
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        ensure!(!files.is_empty(), "{}: git lists no file", root.display());
        let metadata =
            workspace::output(workspace::cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
        let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata")?;
        Ok(Self { files, packages: packages(&metadata, root)? })
    }

    /// The text of the file at `path`; empty if there is none.
    pub(crate) fn text(&self, path: &str) -> &str {
        self.files.iter().find(|file| file.path == path).map_or("", |file| &file.text)
    }

    /// Rust files below `folder`.
    pub(crate) fn rust<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| file.path.starts_with(folder) && file.path.ends_with(".rs"))
    }

    /// The member with this name.
    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }
}

impl Package {
    /// Whether the package depends on `name`, for whatever purpose.
    pub(crate) fn depends_on(&self, name: &str) -> bool {
        self.dependencies.iter().any(|dependency| dependency.name == name)
    }
}

fn packages(metadata: &Value, root: &Path) -> anyhow::Result<Vec<Package>> {
    let text = |value: &Value, key: &str| -> anyhow::Result<String> {
        value[key].as_str().map(str::to_owned).with_context(|| format!("cargo metadata: no {key}"))
    };
    let list = |value: &Value, key: &str| -> anyhow::Result<Vec<Value>> {
        value[key].as_array().cloned().with_context(|| format!("cargo metadata: no {key}"))
    };
    list(metadata, "packages")?
        .iter()
        .map(|package| {
            let manifest = text(package, "manifest_path")?;
            let folder = Path::new(&manifest).parent().unwrap_or(root);
            let folder = folder.strip_prefix(root).unwrap_or(folder).to_string_lossy().replace('\\', "/");
            let dependencies = list(package, "dependencies")?
                .iter()
                .map(|dependency| {
                    Ok(Dependency {
                        name: text(dependency, "name")?,
                        optional: dependency["optional"].as_bool().unwrap_or(false),
                        dev: dependency["kind"].as_str() == Some("dev"),
                    })
                })
                .collect::<anyhow::Result<_>>()?;
            Ok(Package { name: text(package, "name")?, folder, dependencies })
        })
        .collect()
}

#[cfg(test)]
impl Tree {
    /// A tree of these files, for the tests of the checks.
    pub(crate) fn of_files(files: &[(&str, &str)]) -> Self {
        let file = |&(path, text): &(&str, &str)| File {
            path: path.to_owned(),
            bytes: text.len() as u64,
            text: text.to_owned(),
        };
        Self { files: files.iter().map(file).collect(), packages: Vec::new() }
    }

    /// The same tree with one more package. `dependencies` are names.
    pub(crate) fn with_package(mut self, name: &str, folder: &str, dependencies: &[&str]) -> Self {
        let dependency = |&name: &&str| Dependency { name: name.to_owned(), optional: false, dev: false };
        let dependencies = dependencies.iter().map(dependency).collect();
        self.packages.push(Package { name: name.to_owned(), folder: folder.to_owned(), dependencies });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read_with_kinds_and_folders() {
        let metadata = serde_json::json!({"packages": [{
            "name": "a", "manifest_path": "/somewhere/crates/a/Cargo.toml",
            "dependencies": [
                {"name": "b", "optional": true, "kind": null},
                {"name": "c", "optional": false, "kind": "dev"},
            ],
        }]});
        let packages = packages(&metadata, Path::new("/somewhere")).unwrap();
        assert_eq!((packages[0].name.as_str(), packages[0].folder.as_str()), ("a", "crates/a"));
        let kinds: Vec<_> =
            packages[0].dependencies.iter().map(|dependency| (dependency.optional, dependency.dev)).collect();
        assert_eq!(kinds, [(true, false), (false, true)]);
    }
}
