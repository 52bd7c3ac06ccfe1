//! Agents as programs of the machine: what of it they need, what they remember, and which version they are.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use app::model::{Job, JobDetail};
use millrace_fake_model::{Behaviour, FakeModel};
use serde_json::{Value, json};

use crate::harness::{App, Hub, ORCHARD, Process, until};

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

/// Another one, which looks for its key and asks its provider.
const ASKING_CLAUDE: &str = r#"#!/bin/bash
[ "$1" = -p ] || { echo "claude-of-a-test 1.2.3"; exit; }
cat > /dev/null
env | grep -q -e the-key-itself -e another-secret && echo "It has a secret."
exec 3<>"/dev/tcp/127.0.0.1/${ANTHROPIC_BASE_URL##*:}"
printf 'POST /v1/messages HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\nx-api-key: %s\r\n\r\n' \
    "$ANTHROPIC_API_KEY" >&3
head -n 1 <&3
echo '{"type":"result","subtype":"success","is_error":false,"result":"Done."}'
"#;

/// A runner that has this program and these variables.
async fn runner_with(app: &App, name: &str, program: &str, variables: &[(&str, &str)]) -> Process {
    let programs = app.path().join("programs");
    fs::create_dir_all(&programs).unwrap();
    write_program(&programs.join(name), program);
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let runner = app.runner_process(&[&[("PATH", path.as_str())], variables].concat());
    until("the runner has looked for agents", async || app.get_json("/api/agents").await != json!([])).await;
    runner
}

#[tokio::test]
async fn an_agent_asks_its_provider_without_having_its_key() {
    let model = FakeModel::start(Behaviour::Works).await.unwrap();
    let app = App::with(&[("MILLRACE_AGENTS__CLAUDE__BASE_URL", &model.url())]).await;
    let key = [("ANTHROPIC_API_KEY", "the-key-itself")];
    let _runner = runner_with(&app, "claude", ASKING_CLAUDE, &key).await;

    let id = ask(&app, "claude", json!({})).await.job.id;

    let said = app.stdout(id).await;
    assert!(said[0].starts_with("HTTP/1.1 4"), "the model server takes no empty question: {said:?}");
    assert_eq!(model.keys().into_iter().collect::<Vec<_>>(), ["the-key-itself"]);
}

#[tokio::test]
async fn an_agent_gets_its_key_where_the_settings_say_so() {
    let model = FakeModel::start(Behaviour::Works).await.unwrap();
    let settings =
        [("MILLRACE_AGENTS__CLAUDE__BASE_URL", model.url()), ("MILLRACE_SANDBOX__KEYS", "inside".to_owned())];
    let app = App::with(&settings.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
    let key = [("ANTHROPIC_API_KEY", "the-key-itself")];
    let _runner = runner_with(&app, "claude", ASKING_CLAUDE, &key).await;

    let id = ask(&app, "claude", json!({})).await.job.id;

    assert_eq!(app.stdout(id).await[0], "It has a secret.");
}

#[tokio::test]
async fn work_on_a_fork_runs_without_any_secret_or_not_at_all() {
    let model = FakeModel::start(Behaviour::Works).await.unwrap();
    let hub = Hub::with(&[
        ("MILLRACE_GITHUB__FORKS", "run"),
        ("MILLRACE_AGENTS__DEFAULT", "claude"),
        ("MILLRACE_AGENTS__CLAUDE__BASE_URL", &model.url()),
        ("MILLRACE_AGENTS__CLAUDE__ENVIRONMENT", "ANOTHER"),
    ])
    .await;
    let variables = [("ANTHROPIC_API_KEY", "the-key-itself"), ("ANOTHER", "another-secret")];
    let _runner = runner_with(&hub.app, "claude", ASKING_CLAUDE, &variables).await;
    write_program(&hub.app.path().join("programs/aider"), "#!/bin/sh\necho It runs.\n");
    let pull = hub.world().open_fork_pull(ORCHARD, "eve", "Plums", "", "plums", "main");

    let job = hub.job_of(&hub.comment(pull, "ada", "@millrace go").await).await.job;
    hub.app.finished(job.id).await;
    let said = hub.app.stdout(job.id).await;
    assert!(said[0].starts_with("HTTP/1.1 4"), "{said:?}");
    assert_eq!(model.keys().into_iter().collect::<Vec<_>>(), ["the-key-itself"]);

    // It would have its key with it.
    let job = hub.job_of(&hub.comment(pull, "ada", "@millrace agent=aider go").await).await.job;
    let ended = hub.app.finished(job.id).await;
    let error = ended.job.error.unwrap();
    assert!(
        error.contains("without any secret") && error.contains("`base_url` under [agents.aider]"),
        "{error}"
    );
    assert_eq!((ended.attempts.len(), hub.app.stdout(job.id).await.len()), (1, 0));
}
