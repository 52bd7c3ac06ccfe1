//! The command line as a client: what it asks for, what it prints, and how it ends.

use app::model::{Job, JobDetail, JobId, JobState, Line};
use serde_json::json;

use crate::harness::{App, Said, assert_gapless, until};

#[track_caller]
fn succeeded(said: Said) -> String {
    assert!(said.status.success(), "{}{}", said.stdout, said.stderr);
    said.stdout
}

#[track_caller]
fn failed(said: Said) -> String {
    assert!(!said.status.success(), "{}", said.stdout);
    assert_eq!(said.stdout, "");
    said.stderr
}

#[tokio::test]
async fn a_submitted_command_runs_with_exactly_its_words() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let repo = app.repo.address();
    let words = ["printf", "[%s]\\n", "two words", "it's", "$HOME", "", "a;b", "*"];

    let arguments = ["submit", "--repo", &repo, "--priority", "high", "--ref", "main", "--"];
    let id = succeeded(app.client(&[&arguments[..], &words].concat()).await);

    let job = app.finished(id.trim_end().parse().unwrap()).await.job;
    assert_eq!(
        (job.state, job.priority.as_str(), job.git_ref.as_deref()),
        (JobState::Succeeded, "high", Some("main"))
    );
    assert_eq!(app.stdout(job.id).await, ["[two words]", "[it's]", "[$HOME]", "[]", "[a;b]", "[*]"]);
}

#[tokio::test]
async fn a_script_can_come_from_a_file() {
    let app = App::start().await;
    let file = app.path().join("script.sh");
    std::fs::write(&file, "echo one\necho two\n").unwrap();

    let arguments = ["submit", "--repo", &app.repo.address(), "--json", "--script", file.to_str().unwrap()];
    let job: Job = serde_json::from_str(&succeeded(app.client(&arguments).await)).unwrap();

    assert_eq!(app.job(job.id).await.script.as_deref(), Some("echo one\necho two\n"));
}

#[tokio::test]
async fn waiting_prints_what_the_job_prints_and_ends_with_its_exit_code() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let repo = app.repo.address();

    let said = app
        .client(&[
            "submit",
            "--repo",
            &repo,
            "--attempts",
            "1",
            "--wait",
            "--",
            "sh",
            "-c",
            "echo hello; exit 7",
        ])
        .await;
    assert_eq!(said.status.code(), Some(7), "{}", said.stderr);
    assert!(said.stdout.contains("\nhello\n"), "{}", said.stdout);
    assert!(said.stderr.contains("/jobs/"), "{}", said.stderr);

    let said = app.client(&["submit", "--repo", &repo, "--wait", "--json", "--", "true"]).await;
    let detail: JobDetail = serde_json::from_str(&succeeded(said)).unwrap();
    assert_eq!(detail.job.state, JobState::Succeeded);
}

#[tokio::test]
async fn waiting_for_a_job_that_is_canceled_fails() {
    let app = App::start().await;
    let proxy = app.proxy().await;
    let mut client =
        app.client_process(&proxy, &["submit", "--repo", &app.repo.address(), "--wait", "--", "true"]);
    let id = crate::harness::eventually("the job is there", async || {
        let page = app.get_json("/api/jobs").await;
        page["jobs"][0]["id"].as_str().map(|id| id.parse::<JobId>().unwrap())
    })
    .await;

    app.cancel(id).await;

    assert_eq!(client.ended().await.code(), Some(1));
}

