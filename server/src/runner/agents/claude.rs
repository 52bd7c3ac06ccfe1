//! Claude Code: `claude -p`, which prints one JSON event a line.

use app::model::{AgentOutcome, Step, Timestamp, Usage};
use serde_json::Value;

use super::{
    Agent, Launch, Profile, Reader, Task, blocks,
    dialect::{Dialect, Listener, event, micros, number, some_text, text},
    ending::{Failure, Memory},
    launch::{base_url, hosts, key, model},
    reason::{reason_of, reason_of_status},
    shorten::shorten,
};
use crate::config::AgentConfig;

const CREDENTIALS: &[&str] = &["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"];

pub(super) struct Claude {
    settings: AgentConfig,
}

impl Claude {
    pub fn new(settings: AgentConfig) -> Self {
        Self { settings }
    }
}

impl Agent for Claude {
    fn profile(&self) -> Profile {
        Profile {
            name: "claude".to_owned(),
            title: "Claude Code".to_owned(),
            program: "claude".into(),
            install: Some("npm install --global @anthropic-ai/claude-code"),
            credentials: CREDENTIALS,
            key: key(&self.settings, Some("https://api.anthropic.com"), CREDENTIALS),
            hosts: hosts(&self.settings, &["api.anthropic.com"]),
            sessions: &[".claude/projects"],
        }
    }

    fn prepare(&self, task: &Task<'_>, variable: &dyn Fn(&str) -> Option<String>) -> Launch {
        let mut launch = Launch::new("claude");
        launch.args(["-p", "--output-format", "stream-json", "--verbose", "--dangerously-skip-permissions"]);
        if let Some(model) = model(task, &self.settings) {
            launch.args(["--model", model]);
        }
        if let Some(turns) = self.settings.max_turns {
            launch.arg("--max-turns").arg(turns.to_string());
        }
        if let Some(session) = task.resume {
            launch.args(["--resume", session]);
        }
        launch
            .args(self.settings.arguments.iter().map(String::as_str))
            .pass_on(CREDENTIALS, &self.settings.environment, variable)
            // Some hosts run everything as root; without it the permissions cannot be skipped there.
            .env("IS_SANDBOX", "1")
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("CLAUDE_CODE_MAX_RETRIES", "6")
            .env("DISABLE_AUTOUPDATER", "1");
        if let Some(url) = base_url(task, &self.settings) {
            launch.env("ANTHROPIC_BASE_URL", url);
        }
        launch.stdin = task.prompt.to_owned();
        launch
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Listener::new(Events::default()))
    }
}

#[derive(Default)]
struct Events {
    /// When a used-up quota is filled again.
    resets_at: Option<Timestamp>,
}

impl Dialect for Events {
    fn understand(&mut self, at: Timestamp, line: &str, memory: &mut Memory) -> Vec<Step> {
        let Some(event) = event(line) else { return Vec::new() };
        match (text(&event, "/type"), text(&event, "/subtype")) {
            ("system", "init") => {
                memory.told.session = some_text(&event, "/session_id");
                memory.told.model = some_text(&event, "/model");
                memory.told.version = some_text(&event, "/claude_code_version");
                Vec::new()
            }
            ("system", "api_retry") => vec![retry(at, &event)],
            // What the provider refused is said once more by the result.
            ("assistant", _) if event["is_api_error_message"] == true => Vec::new(),
            ("assistant" | "user", _) => {
                memory.last_word = None;
                blocks::steps(&event)
            }
            ("rate_limit_event", _) => {
                self.note_limit(&event["rate_limit_info"]);
                Vec::new()
            }
            ("result", _) => self.result(&event, memory),
            _ => Vec::new(),
        }
    }
}

impl Events {
    fn note_limit(&mut self, info: &Value) {
        if text(info, "/status") == "rejected" {
            self.resets_at = info["resetsAt"].as_i64().and_then(|at| at.checked_mul(1000)).map(Timestamp);
        }
    }

    fn result(&mut self, event: &Value, memory: &mut Memory) -> Vec<Step> {
        let usage = usage(event);
        memory.told.usage = Some(usage);
        let ok = text(event, "/subtype") == "success" && event["is_error"] == false;
        let said = said(event);
        memory.last_word = Some(if ok {
            memory.told.summary = Some(shorten(&said));
            Ok(())
        } else {
            Err(self.failure(event, &said))
        });
        vec![Step::Usage(usage), Step::Result { ok, text: shorten(&said) }]
    }

    fn failure(&self, event: &Value, said: &str) -> Failure {
        let reason = if text(event, "/subtype").starts_with("error_max") {
            AgentOutcome::LimitReached
        } else if self.resets_at.is_some() || text(event, "/api_error") == "usage_limit_reached" {
            AgentOutcome::Quota
        } else if let Some(status) = event["api_error_status"].as_u64() {
            reason_of_status(status, said)
        } else {
            reason_of(said).unwrap_or(AgentOutcome::AgentError)
        };
        Failure::new(reason, said).again_at(self.resets_at)
    }
}

/// Its summary, or its errors.
fn said(event: &Value) -> String {
    if let Some(result) = some_text(event, "/result") {
        return result;
    }
    let errors = event["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
    errors.collect::<Vec<_>>().join("\n")
}

/// The sums of the attempt. Those that the messages carry are of their beginning, and repeated.
fn usage(event: &Value) -> Usage {
    let cached = number(event, "/usage/cache_read_input_tokens");
    let written = number(event, "/usage/cache_creation_input_tokens");
    Usage {
        input_tokens: number(event, "/usage/input_tokens").saturating_add(cached).saturating_add(written),
        cached_tokens: cached,
        output_tokens: number(event, "/usage/output_tokens"),
        cost_micros: event["total_cost_usd"].as_f64().map(micros),
    }
}

fn retry(at: Timestamp, event: &Value) -> Step {
    let delay = event["retry_delay_ms"].as_f64().unwrap_or_default() as i64;
    let status = event["error_status"].as_u64().map_or(String::new(), |status| format!("{status} "));
    Step::Retry {
        text: format!(
            "{status}{}, retry {} of {}",
            text(event, "/error"),
            number(event, "/attempt"),
            number(event, "/max_retries")
        ),
        again_at: Some(Timestamp(at.0.saturating_add(delay))),
    }
}
