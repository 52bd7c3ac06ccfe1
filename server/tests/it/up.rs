//! `millrace up` with servers of its own.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use crate::harness::{App, Process, Said, millrace, until};

/// With nothing of the test's Postgres and Redis in its settings, and the shipped file beside it, as in a clone.
fn alone(directory: &Path, arguments: &[&str]) -> std::process::Command {
    const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../Leptos.toml");
    let mut command = millrace(directory, &[], arguments);
    command.env("MILLRACE_CONFIG", SHIPPED);
    command
}

async fn said(directory: &Path, arguments: &[&str]) -> String {
    let said = tokio::process::Command::from(alone(directory, arguments)).kill_on_drop(true).output();
    let said: Said = said.await.unwrap().into();
    assert!(said.status.success(), "{arguments:?}: {}", said.stderr);
    said.stdout
}

#[tokio::test]
async fn jobs_and_their_output_are_there_after_a_restart() {
    let app = App::start().await;
    let directory = app.path();
    // Where the tests run as root, Postgres runs as somebody else, who has to get to its data.
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    let data = directory.join("alone");
    let data = data.to_str().unwrap();
    let listen = format!("127.0.0.1:{}", app.free_port().await);
    let up = async |log: &str| {
        let command = alone(directory, &["up", "--listen", &listen, "--data-dir", data]);
        let mut up = Process::start(command, directory.join(log));
        until("it is up", async || {
            assert!(up.is_running(), "{}", up.log());
            up.log().contains("Ctrl-C stops everything")
        })
        .await;
        up
    };

    let mut first = up("first.log").await;
    let repository = app.repo.address();
    let submit = ["submit", "--wait", "--data-dir", data, "--repo", &repository, "--", "echo", "kept"];
    assert!(said(directory, &submit).await.contains("kept"));
    assert!(first.stop().await.success(), "{}", first.log());
    assert!(first.log().contains("Stopping Postgres"), "{}", first.log());

    let mut second = up("second.log").await;
    let jobs: serde_json::Value =
        serde_json::from_str(&said(directory, &["ls", "--json", "--data-dir", data]).await).unwrap();
    let id = jobs[0]["id"].as_str().unwrap_or_else(|| panic!("{jobs}"));
    assert!(said(directory, &["logs", "--data-dir", data, id]).await.contains("kept"));
    assert!(second.stop().await.success(), "{}", second.log());
}
