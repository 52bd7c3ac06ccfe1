//! Work on pull requests: whose branch it goes to, forks, and checks that fail.

use std::process::Command;

use app::model::{AgentOutcome, Job, JobState, Verdict};
use millrace::{config::Forks, db::github_threads};
use serde_json::json;

use crate::harness::{Hub, ORCHARD, TOKEN, until};

/// All that a repository has, by name.
fn refs(hub: &Hub, repository: &str) -> String {
    let bare = hub.world().bare(repository);
    let output = Command::new("git").arg("--git-dir").arg(bare).arg("for-each-ref").output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn work_on_somebodys_pull_request_goes_to_its_branch() {
    let hub = Hub::start().await;
    let pull = hub.world().open_pull(ORCHARD, "grace", "Pears", "@ada", "pears", "main");
    let delivery = hub.comment(pull, "ada", "@millrace mend the tests").await;
    let job = hub.job_of(&delivery).await.job;
    assert_eq!(
        (job.branch.as_deref(), job.git_ref.as_deref(), job.parent),
        (Some("pears"), Some("pears"), None)
    );
    let (base, sha): (Option<String>, Option<String>) =
        sqlx::query_as("SELECT base, head_sha FROM github_answers").fetch_one(hub.app.db()).await.unwrap();
    assert_eq!((base.as_deref(), sha), (Some("main"), hub.world().branch(ORCHARD, "pears")));

    let lines = "@@ -1 +1 @@\n-sour\n+sweet";
    hub.world().review_comment(ORCHARD, pull, "grace", "@millrace this line", "README.md", lines);
    let detail = hub.job_of(&hub.last().await).await;
    assert!(detail.prompt.unwrap().contains("> +sweet"));
    assert_eq!((detail.job.parent, detail.job.branch.as_deref()), (Some(job.id), Some("pears")));

    hub.world().review(ORCHARD, pull, "grace", "The core is *bitter*.", "commented");
    hub.world().review(ORCHARD, pull, "ada", "@millrace and the docs", "commented");
    let prompt = hub.job_of(&hub.last().await).await.prompt.unwrap();
    assert!(prompt.contains(", in a review:\n\n> The core is *bitter*.\n"), "{prompt}");
    assert!(prompt.contains("> +sweet"), "earlier remarks come with their lines: {prompt}");
    assert_eq!(prompt.matches("and the docs").count(), 2, "as the request and as the review: {prompt}");
    hub.world().review(ORCHARD, pull, "ada", "Not like this.", "changes_requested");
    assert_eq!(hub.last().await.verdict, Some(Verdict::NotForUs), "it is somebody else's");
}

#[tokio::test]
async fn forks_are_refused_unless_they_are_allowed() {
    let hub = Hub::start().await;
    let pull = hub.world().open_fork_pull(ORCHARD, "eve", "Plums", "", "plums", "main");
    let delivery = hub.comment(pull, "ada", "@millrace go").await;
    assert_eq!(delivery.verdict, Some(Verdict::NotAllowed));
    assert!(hub.said(pull)[0].contains("forks"));

    let hub = Hub::with(&[("MILLRACE_GITHUB__FORKS", "run")]).await;
    let pull = hub.world().open_fork_pull(ORCHARD, "eve", "Plums", "", "plums", "main");
    let job = hub.job_of(&hub.comment(pull, "ada", "@millrace go").await).await.job;
    assert_eq!((job.git_ref, job.branch), (Some(format!("refs/pull/{pull}/head")), None));
}

#[tokio::test]
async fn a_failed_check_starts_one_more_round_and_not_for_ever() {
    let hub = Hub::with(&[("MILLRACE_GITHUB__CHECK_ROUNDS", "2")]).await;
    let issue = hub.issue();
    let job = hub.job_of(&hub.comment(issue, "ada", "@millrace go").await).await.job;
    hub.app.cancel(job.id).await;
    let publish = sqlx::query("UPDATE jobs SET branch = 'millrace/x' WHERE id = $1");
    publish.bind(job.id.as_uuid()).execute(hub.app.db()).await.unwrap();
    hub.world().open_pull(ORCHARD, "mill", "Sweet apples", "", "millrace/x", "main");
    let head = || hub.world().branch(ORCHARD, "millrace/x").unwrap();

    // As the dashboard knows it.
    let address = format!("{}/Ada/Orchard", hub.github.url());
    let rename = sqlx::query("UPDATE jobs SET repository = $2 WHERE id = $1");
    rename.bind(job.id.as_uuid()).bind(address).execute(hub.app.db()).await.unwrap();
    hub.world().complete_check(ORCHARD, &head(), "test", "success", "ci");
    assert_eq!(hub.last().await.verdict, Some(Verdict::NotForUs));
    let mut last = job.id;
    for round in 1..=2 {
        hub.world().complete_check(ORCHARD, &head(), "test", "failure", "ci");
        let delivery =
            hub.settled().await.into_iter().find(|delivery| delivery.event == "check_run").unwrap();
        let detail = hub.job_of(&delivery).await;
        assert_eq!(
            (detail.job.parent, detail.job.created_by.as_deref()),
            (Some(last), Some("ada")),
            "round {round}"
        );
        assert_eq!(detail.job.branch.as_deref(), Some("millrace/x"));
        assert!(detail.prompt.unwrap().contains("The check \"test\" failed"));
        last = detail.job.id;

        // While that job is there, other checks of the same commit ask for nothing.
        hub.world().complete_check(ORCHARD, &head(), "lint", "timed_out", "ci");
        assert_eq!(hub.verdicts("check_run").await[0], Verdict::Duplicate);
        let rounds = github_threads::traffic(hub.app.db(), job.id).await.unwrap().check_rounds;
        assert_eq!(rounds, round, "what made no job is no round");
        hub.app.cancel(last).await;
        hub.world().push(ORCHARD, "millrace/x", "mill", "Try", &[("x", &round.to_string())]);
    }
    hub.world().complete_check(ORCHARD, &head(), "test", "failure", "ci");
    assert_eq!(hub.verdicts("check_run").await[0], Verdict::LoopGuard);
    assert_eq!(hub.jobs().await, 3);
}

#[tokio::test]
async fn a_check_that_failed_during_a_job_counts_when_that_has_changed_nothing() {
    let hub = Hub::with_agent("cat > /dev/null; echo done", Forks::Refuse).await;
    let _runner = hub.app.runner().await;
    hub.app.post_json("/api/lanes/agent/pause", &json!({ "reason": "a moment" })).await;
    let issue = hub.issue();
    let job = hub.job_of(&hub.comment(issue, "ada", "@millrace go").await).await.job;
    let publish = sqlx::query("UPDATE jobs SET branch = 'millrace/x' WHERE id = $1");
    publish.bind(job.id.as_uuid()).execute(hub.app.db()).await.unwrap();
    hub.world().open_pull(ORCHARD, "mill", "Sweet apples", "", "millrace/x", "main");
    let head = hub.world().branch(ORCHARD, "millrace/x").unwrap();
    hub.world().complete_check(ORCHARD, &head, "test", "failure", "ci");
    assert_eq!(hub.verdicts("check_run").await[0], Verdict::Duplicate);

    hub.app.post("/api/lanes/agent/resume").await;

    assert_eq!(hub.app.finished(job.id).await.job.outcome, Some(AgentOutcome::NoChange));
    until("the check is looked at again", async || hub.verdicts("check_run").await[0] == Verdict::Ran).await;
    assert_eq!(hub.jobs().await, 2);
}

#[tokio::test]
async fn the_work_on_a_fork_runs_without_any_token_and_is_pushed_nowhere() {
    let script = "cat > /dev/null; env; cat .git/config; cat plums.txt; date +%N >> trees.txt; echo planted";
    let hub = Hub::with_agent(script, Forks::Run).await;
    let (_answers, _runner) = (hub.app.answers(), hub.app.runner().await);
    let pull = hub.world().open_fork_pull(ORCHARD, "eve", "Plums", "", "plums", "main");
    let before = (refs(&hub, ORCHARD), refs(&hub, "eve/orchard"));

    let job = hub.job_of(&hub.comment(pull, "ada", "@millrace plant a tree").await).await.job;
    let ended = hub.app.finished(job.id).await.job;

    assert_eq!((ended.state, ended.outcome), (JobState::Succeeded, Some(AgentOutcome::Changed)), "{ended:?}");
    assert_eq!((refs(&hub, ORCHARD), refs(&hub, "eve/orchard")), before);
    assert_eq!(hub.asked("POST", "/git-receive-pack"), 0, "nobody tried");
    assert_eq!(hub.world().pulls(ORCHARD).len(), 1);
    let printed = format!("{:?}", hub.app.output(job.id).await);
    assert!(printed.contains("What plums adds."), "it is the fork's work: {printed}");
    assert!(!printed.contains(TOKEN) && !printed.contains("extraHeader"), "{printed}");
    until("it is told", async || hub.said(pull).first().is_some_and(|text| text.starts_with("**Done.**")))
        .await;
    let said = hub.said(pull);
    assert!(said.len() == 1 && said[0].contains("Nothing was pushed to the fork"));

    // Also where its author would let maintainers push: Millrace's settings count as well.
    hub.world().let_maintainers_edit(ORCHARD, pull, true);
    let job = hub.job_of(&hub.comment(pull, "ada", "@millrace another tree").await).await.job;
    assert_eq!(hub.app.finished(job.id).await.job.outcome, Some(AgentOutcome::Changed));
    assert_eq!(hub.asked("POST", "/git-receive-pack"), 0);

    // Without a token nobody gets at a repository that is not public: so none was used.
    hub.world().make_private(ORCHARD);
    let job = hub.job_of(&hub.comment(pull, "ada", "@millrace once more").await).await.job;
    let ended = hub.app.finished(job.id).await.job;
    assert!(ended.error.as_ref().unwrap().contains("could not be fetched"), "{ended:?}");
}

#[tokio::test]
async fn the_work_on_a_fork_goes_to_its_branch_where_its_author_and_the_settings_let_it() {
    let script = "cat > /dev/null; env; cat .git/config; date +%N >> trees.txt; echo planted";
    let hub = Hub::with_agent(script, Forks::Push).await;
    let (_answers, _runner) = (hub.app.answers(), hub.app.runner().await);
    let pull = hub.world().open_fork_pull(ORCHARD, "eve", "Plums", "", "plums", "main");
    hub.world().open_fork_pull(ORCHARD, "eve", "Cherries", "", "cherries", "main");
    let (fork, own) = (|| refs(&hub, "eve/orchard"), || hub.world().branch(ORCHARD, "main"));
    let (before, main) = (fork(), own());

    // Its author does not.
    let job = hub.job_of(&hub.comment(pull, "ada", "@millrace plant a tree").await).await.job;
    assert_eq!(hub.app.finished(job.id).await.job.outcome, Some(AgentOutcome::Changed));
    assert_eq!((fork(), hub.asked("POST", "/git-receive-pack")), (before.clone(), 0));
    until("it is told", async || hub.said(pull).iter().any(|text| text.contains("Nothing was pushed"))).await;

    hub.world().let_maintainers_edit(ORCHARD, pull, true);
    let job = hub.job_of(&hub.comment(pull, "ada", "@millrace plant a tree").await).await.job;
    let ended = hub.app.finished(job.id).await.job;
    assert_eq!((ended.state, ended.branch.as_deref()), (JobState::Succeeded, Some("eve:plums")), "{ended:?}");
    let tip = hub.world().branch("eve/orchard", "plums").unwrap();
    let run = hub.app.job(job.id).await.attempts.pop().and_then(|attempt| attempt.agent).unwrap();
    assert_eq!(run.head.as_deref(), Some(tip.as_str()), "the fork's branch has the work");
    assert_eq!(own(), main);
    assert!(!refs(&hub, ORCHARD).contains("refs/heads/plums"), "and the repository has no new one");
    assert_eq!(hub.world().pulls(ORCHARD).len(), 2);
    let printed = format!("{:?}", hub.app.output(job.id).await);
    assert!(!printed.contains(TOKEN) && !printed.contains("extraHeader"), "{printed}");
    until("it is told", async || {
        hub.said(pull).iter().any(|text| text.contains("The work is on this pull request's branch"))
    })
    .await;

    // Again, on top of that; a follow-up on the dashboard likewise.
    let job = hub.job_of(&hub.comment(pull, "ada", "@millrace another tree").await).await.job;
    hub.app.finished(job.id).await;
    let next = hub.world().branch("eve/orchard", "plums").unwrap();
    assert_ne!(next, tip);
    let follow_up = json!({ "kind": "agent", "parent": job.id, "prompt": "And one more." });
    let response = hub.app.post_json("/api/jobs", &follow_up).await;
    let followed: Job = response.json().await.unwrap();
    let ended = hub.app.finished(followed.id).await.job;
    assert_eq!(ended.branch.as_deref(), Some("eve:plums"), "{ended:?}");
    assert_ne!(hub.world().branch("eve/orchard", "plums").unwrap(), next);

    // Its author changes their mind before the agent is done: nothing is lost, and the log says why.
    let last = hub.world().branch("eve/orchard", "plums");
    hub.app.post_json("/api/lanes/agent/pause", &json!({ "reason": "a moment" })).await;
    let job = hub.job_of(&hub.comment(pull, "ada", "@millrace the last tree").await).await.job;
    hub.world().let_maintainers_edit(ORCHARD, pull, false);
    hub.app.post("/api/lanes/agent/resume").await;
    let ended = hub.app.finished(job.id).await.job;
    assert_eq!(ended.outcome, Some(AgentOutcome::Changed), "{ended:?}");
    assert_eq!(hub.world().branch("eve/orchard", "plums"), last);
    let printed = format!("{:?}", hub.app.output(job.id).await);
    assert!(printed.contains("The work is shown, and not published."), "{printed}");
}

#[tokio::test]
async fn a_check_that_names_no_pull_request_counts_at_the_branchs_head_alone() {
    let hub = Hub::start().await;
    let issue = hub.issue();
    let job = hub.job_of(&hub.comment(issue, "ada", "@millrace go").await).await.job;
    hub.app.cancel(job.id).await;
    let publish = sqlx::query("UPDATE jobs SET branch = 'millrace/x' WHERE id = $1");
    publish.bind(job.id.as_uuid()).execute(hub.app.db()).await.unwrap();
    let older = hub.world().commit(ORCHARD, "millrace/x", "Plant", &[("x", "1")]);
    let head = hub.world().commit(ORCHARD, "millrace/x", "Water", &[("x", "2")]);
    let check = |id: u64, sha: &str| {
        json!({
            "action": "completed",
            "repository": { "full_name": ORCHARD, "default_branch": "main" },
            "sender": { "id": 7, "login": "ci[bot]", "type": "Bot" },
            "check_run": {
                "id": id, "name": "test", "conclusion": "failure", "head_sha": sha, "pull_requests": [],
                "check_suite": { "head_branch": "millrace/x" }, "app": { "slug": "ci" },
            },
        })
    };
    hub.deliver_new("check_run", &check(1, &older)).await;
    assert_eq!(hub.last().await.verdict, Some(Verdict::NotForUs));

    hub.world().complete_check(ORCHARD, &head, "test", "failure", "ci");
    let deliveries = hub.settled().await;
    let verdicts = hub.verdicts("check_run").await;
    assert_eq!(verdicts[0], Verdict::Ran, "the check is of the latest commit: {deliveries:?}");
    assert_eq!(hub.jobs().await, 2);
}
