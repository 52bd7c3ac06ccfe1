//! From a repository and a ref to a working tree.

use std::{fs, net::TcpListener, path::PathBuf};

use app::model::JobState;
use serde_json::json;

use crate::harness::{App, Repo, runs, until};

/// What a job on this ref of the app's repository finds in `file`, or why it failed.
async fn read(app: &App, git_ref: &str) -> String {
    read_from(app, &app.repo, Some(git_ref)).await
}

async fn read_from(app: &App, repo: &Repo, git_ref: Option<&str>) -> String {
    let job =
        app.run_with(json!({ "repository": repo.address(), "ref": git_ref, "script": "cat file" })).await.job;
    match job.state {
        JobState::Succeeded => app.stdout(job.id).await.join("\n"),
        _ => job.error.unwrap(),
    }
}

/// The mirrors on the runner's disk.
fn mirrors(app: &App) -> Vec<PathBuf> {
    let entries = fs::read_dir(app.path().join("data/mirrors")).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "git"))
        .collect()
}

#[tokio::test]
async fn a_ref_is_a_branch_a_tag_a_commit_or_a_full_name() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let commit = app.repo.commit("file", "first");
    app.repo.git(&["tag", "light"]);
    app.repo.git(&["tag", "--annotate", "--message", "x", "annotated"]);
    app.repo.git(&["switch", "--quiet", "--create", "feature/deep"]);
    app.repo.commit("file", "feature");
    // A ref outside of branches and tags, as GitHub has for pull requests.
    app.repo.commit("file", "pull");
    app.repo.git(&["update-ref", "refs/pull/7/head", "HEAD"]);
    app.repo.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    app.repo.git(&["switch", "--quiet", "main"]);
    app.repo.commit("file", "main");

    assert_eq!(read(&app, "main").await, "main");
    assert_eq!(read(&app, "feature/deep").await, "feature");
    assert_eq!(read(&app, "light").await, "first");
    assert_eq!(read(&app, "annotated").await, "first");
    assert_eq!(read(&app, &commit).await, "first");
    assert_eq!(read(&app, &commit[..10]).await, "first");
    assert_eq!(read(&app, "refs/heads/feature/deep").await, "feature");
    assert_eq!(read(&app, "refs/tags/light").await, "first");
    assert_eq!(read(&app, "refs/pull/7/head").await, "pull");
}

#[tokio::test]
async fn a_branch_goes_before_a_tag_of_the_same_name() {
    let app = App::start().await;
    let _runner = app.runner().await;
    app.repo.commit("file", "tag");
    app.repo.git(&["tag", "same"]);
    app.repo.git(&["branch", "same"]);
    app.repo.git(&["switch", "--quiet", "same"]);
    app.repo.commit("file", "branch");

    assert_eq!(read(&app, "same").await, "branch");
}

#[tokio::test]
async fn without_a_ref_it_is_the_remotes_default_branch_also_after_it_changed() {
    let app = App::start().await;
    let _runner = app.runner().await;
    app.repo.commit("file", "main");
    // What git calls the first branch of a new repository, such as the mirror, if nobody says otherwise.
    app.repo.git(&["branch", "master"]);
    assert_eq!(read_from(&app, &app.repo, None).await, "main");

    app.repo.git(&["switch", "--quiet", "--create", "trunk"]);
    app.repo.commit("file", "trunk");

    assert_eq!(read_from(&app, &app.repo, None).await, "trunk");
    assert_eq!(read(&app, "HEAD").await, "trunk", "HEAD is the remote's, not the mirror's");
}

#[tokio::test]
async fn a_few_kilobytes_that_hold_thousands_of_millions_of_files_are_not_checked_out() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let blob = app.repo.git(&["hash-object", "-w", "README.md"]);
    let ten = |entry: &str| (0..10).map(|name| format!("{entry}\t{name}\n")).collect::<String>();
    // Of files, and of directories with nothing in them at all.
    for (name, innermost) in [("files", ten(&format!("100644 blob {blob}"))), ("directories", String::new())]
    {
        let mut tree = app.repo.tree(&innermost);
        for _ in 0..9 {
            tree = app.repo.tree(&ten(&format!("040000 tree {tree}")));
        }
        let commit = app.repo.git(&["commit-tree", &tree, "-m", "deep", "-p", "HEAD"]);
        app.repo.git(&["update-ref", &format!("refs/heads/{name}"), &commit]);

        let detail = app
            .run_with(json!({
                "repository": app.repo.address(), "ref": name, "script": "true", "max_attempts": 3,
            }))
            .await;

        let error = detail.job.error.unwrap_or_default();
        assert!(error.contains("more than 1 million files and directories"), "{name}: {error}");
        assert_eq!(detail.attempts.len(), 1, "it would only be found again");
    }
}

