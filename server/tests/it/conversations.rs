//! Agents' jobs that go on where another one stopped, and jobs whose agent has no quota left.

use std::time::Duration;

use app::model::{
    AgentOutcome, AgentRun, ChangeFigures, Job, JobId, JobState, Kind, Protection, Role, Timestamp, Usage,
    WaitReason,
};
use chrono::{TimeDelta, Utc};
use futures::future::join_all;
use millrace::{
    db::{
        self, agent_runs, quotas,
        transitions::{Outcome, Verdict},
    },
    queue::Claim,
};
use serde_json::{Value, json};

use crate::harness::{App, Browser, eventually, until};

const LEASE: Duration = Duration::from_secs(60);
const RUNNER: &str = "by-hand";
/// In 2100.
const SOME_DAY: i64 = 4_102_444_800_000;

/// A runner of which every step is the test's.
struct ByHand<'a>(&'a App);

impl ByHand<'_> {
    /// What of the lane can be started now.
    async fn start(&self) -> Vec<Job> {
        let Claim { jobs, .. } = self.0.queue().claim(Kind::Agent, RUNNER, 10).await.unwrap();
        let started = self.0.lifecycle.start(Kind::Agent, &jobs, RUNNER, LEASE).await.unwrap();
        started.into_iter().map(|owned| owned.job).collect()
    }

    async fn start_one(&self) -> Job {
        eventually("a job can be started", async || {
            let mut started = self.start().await;
            assert!(started.len() <= 1, "{started:?}");
            started.pop()
        })
        .await
    }

    async fn end(&self, job: &Job, outcome: Outcome) {
        let verdict = Verdict { id: job.id, attempt: job.attempt, outcome, lines: 0 };
        assert_eq!(self.0.lifecycle.finish(RUNNER, &[verdict]).await.unwrap().len(), 1);
    }
}

async fn ask(app: &App, fields: Value) -> JobId {
    let mut new = json!({ "kind": "agent", "agent": "demo", "prompt": "Count the files" });
    new.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    if new.get("parent").is_none() {
        new["repository"] = json!(app.repo.address());
    }
    let answer = app.post_json("/api/jobs", &new).await;
    assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
    let job: Value = answer.json().await.unwrap();
    serde_json::from_value(job["id"].clone()).unwrap()
}

fn in_an_hour() -> Timestamp {
    Timestamp((Utc::now() + TimeDelta::hours(1)).timestamp_millis())
}

#[tokio::test]
async fn a_follow_up_waits_for_the_job_before_it_and_works_on_its_branch() {
    let app = App::start().await;
    let runner = ByHand(&app);
    let first = ask(&app, json!({})).await;
    let running = runner.start_one().await;
    let second = ask(&app, json!({ "parent": first, "prompt": "Now the folders" })).await;
    let third = ask(&app, json!({ "parent": second, "prompt": "Now the links" })).await;

    let waiting = app.job(second).await;
    assert_eq!(waiting.job.state, JobState::Scheduled);
    assert_eq!((waiting.job.parent, waiting.job.thread), (Some(first), Some(first)));
    assert_eq!(waiting.job.repository, app.repo.address());
    assert_eq!(waiting.waiting.unwrap().reasons, [WaitReason::Conversation]);
    assert_eq!(app.job(third).await.job.thread, Some(first));

    let run = AgentRun {
        outcome: Some(AgentOutcome::Changed),
        branch: Some("millrace/count".to_owned()),
        ..AgentRun::default()
    };
    agent_runs::note(app.db(), first, running.attempt, &run).await.unwrap().unwrap();
    runner.end(&running, Outcome::succeeded(Some(0))).await;

    let job = runner.start_one().await;
    assert_eq!(job.id, second, "one at a time, in the order in which they were asked for");
    assert!(runner.start().await.is_empty());
    assert_eq!(app.retry(first).await.status(), 409, "two would work on one branch");
    runner.end(&job, Outcome::failed("no").and_never_again()).await;
    assert_eq!(runner.start_one().await.id, third);

    let conversation: Vec<JobId> = app.job(second).await.conversation.into_iter().map(|job| job.id).collect();
    assert_eq!(conversation, [first, second, third]);
    let fourth = ask(&app, json!({ "parent": first })).await;
    assert_eq!(app.job(fourth).await.job.branch.as_deref(), Some("millrace/count"));
}

