//! The real agents against a model server of our own: started as their adapters say, and read as their adapters read.
//!
//! `cargo xtask test agents` installs them, puts them on the PATH and gives them keys. How they do in the sandbox is in
//! `it/real_agents.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

mod start;

use app::model::{AgentOutcome, Step, Timestamp};
use millrace::runner::agents::Verdict;
use millrace_fake_model::{Behaviour, CONTENT, DONE, FILE, FakeModel, Refusal};
use start::{Real, Run};

/// 1 January 2030
const RESET_SECONDS: i64 = 1_893_456_000;

/// Starts the agent on a fresh repository, sees it write the file, and continues its session.
async fn writes_a_file_and_goes_on(agent: &str) {
    let model = FakeModel::start(Behaviour::Works).await.unwrap();
    let real = Real::new(agent, &model.url());

    let run = real.start("Greet me in a file", None).await;

    run.assert_finished();
    assert_eq!(std::fs::read_to_string(real.repository().join(FILE)).unwrap(), CONTENT, "{run:?}");
    run.assert_a_tool_was_used();
    let usage = run.ending.told.usage.expect("it tells what it used");
    assert!(usage.input_tokens >= 2000 && usage.output_tokens >= 84, "{usage:?}");
    assert_eq!(run.ending.told.summary.as_deref(), Some(DONE));
    let session = run.ending.told.session.expect("its session has a name");

    let further = real.start("Greet me once more", Some(&session)).await;

    further.assert_finished();
    let remembers = |request: &serde_json::Value| {
        let text = request.to_string();
        text.contains("Greet me in a file") && text.contains("Greet me once more")
    };
    assert!(model.requests().iter().any(remembers), "the session went on: {further:?}");
}

/// How a start ends whose provider always refuses.
async fn refused(agent: &str, refusal: Refusal) -> Run {
    let model = FakeModel::start(Behaviour::Refuses(refusal)).await.unwrap();
    Real::new(agent, &model.url()).start("Greet me in a file", None).await
}

macro_rules! real_agent {
    ($name:ident) => {
        mod $name {
            use super::*;

            const AGENT: &str = stringify!($name);

            #[tokio::test]
            #[ignore = "needs the real program: cargo xtask test agents"]
            async fn writes_a_file_and_goes_on() {
                super::writes_a_file_and_goes_on(AGENT).await;
            }

            #[tokio::test]
            #[ignore = "needs the real program: cargo xtask test agents"]
            async fn a_wrong_key_is_called_so() {
                let run = refused(AGENT, Refusal::Unauthorized).await;
                assert_eq!(run.failure().reason, AgentOutcome::Authentication, "{run:?}");
            }
        }
    };
}

/// The same for those that give up within seconds; the others ask again for a minute and longer.
macro_rules! gives_up_soon {
    ($name:ident, $agent:literal) => {
        mod $name {
            use super::*;

            const AGENT: &str = $agent;

            #[tokio::test]
            #[ignore = "needs the real program: cargo xtask test agents"]
            async fn a_used_up_quota_is_called_so() {
                let run = refused(AGENT, Refusal::QuotaUntil(RESET_SECONDS)).await;
                assert_eq!(run.failure().reason, AgentOutcome::Quota, "{run:?}");
            }

            #[tokio::test]
            #[ignore = "needs the real program: cargo xtask test agents"]
            async fn an_overloaded_provider_is_called_so() {
                let run = refused(AGENT, Refusal::Overloaded).await;
                assert_eq!(run.failure().reason, AgentOutcome::RateLimited, "{run:?}");
            }
        }
    };
}

real_agent!(claude);
real_agent!(codex);
real_agent!(gemini);
real_agent!(qwen);
real_agent!(opencode);
gives_up_soon!(claude_in_vain, "claude");
gives_up_soon!(codex_in_vain, "codex");
gives_up_soon!(gemini_in_vain, "gemini");

#[tokio::test]
#[ignore = "needs the real program: cargo xtask test agents"]
async fn codex_tells_when_its_quota_is_filled_again() {
    let run = refused("codex", Refusal::QuotaUntil(RESET_SECONDS)).await;
    assert_eq!(run.failure().again_at, Some(Timestamp(RESET_SECONDS * 1000)), "{run:?}");
}

#[tokio::test]
#[ignore = "needs the real program: cargo xtask test agents"]
async fn claude_tells_when_its_quota_is_filled_again() {
    let run = refused("claude", Refusal::QuotaUntil(RESET_SECONDS)).await;
    assert_eq!(run.failure().again_at, Some(Timestamp(RESET_SECONDS * 1000)), "{run:?}");
}

#[tokio::test]
#[ignore = "needs the real program: cargo xtask test agents"]
async fn claude_asks_a_busy_provider_again() {
    let model = FakeModel::start(Behaviour::RefusesAtFirst(1, Refusal::Overloaded)).await.unwrap();
    let run = Real::new("claude", &model.url()).start("Greet me in a file", None).await;
    run.assert_finished();
    assert!(run.steps.iter().any(|step| matches!(step, Step::Retry { again_at: Some(_), .. })), "{run:?}");
}

#[tokio::test]
async fn the_demo_counts_what_is_there() {
    let real = Real::new("demo", "http://127.0.0.1:9");
    let run = real.start("Anything", None).await;
    run.assert_finished();
    run.assert_a_tool_was_used();
    let page = std::fs::read_to_string(real.repository().join("MILLRACE.md")).unwrap();
    assert!(page.contains("1 files, 1 lines of text") && page.contains("Begin"), "{page}");
}

impl Run {
    #[track_caller]
    fn assert_finished(&self) {
        assert_eq!(self.ending.verdict, Verdict::Finished, "{self:?}");
    }

    #[track_caller]
    fn failure(&self) -> &millrace::runner::agents::Failure {
        match &self.ending.verdict {
            Verdict::Failed(failure) => failure,
            Verdict::Finished => panic!("it finished: {self:?}"),
        }
    }

    /// A call and, by its id, its result.
    #[track_caller]
    fn assert_a_tool_was_used(&self) {
        let mut calls = self.steps.iter().filter_map(|step| match step {
            Step::ToolCall { call, .. } => Some(call),
            _ => None,
        });
        let is_done = |wanted: &String| {
            self.steps
                .iter()
                .any(|step| matches!(step, Step::ToolResult { call, error: false, .. } if call == wanted))
        };
        assert!(calls.any(is_done), "{self:?}");
    }
}