#[tokio::test]
async fn a_commit_that_is_larger_than_an_attempt_may_be_is_not_checked_out() {
    let app = App::with(&[("MILLRACE_SANDBOX__DISK_BYTES", "1048576")]).await;
    let _runner = app.runner().await;
    app.repo.commit("file", "small");
    assert_eq!(read(&app, "main").await, "small");

    app.repo.commit("large", &"x".repeat(2 << 20));

    let error = read(&app, "main").await;
    assert!(error.contains("its files are larger than 1 MiB together"), "{error}");
}

#[tokio::test]
async fn a_mirror_stays_of_few_packs_however_often_it_is_fetched() {
    let app = App::start().await;
    let _runner = app.runner().await;
    app.repo.commit("file", "first");
    assert_eq!(read(&app, "main").await, "first");
    let mirror = mirrors(&app).remove(0);
    let count = || {
        let files = fs::read_dir(mirror.join("objects/pack")).unwrap();
        files
            .filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end == "pack"))
            .count()
    };
    for number in 0..40 {
        app.repo.commit("file", &number.to_string());
        let (mirror, address) = (mirror.to_str().unwrap(), app.repo.address());
        let refs = "+refs/heads/*:refs/heads/*";
        app.repo.git(&["-C", mirror, "-c", "fetch.unpackLimit=1", "fetch", "--quiet", &address, refs]);
    }
    assert!(count() > 40);
    let earlier = app.repo.head();

    app.repo.commit("file", "last");
    assert_eq!(read(&app, "main").await, "last");

    assert!(count() < 10, "{} packs", count());
    // Nothing was lost.
    assert_eq!(read(&app, &earlier).await, "39");
}

#[tokio::test]
async fn the_next_job_sees_a_new_commit_a_forced_one_and_a_deleted_branch() {
    let app = App::start().await;
    let _runner = app.runner().await;
    app.repo.commit("file", "one");
    assert_eq!(read(&app, "main").await, "one");
    let mirror = mirrors(&app).remove(0);
    fs::write(mirror.join("marker"), "").unwrap();

    app.repo.commit("file", "two");
    assert_eq!(read(&app, "main").await, "two");

    app.repo.git(&["switch", "--quiet", "--create", "branch"]);
    app.repo.commit("file", "three");
    assert_eq!(read(&app, "branch").await, "three");
    app.repo.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    app.repo.commit("file", "forced");
    assert_eq!(read(&app, "branch").await, "forced");

    app.repo.git(&["switch", "--quiet", "main"]);
    app.repo.git(&["branch", "--quiet", "-D", "branch"]);
    let error = read(&app, "branch").await;
    assert!(error.starts_with("There is no branch, tag or commit `branch` in "), "{error}");

    // A directory may come where a branch was.
    app.repo.git(&["switch", "--quiet", "--create", "branch/below"]);
    app.repo.commit("file", "below");
    assert_eq!(read(&app, "branch/below").await, "below");

    assert_eq!(mirrors(&app), std::slice::from_ref(&mirror), "one mirror for the repository");
    assert!(mirror.join("marker").exists(), "the mirror is kept, not made anew");
}

#[tokio::test]
async fn an_attempt_cannot_change_what_the_next_one_gets() {
    let app = App::start().await;
    let _runner = app.runner().await;
    app.repo.commit("file", "good");
    assert_eq!(read(&app, "main").await, "good");
    let mirror = mirrors(&app).remove(0);
    let before = fs::read_to_string(mirror.join("config")).unwrap();

    let script = r#"
        git config core.hooksPath "$PWD/hooks"
        git config remote.origin.url /nowhere
        mkdir -p .git/hooks && printf '#!/bin/sh\necho hooked > file\n' > .git/hooks/post-checkout
        chmod +x .git/hooks/post-checkout
        git checkout --quiet -B main
        echo bad > file
        git -c user.name=x -c user.email=x@localhost commit --quiet --all --message bad
        git update-ref refs/heads/other HEAD
    "#;
    assert_eq!(app.run(script).await.job.state, JobState::Succeeded);

    assert_eq!(fs::read_to_string(mirror.join("config")).unwrap(), before);
    assert_eq!(read(&app, "main").await, "good");
    assert!(read(&app, "other").await.starts_with("There is no branch"));
}

