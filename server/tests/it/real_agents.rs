//! The real agents through everything that keeps them apart: from a prompt through sandbox and proxy to a branch, and on with
//! the same session. Their provider is a model server of our own.
//!
//! `cargo xtask test` runs Codex, `cargo xtask test --agents` all of them; both install the programs and give them keys.

use app::model::{AgentOutcome, JobDetail, JobState, Protection};
use chrono::Utc;
use millrace_fake_model::{Behaviour, CONTENT, DONE, FILE, FakeModel, Refusal};
use serde_json::json;

use crate::harness::App;

/// An installation whose agent of this name asks the model server, which is all that it reaches, and not by itself.
async fn with_model(agent: &str, model: &FakeModel) -> App {
    let (version, name) = match agent {
        "claude" => ("", "claude-sonnet-4-5"),
        "gemini" => ("", "gemini-2.5-flash"),
        "codex" => ("/v1", "gpt-5.1-codex"),
        "aider" => ("/v1", "openai/fake-model"),
        _ => ("/v1", "fake-model"),
    };
    let url = model.url();
    let setting = |key: &str| format!("MILLRACE_AGENTS__{}__{key}", agent.to_uppercase());
    App::with(&[(&setting("BASE_URL"), &format!("{url}{version}")), (&setting("MODEL"), name)]).await
}

async fn ask(app: &App, agent: &str, prompt: &str, parent: Option<&JobDetail>) -> JobDetail {
    let new = json!({
        "kind": "agent",
        "agent": agent,
        "prompt": prompt,
        "repository": app.repo.address(),
        "parent": parent.map(|parent| parent.job.id),
    });
    let answer = app.post_json("/api/jobs", &new).await;
    assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
    let job: app::model::Job = answer.json().await.unwrap();
    app.finished(job.id).await
}

async fn makes_a_branch_and_goes_on(agent: &str) {
    let model = FakeModel::start(Behaviour::Works).await.unwrap();
    let app = with_model(agent, &model).await;
    let _runner = app.runner().await;

    let first = ask(&app, agent, "Greet me in a file", None).await;

    let output = app.output(first.job.id).await;
    assert_eq!(
        (first.job.state, first.job.outcome),
        (JobState::Succeeded, Some(AgentOutcome::Changed)),
        "{output:?}"
    );
    let run = first.attempts.last().unwrap().agent.clone().unwrap();
    assert_eq!((run.protection, run.summary.as_deref()), (Some(Protection::Sandbox), Some(DONE)));
    assert!(run.version.is_some() || run.usage.is_some(), "{run:?}");
    let branch = first.job.branch.clone().expect("a branch");
    assert_eq!(app.repo.git(&["show", &format!("{branch}:{FILE}")]), CONTENT.trim_end());
    assert_eq!(app.repo.git(&["rev-parse", &branch]), run.head.unwrap());
    let key = match agent {
        "claude" => "CLAUDE_CODE_OAUTH_TOKEN",
        "gemini" => "GEMINI_API_KEY",
        _ => "OPENAI_API_KEY",
    };
    let key = std::env::var(key).unwrap();
    assert_eq!(model.keys().into_iter().collect::<Vec<_>>(), [key]);
    assert!(output.iter().any(|line| line.line.contains("its key stays outside")), "{output:?}");
    assert!(!output.iter().any(|line| line.line.contains("Reconnecting")), "{output:?}");

    let second = ask(&app, agent, "Greet me once more", Some(&first)).await;

    let remembers = |request: &serde_json::Value| {
        let text = request.to_string();
        text.contains("Greet me in a file") && text.contains("Greet me once more")
    };
    assert!(model.requests().iter().any(remembers), "the session went on: {second:?}");
    assert_eq!(second.job.state, JobState::Succeeded, "{second:?}");
}

macro_rules! real_agent {
    ($($name:ident),*) => {$(
        mod $name {
            #[tokio::test]
            #[ignore = "needs the real program: cargo xtask test agents"]
            async fn makes_a_branch_through_the_sandbox_and_goes_on() {
                super::makes_a_branch_and_goes_on(stringify!($name)).await;
            }
        }
    )*};
}

real_agent!(claude, gemini, qwen, opencode);

mod codex {
    use super::*;

    #[tokio::test]
    #[ignore = "needs the real program: cargo xtask test"]
    async fn makes_a_branch_through_the_sandbox_and_goes_on() {
        makes_a_branch_and_goes_on("codex").await;
    }

    #[tokio::test]
    #[ignore = "needs the real program: cargo xtask test"]
    async fn waits_for_its_quota() {
        // It names the minute.
        let tomorrow = (Utc::now().timestamp() / 60 + 24 * 60) * 60;
        let model = FakeModel::start(Behaviour::Refuses(Refusal::QuotaUntil(tomorrow))).await.unwrap();
        let app = with_model("codex", &model).await;
        let _runner = app.runner().await;
        let new = json!({
            "kind": "agent", "agent": "codex", "prompt": "Greet me in a file", "repository": app.repo.address(),
        });

        let job: app::model::Job = app.post_json("/api/jobs", &new).await.json().await.unwrap();

        let parked = app.wait_until(job.id, JobState::Parked).await;
        assert_eq!(parked.run_at.map(|at| at.0 / 1000), Some(tomorrow), "{parked:?}");
    }
}

mod aider {
    use super::*;

    #[tokio::test]
    #[ignore = "needs the real program: cargo xtask test agents"]
    async fn makes_a_commit_through_the_sandbox_and_hears_what_was_said_before() {
        let model = FakeModel::start(Behaviour::Works).await.unwrap();
        let app = with_model("aider", &model).await;
        let _runner = app.runner().await;

        let first = ask(&app, "aider", "Greet me in a file", None).await;

        let output = app.output(first.job.id).await;
        assert_eq!(first.job.outcome, Some(AgentOutcome::Changed), "{output:?}");
        let branch = first.job.branch.clone().expect("a branch");
        assert_eq!(app.repo.git(&["show", &format!("{branch}:{FILE}")]), CONTENT.trim_end());
        assert_eq!(
            app.repo.git(&["diff", "--name-only", &format!("main..{branch}")]),
            FILE,
            "and nothing else"
        );
        let run = first.attempts.last().unwrap().agent.clone().unwrap();
        assert_eq!(run.protection, Some(Protection::Sandbox));
        assert!(run.version.is_some() && run.usage.is_some_and(|usage| usage.output_tokens >= 42), "{run:?}");

        assert_eq!(model.keys().into_iter().collect::<Vec<_>>(), [std::env::var("OPENAI_API_KEY").unwrap()]);

        ask(&app, "aider", "Greet me once more", Some(&first)).await;

        let remembers = |request: &serde_json::Value| {
            let text = request.to_string();
            text.contains("Greet me in a file") && text.contains("Greet me once more")
        };
        assert!(model.requests().iter().any(remembers));
    }

    #[tokio::test]
    #[ignore = "needs the real program: cargo xtask test agents"]
    async fn says_that_its_key_is_refused() {
        let model = FakeModel::start(Behaviour::Refuses(Refusal::Unauthorized)).await.unwrap();
        let app = with_model("aider", &model).await;
        let _runner = app.runner().await;

        let refused = ask(&app, "aider", "Greet me in a file", None).await;

        assert_eq!(refused.job.outcome, Some(AgentOutcome::Authentication), "{refused:?}");
    }
}
