//! The name of a repository of a hub.

use std::fmt;
use std::str::FromStr;

/// What the name of a repository begins with.
const PREFIX: &str = "hf:";
/// The revision that is meant if none is named.
const MAIN: &str = "main";
/// The hub's own limit on the name of an owner and of a repository.
const LONGEST_NAME: usize = 96;
/// No branch, tag or commit has a longer name here.
const LONGEST_REVISION: usize = 128;

/// A repository of a hub, at a revision: `hf:OWNER/NAME` or `hf:OWNER/NAME@REVISION`. A revision is a
/// branch, a tag or a commit. It is `main` if none is named.
///
/// ```
/// use dfm_weights::HubReference;
///
/// let reference: HubReference = "hf:timm/convnext_tiny.in12k_ft_in1k".parse()?;
/// assert_eq!(reference.repository(), "timm/convnext_tiny.in12k_ft_in1k");
/// assert_eq!(reference.revision(), "main");
/// assert!("hf:../../etc".parse::<HubReference>().is_err());
/// # Ok::<(), dfm_weights::InvalidReference>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HubReference {
    owner: Box<str>,
    name: Box<str>,
    revision: Box<str>,
}

/// The full name of a commit: 40 hexadecimal digits, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Commit(Box<str>);

/// Text that names no repository of a hub.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected hf:OWNER/NAME or hf:OWNER/NAME@REVISION, of letters, digits, '-', '_' and '.', found '{got}': \
     copy the name from the page of the repository"
)]
pub struct InvalidReference {
    /// The first 80 characters of the text.
    pub got: String,
}

impl HubReference {
    /// Whether `text` is meant as the name of a repository of a hub.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// `OWNER/NAME`.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The owner.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The name of the repository, without its owner.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The branch, the tag or the commit.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The commit, if the revision is the full name of one.
    pub fn commit(&self) -> Option<Commit> {
        Commit::new(&self.revision)
    }

    /// The same repository at a commit.
    #[must_use]
    pub fn at(&self, commit: &Commit) -> Self {
        Self { revision: commit.as_str().into(), ..self.clone() }
    }

    /// The revision as one part of a URL or of a path.
    pub(crate) fn revision_part(&self) -> String {
        self.revision.replace('/', "%2F")
    }
}

impl FromStr for HubReference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let parts = || {
            let named = text.strip_prefix(PREFIX)?;
            let (repository, revision) = named.split_once('@').unwrap_or((named, MAIN));
            let (owner, name) = repository.split_once('/')?;
            let is_sound = is_name(owner) && is_name(name) && is_revision(revision);
            is_sound.then(|| Self { owner: owner.into(), name: name.into(), revision: revision.into() })
        };
        parts().ok_or_else(|| InvalidReference { got: text.chars().take(80).collect() })
    }
}

impl fmt::Display for HubReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}/{}", self.owner, self.name)?;
        match &*self.revision {
            MAIN => Ok(()),
            revision => write!(f, "@{revision}"),
        }
    }
}

impl Commit {
    /// The commit of this name, if it is the full name of one.
    pub fn new(text: &str) -> Option<Self> {
        let is_commit = text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_commit.then(|| Self(text.to_ascii_lowercase().into()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Whether a hub can have an owner or a repository of this name. Such a name is also the name of a folder.
fn is_name(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && !text.starts_with(['.', '-'])
        && !text.ends_with(['.', '-'])
        && !text.contains("..")
        && !text.contains("--")
}

/// Whether this can be a branch, a tag or a commit.
fn is_revision(text: &str) -> bool {
    (1..=LONGEST_REVISION).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
        && text.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_alike() {
        for text in ["hf:timm/a.b_c-d", "hf:Owner/x@v1.0", "hf:a/b@refs/pr/3"] {
            let reference: HubReference = text.parse().expect(text);
            assert_eq!(reference.to_string(), text);
        }
        let reference: HubReference = "hf:a/b@main".parse().expect("a name");
        assert_eq!(reference, "hf:a/b".parse().expect("a name"));
        let commit = Commit::new(&"0a".repeat(20)).expect("a commit");
        assert_eq!(reference.at(&commit).commit(), Some(commit));
        assert_eq!(reference.commit(), None);
        let nested: HubReference = "hf:a/b@refs/pr/3".parse().expect("a name");
        assert_eq!(nested.revision_part(), "refs%2Fpr%2F3");
    }

    #[test]
    fn what_could_leave_the_folder_or_the_repository_is_refused() {
        let long = format!("hf:a/{}", "b".repeat(97));
        for text in [
            "hf:a",
            "hf:/b",
            "hf:a/",
            "hf:a/b/c",
            "hf:../b",
            "hf:a/..",
            "hf:a/.b",
            "hf:a/b@",
            "hf:a/b@../c",
            "hf:a/b@x//y",
            "hf:a/b@/x",
            "hf:a/b@x y",
            "hf:a/b?x",
            "hf:a b/c",
            "hf:a/b@x%2F",
            "a/b",
            "hf:a\\b/c",
            &long,
        ] {
            assert!(text.parse::<HubReference>().is_err(), "{text}");
        }
    }
}
