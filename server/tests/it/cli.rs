//! The program itself: what it prints, and how it refuses to start.

use std::fs;

use crate::harness::{App, Browser, location, until};

#[tokio::test]
async fn a_new_token_is_all_that_is_printed_and_it_works() {
    let app = App::start().await;

    let said = app.millrace(&["token", "create", "--name", "ci"]).await;

    assert!(said.status.success(), "{}", said.stderr);
    assert_eq!(said.stderr, "");
    let token = said.stdout.strip_suffix('\n').unwrap();
    assert!(token.starts_with("mr_") && token.len() > 40 && !token.contains(char::is_whitespace), "{token}");
    let response = app.http.get(app.url("/api/jobs")).bearer_auth(token).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_sign_in_link_is_printed_and_it_works() {
    let app = App::start().await;

    let said = app.millrace(&["sign-in-link"]).await;

    assert!(said.status.success(), "{}", said.stderr);
    let (address, token) = said.stdout.trim_end().split_once("/sign-in?token=").unwrap();
    assert!(address.starts_with("http://127.0.0.1:"), "{address}");
    assert_eq!(location(&Browser::new(&app).sign_in(token).await), "/");
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let app = App::start().await;

    for _ in 0..2 {
        let said = app.millrace(&["migrate"]).await;
        assert!(said.status.success(), "{}", said.stderr);
        assert_eq!(said.stdout, "The database schema is up to date.\n");
    }
}

#[tokio::test]
async fn a_wrong_setting_stops_the_start_and_says_file_key_and_what_would_be_right() {
    let app = App::start().await;
    let file = app.path().join("Leptos.toml");
    let start = async |content: &str| {
        fs::write(&file, content).unwrap();
        let said = app.millrace(&["serve"]).await;
        assert!(!said.status.success());
        assert_eq!(said.stdout, "");
        said.stderr
    };

    let error = start("[runner]\nslots = \"many\"\n").await;
    assert!(error.contains("Leptos.toml") && error.contains("`runner.slots`"), "{error}");
    assert!(error.contains("The default is 5"), "{error}");

    let error = start("[server]\nlisten_on = \"127.0.0.1:1\"\n").await;
    assert!(error.contains("`server.listen_on`") && error.contains("data_dir, listen, "), "{error}");

    let error = start("[queue\n").await;
    assert!(error.contains("Leptos.toml") && error.contains("not TOML"), "{error}");

    let error = start("[output]\nline_bytes = 3\n").await;
    assert!(error.contains("between 80 and 1048576"), "{error}");

    let error = start("[log]\nlevel = \"a=b=c\"\n").await;
    assert!(error.contains("Leptos.toml") && error.contains("`log.level`"), "{error}");

    let error = start("[server]\nsecret_key = \"hunter2\"\n").await;
    assert!(error.contains("Leptos.toml") && error.contains("`server.secret_key`"), "{error}");
    assert!(error.contains("openssl rand -hex 32") && !error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_named_but_missing_stops_the_start() {
    let app = App::start().await;

    let said = app.millrace(&["serve", "--config", "/no/such/file.toml"]).await;

    assert!(!said.status.success());
    assert!(said.stderr.contains("/no/such/file.toml"), "{}", said.stderr);
}

#[tokio::test]
async fn an_address_that_is_taken_stops_the_start() {
    let app = App::start().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();

    let said = app.millrace(&["serve", "--listen", &address]).await;

    assert!(!said.status.success());
    assert!(said.stderr.contains(&address) && said.stderr.contains("--listen"), "{}", said.stderr);
}

#[tokio::test]
async fn the_doctor_finds_everything_well() {
    let app = App::start().await;

    let said = app.millrace(&["doctor"]).await;

    assert!(said.status.success(), "{}{}", said.stdout, said.stderr);
    for name in ["configuration", "git", "Postgres", "Redis", "data directory"] {
        assert!(said.stdout.contains(&format!("ok       {name}: ")), "{}", said.stdout);
    }
}

#[tokio::test]
async fn the_doctor_says_what_is_away_and_how_to_mend_it() {
    let app = App::start().await;

    let said = app
        .millrace_with(
            &[
                ("MILLRACE_DATABASE__URL", "postgres://nobody@127.0.0.1:1/none"),
                ("MILLRACE_REDIS__URL", "redis://127.0.0.1:1"),
            ],
            &["doctor"],
        )
        .await;

    assert!(!said.status.success());
    for (name, cure) in [("Postgres", "DATABASE_URL"), ("Redis", "REDIS_URL")] {
        let line = said.stdout.lines().find(|line| line.starts_with(&format!("problem  {name}: ")));
        assert!(line.is_some_and(|line| line.contains(cure)), "{}", said.stdout);
    }
}

#[tokio::test]
async fn a_server_and_a_runner_stop_in_order_when_asked() {
    let app = App::start().await;
    let port = app.free_port().await;
    let (mut server, _) = app.server_process(port).await;
    let mut runner = app.runner_process(&[]);
    let job = app.run("true").await.job;
    assert_eq!(job.exit_code, Some(0));

    assert!(runner.stop().await.success(), "{}", runner.log());
    assert!(server.stop().await.success(), "{}", server.log());

    assert!(runner.log().contains("stopped") && server.log().contains("stopped"));
    let runners: i64 = sqlx::query_scalar("SELECT count(*) FROM runners").fetch_one(app.db()).await.unwrap();
    assert_eq!(runners, 0, "it took itself off the list");
}

#[tokio::test]
async fn where_agents_cannot_run_the_start_and_the_doctor_say_so_and_how_to_mend_it() {
    let app = App::start().await;
    // A machine with git and without bubblewrap.
    let programs = app.path().join("programs");
    fs::create_dir(&programs).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let git = std::env::split_paths(&path).map(|path| path.join("git")).find(|git| git.is_file());
    std::os::unix::fs::symlink(git.unwrap(), programs.join("git")).unwrap();
    let path = [("PATH", programs.to_str().unwrap())];
    let remedy = "no agent runs here, not even the demo. The sandbox is required and does not work: bubblewrap is not \
                  installed. Install it, e.g. with: apt-get install bubblewrap.";

    let said = app.millrace_with(&path, &["doctor"]).await;
    let port = app.free_port().await;
    let mut up = app.up_process_with(&path, port, &app.path().join("up"));
    until("it is up", async || {
        assert!(up.is_running(), "{}", up.log());
        up.log().contains("Sign in once")
    })
    .await;

    assert!(
        !said.status.success() && said.stdout.contains(&format!("problem  sandbox: {remedy}")),
        "{}",
        said.stdout
    );
    assert_eq!(up.log().matches(&format!("Sandbox: {remedy}")).count(), 1, "{}", up.log());
    assert!(up.stop().await.success(), "{}", up.log());
}
