//! The pages that a person uses.

use millrace_fake_github::FakeGitHub;

use crate::github::{REPOSITORY, client, github};

async fn page(github: &FakeGitHub, path: &str) -> String {
    let answer = client().get(format!("{}{path}", github.url())).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.unwrap()
}

#[tokio::test]
async fn an_issue_is_opened_and_answered_by_hand() {
    let github = github().await;
    let form = [("title", "Apples <b>"), ("body", "are **green**"), ("author", "ada")];
    let issues = format!("{}/{REPOSITORY}/issues", github.url());
    let opened = client().post(issues).form(&form).send().await.unwrap();
    assert_eq!(opened.headers()["location"], "/ada/orchard/issues/1");
    let form = [("body", "@millrace fix it"), ("author", "ada")];
    client()
        .post(format!("{}/{REPOSITORY}/threads/1/comments", github.url()))
        .form(&form)
        .send()
        .await
        .unwrap();

    let shown = page(&github, "/ada/orchard/issues/1").await;
    assert!(shown.contains("Apples &lt;b&gt;") && shown.contains("<strong>green</strong>"), "{shown}");
    assert!(shown.contains("@millrace fix it"));
    assert!(page(&github, "/").await.contains("ada/orchard"));
}

#[tokio::test]
async fn a_pull_request_is_read_and_merged_by_hand() {
    let github = github().await;
    github.world().open_pull(REPOSITORY, "ada", "Pears", "", "pears", "main");
    assert!(page(&github, "/ada/orchard").await.contains("Pears"));
    assert!(page(&github, "/ada/orchard/pull/1").await.contains("Add pears.txt"));
    assert!(page(&github, "/ada/orchard/pull/1/files").await.contains("+What pears adds."));
    let merge = format!("{}/{REPOSITORY}/threads/1/merge", github.url());
    client().post(merge).form(&[("author", "ada")]).send().await.unwrap();
    assert!(page(&github, "/ada/orchard/pull/1").await.contains("merged"));
    assert_eq!(github.world().file(REPOSITORY, "main", "pears.txt").as_deref(), Some("What pears adds.\n"));
}

#[tokio::test]
async fn a_check_fails_by_hand() {
    let github = github().await;
    github.world().open_pull(REPOSITORY, "ada", "Pears", "", "pears", "main");
    let failed = format!("{}/{REPOSITORY}/threads/1/failed-check", github.url());
    assert_eq!(client().post(failed).send().await.unwrap().headers()["location"], "/ada/orchard/pull/1");
    let head = github.world().branch(REPOSITORY, "pears").unwrap();
    let [check] = &github.world().checks(REPOSITORY, &head)[..] else { panic!("one check") };
    assert_eq!((check.name.as_str(), check.conclusion.as_deref()), ("test", Some("failure")));
    assert!(page(&github, "/ada/orchard/pull/1").await.contains("failure"));
}
