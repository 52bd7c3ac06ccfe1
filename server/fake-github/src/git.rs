//! The git command line on the bare repositories: commits, comparisons, files.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use axum::http::StatusCode;

use crate::{refusal::Refusal, world::Outcome};

/// One commit that is to be made.
pub(crate) struct Change<'a> {
    pub branch: &'a str,
    /// Where a branch that does not exist yet begins.
    pub from: Option<&'a str>,
    pub author: &'a str,
    pub message: &'a str,
    /// Path and content.
    pub files: &'a [(&'a str, &'a str)],
}

/// One commit as git tells it.
pub(crate) struct Commit {
    pub sha: String,
    pub tree: String,
    pub parents: Vec<String>,
    pub name: String,
    pub email: String,
    pub date: String,
    pub message: String,
}

/// One file's part in a difference.
pub(crate) struct FileChange {
    pub path: String,
    pub status: &'static str,
    pub additions: usize,
    pub deletions: usize,
    pub patch: String,
}

/// Git without this machine's settings; as it also serves the repositories over HTTP.
pub(crate) fn settings() -> [(&'static str, &'static str); 3] {
    [("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_TERMINAL_PROMPT", "0")]
}

pub(crate) fn init(bare: &Path) -> Outcome<()> {
    let folder = bare.to_string_lossy();
    done(
        Command::new("git")
            .envs(settings())
            .args(["init", "--quiet", "--bare", "-b", "main", &folder])
            .output(),
    )?;
    configure(bare)
}

pub(crate) fn fork(parent: &Path, fork: &Path) -> Outcome<()> {
    let (parent, folder) = (parent.to_string_lossy(), fork.to_string_lossy());
    done(
        Command::new("git")
            .envs(settings())
            .args(["clone", "--quiet", "--bare", "--no-hardlinks", &parent, &folder])
            .output(),
    )?;
    configure(fork)
}

fn configure(bare: &Path) -> Outcome<()> {
    for (key, value) in [
        ("http.receivepack", "true"),
        ("uploadpack.allowAnySHA1InWant", "true"),
        ("uploadpack.allowFilter", "true"),
        // Nobody pushes to a pull request's own references.
        ("receive.hideRefs", "refs/pull"),
    ] {
        run(bare, &["config", key, value])?;
    }
    Ok(())
}

/// Adds a commit to a branch and answers with its name.
pub(crate) fn commit(bare: &Path, change: &Change<'_>) -> Outcome<String> {
    let branch = format!("refs/heads/{}", change.branch);
    let from = match resolve(bare, &branch) {
        Some(tip) => Some(tip),
        None => change.from.and_then(|from| resolve(bare, from)),
    };
    let mut stream = format!(
        "commit {branch}\ncommitter {author} <{author}@users.noreply.localhost> {now} +0000\n{message}\n",
        author = change.author,
        now = chrono::Utc::now().timestamp(),
        message = data(change.message),
    );
    if let Some(from) = from {
        stream.push_str(&format!("from {from}\n"));
    }
    for (path, content) in change.files {
        stream.push_str(&format!("M 100644 inline {path}\n{}\n", data(content)));
    }
    let mut import = Command::new("git")
        .envs(settings())
        .arg("-C")
        .arg(bare)
        .args(["fast-import", "--quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(broken)?;
    if let Some(mut stdin) = import.stdin.take() {
        stdin.write_all(stream.as_bytes()).map_err(broken)?;
    }
    done(import.wait_with_output())?;
    resolve(bare, &branch).ok_or_else(|| broken("the commit is not there"))
}

/// A length and that many bytes, as git's import wants them.
fn data(text: &str) -> String {
    format!("data {}\n{text}", text.len())
}

/// The full name of a commit, if there is such a one.
pub(crate) fn resolve(bare: &Path, name: &str) -> Option<String> {
    if name.starts_with('-') {
        return None;
    }
    run(bare, &["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")])
        .ok()
        .map(|sha| sha.trim().to_owned())
}

/// Branches with the commits that they point to.
pub(crate) fn branches(bare: &Path) -> Vec<(String, String)> {
    run(bare, &["for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads"])
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(branch, sha)| (branch.to_owned(), sha.to_owned()))
        .collect()
}

/// Keeps a pull request's head where the repository that it is for can show it.
pub(crate) fn keep_pull(base: &Path, head: &Path, branch: &str, number: u64) -> Outcome<()> {
    let refspec = format!("+refs/heads/{branch}:refs/pull/{number}/head");
    run(base, &["fetch", "--quiet", "--no-tags", &head.to_string_lossy(), &refspec]).map(drop)
}

pub(crate) fn merge_base(bare: &Path, one: &str, other: &str) -> Option<String> {
    run(bare, &["merge-base", one, other]).ok().map(|sha| sha.trim().to_owned())
}

