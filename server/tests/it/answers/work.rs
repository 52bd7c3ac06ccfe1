//! From a request to a branch, a pull request, a check run and one comment.

use app::model::AgentOutcome;
use serde_json::json;

use super::{GROW, REPOSITORY, Request, Site};
use crate::harness::until;

#[tokio::test]
async fn a_comment_becomes_a_pull_request_and_one_comment() {
    let site = Site::new(GROW).await;
    let _answers = site.app.answers();
    let asked = site.ask().await;
    until("the job is announced", async || !site.own_comments(asked.number).is_empty()).await;
    assert_eq!(site.world().reactions(REPOSITORY, asked.comment).len(), 1, "before anything is said");
    assert!(
        site.own_comment(asked.number).starts_with("**Waiting.** No runner"),
        "{}",
        site.own_comment(asked.number)
    );
    let _runner = site.app.runner().await;

    let detail = site.told(asked.job).await;

    let [pull] = &site.world().pulls(REPOSITORY)[..] else { panic!("one pull request") };
    let agent = detail.attempts.last().unwrap().agent.clone().unwrap();
    let branch = detail.job.branch.clone().unwrap();
    let head = agent.head.unwrap();
    assert_eq!(site.git(&["rev-parse", &branch]), head);
    site.checked_once(asked.job, &head);
    assert_eq!(site.git(&["diff", "--name-only", &format!("main..{branch}")]), "trees.txt");
    assert_eq!(pull.title, "Plant a tree");
    assert!(pull.body.contains(&format!("\n\nCloses #{}\n", asked.number)), "{}", pull.body);
    let address = detail.job.pull_request.unwrap();
    assert!(address.ends_with(&format!("/{REPOSITORY}/pull/{}", pull.number)), "{address}");
    let comment = site.own_comment(asked.number);
    assert!(comment.starts_with(&format!("**Done.** The work is in #{} as ", pull.number)), "{comment}");
    assert!(comment.contains("1 file changed, +1 −0") && comment.contains("/jobs/"), "{comment}");
    assert_eq!(site.count("POST", &format!("/issues/{}/comments", asked.number)), 1);
}

#[tokio::test]
async fn a_pull_request_has_a_check_run_at_its_head() {
    let site = Site::new("cat > /dev/null; echo nothing to do").await;
    let (_answers, _runner) = (site.app.answers(), site.app.runner().await);
    let number = site.world().open_pull(REPOSITORY, "ada", "More trees", "", "more-trees", "main");
    let head = site.world().branch(REPOSITORY, "more-trees").unwrap();

    let asked = site.ask_in(number, json!({}), Some(head.clone())).await;
    let detail = site.told(asked.job).await;

    let [check] = &site.world().checks(REPOSITORY, &head)[..] else { panic!("one check run") };
    assert_eq!((check.status.as_str(), check.conclusion.as_deref()), ("completed", Some("neutral")));
    assert_eq!(check.external_id, asked.job.to_string());
    assert_eq!(detail.job.outcome, Some(AgentOutcome::NoChange));
    let comment = site.own_comment(number);
    assert!(comment.starts_with("**Nothing to change.**") && comment.contains("`@millrace …`"), "{comment}");
    assert_eq!(site.world().pulls(REPOSITORY).len(), 1, "its own");
}

#[tokio::test]
async fn a_follow_up_adds_a_commit_to_the_same_pull_request() {
    let site = Site::new(GROW).await;
    let (_answers, _runner) = (site.app.answers(), site.app.runner().await);
    let first = site.ask().await;
    let branch = site.told(first.job).await.job.branch.unwrap();
    let pull = site.world().pulls(REPOSITORY).remove(0).number;

    let second = site.ask_in(pull, json!({ "parent": first.job }), None).await;
    let detail = site.told(second.job).await;

    assert_eq!(detail.job.branch.as_deref(), Some(branch.as_str()));
    assert_eq!(site.git(&["rev-list", "--count", &format!("main..{branch}")]), "2");
    assert_eq!(site.world().pulls(REPOSITORY).len(), 1);
    assert!(site.own_comment(pull).starts_with("**Done.** The work is on this pull request's branch as "));
}

#[tokio::test]
async fn the_work_for_a_pull_request_is_pushed_to_its_branch() {
    let site = Site::new(GROW).await;
    let number = site.world().open_pull(REPOSITORY, "ada", "More trees", "", "more-trees", "main");
    let before = site.world().branch(REPOSITORY, "more-trees").unwrap();
    let asked = site.ask_in(number, json!({}), Some(before.clone())).await;
    sqlx::query("UPDATE jobs SET branch = 'more-trees' WHERE id = $1")
        .bind(asked.job.as_uuid())
        .execute(site.app.db())
        .await
        .unwrap();
    let (_answers, _runner) = (site.app.answers(), site.app.runner().await);

    let detail = site.told(asked.job).await;

    let after = site.world().branch(REPOSITORY, "more-trees").unwrap();
    assert_eq!(site.git(&["rev-parse", &format!("{after}^")]), before, "a commit on top");
    assert_eq!(detail.job.branch.as_deref(), Some("more-trees"));
    assert_eq!(site.world().pulls(REPOSITORY).len(), 1);
    assert!(site.own_comment(number).starts_with("**Done.** The work is on this pull request's branch"));
    site.checked_once(asked.job, &after);
    let at_the_head_before = site.world().checks(REPOSITORY, &before);
    assert!(at_the_head_before.iter().all(|check| check.status == "completed"), "{at_the_head_before:?}");
}

#[tokio::test]
async fn a_job_of_the_dashboard_gets_a_pull_request_too() {
    let site = Site::new(GROW).await;
    let (_answers, _runner) = (site.app.answers(), site.app.runner().await);

    let job = site.submit(json!({})).await;
    let detail = site.told(job).await;

    let [pull] = &site.world().pulls(REPOSITORY)[..] else { panic!("one pull request") };
    assert!(!pull.body.contains("Closes"), "{}", pull.body);
    assert!(detail.job.pull_request.is_some());
}

#[tokio::test]
async fn a_job_says_where_it_was_asked_for() {
    let site = Site::new(GROW).await;
    let on_issue = site.ask().await;
    let number = site.world().open_issue(REPOSITORY, "ada", "More trees", "There are few.");
    let on_pull = site.ask_in(number, json!({}), Some("0".repeat(40))).await;
    let elsewhere = site.submit(json!({})).await;

    for (request, kind) in [(on_issue, "issues"), (on_pull, "pull")] {
        let Request { number, comment, job } = request;
        let address = format!("{}/{REPOSITORY}/{kind}/{number}#issuecomment-{comment}", site.github.url());
        assert_eq!(site.app.job(job).await.asked_in, Some(address));
    }
    assert_eq!(site.app.job(elsewhere).await.asked_in, None);
}