#[tokio::test]
async fn of_follow_ups_that_come_at_once_one_is_queued_and_the_others_wait() {
    let app = App::start().await;
    let runner = ByHand(&app);
    let first = ask(&app, json!({})).await;
    let running = runner.start_one().await;
    runner.end(&running, Outcome::succeeded(Some(0))).await;

    let asked = join_all((0..16).map(|_| ask(&app, json!({ "parent": first })))).await;

    let states = join_all(asked.iter().map(|id| async { app.job(*id).await.job.state })).await;
    assert_eq!(states.iter().filter(|state| **state == JobState::Queued).count(), 1, "{states:?}");
    assert_eq!(states.iter().filter(|state| **state == JobState::Scheduled).count(), 15, "{states:?}");
}

#[tokio::test]
async fn a_follow_up_with_a_time_waits_for_the_job_before_it_too() {
    let app = App::start().await;
    let runner = ByHand(&app);
    let first = ask(&app, json!({})).await;
    let running = runner.start_one().await;
    let second = ask(&app, json!({ "parent": first, "run_at": in_an_hour() })).await;
    assert!(matches!(app.job(second).await.waiting.unwrap().reasons[..], [WaitReason::RunAt { .. }]));

    sqlx::query("UPDATE jobs SET run_at = now() WHERE id = $1")
        .bind(second.as_uuid())
        .execute(app.db())
        .await
        .unwrap();

    until("its time has come", async || app.job(second).await.job.run_at.is_none()).await;
    let waiting = app.job(second).await;
    assert_eq!(waiting.job.state, JobState::Scheduled);
    assert_eq!(waiting.waiting.unwrap().reasons, [WaitReason::Conversation]);
    assert_eq!(db::next_scheduled(app.db()).await.unwrap(), None, "the reconciler has nothing to hurry for");
    assert!(runner.start().await.is_empty());

    runner.end(&running, Outcome::succeeded(Some(0))).await;
    assert_eq!(runner.start_one().await.id, second);
}

#[tokio::test]
async fn a_follow_up_can_be_withdrawn_and_the_next_one_goes_on() {
    let app = App::start().await;
    let runner = ByHand(&app);
    let first = ask(&app, json!({})).await;
    let running = runner.start_one().await;
    let second = ask(&app, json!({ "parent": first })).await;
    let third = ask(&app, json!({ "parent": first })).await;

    assert_eq!(app.cancel(second).await.status(), 200);
    runner.end(&running, Outcome::succeeded(Some(0))).await;

    assert_eq!(runner.start_one().await.id, third);
    assert_eq!(app.job(second).await.job.state, JobState::Canceled);
}

#[tokio::test]
async fn only_an_agents_job_that_one_may_see_can_be_continued() {
    let app = App::start().await;
    let command = app.submit("true").await;
    let agent = ask(&app, json!({})).await;
    let stranger = app.token_of("stranger", Role::Member).await;
    for (parent, token, status) in [
        (command.to_string(), &app.token, 422),
        (JobId::new().to_string(), &app.token, 404),
        ("nonsense".to_owned(), &app.token, 422),
        (agent.to_string(), &stranger, 404),
    ] {
        let new = json!({ "parent": parent, "prompt": "go on" });
        assert_eq!(app.post_as(token, "/api/jobs", &new).await.status(), status, "{parent}");
    }
    let elsewhere = json!({ "parent": agent, "prompt": "go on", "repository": "https://example.com/x" });
    assert_eq!(app.post_json("/api/jobs", &elsewhere).await.status(), 422);
}

