//! A job from the request to its verdict.

use app::model::{AttemptState, JobId, JobPage, JobState, Kind, Priority, Role, Stream, Trigger};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::harness::{App, assert_gapless, texts, until};

#[tokio::test]
async fn a_job_runs_to_success_and_its_output_is_complete_and_in_order() {
    let app = App::start().await;
    let _runner = app.runner().await;

    let id = app.submit("echo hello\ncat README.md\necho oops >&2").await;
    let job = app.wait_until(id, JobState::Succeeded).await;

    assert_eq!((job.kind, job.priority, job.trigger), (Kind::Command, Priority::Normal, Trigger::Api));
    assert_eq!((job.attempt, job.exit_code, job.error, job.stage), (1, Some(0), None, None));
    assert!(job.started_at >= Some(job.created_at) && job.finished_at >= job.started_at);
    let lines = app.output(id).await;
    assert_gapless(&lines, 1);
    assert_eq!(texts(&lines, Stream::Stdout), ["hello", "first"]);
    assert_eq!(texts(&lines, Stream::Stderr), ["oops"]);
    let system = texts(&lines, Stream::System);
    assert!(system[0].starts_with("Fetching ") && system[0].ends_with(&app.repo.address()), "{system:?}");
    assert!(system[1].starts_with("Checked out the default branch at "), "{system:?}");
    assert_eq!(system[2], "Finished with exit code 0.");
    let attempts = app.attempts(id).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].state, attempts[0].lines), (AttemptState::Succeeded, Some(lines.len() as u64)));
    assert_eq!(attempts[0].commit.as_deref(), Some(app.repo.head().as_str()));
}

#[tokio::test]
async fn a_new_job_is_answered_with_its_address() {
    let app = App::start().await;

    let response =
        app.post_json("/api/jobs", &app.new_job(json!({ "priority": "high", "ref": "main" }))).await;

    assert_eq!(response.status(), 201);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let job: serde_json::Value = response.json().await.unwrap();
    assert_eq!(location, format!("/api/jobs/{}", job["id"].as_str().unwrap()));
    assert_eq!(
        (&job["state"], &job["priority"], &job["ref"]),
        (&json!("queued"), &json!("high"), &json!("main"))
    );
    assert_eq!(
        (&job["attempt"], &job["kind"], &job["created_by"]),
        (&json!(0), &json!("command"), &json!("owner"))
    );
}

#[tokio::test]
async fn a_script_that_fails_fails_the_job_with_its_code() {
    let app = App::start().await;
    let _runner = app.runner().await;

    let job = app.run("echo before\nexit 3").await.job;

    assert_eq!((job.state, job.exit_code), (JobState::Failed, Some(3)));
    assert_eq!(job.error.as_deref(), Some("The script ended with exit code 3."));
    let lines = app.output(job.id).await;
    assert_eq!(texts(&lines, Stream::System).last(), Some(&"The script ended with exit code 3."));
}

#[tokio::test]
async fn a_command_that_fails_ends_the_script() {
    let app = App::start().await;
    let _runner = app.runner().await;

    let job = app.run("echo before\nfalse\necho after").await.job;

    assert_eq!(job.exit_code, Some(1));
    assert_eq!(app.stdout(job.id).await, ["before"]);
}

#[tokio::test]
async fn a_script_that_is_ended_by_a_signal_says_which() {
    let app = App::start().await;
    let _runner = app.runner().await;

    let job = app.run("kill -KILL $$").await.job;

    assert_eq!((job.state, job.exit_code), (JobState::Failed, Some(128 + 9)));
    assert_eq!(job.error.as_deref(), Some("The script was ended by signal 9."));
}

#[tokio::test]
async fn a_script_with_an_interpreter_is_run_by_it() {
    let app = App::start().await;
    let _runner = app.runner().await;

    let job = app.run("#!/bin/cat\nnot a shell $(exit 1)").await.job;

    assert_eq!(job.state, JobState::Succeeded);
    assert_eq!(app.stdout(job.id).await, ["#!/bin/cat", "not a shell $(exit 1)"]);
}

#[tokio::test]
async fn a_script_whose_interpreter_is_missing_fails_with_a_reason() {
    let app = App::start().await;
    let _runner = app.runner().await;

    let job = app.run("#!/no/such/interpreter\n").await.job;

    assert_eq!((job.state, job.exit_code), (JobState::Failed, None));
    assert!(job.error.as_ref().unwrap().starts_with("The script could not be started"), "{:?}", job.error);
}

#[tokio::test]
async fn a_forms_line_endings_do_not_reach_the_script() {
    let app = App::start().await;
    let _runner = app.runner().await;

    let job = app.run("echo one\r\necho two\r\n").await.job;

    assert_eq!(app.stdout(job.id).await, ["one", "two"]);
}

#[tokio::test]
async fn a_script_reads_nothing_from_its_standard_input() {
    let app = App::start().await;
    let _runner = app.runner().await;

    let job = app.run("cat; echo end").await.job;

    assert_eq!(app.stdout(job.id).await, ["end"]);
}

#[tokio::test]
async fn a_script_gets_only_the_variables_on_the_list() {
    let app = App::start().await;
    let database = app.config.database.url.expose_secret().to_owned();
    let _runner = app.runner_process(&[
        ("MILLRACE_RUNNER__ENVIRONMENT", "PATH, SHOWN, NOT_SET"),
        ("SHOWN", "yes"),
        ("HIDDEN", "no"),
        ("DATABASE_URL", &database),
    ]);

    let job = app.run("env").await.job;

    let variables = app.stdout(job.id).await;
    let names: Vec<&str> = variables.iter().map(|variable| variable.split('=').next().unwrap()).collect();
    let ours =
        ["CI", "MILLRACE", "MILLRACE_JOB", "MILLRACE_ATTEMPT", "MILLRACE_COOKIE", "TMPDIR", "PATH", "SHOWN"];
    let of_the_shell = ["PWD", "OLDPWD", "SHLVL", "_"];
    for name in ours {
        assert!(names.contains(&name), "{name} is missing: {variables:?}");
    }
    for name in &names {
        assert!(ours.contains(name) || of_the_shell.contains(name), "{name} should not be there");
    }
    assert!(variables.contains(&"SHOWN=yes".to_owned()));
    assert!(variables.contains(&format!("MILLRACE_JOB={}", job.id)));
    assert!(variables.contains(&"MILLRACE_ATTEMPT=1".to_owned()));
}

