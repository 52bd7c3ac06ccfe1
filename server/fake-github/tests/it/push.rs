//! Git over HTTP, with right and wrong tokens.

use crate::github::{REPOSITORY, Receiver, git, github, installed, with_token};

#[tokio::test]
async fn a_push_moves_the_branch_and_its_pull_request() {
    let (github, receiver) = (github().await, Receiver::start().await);
    let number = github.world().open_pull(REPOSITORY, "ada", "Pears", "", "pears", "main");
    let before = github.world().pulls(REPOSITORY)[0].pull.head_sha.clone();
    let (_, installation) = installed(&github, &receiver.url);
    let token = github.world().installation_token(installation);
    let folder = tempfile::tempdir().unwrap();

    let cloned = git(folder.path(), &["clone", "-q", "-b", "pears", &with_token(&github, &token), "."]).await;
    assert!(cloned.status.success(), "{cloned:?}");
    git(folder.path(), &["commit", "-q", "--allow-empty", "-m", "More pears"]).await;
    let pushed = git(folder.path(), &["push", "-q", "origin", "HEAD:pears"]).await;
    assert!(pushed.status.success(), "{pushed:?}");

    github.world().settled().await;
    assert_eq!(receiver.events(), ["installation.created", "push", "pull_request.synchronize"]);
    let pull = &github.world().pulls(REPOSITORY)[0];
    assert_eq!(pull.number, number);
    assert_ne!(pull.pull.head_sha, before);
    assert_eq!(github.world().branch(REPOSITORY, "pears").unwrap(), pull.pull.head_sha);
}

#[tokio::test]
async fn a_wrong_token_neither_clones_nor_pushes() {
    let github = github().await;
    github.world().add_token("eve", "eve-token");
    let folder = tempfile::tempdir().unwrap();
    let address = format!("{}/{REPOSITORY}.git", github.url());
    assert!(git(folder.path(), &["clone", "-q", &address, "."]).await.status.success(), "it is public");
    git(folder.path(), &["commit", "-q", "--allow-empty", "-m", "Weeds"]).await;
    for token in ["eve-token", "nobody's"] {
        let pushed = git(folder.path(), &["push", "-q", &with_token(&github, token), "HEAD:weeds"]).await;
        assert!(!pushed.status.success());
    }
    assert!(!git(folder.path(), &["push", "-q", &address, "HEAD:weeds"]).await.status.success());
    github.world().make_private(REPOSITORY);
    for place in [address, with_token(&github, "eve-token")] {
        assert!(!git(folder.path(), &["ls-remote", &place]).await.status.success());
    }
    assert!(git(folder.path(), &["ls-remote", &with_token(&github, "ada-token")]).await.status.success());
    assert_eq!(github.world().branch(REPOSITORY, "weeds"), None);
}

#[tokio::test]
async fn a_token_without_contents_does_not_push() {
    let github = github().await;
    let (_, installation) = installed(&github, "");
    let token = github.world().installation_token(installation);
    github.world().revoke_permission(installation, "contents");
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["clone", "-q", &with_token(&github, &token), "."]).await;
    git(folder.path(), &["commit", "-q", "--allow-empty", "-m", "Pears"]).await;
    let pushed = git(folder.path(), &["push", "-q", "origin", "HEAD:pears"]).await;
    assert!(!pushed.status.success());
}
