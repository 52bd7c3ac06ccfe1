//! A git repository for jobs to work on.

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

/// A repository with a working tree, made with the installed git.
pub struct Repo {
    path: PathBuf,
}

impl Repo {
    /// A repository whose branch `main` has one commit with a file `README.md`.
    pub fn new(path: PathBuf) -> Self {
        let repo = Self::empty(path);
        repo.commit("README.md", "first\n");
        repo
    }

    /// A repository without a commit.
    pub fn empty(path: PathBuf) -> Self {
        fs::create_dir_all(&path).unwrap();
        let repo = Self { path };
        repo.git(&["init", "--quiet", "--initial-branch=main", "."]);
        repo
    }

    pub fn address(&self) -> String {
        self.path.to_str().unwrap().to_owned()
    }

    /// Writes a file, commits it on the present branch, and returns the commit.
    pub fn commit(&self, file: &str, content: &str) -> String {
        let path = self.path.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", file]);
        self.head()
    }

    /// Makes a tree as no index would have it, from lines as `git ls-tree` prints them.
    pub fn tree(&self, entries: &str) -> String {
        let mut git = Command::new("git")
            .args(["-C", &self.address(), "mktree"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        git.stdin.take().unwrap().write_all(entries.as_bytes()).unwrap();
        let output = git.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git, which must succeed, and returns what it printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(arguments).current_dir(&self.path);
        // Neither the person's settings nor the machine's.
        for (name, value) in [
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_AUTHOR_NAME", "Test"),
            ("GIT_AUTHOR_EMAIL", "test@localhost"),
            ("GIT_COMMITTER_NAME", "Test"),
            ("GIT_COMMITTER_EMAIL", "test@localhost"),
        ] {
            git.env(name, value);
        }
        let output = git.output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }
}
