//! Nothing is said or published twice, whatever is cut off or killed in between.

use serde_json::json;

use super::{GROW, REPOSITORY, Site};
use crate::harness::until;

#[tokio::test]
async fn a_second_attempt_takes_over_the_branch_of_the_first() {
    let site = Site::new(GROW).await;
    let (_answers, _runner) = (site.app.answers(), site.app.runner().await);
    let job = site.submit(json!({})).await;
    let first = site.told(job).await.job.branch.unwrap();
    let before = site.git(&["rev-parse", &first]);
    // As if the runner had died between push and record.
    sqlx::query("UPDATE jobs SET branch = NULL WHERE id = $1")
        .bind(job.as_uuid())
        .execute(site.app.db())
        .await
        .unwrap();

    assert_eq!(site.app.retry(job).await.status(), 200);
    let detail = site.told(job).await;

    assert_eq!(detail.job.branch.as_deref(), Some(first.as_str()));
    assert_ne!(site.git(&["rev-parse", &first]), before);
    assert_eq!(site.git(&["branch", "--list", "millrace/*"]).lines().count(), 1);
    assert_eq!(site.world().pulls(REPOSITORY).len(), 1);
}

#[tokio::test]
async fn nothing_is_said_twice_where_an_answer_is_cut_off() {
    let site = Site::new(GROW).await;
    let number = site.world().open_pull(REPOSITORY, "ada", "More trees", "", "more-trees", "main");
    let head = site.world().branch(REPOSITORY, "more-trees").unwrap();
    for end in [&format!("issues/{number}/comments"), "check-runs", "pulls"] {
        site.world().drop_answer_next("POST", &format!("/repos/{REPOSITORY}/{end}"));
    }
    let (_answers, _runner) = (site.app.answers(), site.app.runner().await);

    let asked = site.ask_in(number, json!({}), Some(head.clone())).await;
    site.told(asked.job).await;

    assert!(site.own_comment(number).starts_with("**Done.**"));
    assert!(site.world().checks(REPOSITORY, &head).len() <= 1);
    assert_eq!(site.world().pulls(REPOSITORY).len(), 2, "the one that was there, and one for the work");
    let work = site.world().pulls(REPOSITORY).into_iter().find(|pull| pull.number != number).unwrap();
    let after = site.world().branch(REPOSITORY, &work.pull.head_branch).unwrap();
    assert_eq!(site.world().checks(REPOSITORY, &after).len(), 1);
    assert_eq!(site.count("POST", "/pulls"), 1);
}

#[tokio::test]
async fn nothing_is_said_twice_where_a_server_is_killed() {
    let site = Site::new(GROW).await;
    let _runner = site.app.runner().await;
    let asked = site.ask().await;
    site.app.finished(asked.job).await;
    for end in ["pulls".to_owned(), format!("issues/{}/comments", asked.number)] {
        site.world().drop_answer_next("POST", &format!("/repos/{REPOSITORY}/{end}"));
        let answers = site.app.answers();
        until("it was posted", async || site.count("POST", &end) == 1).await;
        answers.abort();
        let _ = answers.await;
        // The lease is over.
        sqlx::query("UPDATE github_answers SET due_at = now()").execute(site.app.db()).await.unwrap();
    }

    let _answers = site.app.answers();
    site.told(asked.job).await;

    assert!(site.own_comment(asked.number).starts_with("**Done.**"));
    assert_eq!(site.world().pulls(REPOSITORY).len(), 1);
}