#[tokio::test]
async fn while_an_agents_quota_is_used_up_its_jobs_wait_and_others_run() {
    let app = App::start().await;
    let runner = ByHand(&app);
    let first = ask(&app, json!({ "agent": "codex", "max_attempts": 2 })).await;
    let running = runner.start_one().await;
    let until_then = in_an_hour();

    let until_then =
        app.lifecycle.quota_used_up("codex", "Try again later.", Some(until_then)).await.unwrap();
    runner.end(&running, Outcome::failed("Quota used up.").parked_until(until_then)).await;
    let second = ask(&app, json!({ "agent": "codex" })).await;
    let other = ask(&app, json!({ "agent": "demo" })).await;
    assert_eq!(runner.start_one().await.id, other);
    assert!(runner.start().await.is_empty());

    for id in [first, second] {
        let detail = app.job(id).await;
        assert_eq!((detail.job.state, detail.job.run_at), (JobState::Parked, Some(until_then)));
        assert_eq!(
            detail.waiting.unwrap().reasons,
            [WaitReason::Quota { agent: "codex".to_owned(), until: until_then }]
        );
    }
    let lanes = app.get_json("/api/lanes").await;
    let quotas =
        lanes.as_array().unwrap().iter().find(|lane| lane["kind"] == "agent").unwrap()["quotas"].clone();
    assert_eq!(
        quotas,
        json!([{ "agent": "codex", "reason": "Try again later.", "until": until_then, "parked": 2 }])
    );

    assert_eq!(app.post("/api/agents/codex/resume").await.status(), 204);
    let mut again = Vec::new();
    while again.len() < 2 {
        again.extend(runner.start().await.into_iter().map(|job| job.id));
    }
    assert!(again.contains(&first) && again.contains(&second));
    let attempts = app.attempts(first).await;
    assert_eq!(attempts.len(), 2);
    runner.end(&app.job(first).await.job, Outcome::failed("once")).await;
    assert_eq!(
        app.job(first).await.job.state,
        JobState::Scheduled,
        "the parked attempt used none of the two up"
    );
    assert_eq!(app.post("/api/agents/codex/resume").await.status(), 404);
}

#[tokio::test]
async fn parked_jobs_go_on_by_themselves() {
    let app = App::start().await;
    let runner = ByHand(&app);
    let id = ask(&app, json!({ "agent": "codex" })).await;
    let running = runner.start_one().await;
    // Sooner than a provider is believed.
    let soon = Utc::now() + TimeDelta::milliseconds(300);
    let soon = quotas::use_up(app.db(), "codex", "Soon.", Some(soon)).await.unwrap();
    runner.end(&running, Outcome::failed("Quota used up.").parked_until(soon)).await;
    assert_eq!(app.job(id).await.job.state, JobState::Parked);

    assert_eq!(runner.start_one().await.id, id);
    assert!(Utc::now().timestamp_millis() >= soon.0);
}

#[tokio::test]
async fn a_time_that_no_quota_ends_at_parks_nobody_for_good_and_is_not_asked_for_again_and_again() {
    let app = App::start().await;
    let minutes = async |agent: &str, until: Timestamp| {
        let until = app.lifecycle.quota_used_up(agent, "No quota.", Some(until)).await.unwrap();
        (until.0 - Utc::now().timestamp_millis()) as f64 / 60_000.0
    };

    let (passed, far) = (minutes("codex", Timestamp(0)).await, minutes("qwen", Timestamp(SOME_DAY)).await);

    assert!((4.9..=5.0).contains(&passed), "{passed}");
    let days = far / 60.0 / 24.0;
    assert!((7.9..=8.0).contains(&days), "{days}");
}

#[tokio::test]
async fn without_a_time_from_the_provider_the_pauses_grow_until_it_answers() {
    let app = App::start().await;
    let minutes = async || {
        let until = app.lifecycle.quota_used_up("qwen", "No quota.", None).await.unwrap();
        (until.0 - Utc::now().timestamp_millis()) as f64 / 60_000.0
    };
    let pass = async || {
        sqlx::query("UPDATE agent_quotas SET resumes_at = now() - interval '1 second'")
            .execute(app.db())
            .await
            .unwrap();
    };
    let first = minutes().await;
    assert!((4.9..=5.0).contains(&first), "{first}");
    let same = minutes().await;
    assert!((4.9..=5.0).contains(&same), "what ends together counts once: {same}");
    pass().await;
    let second = minutes().await;
    assert!((9.9..=10.0).contains(&second), "{second}");
    pass().await;
    app.lifecycle.quota_is_there("qwen").await.unwrap();
    let again = minutes().await;
    assert!((4.9..=5.0).contains(&again), "{again}");
}

