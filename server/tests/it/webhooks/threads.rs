//! A thread is one conversation: its order, its bounds, and the commands that are answered in it.

use app::model::{JobState, Verdict};

use crate::harness::{Hub, ORCHARD, until};

#[tokio::test]
async fn one_thread_is_one_conversation_in_order() {
    let hub = Hub::start().await;
    let issue = hub.issue();
    for body in ["@millrace first", "@millrace second", "@millrace third"] {
        hub.world().comment(ORCHARD, issue, "ada", body);
    }
    let mut all = hub.settled().await;
    all.retain(|delivery| delivery.event == "issue_comment");
    all.reverse();
    let mut jobs = Vec::new();
    for delivery in &all {
        jobs.push(hub.job_of(delivery).await.job);
    }
    let titles: Vec<&str> = jobs.iter().map(|job| job.title.as_str()).collect();
    assert_eq!(titles, ["first", "second", "third"]);
    assert_eq!((jobs[1].parent, jobs[2].parent), (Some(jobs[0].id), Some(jobs[1].id)));
    assert_eq!(jobs[2].thread, Some(jobs[0].id));
    assert_eq!(jobs[1].state, JobState::Scheduled, "it waits for the first");
}

#[tokio::test]
async fn a_busy_thread_is_stopped() {
    let hub = Hub::with(&[("MILLRACE_GITHUB__JOBS_PER_THREAD_PER_HOUR", "2")]).await;
    let issue = hub.issue();
    for verdict in [Verdict::Ran, Verdict::Ran, Verdict::LoopGuard, Verdict::LoopGuard] {
        assert_eq!(hub.comment(issue, "ada", "@millrace again").await.verdict, Some(verdict));
    }
    assert_eq!((hub.jobs().await, hub.said(issue).len()), (2, 1));
}

#[tokio::test]
async fn commands_are_answered() {
    let hub = Hub::start().await;
    let issue = hub.issue();
    assert_eq!(hub.comment(issue, "ada", "@millrace status").await.verdict, Some(Verdict::Answered));
    let job = hub.job_of(&hub.comment(issue, "ada", "@millrace go").await).await.job;
    for (command, words) in [
        ("status", "waits for a free slot"),
        ("cancel", "Canceled [job"),
        ("cancel", "nothing to cancel"),
        ("retry", "again"),
        ("help", "base="),
    ] {
        let delivery = hub.comment(issue, "grace", &format!("@millrace {command}")).await;
        let verdict = if command == "retry" { Verdict::Ran } else { Verdict::Answered };
        assert_eq!(delivery.verdict, Some(verdict), "{command}: {delivery:?}");
        let said = hub.said(issue);
        assert!(said.last().unwrap().contains(words), "{command}: {said:#?}");
        if command == "cancel" {
            assert_eq!(hub.app.job(job.id).await.job.state, JobState::Canceled);
        }
    }
    assert_eq!(hub.app.job(job.id).await.job.state, JobState::Queued);
    assert_eq!(hub.jobs().await, 1);
}

#[tokio::test]
async fn another_try_is_counted_as_a_job() {
    let hub = Hub::with(&[("MILLRACE_GITHUB__JOBS_PER_THREAD_PER_HOUR", "3")]).await;
    let issue = hub.issue();
    let job = hub.job_of(&hub.comment(issue, "ada", "@millrace go").await).await.job;
    for verdict in [Verdict::Ran, Verdict::Ran, Verdict::LoopGuard] {
        hub.app.cancel(job.id).await;
        let delivery = hub.comment(issue, "ada", "@millrace retry").await;
        assert_eq!(delivery.verdict, Some(verdict), "{delivery:?}");
    }
    assert_eq!(hub.app.job(job.id).await.job.state, JobState::Canceled, "it was not tried again");
    assert_eq!(hub.comment(issue, "ada", "@millrace go on").await.verdict, Some(Verdict::LoopGuard));
}