#[tokio::test]
async fn the_list_shows_what_the_filter_says() {
    let app = App::start().await;
    let echo = app.submit("echo apples").await;
    let canceled = app.submit("echo pears").await;
    app.cancel(canceled).await;

    let all = succeeded(app.client(&["ls"]).await);
    let rows: Vec<&str> = all.lines().collect();
    assert_eq!(rows.len(), 2);
    assert!(rows[0].starts_with(&canceled.short()) && rows[0].contains("canceled"), "{all}");
    assert!(rows[1].starts_with(&echo.short()) && rows[1].ends_with("echo apples"), "{all}");
    let ids = async |arguments: &[&str]| -> Vec<JobId> {
        let said = app.client(&[&["ls", "--json"], arguments].concat()).await;
        serde_json::from_str::<Vec<Job>>(&succeeded(said)).unwrap().iter().map(|job| job.id).collect()
    };
    assert_eq!(ids(&["--state", "canceled"]).await, [canceled]);
    assert_eq!(ids(&["apples", "ECHO"]).await, [echo]);
    assert_eq!(ids(&["--limit", "1"]).await, [canceled]);
    assert_eq!(ids(&["--kind", "agent"]).await, []);
    assert_eq!(ids(&["--repo", "https://example.com/other"]).await, []);
}

#[tokio::test]
async fn a_log_has_colours_only_where_they_can_be_seen() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let id = app.run(r"printf '\033[31mred\033[0m\n'").await.job.id.to_string();

    assert!(succeeded(app.client(&["logs", &id]).await).contains("\nred\n"));

    let coloured = app.client_with(&[("CLICOLOR_FORCE", "1")], &["logs", &id]).await;
    assert!(succeeded(coloured).contains("\n\u{1b}[31mred\u{1b}[0m\n"));

    let lines = succeeded(app.client(&["logs", "--json", &id]).await);
    let lines: Vec<Line> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_gapless(&lines, 1);
    assert!(lines.iter().any(|line| line.line == "\u{1b}[31mred\u{1b}[0m"));
}

#[tokio::test]
async fn each_attempt_has_a_log_of_its_own() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let script = "echo attempt $MILLRACE_ATTEMPT; [ $MILLRACE_ATTEMPT = 2 ]";
    let id = app.run_with(json!({ "script": script, "max_attempts": 1 })).await.job.id;
    app.retry(id).await;
    app.wait_until(id, JobState::Succeeded).await;
    let short = id.short();

    for (arguments, text) in [
        (&["logs", &short][..], "\nattempt 2\n"),
        (&["logs", "--attempt", "1", &short], "\nattempt 1\n"),
        (&["logs", "-f", &short], "\nattempt 2\n"),
        (&["logs", "-f", "--attempt", "1", &short], "\nattempt 1\n"),
    ] {
        let printed = succeeded(app.client(arguments).await);
        assert_eq!(printed.matches("\nattempt ").count(), 1, "{printed}");
        assert!(printed.contains(text), "{arguments:?}: {printed}");
    }
}

#[tokio::test]
async fn following_goes_on_after_a_cut_without_a_gap_or_a_repeat() {
    let app = App::start().await;
    let proxy = app.proxy().await;
    let gates = [app.gate("one"), app.gate("two")];
    let id = app
        .submit(&format!("seq 1 100\n{}\nseq 101 200\n{}\nseq 201 300", gates[0].wait(), gates[1].wait()))
        .await;
    // It begins while the job waits for a runner.
    let mut client = app.client_process(&proxy, &["logs", "--follow", "--json", &id.to_string()]);
    let _runner = app.runner().await;

    for (gate, last) in gates.iter().zip(["100", "200"]) {
        until("the client has come so far", async || client.log().contains(&format!("\"{last}\""))).await;
        proxy.cut();
        gate.open();
    }

    assert!(client.ended().await.success(), "{}", client.log());
    let printed = client.log();
    let lines: Vec<Line> = printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_gapless(&lines, 1);
    assert_eq!(lines, app.output(id).await);
}

#[tokio::test]
async fn a_job_is_shown_with_what_was_asked_and_how_it_went() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let job = app.run_with(json!({ "script": "exit 4", "max_attempts": 1 })).await.job;

    let shown = succeeded(app.client(&["show", &job.id.short().to_uppercase()]).await);

    for part in
        [&job.id.to_string(), "failed", "The script ended with exit code 4.", "attempt 1", "\nexit 4\n"]
    {
        assert!(shown.contains(part), "{part} is missing: {shown}");
    }
    let json: JobDetail =
        serde_json::from_str(&succeeded(app.client(&["show", "--json", &job.id.short()]).await)).unwrap();
    assert_eq!(json.job, job);
}

