//! The name of a branch: what git and GitHub take for one and for nothing else.

use std::fmt;

use serde::Deserialize;

/// The plain name of a branch. Git also looks for a name below `refs/`, where GitHub keeps the heads of pull requests, which
/// anybody can write: a name that would lead there is none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BranchName(String);

impl BranchName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in full, which git finds among branches or not at all.
    pub fn full(&self) -> String {
        format!("refs/heads/{}", self.0)
    }
}

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for BranchName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let leads_elsewhere = ["refs/", "pull/"].iter().any(|prefix| text.starts_with(prefix));
        if is_ref_name(&text) && !leads_elsewhere && text != "HEAD" {
            Ok(Self(text))
        } else {
            Err(format!("`{text}` cannot be the name of a branch"))
        }
    }
}

/// Whether git takes it for the name of a ref, or for a commit. The rules are those of `git check-ref-format`.
pub fn is_ref_name(text: &str) -> bool {
    let forbidden = |char: char| char.is_control() || " ~^:?*[\\".contains(char);
    (1..=255).contains(&text.len())
        && !text.starts_with(['-', '/', '.'])
        && !text.ends_with(['/', '.'])
        && !text.ends_with(".lock")
        && !text.contains(forbidden)
        && ["..", "//", "@{", "/."].iter().all(|part| !text.contains(part))
        && text != "@"
}

/// Whether a name leads to what anybody may have written: the heads of pull requests, also those from forks, which a
/// repository has under `refs/pull/` alone. Git finds that without the `refs/`, too.
pub fn leads_to_pull_requests(name: &str) -> bool {
    name.strip_prefix("refs/").unwrap_or(name).starts_with("pull/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_pull_requests_are_recognised_however_they_are_spelt() {
        for name in ["refs/pull/7/head", "pull/7/head", "pull/7/merge"] {
            assert!(leads_to_pull_requests(name), "{name}");
        }
        for name in ["main", "refs/heads/pull/7", "pulls/7"] {
            assert!(!leads_to_pull_requests(name), "{name}");
        }
    }

    #[test]
    fn a_branch_is_nothing_but_a_branch() {
        let parse = |text: &str| BranchName::try_from(text.to_owned());
        for wrong in [
            "",
            "-x",
            "a..b",
            "refs/pull/7/head",
            "pull/7/head",
            "pull/7/merge",
            "refs/heads/x",
            "HEAD",
            "a b",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        for name in ["main", "release/2", "feature/ü", "a-pull/7/head"] {
            assert_eq!(parse(name).unwrap().full(), format!("refs/heads/{name}"));
        }
    }
}