#[tokio::test]
async fn what_was_asked_is_seen_at_once_and_what_waits_behind_another_job_says_so() {
    let hub = Hub::start().await;
    let _answers = hub.app.answers();
    let issue = hub.issue();
    let (first, second) = (
        hub.world().comment(ORCHARD, issue, "ada", "@millrace first"),
        hub.world().comment(ORCHARD, issue, "ada", "@millrace second"),
    );
    hub.settled().await;

    until("both are answered", async || hub.said(issue).len() == 2).await;

    // No runner is there, so that all of this comes of the deliveries alone.
    for comment in [first, second] {
        let reactions = hub.world().reactions(ORCHARD, comment);
        assert_eq!(reactions.len(), 1, "{reactions:?}");
    }
    let requests = hub.world().requests();
    let place = |end: &str| {
        requests.iter().position(|request| request.method == "POST" && request.path.ends_with(end)).unwrap()
    };
    assert!(
        place(&format!("/issues/comments/{first}/reactions")) < place(&format!("/issues/{issue}/comments"))
    );
    let said = hub.said(issue);
    assert!(said.iter().all(|text| text.starts_with("**Waiting.** ")), "{said:?}");
    let behind = said.iter().filter(|text| text.contains("Another job of this conversation runs first."));
    assert_eq!(behind.count(), 1, "{said:?}");
}

#[tokio::test]
async fn a_repository_with_another_name_keeps_its_conversations() {
    let hub = Hub::start().await;
    let issue = hub.issue();
    let first = hub.job_of(&hub.comment(issue, "ada", "@millrace go").await).await.job;
    let schedule = serde_json::json!({
        "name": "nightly", "cron": "0 3 * * *",
        "job": { "kind": "command", "repository": format!("{}/Ada/Orchard", hub.github.url()), "script": "true" },
    });
    assert_eq!(hub.app.post_json("/api/schedules", &schedule).await.status(), 201);
    hub.world().rename_repository(ORCHARD, "garden", "ada");
    assert_eq!(hub.last().await.verdict, Some(Verdict::Answered));

    hub.world().comment("ada/garden", issue, "ada", "@millrace go on");
    let second = hub.job_of(&hub.last().await).await.job;

    assert_eq!(second.parent, Some(first.id));
    assert_eq!(second.repository, format!("{}/ada/garden.git", hub.github.url()));
    assert_eq!(
        hub.app.job(first.id).await.job.repository,
        second.repository,
        "so that it can be tried again"
    );
    let schedules = hub.app.get_json("/api/schedules").await;
    assert_eq!(schedules[0]["job"]["repository"], second.repository, "{schedules}");
    // GitHub may tell it once more.
    let changes = serde_json::json!({ "repository": { "name": { "from": "orchard" } } });
    let repository = serde_json::json!({ "full_name": "ada/garden", "default_branch": "main" });
    let event = serde_json::json!({ "action": "renamed", "changes": changes, "repository": repository });
    hub.deliver_new("repository", &event).await;
    hub.settled().await;
    hub.world().comment("ada/garden", issue, "ada", "@millrace and on");
    assert_eq!(hub.job_of(&hub.last().await).await.job.parent, Some(second.id));
}

#[tokio::test]
async fn what_a_command_has_done_is_said_although_github_was_away_at_first() {
    let hub = Hub::start().await;
    let issue = hub.issue();
    let job = hub.job_of(&hub.comment(issue, "ada", "@millrace go").await).await.job;
    let fail = || hub.world().fail_next("POST", &format!("/repos/{ORCHARD}/issues/{issue}/comments"), 502, 1);
    let said = || hub.said(issue).pop().unwrap();

    fail();
    assert_eq!(hub.comment(issue, "ada", "@millrace cancel").await.tries, 2);
    assert!(said().starts_with("Canceled [job"), "{}", said());

    fail();
    let delivery = hub.comment(issue, "ada", "@millrace retry").await;
    assert_eq!((delivery.verdict, delivery.tries), (Some(Verdict::Ran), 2));
    assert!(said().starts_with("Trying [job"), "{}", said());
    assert_eq!(hub.app.job(job.id).await.job.attempt, 0);
}