#[tokio::test]
async fn jobs_are_canceled_and_retried_by_the_end_of_their_ids() {
    let app = App::start().await;
    let (one, two) = (app.submit("true").await, app.submit("true").await);

    let said = succeeded(app.client(&["cancel", &one.short(), &two.to_string()]).await);
    assert_eq!(said, format!("Job {} is canceled.\nJob {} is canceled.\n", one.short(), two.short()));
    let said = succeeded(app.client(&["retry", &one.short()]).await);
    assert_eq!(said, format!("Job {} is queued again.\n", one.short()));

    assert_eq!(app.job(one).await.job.state, JobState::Queued);
    assert_eq!(app.job(two).await.job.state, JobState::Canceled);
}

#[tokio::test]
async fn one_job_that_refuses_does_not_keep_the_others_from_it() {
    let app = App::start().await;
    let (one, two) = (app.submit("true").await, app.submit("true").await);
    app.cancel(one).await;
    let unknown: JobId = "01a21e29-13ed-7718-a8e3-2daf511ea4d3".parse().unwrap();

    let said = app.client(&["cancel", &unknown.to_string(), &one.to_string(), &two.to_string()]).await;

    assert!(!said.status.success());
    assert!(said.stderr.contains(&unknown.to_string()), "{}", said.stderr);
    assert_eq!(app.job(two).await.job.state, JobState::Canceled);
}

#[tokio::test]
async fn waiting_goes_on_over_the_attempts_of_a_job() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let script = "echo attempt $MILLRACE_ATTEMPT; [ $MILLRACE_ATTEMPT = 2 ]";

    let said = app
        .client(&[
            "submit",
            "--repo",
            &app.repo.address(),
            "--attempts",
            "2",
            "--wait",
            "--",
            "sh",
            "-c",
            script,
        ])
        .await;

    let printed = succeeded(said);
    assert_eq!(printed.matches("\nattempt 1\n").count(), 1, "{printed}");
    assert_eq!(printed.matches("\nattempt 2\n").count(), 1, "{printed}");
}

#[tokio::test]
async fn a_job_can_wait_for_its_time_and_be_asked_for_once() {
    let app = App::start().await;
    let repo = app.repo.address();
    let submit = async || {
        app.client(&["submit", "--repo", &repo, "--in", "2h", "--key", "nightly", "--json", "--", "true"])
            .await
    };

    let first: Job = serde_json::from_str(&succeeded(submit().await)).unwrap();

    assert_eq!(first.state, JobState::Scheduled);
    let wait = first.run_at.unwrap().millis_since(first.created_at);
    assert!((7_000_000..=7_200_000).contains(&wait), "{wait}");
    // The time is another one now, so it is another request.
    assert!(failed(submit().await).contains("idempotency key"));
}

#[tokio::test]
async fn a_lane_is_paused_and_resumed() {
    let app = App::start().await;

    let said = succeeded(app.client(&["pause", "command", "--reason", "a release", "--for", "1h"]).await);
    assert!(said.starts_with("The lane command is paused until 20"), "{said}");
    let lane = app.commands().await;
    assert_eq!((&lane["pause"]["reason"], &lane["pause"]["by"]), (&json!("a release"), &json!("owner")));

    let said = succeeded(app.client(&["resume", "command"]).await);
    assert!(said.starts_with("The lane command goes on"), "{said}");
    assert_eq!(app.commands().await.get("pause"), None);
}

#[tokio::test]
async fn a_job_that_has_ended_is_deleted() {
    let app = App::start().await;
    let id = app.submit("true").await;

    app.cancel(id).await;
    let said = succeeded(app.client(&["delete", &id.short()]).await);

    assert_eq!(said, format!("Job {} is deleted.\n", id.short()));
    assert!(failed(app.client(&["delete", &id.to_string()]).await).contains("There is no job"));
}