#[tokio::test]
async fn nothing_is_said_twice_where_the_process_is_killed_before_it_knows_what_was_done() {
    let site = Site::new(GROW).await;
    let _runner = site.app.runner().await;
    let asked = site.ask().await;
    let detail = site.app.finished(asked.job).await;
    let head = detail.attempts.last().unwrap().agent.clone().unwrap().head.unwrap();
    let url = site.github.url();
    let settings = [("MILLRACE_GITHUB__URL", url.as_str())];
    let comments = format!("issues/{}/comments", asked.number);
    for end in ["pulls", &comments, "check-runs"] {
        site.world().hold_answer_next("POST", &format!("/repos/{REPOSITORY}/{end}"));
        let port = site.app.free_port().await;
        let (mut server, _) = site.app.server_process_with(port, &settings).await;
        until("it was done", async || match end {
            "pulls" => site.world().pulls(REPOSITORY).len() == 1,
            "check-runs" => site.world().checks(REPOSITORY, &head).len() == 1,
            _ => site.own_comments(asked.number).len() == 1,
        })
        .await;
        server.kill();
        // The lease is over.
        sqlx::query("UPDATE github_answers SET due_at = now()").execute(site.app.db()).await.unwrap();
    }

    let port = site.app.free_port().await;
    let (_server, _) = site.app.server_process_with(port, &settings).await;
    site.told(asked.job).await;

    assert_eq!(site.world().pulls(REPOSITORY).len(), 1);
    assert!(site.own_comment(asked.number).starts_with("**Done.** The work is in #"));
    site.checked_once(asked.job, &head);
    for end in ["/pulls", &format!("/{comments}"), "/check-runs"] {
        assert_eq!(site.count("POST", end), 1, "{end}");
    }
}

#[tokio::test]
async fn a_marker_that_somebody_else_wrote_stands_for_nothing() {
    let site = Site::new(GROW).await;
    let asked = site.ask().await;
    let marker = format!("<!-- millrace:job={} -->", asked.job);
    site.world().comment(REPOSITORY, asked.number, "ada", &marker);
    // The second try looks whether the first one has said it.
    site.world().fail_next("POST", &format!("/repos/{REPOSITORY}/issues/{}/comments", asked.number), 502, 1);
    let (_answers, _runner) = (site.app.answers(), site.app.runner().await);
    site.told(asked.job).await;

    let [forged, said] = &site.own_comments(asked.number)[..] else { panic!("an answer of Millrace's own") };
    assert_eq!((forged.author.as_str(), forged.edits), ("ada", 0));
    assert!(said.author.ends_with("[bot]") && said.body.starts_with("**Done.**"), "{said:?}");
}

#[tokio::test]
async fn a_runner_that_is_killed_between_the_push_and_its_record_leaves_one_branch_and_one_pull_request() {
    let site = Site::new(GROW).await;
    let _answers = site.app.answers();
    let url = site.github.url();
    let settings = [("MILLRACE_GITHUB__URL", url.as_str()), ("MILLRACE_QUEUE__LEASE_SECONDS", "2")];
    site.world().hold_answer_next("POST", &format!("/{REPOSITORY}.git/git-receive-pack"));
    let mut runner = site.app.runner_process(&settings);
    let number = site.world().open_issue(REPOSITORY, "ada", "No figures", "");
    // The agent of a process: it has no script.
    let asked = site.ask_in(number, json!({ "agent": "demo" }), None).await;
    let branches = || site.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads/millrace"]);
    until("the branch is pushed", async || !branches().is_empty()).await;
    let first = site.git(&["rev-parse", &branches()]);
    runner.kill();
    assert_eq!(site.app.job(asked.job).await.job.branch, None, "nothing tells of it");

    let _runner = site.app.runner_process(&settings);
    let detail = site.told(asked.job).await;

    assert_eq!((detail.job.attempt, detail.attempts.len()), (2, 2));
    let heads: Vec<_> =
        detail.attempts.iter().map(|attempt| attempt.agent.clone().unwrap().head.unwrap()).collect();
    assert_eq!(heads[0], first);
    assert_eq!(Some(branches()), detail.job.branch, "there is no other one");
    let head = site.git(&["rev-parse", &branches()]);
    assert_eq!(head, heads[1]);
    assert_eq!(site.git(&["rev-list", "--count", &format!("main..{head}")]), "1");
    let [pull] = &site.world().pulls(REPOSITORY)[..] else { panic!("one pull request") };
    assert_eq!(pull.pull.head_sha, head);
    assert!(site.own_comment(number).starts_with(&format!("**Done.** The work is in #{} as ", pull.number)));
    site.checked_once(asked.job, &head);
}
