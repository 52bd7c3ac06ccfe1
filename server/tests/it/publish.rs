//! From what an agent has left in a checkout to a branch, with real git.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use millrace::{
    config::Author,
    output::Mask,
    runner::publish::{
        Collect, Collected, Destination, Message, PublishError, Published, ReceiveError, Secrets, Work,
        collect, push,
    },
};
use tempfile::TempDir;
use tokio::process::Command;

use crate::harness::{LIMIT, Repo};

/// A checkout as an agent gets it, and what Millrace has of its own.
struct Attempt {
    directory: TempDir,
    /// Where people work, and where branches are published.
    origin: Repo,
    checkout: Repo,
    base: String,
}

impl Attempt {
    fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("millrace-publish-").tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let origin = Repo::new(path("origin"));
        origin.commit("src/wheel.rs", "fn turn() {}\n");
        let base = origin.commit(".gitignore", "target/\n");
        let mirror = Repo::empty(path("mirror"));
        mirror.git(&["fetch", "--quiet", &origin.address(), "+refs/heads/*:refs/millrace/*"]);
        let checkout = Repo::empty(path("checkout"));
        fs::write(
            path("checkout/.git/objects/info/alternates"),
            format!("{}/.git/objects\n", mirror.address()),
        )
        .unwrap();
        checkout.git(&["checkout", "--quiet", "--detach", &base]);
        Self { directory, origin, checkout, base }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.path("checkout").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    async fn collect(&self) -> Collected {
        let author: Author = "Millrace <millrace@localhost>".parse().unwrap();
        let agent: Author = "Demo <demo@localhost>".parse().unwrap();
        let message = Message {
            subject: "Turn the wheel",
            summary: Some("It turns now.\n\nTwice."),
            co_author: Some(&agent),
            link: "http://mill/jobs/1",
        };
        let Collect { program, arguments, environment } =
            Collect::new(&self.base, &author, &message, &[".agent/**"]);
        let mut run = Command::new(program);
        run.args(arguments).current_dir(self.path("checkout")).env_clear();
        run.env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.directory.path())
            .envs(environment);
        collect(&mut run, &self.path("bundle")).await.unwrap()
    }

    async fn receive(&self) -> Result<Option<Work>, ReceiveError> {
        let mirror = self.path("mirror/.git");
        Work::receive(&self.path("work.git"), &mirror, &self.path("bundle"), &self.base).await
    }

    /// Everything up to the commits.
    async fn work(&self) -> Work {
        assert!(self.collect().await.changed);
        self.receive().await.unwrap().expect("a change")
    }

    async fn push(&self, work: &Work, before: Option<&str>) -> Published {
        push(work, self.destination(before), async || true).await.unwrap()
    }

    fn destination<'a>(&self, before: Option<&'a str>) -> Destination<'a> {
        // As long as the test; a leak of some bytes.
        let repository: &'static str = self.origin.address().leak();
        Destination {
            repository,
            branch: "millrace/1-turn",
            before,
            otherwise: Some("millrace/1-turn"),
            own: &[],
            access: None,
            limit: LIMIT,
        }
    }
}

/// What a commit says of itself.
fn show(repo: &Repo, commit: &str, format: &str) -> String {
    repo.git(&["show", "--no-patch", &format!("--format={format}"), commit])
}