#[tokio::test]
async fn an_id_that_is_none_or_unknown_is_told_apart() {
    let app = App::start().await;

    assert!(failed(app.client(&["show", "nonsense"]).await).contains("last eight digits"));
    assert!(failed(app.client(&["show", "00000000"]).await).contains("no job whose id ends with 00000000"));
    assert!(failed(app.client(&["show", &JobId::new().to_string()]).await).contains("There is no job"));
}

#[tokio::test]
async fn an_id_whose_end_two_jobs_share_must_be_whole() {
    let app = App::start().await;
    let one = app.submit("true").await;
    let twin = format!("00000000-0000-7000-8000-0000{}", one.short());
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "INSERT INTO jobs (id, kind, state, priority, max_attempts, title, repository, trigger)
         VALUES ('{twin}', 'command', 'succeeded', 2, 1, 't', 'r', 'api')"
    )))
    .execute(app.db())
    .await
    .unwrap();

    assert!(failed(app.client(&["show", &one.short()]).await).contains("Give the whole id"));
    succeeded(app.client(&["show", &one.to_string()]).await);
}

#[tokio::test]
async fn what_is_wrong_with_the_server_or_the_token_is_said_with_a_cure() {
    let app = App::start().await;
    let free = format!("http://127.0.0.1:{}", app.free_port().await);

    let none = failed(app.millrace(&["ls"]).await);
    assert!(none.contains("millrace up") && none.contains("MILLRACE_URL"), "{none}");
    let no_token = failed(app.millrace(&["ls", "--server", &free]).await);
    assert!(no_token.contains("--token"), "{no_token}");
    let away = failed(app.client(&["ls", "--server", &free]).await);
    assert!(away.contains(&free) && away.contains("does not answer"), "{away}");
    let wrong = failed(app.client(&["ls", "--token", "mr_wrong"]).await);
    assert!(wrong.contains("valid API token"), "{wrong}");
    let elsewhere = failed(app.client(&["ls", "--server", &app.url("/elsewhere")]).await);
    assert!(elsewhere.contains("not in the way of Millrace"), "{elsewhere}");
    let refused = failed(app.client(&["submit", "--repo", "nonsense", "--", "true"]).await);
    assert!(refused.contains("no address of a repository"), "{refused}");
}

#[tokio::test]
async fn commands_find_the_millrace_that_is_up_in_their_data_directory() {
    let app = App::start().await;
    let data_dir = app.path().join("up");
    let data_dir_text = data_dir.to_str().unwrap();
    let port = app.free_port().await;
    let list = async || app.millrace(&["ls", "--data-dir", data_dir_text]).await;
    std::fs::create_dir_all(&data_dir).unwrap();
    std::fs::write(data_dir.join("Leptos.toml"), "[queue]\nconcurrency = 3\n").unwrap();
    let mut up = app.up_process(port, &data_dir);
    until("it is up", async || {
        assert!(up.is_running(), "{}", up.log());
        up.log().contains("Sign in once")
    })
    .await;

    let lanes = app.http.get(format!("http://127.0.0.1:{port}/api/lanes"));
    let lanes = lanes.bearer_auth(secrecy::ExposeSecret::expose_secret(&app.token));
    let lanes: serde_json::Value = lanes.send().await.unwrap().json().await.unwrap();
    assert_eq!(lanes[0]["concurrency"], 3, "the file beside the data is the server's too: {lanes}");

    let id = app.submit("echo from the other server").await;
    assert!(succeeded(list().await).contains(&id.short()));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &data_dir.join("client.json").metadata().unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);

    assert!(up.stop().await.success(), "{}", up.log());
    assert!(failed(list().await).contains("millrace up"));
    let tokens: i64 = sqlx::query_scalar("SELECT count(*) FROM api_tokens WHERE name <> 'test'")
        .fetch_one(app.db())
        .await
        .unwrap();
    assert_eq!(tokens, 0, "the token went with it");
}