#[tokio::test]
async fn nothing_of_an_attempt_stays_on_the_disk() {
    let app = App::start().await;
    let _runner = app.runner().await;

    let job = app.run("pwd; echo $TMPDIR; touch $TMPDIR/a b; chmod -w .").await.job;

    assert_eq!(job.state, JobState::Succeeded);
    for path in app.stdout(job.id).await {
        assert!(path.starts_with(app.path().to_str().unwrap()), "{path}");
        until("it is removed", async || !std::path::Path::new(&path).exists()).await;
    }
}

#[tokio::test]
async fn a_retry_is_a_new_attempt_with_output_of_its_own() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let job = app.run("echo attempt $MILLRACE_ATTEMPT; [ $MILLRACE_ATTEMPT = 2 ]").await.job;
    assert_eq!(job.state, JobState::Failed);

    let response = app.retry(job.id).await;

    assert_eq!(response.status(), 200);
    let job = app.wait_until(job.id, JobState::Succeeded).await;
    assert_eq!((job.attempt, job.error, job.exit_code), (2, None, Some(0)));
    let (first, second) = (app.output_of(job.id, 1).await, app.output_of(job.id, 2).await);
    assert_eq!(texts(&first, Stream::Stdout), ["attempt 1"]);
    assert_eq!(texts(&second, Stream::Stdout), ["attempt 2"]);
    assert_gapless(&second, 1);
    let states: Vec<AttemptState> = app.attempts(job.id).await.iter().map(|attempt| attempt.state).collect();
    assert_eq!(states, [AttemptState::Failed, AttemptState::Succeeded]);
}

#[tokio::test]
async fn a_job_that_has_not_ended_cannot_be_retried_and_one_that_has_cannot_be_canceled() {
    let app = App::start().await;
    let id = app.submit("true").await;

    assert_eq!(app.retry(id).await.status(), 409);

    let _runner = app.runner().await;
    app.wait_until(id, JobState::Succeeded).await;
    let response = app.cancel(id).await;
    assert_eq!(response.status(), 409);
    let problem: serde_json::Value = response.json().await.unwrap();
    assert_eq!(problem["code"], "conflict");
}

#[tokio::test]
async fn jobs_are_listed_newest_first_page_by_page() {
    let app = App::start().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(app.submit(&format!("echo {number}")).await);
    }
    ids.reverse();

    let (mut listed, mut path) = (Vec::new(), "/api/jobs?limit=2".to_owned());
    loop {
        let page: JobPage = serde_json::from_value(app.get_json(&path).await).unwrap();
        assert!(page.jobs.len() <= 2);
        listed.extend(page.jobs.iter().map(|job| job.id));
        let Some(next) = page.next else { break };
        path = format!("/api/jobs?limit=2&cursor={next}");
    }

    assert_eq!(listed, ids);
}

#[tokio::test]
async fn the_list_is_filtered_by_state_repository_and_words() {
    let app = App::start().await;
    let percent = app.submit("echo 100%").await;
    let plain = app.submit("echo 1000").await;
    let elsewhere = app.submit_with(json!({ "repository": "https://example.com/else/where" })).await;
    app.cancel(plain).await;
    let ids = async |query: &str| -> Vec<JobId> {
        let page = app.get_json(&format!("/api/jobs?{query}")).await;
        serde_json::from_value::<JobPage>(page).unwrap().jobs.iter().map(|job| job.id).collect()
    };

    assert_eq!(ids("state=canceled").await, [plain]);
    assert_eq!(ids("q=100%25").await, [percent], "a percent sign stands for itself");
    assert_eq!(ids("q=ELSE/where").await, [elsewhere]);
    assert_eq!(ids("repository=https://example.com/else/where").await, [elsewhere]);
    assert_eq!(ids("kind=command").await.len(), 3);
    assert_eq!(ids("kind=agent").await, []);
}

#[tokio::test]
async fn a_member_sees_their_own_jobs_and_no_others() {
    let app = App::start().await;
    let owners = app.submit("true").await;
    let token = app.token_of("mia", Role::Member).await;
    let as_mia = |method: Method, path: &str| {
        app.http.request(method, app.url(path)).bearer_auth(token.expose_secret())
    };

    let made = as_mia(Method::POST, "/api/jobs").json(&app.new_job(json!({}))).send().await.unwrap();
    let made: serde_json::Value = made.json().await.unwrap();

    let list: JobPage = as_mia(Method::GET, "/api/jobs").send().await.unwrap().json().await.unwrap();
    assert_eq!(list.jobs.len(), 1);
    assert_eq!(json!(list.jobs[0].id), made["id"]);
    for (method, path) in [
        (Method::GET, ""),
        (Method::GET, "/attempts"),
        (Method::GET, "/output"),
        (Method::GET, "/output.txt"),
        (Method::GET, "/stream"),
        (Method::POST, "/cancel"),
        (Method::POST, "/retry"),
    ] {
        let response = as_mia(method, &format!("/api/jobs/{owners}{path}")).send().await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
    }
    assert_eq!(app.job(owners).await.job.state, JobState::Queued);
}