#[tokio::test]
async fn what_is_left_is_committed_in_millraces_name_and_published_on_a_branch() {
    let attempt = Attempt::new();
    attempt.write("src/wheel.rs", "fn turn() { turn() }\n");
    attempt.write("docs/new file.md", "# Ü\n");
    attempt.write("target/built", "ignored\n");
    attempt.write(".agent/log", "the agent's own\n");
    symlink("/etc/passwd", attempt.path("checkout/outside")).unwrap();
    fs::set_permissions(attempt.path("checkout/src/wheel.rs"), fs::Permissions::from_mode(0o755)).unwrap();

    let work = attempt.work().await;
    let published = attempt.push(&work, None).await;

    assert_eq!(published, Published { branch: "millrace/1-turn".to_owned(), note: None });
    let origin = &attempt.origin;
    assert_eq!(origin.git(&["rev-parse", "millrace/1-turn"]), work.head());
    assert_eq!(show(origin, work.head(), "%P"), attempt.base);
    assert_eq!(show(origin, work.head(), "%an <%ae> %cn"), "Millrace <millrace@localhost> Millrace");
    assert_eq!(
        show(origin, work.head(), "%B"),
        "Turn the wheel\n\nIt turns now.\n\nTwice.\n\nMillrace-Job: http://mill/jobs/1\nCo-authored-by: Demo <demo@localhost>"
    );
    let files = origin.git(&[
        "-c",
        "core.quotePath=false",
        "diff",
        "--raw",
        "--abbrev=4",
        "--no-renames",
        &attempt.base,
        work.head(),
    ]);
    let files: Vec<(&str, &str)> =
        files.lines().map(|line| (&line[8..14], line.split('\t').next_back().unwrap())).collect();
    assert_eq!(files, [("100644", "docs/new file.md"), ("120000", "outside"), ("100755", "src/wheel.rs")]);
    let figures = work.figures();
    assert_eq!((figures.files, figures.additions, figures.deletions, figures.commits), (3, 3, 1, 1));
    let patch = work.patch(&Secrets::default()).await.unwrap();
    assert!(!patch.cut);
    let text = String::from_utf8(patch.text).unwrap();
    assert!(text.contains("+++ b/docs/new file.md") && text.contains("+fn turn() { turn() }"), "{text}");
}

#[tokio::test]
async fn an_agents_own_commits_are_kept_and_the_rest_goes_on_top() {
    let attempt = Attempt::new();
    let own = attempt.checkout.commit("by-agent", "one\n");
    attempt.write("left", "two\n");

    let work = attempt.work().await;

    attempt.push(&work, None).await;
    assert_eq!(show(&attempt.origin, work.head(), "%P"), own);
    assert_eq!(work.figures().commits, 2);
}

#[tokio::test]
async fn nothing_to_commit_is_no_change() {
    let attempt = Attempt::new();
    attempt.write("target/built", "ignored\n");
    assert_eq!(attempt.collect().await, Collected { changed: false, notes: Vec::new() });

    // Done and undone: there are commits, and nothing is different.
    attempt.checkout.commit("new", "1\n");
    attempt.checkout.git(&["rm", "--quiet", "new"]);
    attempt.checkout.git(&["commit", "--quiet", "--message=undo"]);
    assert!(attempt.collect().await.changed);
    assert!(attempt.receive().await.unwrap().is_none());
}

#[tokio::test]
async fn files_of_a_repository_inside_the_repository_are_committed_and_huge_ones_left_out() {
    let attempt = Attempt::new();
    let inner = Repo::empty(attempt.path("checkout/inner"));
    inner.commit("file", "inside\n");
    fs::File::create(attempt.path("checkout/-huge [1].bin")).unwrap().set_len(101 << 20).unwrap();
    fs::File::create(attempt.path("checkout/core")).unwrap().set_len(10).unwrap();

    let collected = attempt.collect().await;
    let work = attempt.receive().await.unwrap().unwrap();

    assert_eq!(collected.notes, ["-huge [1].bin is left out: it is larger than 100 MiB."]);
    attempt.push(&work, None).await;
    let files = attempt.origin.git(&["diff", "--name-only", &attempt.base, work.head()]);
    assert_eq!(files.lines().collect::<Vec<_>>(), ["core", "inner/file"]);
}

#[tokio::test]
async fn a_rewritten_history_is_published_as_one_commit() {
    let attempt = Attempt::new();
    attempt.checkout.git(&["reset", "--quiet", "--soft", "HEAD~1"]);
    attempt.write("README.md", "rewritten\n");
    attempt.checkout.git(&["commit", "--quiet", "--all", "--message=another past"]);

    let collected = attempt.collect().await;
    let work = attempt.receive().await.unwrap().unwrap();

    assert!(collected.notes[0].starts_with("The agent rewrote the history"), "{:?}", collected.notes);
    attempt.push(&work, None).await;
    assert_eq!(show(&attempt.origin, work.head(), "%P"), attempt.base);
}