#[tokio::test]
async fn a_conversation_is_read_as_one_from_the_first_prompt_to_the_last_answer() {
    let app = App::start().await;
    let runner = ByHand(&app);
    let first =
        ask(&app, json!({ "prompt": "Count the files\nBut <b>not</b> those that git ignores." })).await;
    let running = runner.start_one().await;
    let run = AgentRun {
        outcome: Some(AgentOutcome::Changed),
        branch: Some("millrace/count".to_owned()),
        summary: Some("There are **three**.".to_owned()),
        usage: Some(Usage { cost_micros: Some(20_000), ..Usage::default() }),
        changes: Some(ChangeFigures { files: 2, additions: 10, deletions: 3, commits: 1 }),
        ..AgentRun::default()
    };
    agent_runs::note(app.db(), first, running.attempt, &run).await.unwrap().unwrap();
    runner.end(&running, Outcome::succeeded(Some(0))).await;
    let second = ask(&app, json!({ "parent": first, "prompt": "Now the folders" })).await;
    let running = runner.start_one().await;
    runner.end(&running, Outcome::failed("The provider is away.").and_never_again()).await;
    let third = ask(&app, json!({ "parent": first, "prompt": "And the links" })).await;
    let browser = Browser::signed_in(&app, "owner").await;

    let page = browser.get(&format!("/jobs/{third}")).await.text().await.unwrap();

    let conversation = &page[page.find("class=\"exchanges\"").unwrap()..];
    let mut rest = conversation;
    for part in [
        &*format!("/jobs/{first}"),
        "But &lt;b&gt;not&lt;/b&gt; those that git ignores.",
        "There are <strong>three</strong>.",
        "2 files, +10 −3 · millrace/count · $0.02",
        &*format!("/jobs/{second}"),
        "Now the folders",
        "The provider is away.",
        "And the links",
    ] {
        let at =
            rest.find(part).unwrap_or_else(|| panic!("`{part}` is missing or too early: {conversation}"));
        rest = &rest[at + part.len()..];
    }
}

#[tokio::test]
async fn the_button_of_a_follow_up_that_waits_withdraws_it() {
    let app = App::start().await;
    let runner = ByHand(&app);
    let first = ask(&app, json!({})).await;
    let _running = runner.start_one().await;
    let second = ask(&app, json!({ "parent": first })).await;
    let browser = Browser::signed_in(&app, "owner").await;
    let page = browser.get(&format!("/jobs/{first}")).await.text().await.unwrap();
    assert_eq!(page.matches("Withdraw").count(), 1, "what runs is canceled instead");
    assert!(page.contains("Waiting for the job before it."));
    let button = &page[..page.find("Withdraw").unwrap()];
    let form = &button[button.rfind("<form").unwrap()..];
    let value = |name: &str| form.split_once(name).unwrap().1.split('"').next().unwrap().to_owned();
    let (action, id) = (value("action=\""), value("value=\""));
    assert_eq!(id, second.to_string());

    let request = app.http.post(app.url(&action)).header("origin", app.url(""));
    let answer = browser.send(request.header("accept", "text/html").form(&[("id", id)])).await;

    assert!(answer.status().is_redirection(), "{}", answer.text().await.unwrap());
    assert_eq!(app.job(second).await.job.state, JobState::Canceled);
    assert_eq!(app.job(first).await.job.state, JobState::Running);
}

#[tokio::test]
async fn a_jobs_page_shows_the_facts_of_the_attempt_that_it_shows() {
    let app = App::start().await;
    let runner = ByHand(&app);
    let id = ask(&app, json!({ "max_attempts": 2 })).await;
    for (protection, model, branch) in [
        (Protection::None, "the-first-model", None),
        (Protection::Sandbox, "the-second-model", Some("millrace/count".to_owned())),
    ] {
        let running = runner.start_one().await;
        let run = AgentRun {
            protection: Some(protection),
            model: Some(model.to_owned()),
            branch,
            head: Some("c0ffee".repeat(6) + "c0ff"),
            ..AgentRun::default()
        };
        agent_runs::note(app.db(), id, running.attempt, &run).await.unwrap().unwrap();
        runner.end(&running, Outcome::failed("It failed.")).await;
    }
    let browser = Browser::signed_in(&app, "owner").await;
    // The data of the page's script names all attempts.
    let facts = async |query: &str| {
        let page = browser.get(&format!("/jobs/{id}{query}")).await.text().await.unwrap();
        let facts = &page[page.find("class=\"facts-more\"").unwrap()..];
        facts[..facts.find("</dl>").unwrap()].to_owned()
    };

    let (first, latest) = (facts("?attempt=1").await, facts("").await);

    assert!(
        first.contains("the-first-model") && first.contains("none: it could reach this machine"),
        "{first}"
    );
    let attempt = |number: u32| format!("<dt>Attempt</dt><dd>{number}</dd>");
    assert!(first.contains(&attempt(1)) && !first.contains("the-second-model"), "{first}");
    assert!(latest.contains("the-second-model") && latest.contains(&attempt(2)), "{latest}");
    assert!(!latest.contains("it could reach this machine"), "{latest}");
    assert!(
        latest.contains(">c0ffeec0ffee<") && !first.contains("c0ffee"),
        "only what was published: {first}"
    );
}
