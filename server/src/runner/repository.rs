//! A new repository that borrows the objects of another.

use std::{io, path::Path};

use tokio::fs;

/// Lays it out in the directory `git_dir`: what `git init` would write, without a process. `origin` is where its working tree
/// is said to come from; one without is bare. `lender` is a repository's own directory.
pub(super) async fn lay_out(git_dir: &Path, origin: Option<&str>, lender: &Path) -> io::Result<()> {
    for directory in ["objects/info", "refs"] {
        fs::create_dir_all(git_dir.join(directory)).await?;
    }
    fs::write(git_dir.join("objects/info/alternates"), format!("{}\n", lender.join("objects").display()))
        .await?;
    fs::write(git_dir.join("config"), settings(origin)).await?;
    // To git a directory is a repository once it has this, whether there is such a branch or not.
    fs::write(git_dir.join("HEAD"), "ref: refs/heads/main\n").await
}

fn settings(origin: Option<&str>) -> String {
    let core = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n";
    match origin {
        None => format!("{core}\tbare = true\n"),
        Some(origin) => format!(
            "{core}\tbare = false\n\tlogallrefupdates = true\n\
             [remote \"origin\"]\n\turl = {}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n",
            quoted(origin)
        ),
    }
}

/// A value in git's own syntax, whatever is in it.
fn quoted(value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::git::git;

    #[tokio::test]
    async fn git_takes_it_for_a_repository_and_its_origin_for_what_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let tree = directory.path().join("tree");
        let origin = "https://host/a b\"c\\d#e;f\n[core]\n\thooksPath = /tmp";
        lay_out(&tree.join(".git"), Some(origin), directory.path()).await.unwrap();
        assert_eq!(git(&tree, &["config", "remote.origin.url"]).await.unwrap(), origin);
        assert_eq!(git(&tree, &["rev-parse", "--is-bare-repository"]).await.unwrap(), "false");
        assert_eq!(git(&tree, &["status", "--porcelain"]).await.unwrap(), "");

        let bare = directory.path().join("bare");
        lay_out(&bare, None, directory.path()).await.unwrap();
        assert_eq!(git(&bare, &["rev-parse", "--is-bare-repository"]).await.unwrap(), "true");
    }
}