#[tokio::test]
async fn what_a_killed_git_leaves_is_no_obstacle() {
    let attempt = Attempt::new();
    attempt.checkout.git(&["switch", "--quiet", "--create", "side", "HEAD~1"]);
    attempt.checkout.commit(".gitignore", "conflicts\n");
    attempt.checkout.git(&["checkout", "--quiet", "--detach", &attempt.base]);
    let merge = std::process::Command::new("git")
        .args(["-c", "user.name=x", "-c", "user.email=x@localhost", "merge", "--quiet", "side"])
        .current_dir(attempt.path("checkout"))
        .output()
        .unwrap();
    assert!(!merge.status.success(), "a conflict is left");
    fs::write(attempt.path("checkout/.git/index.lock"), "").unwrap();

    let work = attempt.work().await;

    assert_eq!(work.figures().files, 1);
}

/// Settings and files that have git run a program in every way that somebody has thought of; the program leaves a mark.
fn make_hostile(directory: &Path, mark: &Path) {
    let program = directory.join(".git/evil");
    fs::write(&program, format!("#!/bin/sh\ntouch '{}'\ncat\n", mark.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let hooks = directory.join(".git/hooks");
    fs::create_dir_all(&hooks).unwrap();
    for hook in [
        "pre-commit",
        "post-commit",
        "pre-push",
        "pre-receive",
        "update",
        "post-receive",
        "post-update",
        "reference-transaction",
        "proc-receive",
        "post-index-change",
    ] {
        fs::copy(&program, hooks.join(hook)).unwrap();
    }
    let program = program.display();
    let config = format!(
        "[core]\n repositoryformatversion = 0\n fsmonitor = {program}\n pager = {program}\n sshCommand = {program}\n \
         gitProxy = {program}\n editor = {program}\n\
         [filter \"evil\"]\n clean = {program}\n smudge = {program}\n required = true\n\
         [diff]\n external = {program}\n[diff \"evil\"]\n textconv = {program}\n command = {program}\n\
         [uploadpack]\n packObjectsHook = {program}\n[pack]\n packSizeLimit = 1\n\
         [credential]\n helper = {program}\n[alias]\n bundle = !{program}\n diff = !{program}\n"
    );
    fs::write(directory.join(".git/config"), config).unwrap();
}

#[tokio::test]
async fn nothing_that_an_agent_leaves_runs_on_the_host() {
    let attempt = Attempt::new();
    let mark = attempt.path("mark");
    attempt.write(".gitattributes", "* filter=evil diff=evil\n");
    attempt.write("file", "content\n");
    make_hostile(&attempt.path("checkout"), &mark);
    // Hooks of the repository that is pushed to are programs of somebody else's too.
    let origin_config = fs::read(attempt.path("origin/.git/config")).unwrap();
    make_hostile(&attempt.path("origin"), &mark);
    fs::write(attempt.path("origin/.git/config"), origin_config).unwrap();

    assert!(attempt.collect().await.changed);
    assert!(mark.exists(), "the filter ran where the agent ran: so the rest of this test proves something");
    fs::remove_file(&mark).unwrap();
    let work = attempt.receive().await.unwrap().unwrap();
    assert_eq!(work.secrets(&Secrets::default()).await.unwrap(), None);
    let patch = work.patch(&Secrets::default()).await.unwrap();
    attempt.push(&work, None).await;

    assert!(String::from_utf8(patch.text).unwrap().contains("+content"));
    assert!(!mark.exists(), "a program of the agent's ran");
}

#[tokio::test]
async fn a_bundle_that_is_none_or_is_dangerous_is_refused() {
    let attempt = Attempt::new();
    fs::write(attempt.path("bundle"), "# v2 git bundle\nnonsense\n").unwrap();
    assert!(matches!(attempt.receive().await, Err(ReceiveError::Refused(_))));

    let attempt = Attempt::new();
    let stray = Repo::new(attempt.path("stray"));
    let bundle = attempt.path("bundle");
    let bundle = bundle.to_str().unwrap();
    stray.git(&["update-ref", "refs/millrace/result", "HEAD"]);
    stray.git(&["bundle", "create", "--quiet", bundle, "refs/millrace/result"]);
    assert!(matches!(attempt.receive().await, Err(ReceiveError::Unrelated)));

    // What it builds on is neither in it nor here.
    let attempt = Attempt::new();
    let left_out = attempt.checkout.commit("left-out", "1\n");
    attempt.checkout.commit("left-out", "2\n");
    attempt.checkout.git(&["update-ref", "refs/millrace/result", "HEAD"]);
    let (bundle, since) = (attempt.path("bundle"), format!("^{left_out}"));
    let bundle = bundle.to_str().unwrap();
    attempt.checkout.git(&["bundle", "create", "--quiet", bundle, "refs/millrace/result", &since]);
    assert!(matches!(attempt.receive().await, Err(ReceiveError::Refused(_))));

    // A directory `.git` in a commit would be one when somebody checks it out.
    let attempt = Attempt::new();
    let blob = attempt.checkout.git(&["hash-object", "-w", "README.md"]);
    fs::write(attempt.path("inner"), format!("100644 blob {blob}\tconfig\n")).unwrap();
    let tree = |file: &str| {
        let input = fs::File::open(attempt.path(file)).unwrap();
        let made = std::process::Command::new("git")
            .arg("mktree")
            .current_dir(attempt.path("checkout"))
            .stdin(input)
            .output()
            .unwrap();
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    };
    fs::write(attempt.path("outer"), format!("040000 tree {}\t.git\n", tree("inner"))).unwrap();
    let commit = attempt.checkout.git(&["commit-tree", &tree("outer"), "-p", &attempt.base, "-m", "x"]);
    attempt.checkout.git(&["update-ref", "refs/millrace/result", &commit]);
    let bundle = attempt.path("bundle");
    let since = format!("^{}", attempt.base);
    attempt.checkout.git(&[
        "bundle",
        "create",
        "--quiet",
        bundle.to_str().unwrap(),
        "refs/millrace/result",
        &since,
    ]);
    let refused = attempt.receive().await.unwrap_err().to_string();
    assert!(refused.starts_with("What the agent committed was refused: "), "{refused}");
}

#[tokio::test]
async fn a_secret_is_found_in_every_commit_and_not_kept_in_the_diff() {
    let attempt = Attempt::new();
    let known = Mask::new(&["swordfish-of-the-runner".into()]);
    let secrets = Secrets::new(known);
    let first = attempt.checkout.commit("config/app.env", "A=1\nB=swordfish-of-the-runner\n");
    attempt.checkout.commit("config/app.env", "A=1\n");
    let work = attempt.work().await;

    let found = work.secrets(&secrets).await.unwrap().unwrap().to_string();
    assert_eq!(
        found,
        format!(
            "secret found in config/app.env, line 2: a secret that this runner was given (commit {})",
            &first[..12]
        )
    );
    assert_eq!(work.secrets(&Secrets::default()).await.unwrap(), None);

    let attempt = Attempt::new();
    attempt.write("notes", "the word is swordfish-of-the-runner\n");
    let work = attempt.work().await;
    let patch = work.patch(&secrets).await.unwrap();
    assert!(String::from_utf8(patch.text).unwrap().contains("+the word is ***\n"));
}

#[tokio::test]
async fn a_branch_that_somebody_else_has_moved_is_left_alone() {
    let attempt = Attempt::new();
    attempt.write("file", "one\n");
    let work = attempt.work().await;
    attempt.push(&work, None).await;
    let first = work.head().to_owned();

    // The same again, after a crash for example, is fine.
    assert_eq!(attempt.push(&work, None).await.note, None);

    // A retry replaces what Millrace itself has put there.
    attempt.write("file", "two\n");
    fs::remove_dir_all(attempt.path("work.git")).unwrap();
    let work = attempt.work().await;
    assert_eq!(attempt.push(&work, Some(&first)).await.branch, "millrace/1-turn");

    attempt.origin.git(&["switch", "--quiet", "millrace/1-turn"]);
    let theirs = attempt.origin.commit("theirs", "by a person\n");
    attempt.origin.git(&["switch", "--quiet", "main"]);
    let published = attempt.push(&work, Some(&first)).await;

    assert_eq!(published.branch, "millrace/1-turn-2");
    assert!(published.note.unwrap().contains("has other commits by now"));
    assert_eq!(attempt.origin.git(&["rev-parse", "millrace/1-turn"]), theirs);
    assert_eq!(attempt.origin.git(&["rev-parse", "millrace/1-turn-2"]), work.head());
}

#[tokio::test]
async fn nothing_is_pushed_once_the_attempt_is_another_runners() {
    let attempt = Attempt::new();
    attempt.write("file", "one\n");
    let work = attempt.work().await;
    let asked = AtomicU32::new(0);

    let lost = push(&work, attempt.destination(None), async || {
        asked.fetch_add(1, Ordering::Relaxed);
        false
    });

    assert!(matches!(lost.await, Err(PublishError::Lost)));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(attempt.origin.git(&["branch", "--list", "millrace/*"]), "");
}

#[tokio::test]
async fn a_host_that_says_nothing_does_not_hold_a_push_for_ever() {
    let attempt = Attempt::new();
    attempt.write("file", "one\n");
    let work = attempt.work().await;
    // The kernel lets everybody in, and nobody answers.
    let host = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/a/b.git", host.local_addr().unwrap());
    let to = Destination { repository: &address, limit: Duration::from_secs(1), ..attempt.destination(None) };

    let pushed = push(&work, to, async || true).await;

    let said = pushed.unwrap_err().to_string();
    assert_eq!(said, "The branch millrace/1-turn could not be pushed: it took longer than 1s.");
}

#[tokio::test]
async fn a_push_speaks_no_protocol_that_is_a_program() {
    let attempt = Attempt::new();
    attempt.write("file", "one\n");
    let work = attempt.work().await;
    let mark = attempt.path("mark");
    // Somebody's own settings may allow it.
    let config = attempt.path("work.git/config");
    let settings = fs::read_to_string(&config).unwrap() + "[protocol \"ext\"]\nallow = always\n";
    fs::write(&config, settings).unwrap();
    let address = format!("ext::touch {}", mark.display());

    let pushed =
        push(&work, Destination { repository: &address, ..attempt.destination(None) }, async || true);

    let said = pushed.await.unwrap_err().to_string();
    assert!(said.contains("transport 'ext' not allowed") && !mark.exists(), "{said}");
}

#[tokio::test]
async fn a_secret_is_found_in_a_name_a_message_and_an_author_too() {
    let secret = "swordfish-of-the-runner";
    let secrets = Secrets::new(Mask::new(&[secret.into()]));
    let found = async |attempt: &Attempt| {
        let finding = attempt.work().await.secrets(&secrets).await.unwrap();
        finding.map(|finding| finding.to_string()).unwrap_or_default()
    };

    let attempt = Attempt::new();
    attempt.write(&format!("keys/{secret}.txt"), "");
    assert!(found(&attempt).await.starts_with("secret found in the name of a file: "));

    // The message pretends to be the beginning of a long hunk, which would swallow the real one.
    let attempt = Attempt::new();
    attempt.write("file", &format!("the word is {secret}\n"));
    attempt.checkout.git(&["add", "--all"]);
    let pretends = "x\n\ndiff --git a/y b/y\n--- a/y\n+++ b/y\n@@ -0,0 +1,99 @@\n+z";
    attempt.checkout.git(&["commit", "--quiet", "--cleanup=verbatim", "--message", pretends]);
    assert!(found(&attempt).await.starts_with("secret found in file, line 1: "));

    let attempt = Attempt::new();
    attempt.write("file", "one\n");
    attempt.checkout.git(&["add", "--all"]);
    attempt.checkout.git(&["commit", "--quiet", "--message", &format!("Use it\n\nIt is {secret}.")]);
    assert!(found(&attempt).await.starts_with("secret found in a commit's message: "));

    let attempt = Attempt::new();
    attempt.write("file", "one\n");
    attempt.checkout.git(&["add", "--all"]);
    let author = format!("--author={secret} <a@localhost>");
    attempt.checkout.git(&["commit", "--quiet", "--message=Use it", &author]);
    assert!(found(&attempt).await.starts_with("secret found in the author or the header of a commit: "));
}
