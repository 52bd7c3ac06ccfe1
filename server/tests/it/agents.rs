//! Agents' jobs from the prompt to the branch: with the demo agent, and with programs that stand for what an agent may do.

use std::{
    fs,
    num::NonZeroU64,
    os::unix::fs::symlink,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use app::model::{AgentOutcome, AttemptState, JobDetail, JobState, Protection, Step, Stream};
use serde_json::{Value, json};

use crate::harness::{App, eventually, texts};

/// Asks an agent and waits for the end.
async fn ask(app: &App, agent: &str, fields: Value) -> JobDetail {
    let mut new =
        json!({ "kind": "agent", "agent": agent, "prompt": "Say what is in here.", "max_attempts": 1 });
    new["repository"] = json!(app.repo.address());
    new.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let answer = app.post_json("/api/jobs", &new).await;
    assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
    let job: Value = answer.json().await.unwrap();
    app.finished(serde_json::from_value(job["id"].clone()).unwrap()).await
}

fn outcome(detail: &JobDetail) -> Option<AgentOutcome> {
    detail.attempts.last().and_then(|attempt| attempt.agent.as_ref()).and_then(|agent| agent.outcome)
}

#[tokio::test]
async fn the_demo_makes_a_branch_with_one_true_change() {
    let app = App::start().await;
    let _runner = app.runner().await;

    let detail = ask(&app, "demo", json!({})).await;

    let (job, attempt) = (&detail.job, detail.attempts.last().unwrap());
    assert_eq!((job.state, job.outcome), (JobState::Succeeded, Some(AgentOutcome::Changed)), "{detail:?}");
    let agent = attempt.agent.as_ref().unwrap();
    assert_eq!((agent.protection, agent.outcome), (Some(Protection::Sandbox), Some(AgentOutcome::Changed)));
    let branch = job.branch.as_deref().unwrap();
    assert!(branch.starts_with("millrace/"), "{branch}");
    assert_eq!(agent.branch.as_deref(), Some(branch));
    assert_eq!(app.repo.git(&["rev-parse", branch]), agent.head.clone().unwrap());
    assert_eq!(app.repo.git(&["diff", "--name-only", &format!("main..{branch}")]), "MILLRACE.md");
    let message = app.repo.git(&["log", "-1", "--format=%B", branch]);
    assert!(
        message.contains(&format!("/jobs/{}", job.id)) && message.contains("Co-authored-by: Demo agent"),
        "{message}"
    );
    assert_eq!(agent.changes.unwrap().files, 1);

    let steps: Vec<Step> = app.output(job.id).await.into_iter().flat_map(|line| line.steps).collect();
    assert!(steps.iter().any(|step| matches!(step, Step::ToolCall { .. })), "{steps:?}");
    assert!(matches!(steps.last(), Some(Step::Result { ok: true, .. })), "{steps:?}");
    let changes = app.get_json(&format!("/api/jobs/{}/changes", job.id)).await;
    assert_eq!(changes["files"][0]["path"], "MILLRACE.md", "{changes}");
}

#[tokio::test]
async fn a_follow_up_adds_a_commit_to_the_same_branch() {
    let app = App::with_agent("date +%N >> log.txt", |_| {}).await;
    let _runner = app.runner().await;
    let first = ask(&app, "mine", json!({})).await.job;
    let second = ask(&app, "mine", json!({ "parent": first.id, "repository": "" })).await.job;

    assert_eq!((second.state, &second.branch), (JobState::Succeeded, &first.branch), "{second:?}");
    let branch = second.branch.unwrap();
    assert_eq!(app.repo.git(&["rev-list", "--count", &format!("main..{branch}")]), "2");
    assert_eq!(app.repo.git(&["show", &format!("{branch}:log.txt")]).lines().count(), 2);
}

#[tokio::test]
async fn an_agent_that_changes_nothing_has_not_changed_anything() {
    let app = App::with_agent("cat > /dev/null; echo nothing to do", |_| {}).await;
    let _runner = app.runner().await;

    let detail = ask(&app, "mine", json!({})).await;

    assert_eq!(detail.job.state, JobState::Succeeded);
    assert_eq!((detail.job.outcome, &detail.job.branch), (Some(AgentOutcome::NoChange), &None));
    assert_eq!(app.repo.git(&["branch", "--list", "millrace/*"]), "");
}

#[tokio::test]
async fn an_agent_gets_its_prompt_and_no_others_things() {
    let script = "cat > prompt.txt; env | sort > env.txt; ls / > root.txt; id -u > id.txt";
    let app = App::with_agent(script, |_| {}).await;
    let _runner = app.runner().await;
    let prompt = format!("Read this. {}", "x".repeat(5 << 20));

    let job = ask(&app, "mine", json!({ "prompt": prompt })).await.job;

    let branch = job.branch.expect("a branch");
    let file = |name: &str| app.repo.git(&["show", &format!("{branch}:{name}")]);
    assert_eq!(file("prompt.txt").len(), prompt.len());
    assert_eq!(file("id.txt"), "1000");
    let environment = file("env.txt");
    assert!(environment.contains("HOME=/home/millrace"), "{environment}");
    for secret in ["DATABASE_URL", "REDIS_URL", "MILLRACE_DATABASE__URL", "postgres://"] {
        assert!(!environment.contains(secret), "{environment}");
    }
}

#[tokio::test]
async fn an_agent_sees_nothing_of_the_directory_that_its_program_lies_in() {
    let app = App::with_agent("ls \"$(dirname \"$0\")\" > seen.txt", |_| {}).await;
    let _runner = app.runner().await;
    let program = app.config.agents.custom["mine"].command.program().to_owned();
    fs::write(Path::new(&program).with_file_name("id_ed25519"), "a key").unwrap();

    let job = ask(&app, "mine", json!({})).await.job;

    let seen = app.repo.git(&["show", &format!("{}:seen.txt", job.branch.expect("a branch"))]);
    assert_eq!(seen, "agent");
}

#[tokio::test]
async fn a_failure_keeps_what_was_changed_by_then_and_publishes_none_of_it() {
    let app = App::with_agent("echo half > work.txt; exit 3", |_| {}).await;
    let _runner = app.runner().await;

    let detail = ask(&app, "mine", json!({})).await;

    assert_eq!(
        (detail.job.state, outcome(&detail)),
        (JobState::Failed, Some(AgentOutcome::Crashed)),
        "{detail:?}"
    );
    let patch = app.get(&format!("/api/jobs/{}/changes.patch", detail.job.id)).await.text().await.unwrap();
    assert!(patch.contains("+half"), "{patch}");
    assert_eq!(app.repo.git(&["branch", "--list", "millrace/*"]), "");
}

#[tokio::test]
async fn a_secret_in_the_changes_stops_the_publish() {
    // Put together here, so that no reader of this file takes it for one.
    let script = r#"printf 'key = "%s%s"\n' AKIA Q3EGRNXM7T2VJ4WZ > settings.toml"#;
    let app = App::with_agent(script, |_| {}).await;
    let _runner = app.runner().await;

    let detail = ask(&app, "mine", json!({})).await;

    assert_eq!(
        (detail.job.state, outcome(&detail)),
        (JobState::Failed, Some(AgentOutcome::SecretFound)),
        "{detail:?}"
    );
    let error = detail.job.error.unwrap();
    assert!(error.contains("settings.toml") && !error.contains("Q3EGRNXM7T2VJ4WZ"), "{error}");
    assert_eq!(app.repo.git(&["branch", "--list", "millrace/*"]), "");
}

#[tokio::test]
async fn what_millrace_says_of_an_agent_holds_no_secret() {
    let script = "bash -c \"exec 3<>/dev/tcp/127.0.0.1/3128; \
                  printf 'CONNECT Swordfish-Of-The-Mill.example.com:443 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' >&3; head -n 1 <&3\"
                  truncate -s 101M Swordfish-Of-The-Mill.bin";
    let app = App::with_agent(script, |config| config.github.token = "Swordfish-Of-The-Mill".into()).await;
    let _runner = app.runner().await;

    let detail = ask(&app, "mine", json!({})).await;

    let lines = app.output(detail.job.id).await;
    let said = texts(&lines, Stream::System);
    let refusal = "***.example.com:443 was refused: it is not on the list of allowed hosts";
    assert!(said.contains(&refusal), "{said:?}");
    assert!(said.contains(&"***.bin is left out: it is larger than 100 MiB."), "{said:?}");
}

#[tokio::test]
async fn a_secret_that_goes_over_two_pieces_of_a_message_is_not_in_the_transcript() {
    let script = r#"cat > /dev/null
                    echo '{"type":"message","text":"It is Swordfish-Of","delta":true}'
                    echo '{"type":"message","text":"-The-Mill, I think","delta":true}'
                    echo '{"type":"result","ok":true,"text":"Done."}'"#;
    let app = App::with_agent(script, |config| config.github.token = "Swordfish-Of-The-Mill".into()).await;
    let _runner = app.runner().await;

    let job = ask(&app, "mine", json!({})).await.job;

    let steps = app.output(job.id).await.into_iter().flat_map(|line| line.steps);
    let pieces = steps.filter_map(|step| match step {
        Step::Message { text, .. } => Some(text),
        _ => None,
    });
    assert_eq!(pieces.collect::<String>(), "It is ***, I think");
}

#[tokio::test]
async fn an_agent_that_prints_plain_text_has_a_transcript() {
    let app =
        App::with_agent("cat > /dev/null; echo Looking around; echo a warning >&2; echo All is well", |_| {})
            .await;
    let _runner = app.runner().await;

    let job = ask(&app, "mine", json!({})).await.job;

    let steps: Vec<Step> = app.output(job.id).await.into_iter().flat_map(|line| line.steps).collect();
    let said = |text: &str| Step::Message { text: format!("{text}  \n"), delta: true };
    assert_eq!(steps, [said("Looking around"), said("All is well")]);
}

#[tokio::test]
async fn an_agent_reaches_the_hosts_of_its_own_and_of_its_repository() {
    // Whether a host is on the list is seen by why it is refused: these are on no public internet.
    let script = r#"for port in 1001 1002 1003; do bash -c "exec 3<>/dev/tcp/127.0.0.1/3128
        printf 'CONNECT 127.0.0.1:$port HTTP/1.1\r\nHost: x\r\n\r\n' >&3; head -n 1 <&3"; done"#;
    let address = Arc::new(OnceLock::<String>::new());
    let known = Arc::clone(&address);
    let app = App::with_agent(script, move |config| {
        config.agents.custom.get_mut("mine").unwrap().hosts = vec!["127.0.0.1:1001".parse().unwrap()];
        // The runner reads its settings after the repository was made.
        if let Some(repository) = known.get() {
            config.sandbox.repositories.insert(repository.clone(), vec!["127.0.0.1:1002".parse().unwrap()]);
        }
    })
    .await;
    address.set(app.repo.address()).unwrap();
    let _runner = app.runner().await;
    let other = app.empty_repo("other");
    other.commit("README.md", "other");

    for (repository, is_listed) in
        [(app.repo.address(), [true, true, false]), (other.address(), [true, false, false])]
    {
        let job = ask(&app, "mine", json!({ "repository": repository })).await.job;
        let lines = app.output(job.id).await;
        let refused = texts(&lines, Stream::System);
        for (port, is_listed) in (1001..).zip(is_listed) {
            let why = if is_listed {
                "its address 127.0.0.1 is not on the public internet"
            } else {
                "it is not on the list of allowed hosts"
            };
            let expected = format!("127.0.0.1:{port} was refused: {why}");
            assert!(refused.contains(&expected.as_str()), "{expected}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn an_agent_whose_time_is_over_is_ended_whatever_it_has_said() {
    let done = r#"echo '{"type":"result","ok":true,"text":"Done."}'"#;
    let app = App::with_agent(&format!("{done}; while true; do echo more; sleep 0.1; done"), |config| {
        config.agents.wall_clock = Duration::from_secs(1);
    })
    .await;
    let _runner = app.runner().await;

    let detail = ask(&app, "mine", json!({ "max_attempts": 3 })).await;

    assert_eq!(
        (detail.job.state, outcome(&detail)),
        (JobState::Failed, Some(AgentOutcome::Timeout)),
        "{detail:?}"
    );
    assert_eq!(detail.job.error.as_deref(), Some("It was stopped because it ran for 1s."));
    assert_eq!(detail.attempts.len(), 1, "it would only cost the same again");
}

#[tokio::test]
async fn links_of_a_repository_lead_an_agent_and_its_commit_nowhere() {
    let script = "cat > /dev/null; cat MILLRACE.md outside/key > copied.txt 2> /dev/null
                  echo written > outside/new; echo more >> MILLRACE.md; ln -s / root";
    let app = App::with_agent(script, |_| {}).await;
    let _runner = app.runner().await;
    let outside = app.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("key"), "of-somebody-else").unwrap();
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let address = app.repo.address();
    let repository = Path::new(&address);
    symlink(outside.join("key"), repository.join("MILLRACE.md")).unwrap();
    symlink(&outside, repository.join("outside")).unwrap();
    symlink("/etc/passwd", repository.join("passwd")).unwrap();
    app.repo.commit("README.md", "links");

    let detail = ask(&app, "mine", json!({})).await;

    let branch = detail.job.branch.expect("a branch");
    assert_eq!(app.repo.git(&["show", &format!("{branch}:copied.txt")]), "", "there was nothing to read");
    let root = app.repo.git(&["ls-tree", &branch, "root"]);
    assert!(root.starts_with("120000 blob "), "a link is a link, and not what it leads to: {root}");
    let patch = app.get(&format!("/api/jobs/{}/changes.patch", detail.job.id)).await.text().await.unwrap();
    assert!(!patch.contains("of-somebody-else"), "{patch}");
    // The demo writes a file of that name: in place of the link.
    let demo = ask(&app, "demo", json!({})).await;
    let branch = demo.job.branch.expect("a branch");
    assert!(app.repo.git(&["ls-tree", &branch, "MILLRACE.md"]).starts_with("100644 blob "));
    assert!(
        app.repo.git(&["show", &format!("{branch}:MILLRACE.md")]).starts_with("# What is in this repository")
    );

    assert!(!outside.join("new").exists());
    assert_eq!(fs::read_to_string(outside.join("key")).unwrap(), "of-somebody-else");
    assert_eq!(fs::read_to_string("/etc/passwd").unwrap(), passwd);
}

#[tokio::test]
async fn hooks_and_filters_that_an_agent_leaves_run_nothing_on_the_machine() {
    let marks = tempfile::tempdir().unwrap();
    // In the sandbox there is no such directory.
    let mark = format!("touch '{}/ran' 2> /dev/null", marks.path().display());
    let script = format!(
        "cat > /dev/null; mkdir -p .git/hooks
         for hook in pre-commit post-commit reference-transaction post-index-change pre-push; do
             printf '%s\\n' '#!/bin/sh' \"{mark}; exit 0\" > .git/hooks/$hook; chmod +x .git/hooks/$hook
         done
         git config filter.evil.clean \"{mark}; cat\"; git config filter.evil.smudge \"{mark}; cat\"
         git config core.fsmonitor \"{mark}; false\"
         echo work > work.txt"
    );
    let app = App::with_agent(&script, |_| {}).await;
    app.repo.commit(".gitattributes", "* filter=evil\n");
    let _runner = app.runner().await;

    let detail = ask(&app, "mine", json!({})).await;

    assert_eq!(outcome(&detail), Some(AgentOutcome::Changed), "{detail:?}");
    assert_eq!(app.repo.git(&["show", &format!("{}:work.txt", detail.job.branch.unwrap())]), "work");
    assert_eq!(fs::read_dir(marks.path()).unwrap().count(), 0, "a program of the agent's ran on the machine");
}

#[tokio::test]
async fn an_agent_that_falls_silent_is_ended() {
    let app = App::with_agent("echo working; setsid sleep 3600 & sleep 3600", |config| {
        config.agents.silence = Duration::from_secs(1);
    })
    .await;
    let _runner = app.runner().await;

    let detail = ask(&app, "mine", json!({})).await;

    assert_eq!(
        (detail.job.state, outcome(&detail)),
        (JobState::Failed, Some(AgentOutcome::Timeout)),
        "{detail:?}"
    );
    assert_eq!(detail.attempts.len(), 1, "it would only cost the same again");
}

#[tokio::test]
async fn a_limit_that_was_hit_is_said_in_words() {
    let app = App::with_agent("head -c 80000000 /dev/zero > big", |config| {
        config.sandbox.file_bytes = NonZeroU64::new(20_000_000).unwrap();
    })
    .await;
    let _runner = app.runner().await;

    let detail = ask(&app, "mine", json!({})).await;

    assert_eq!(outcome(&detail), Some(AgentOutcome::LimitReached), "{detail:?}");
    assert!(detail.job.error.unwrap().contains("file"), "says which");
}

#[tokio::test]
async fn what_the_proxy_refuses_is_in_the_log() {
    let script = "curl -sS --max-time 5 https://example.com/ || true";
    let app = App::with_agent(script, |_| {}).await;
    let _runner = app.runner().await;

    let detail = ask(&app, "mine", json!({})).await;

    let lines = app.output(detail.job.id).await;
    assert!(
        lines.iter().any(|line| line.line.contains("example.com") && line.stream.as_str() == "system"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn an_agent_can_be_canceled_while_it_works() {
    let app = App::with_agent("echo working; sleep 3600", |_| {}).await;
    let _runner = app.runner().await;
    let new = json!({ "kind": "agent", "agent": "mine", "prompt": "x", "repository": app.repo.address() });
    let job: Value = app.post_json("/api/jobs", &new).await.json().await.unwrap();
    let id = serde_json::from_value(job["id"].clone()).unwrap();
    app.wait_for_line(id, "working").await;

    assert_eq!(app.cancel(id).await.status(), 200);

    let detail = app.finished(id).await;
    assert_eq!(detail.job.state, JobState::Canceled);
    assert_eq!(detail.attempts.last().unwrap().state, AttemptState::Canceled);
}

#[tokio::test]
async fn the_agents_that_a_runner_has_are_listed() {
    let app = App::with_agent("true", |_| {}).await;
    assert_eq!(app.get_json("/api/agents").await, json!([]), "nobody is there to run one");
    let _runner = app.runner().await;

    let agents = eventually("the runner has looked", async || {
        let agents = app.get_json("/api/agents").await;
        (agents != json!([])).then_some(agents)
    })
    .await;

    let agents = agents.as_array().unwrap();
    assert_eq!(agents[0]["name"], "claude", "the default one comes first");
    let find = |name: &str| agents.iter().find(|agent| agent["name"] == name).unwrap();
    assert_eq!((&find("demo")["installed"], &find("mine")["installed"]), (&json!(true), &json!(true)));
    assert!(find("codex")["install"].as_str().unwrap().starts_with("npm "));
}