/// Merges two commits and moves the branch; `None` where they conflict.
pub(crate) fn merge(bare: &Path, branch: &str, head: &str, message: &str) -> Option<String> {
    let tip = resolve(bare, branch)?;
    let tree = run(bare, &["merge-tree", "--write-tree", &tip, head]).ok()?;
    let tree = tree.lines().next()?;
    let person = ["-c", "user.name=GitHub", "-c", "user.email=noreply@localhost"];
    let making = ["commit-tree", tree, "-p", &tip, "-p", head, "-m", message];
    let sha = run(bare, &[&person[..], &making[..]].concat()).ok()?.trim().to_owned();
    run(bare, &["update-ref", &format!("refs/heads/{branch}"), &sha, &tip]).ok()?;
    Some(sha)
}

/// The commits of a range, oldest first.
pub(crate) fn commits(bare: &Path, range: &str) -> Vec<Commit> {
    const FORMAT: &str = "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%B%x01";
    run(bare, &["log", "--reverse", "--max-count=250", FORMAT, range, "--"])
        .unwrap_or_default()
        .split('\u{1}')
        .filter_map(|text| {
            let mut fields = text.trim_start().split('\0').map(str::to_owned);
            Some(Commit {
                sha: fields.next().filter(|sha| !sha.is_empty())?,
                tree: fields.next()?,
                parents: fields.next()?.split_whitespace().map(str::to_owned).collect(),
                name: fields.next()?,
                email: fields.next()?,
                date: fields.next()?,
                message: fields.next()?.trim_end().to_owned(),
            })
        })
        .collect()
}

pub(crate) fn commit_of(bare: &Path, sha: &str) -> Option<Commit> {
    let sha = resolve(bare, sha)?;
    commits(bare, &format!("{sha}^!")).pop()
}

pub(crate) fn count(bare: &Path, range: &str) -> usize {
    run(bare, &["rev-list", "--count", range, "--"])
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

pub(crate) fn diff(bare: &Path, from: &str, to: &str) -> String {
    run(bare, &["diff", from, to, "--"]).unwrap_or_default()
}

/// The empty tree, from which a first commit differs.
pub(crate) const NOTHING: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// The same difference file by file.
pub(crate) fn file_changes(bare: &Path, from: &str, to: &str) -> Vec<FileChange> {
    let diff = diff(bare, from, to);
    format!("\n{diff}").split("\ndiff --git ").skip(1).filter_map(file_change).collect()
}

fn file_change(part: &str) -> Option<FileChange> {
    let (header, patch) = part
        .split_once("\n@@")
        .map_or((part, String::new()), |(header, patch)| (header, format!("@@{patch}")));
    let (_, path) = header.lines().next()?.split_once(" b/")?;
    let status = match header {
        _ if header.contains("\nnew file mode") => "added",
        _ if header.contains("\ndeleted file mode") => "removed",
        _ if header.contains("\nrename from") => "renamed",
        _ => "modified",
    };
    let lines = |sign| patch.lines().filter(|line| line.starts_with(sign)).count();
    Some(FileChange {
        path: path.to_owned(),
        status,
        additions: lines('+'),
        deletions: lines('-'),
        patch: patch.clone(),
    })
}

/// Kind (`blob`, `tree`, `commit`), object, size and path of what lies in a folder of a commit, or of one file.
pub(crate) fn entries(bare: &Path, commit: &str, path: &str) -> Vec<(String, String, u64, String)> {
    let mut arguments = vec!["ls-tree", "-z", "-l", commit, "--"];
    if !path.is_empty() {
        arguments.push(path);
    }
    run(bare, &arguments)
        .unwrap_or_default()
        .split('\0')
        .filter_map(|line| {
            let (facts, path) = line.split_once('\t')?;
            let mut facts = facts.split_whitespace().skip(1).map(str::to_owned);
            let (kind, object) = (facts.next()?, facts.next()?);
            Some((kind, object, facts.next()?.parse().unwrap_or(0), path.to_owned()))
        })
        .collect()
}

pub(crate) fn blob(bare: &Path, object: &str) -> Outcome<Vec<u8>> {
    output(bare, &["cat-file", "blob", object])
}

fn run(bare: &Path, arguments: &[&str]) -> Outcome<String> {
    output(bare, arguments).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn output(bare: &Path, arguments: &[&str]) -> Outcome<Vec<u8>> {
    done(Command::new("git").envs(settings()).arg("-C").arg(bare).args(arguments).output())
}

fn done(output: std::io::Result<Output>) -> Outcome<Vec<u8>> {
    let output = output.map_err(broken)?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(broken(String::from_utf8_lossy(&output.stderr)))
    }
}

fn broken(reason: impl std::fmt::Display) -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("git: {reason}"))
}
