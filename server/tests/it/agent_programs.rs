//! Agents as programs of the machine: what of it they need, what they remember, and which version they are.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use app::model::{Job, JobDetail};
use serde_json::{Value, json};

use crate::harness::{App, until};

/// Asks an agent and waits for the end.
async fn ask(app: &App, agent: &str, fields: Value) -> JobDetail {
    let mut new = json!({ "kind": "agent", "agent": agent, "prompt": "Work.", "max_attempts": 1 });
    new["repository"] = json!(app.repo.address());
    new.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let answer = app.post_json("/api/jobs", &new).await;
    assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
    let job: Job = answer.json().await.unwrap();
    app.finished(job.id).await
}

fn write_program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn an_agent_in_an_environment_of_pythons_finds_its_interpreter() {
    let directory = tempfile::tempdir().unwrap();
    let place = |path: &str| directory.path().join(path);
    for path in ["python/bin", "python/lib", "environment/bin"] {
        fs::create_dir_all(place(path)).unwrap();
    }
    // A shell does for an interpreter.
    let library = place("python/lib/library");
    write_program(
        &place("python/bin/python"),
        &format!("#!/bin/sh\ncat '{}' > seen.txt\n", library.display()),
    );
    fs::write(library, "a library").unwrap();
    symlink(place("python/bin/python"), place("environment/bin/python")).unwrap();
    fs::write(place("environment/pyvenv.cfg"), format!("home = {}\n", place("python/bin").display()))
        .unwrap();
    write_program(
        &place("environment/bin/agent"),
        &format!("#!{}\n", place("environment/bin/python").display()),
    );
    let program = place("environment/bin/agent").display().to_string();
    let app = App::with_agent("false", move |config| {
        config.agents.custom.get_mut("mine").unwrap().command = vec![program.clone()].try_into().unwrap();
    })
    .await;
    let _runner = app.runner().await;

    let job = ask(&app, "mine", json!({})).await.job;

    let branch = job.branch.unwrap_or_else(|| panic!("{:?}", job.error));
    assert_eq!(app.repo.git(&["show", &format!("{branch}:seen.txt")]), "a library");
}

/// A program called `claude` that remembers its prompts, prints what it remembers, and does what the prompt says.
const CLAUDE: &str = r#"#!/bin/sh
[ "$1" = -p ] || { echo "claude-of-a-test 1.2.3"; exit; }
prompt=$(cat); memory=$HOME/.claude/projects; mkdir -p "$memory"
echo "It remembers: $(cat "$memory/said" 2>/dev/null)"
printf '%s, ' "$prompt" >> "$memory/said"
echo '{"type":"system","subtype":"init","session_id":"its-session"}'
case $prompt in
fail) echo '{"type":"result","subtype":"error_during_execution","is_error":true,"errors":["Failed."]}'; exit 1 ;;
leak) printf 'key = "%s%s"\n' AKIA Q3EGRNXM7T2VJ4WZ > settings.toml ;;
work) date +%N >> work.txt ;;
esac
echo '{"type":"result","subtype":"success","is_error":false,"result":"Done."}'
"#;

#[tokio::test]
async fn an_agent_remembers_what_it_did_where_that_is_there() {
    let app = App::start().await;
    let programs = app.path().join("programs");
    fs::create_dir(&programs).unwrap();
    write_program(&programs.join("claude"), CLAUDE);
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let _runner = app.runner_process(&[("PATH", &path)]);
    until("the runner has looked for agents", async || app.get_json("/api/agents").await != json!([])).await;
    let mut first = None;
    let mut remembered = Vec::new();

    for prompt in ["work", "fail", "leak", "nothing", "end"] {
        let mut fields = json!({ "prompt": prompt });
        if let Some(first) = first {
            fields["parent"] = json!(first);
        }
        let detail = ask(&app, "claude", fields).await;
        let id = detail.job.id;
        first.get_or_insert(id);
        let said = app.stdout(id).await.into_iter().find(|line| line.starts_with("It remembers: "));
        remembered.push(said.unwrap_or_default());
    }

    // Nothing of what failed, and of what was not published because of the secret in it.
    let expected = ["", "work, ", "work, ", "work, ", "work, nothing, "];
    assert_eq!(remembered, expected.map(|said| format!("It remembers: {said}")));
    let run = app.job(first.unwrap()).await.attempts.remove(0).agent.unwrap();
    assert_eq!(run.version.as_deref(), Some("1.2.3"), "it says none itself");
}