#[tokio::test]
async fn two_jobs_on_one_repository_run_at_once() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let (here, there) = (app.gate("here"), app.gate("there"));
    let waits_for = |mine: &str, other: &str| {
        format!(
            "touch '{}'\n{}\ngit status --porcelain",
            app.path().join(mine).display(),
            app.gate(other).wait()
        )
    };

    let first = app.submit(&waits_for("first", "here")).await;
    let second = app.submit(&waits_for("second", "there")).await;
    until("both run", async || app.path().join("first").exists() && app.path().join("second").exists()).await;
    here.open();
    there.open();

    for id in [first, second] {
        app.wait_until(id, JobState::Succeeded).await;
        assert!(app.stdout(id).await.is_empty(), "both have a clean working tree");
    }
}

#[tokio::test]
async fn an_empty_repository_says_so() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let empty = app.empty_repo("empty");

    let error = read_from(&app, &empty, None).await;

    assert_eq!(error, format!("The repository {} has no commits yet.", empty.address()));
}

#[tokio::test]
async fn a_repository_that_does_not_exist_fails_with_what_git_said() {
    let app = App::start().await;
    let _runner = app.runner().await;

    let job = app.run_with(json!({ "repository": "/no/such/repository" })).await.job;

    assert_eq!((job.state, job.exit_code), (JobState::Failed, None));
    let error = job.error.unwrap();
    assert!(error.starts_with("The repository /no/such/repository could not be fetched: "), "{error}");
    assert!(error.contains("does not appear to be a git repository"), "{error}");
    let lines = app.output(job.id).await;
    assert_eq!(lines.last().unwrap().line, error, "the output says it too");
}

#[tokio::test]
async fn a_host_that_does_not_answer_fails_with_what_git_said() {
    let app = App::start().await;
    let _runner = app.runner().await;
    // Taken and given back, so nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();

    let job = app.run_with(json!({ "repository": format!("http://127.0.0.1:{port}/a/b.git") })).await.job;

    assert_eq!(job.state, JobState::Failed);
    let error = job.error.unwrap();
    assert!(error.contains("could not be fetched: unable to access"), "{error}");
}

/// A server that lets everybody in and says nothing, and the address of a repository there.
fn silent_host() -> (TcpListener, String) {
    // The kernel greets for it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/a/b.git", listener.local_addr().unwrap());
    (listener, address)
}

#[tokio::test]
async fn a_host_that_says_nothing_is_given_up_with_all_of_git() {
    let app = App::start().await;
    let _runner = app.runner_with(&[("MILLRACE_RUNNER__GIT_SECONDS", "1")]).await;
    let (_host, address) = silent_host();

    let job = app.run_with(json!({ "repository": address })).await.job;

    assert_eq!(job.state, JobState::Failed);
    assert_eq!(
        job.error.unwrap(),
        format!("The repository {address} could not be fetched: it took longer than 1s.")
    );
    until("git's helper is gone too", async || !runs(&address)).await;
}

#[tokio::test]
async fn a_job_that_waits_for_a_silent_host_can_be_canceled() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let (_host, address) = silent_host();
    let id = app.submit_with(json!({ "repository": address })).await;
    until("git waits", async || runs(&address)).await;

    app.cancel(id).await;

    app.wait_until(id, JobState::Canceled).await;
    until("git's helper is gone", async || !runs(&address)).await;
}

#[tokio::test]
async fn a_ref_that_does_not_exist_says_which_and_where() {
    let app = App::start().await;
    let _runner = app.runner().await;

    for name in ["nowhere", "refs/heads/nowhere", "0123456789abcdef0123456789abcdef01234567"] {
        let error = read(&app, name).await;
        assert_eq!(error, format!("There is no branch, tag or commit `{name}` in {}.", app.repo.address()));
    }
}
