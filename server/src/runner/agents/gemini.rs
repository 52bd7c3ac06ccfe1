//! Gemini CLI: its settings come from a file in HOME, and its exit code says little: 0 also when it was killed.

use app::model::{AgentOutcome, Step, Timestamp, Usage};
use serde_json::{Value, json};

use super::{
    Agent, Launch, Profile, Reader, Task,
    dialect::{Dialect, Listener, event, number, short_json, short_text, some_text, text},
    ending::{Failure, Memory},
    launch::{base_url, hosts, key, model},
    shorten::shorten,
};
use crate::config::AgentConfig;

const CREDENTIALS: &[&str] = &["GEMINI_API_KEY"];

/// Without a bound it asks a provider that is busy again for minutes, and says nothing meanwhile.
const ATTEMPTS: u32 = 3;

/// From where on a message is no summary any more.
const LONGEST_SUMMARY: usize = 16 * 1024;

pub(super) struct Gemini {
    settings: AgentConfig,
}

impl Gemini {
    pub fn new(settings: AgentConfig) -> Self {
        Self { settings }
    }

    fn settings_file(&self) -> String {
        let mut settings = json!({
            "security": {"auth": {"selectedType": "gemini-api-key"}},
            "general": {"maxAttempts": ATTEMPTS, "enableAutoUpdate": false},
            "privacy": {"usageStatisticsEnabled": false},
        });
        if let Some(turns) = self.settings.max_turns {
            settings["model"] = json!({"maxSessionTurns": turns});
        }
        settings.to_string()
    }
}

impl Agent for Gemini {
    fn profile(&self) -> Profile {
        Profile {
            name: "gemini".to_owned(),
            title: "Gemini CLI".to_owned(),
            program: "gemini".into(),
            install: Some("npm install --global @google/gemini-cli"),
            credentials: CREDENTIALS,
            key: key(&self.settings, Some("https://generativelanguage.googleapis.com"), CREDENTIALS),
            hosts: hosts(&self.settings, &["generativelanguage.googleapis.com"]),
            sessions: &[".gemini/tmp", ".gemini/projects.json"],
        }
    }

    fn prepare(&self, task: &Task<'_>, variable: &dyn Fn(&str) -> Option<String>) -> Launch {
        let mut launch = Launch::new("gemini");
        launch.args(["-o", "stream-json", "--yolo", "--skip-trust"]);
        if let Some(model) = model(task, &self.settings) {
            launch.args(["--model", model]);
        }
        if let Some(session) = task.resume {
            launch.args(["--resume", session]);
        }
        launch
            .args(self.settings.arguments.iter().map(String::as_str))
            .pass_on(CREDENTIALS, &self.settings.environment, variable)
            .file(".gemini/settings.json", self.settings_file());
        if let Some(url) = base_url(task, &self.settings) {
            launch.env("GOOGLE_GEMINI_BASE_URL", url);
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
    /// What it has said since it last used a tool.
    saying: String,
}

impl Dialect for Events {
    fn understand(&mut self, _: Timestamp, line: &str, memory: &mut Memory) -> Vec<Step> {
        let Some(event) = event(line) else { return Vec::new() };
        match text(&event, "/type") {
            "init" => {
                memory.told.session = some_text(&event, "/session_id");
                memory.told.model = some_text(&event, "/model");
                Vec::new()
            }
            "message" if text(&event, "/role") == "assistant" => {
                let text = short_text(&event, "/content");
                if self.saying.len() < LONGEST_SUMMARY {
                    self.saying.push_str(&text);
                }
                vec![Step::Message { text, delta: event["delta"] == true }]
            }
            "tool_use" => {
                self.saying.clear();
                vec![Step::ToolCall {
                    call: short_text(&event, "/tool_id"),
                    tool: short_text(&event, "/tool_name"),
                    input: short_json(&event, "parameters"),
                }]
            }
            "tool_result" => vec![tool_result(&event)],
            "result" => {
                memory.told.summary = Some(shorten(&self.saying)).filter(|text| !text.is_empty());
                result(&event, memory)
            }
            _ => Vec::new(),
        }
    }
}

fn tool_result(event: &Value) -> Step {
    let output = some_text(event, "/output").or_else(|| some_text(event, "/error/message"));
    Step::ToolResult {
        call: short_text(event, "/tool_id"),
        exit_code: None,
        error: text(event, "/status") == "error",
        output: output.unwrap_or_default(),
    }
}

fn result(event: &Value, memory: &mut Memory) -> Vec<Step> {
    let usage = Usage {
        input_tokens: number(event, "/stats/input_tokens"),
        cached_tokens: number(event, "/stats/cached"),
        output_tokens: number(event, "/stats/output_tokens"),
        cost_micros: None,
    };
    memory.told.usage = Some(usage);
    let ok = text(event, "/status") == "success";
    let message = text(event, "/error/message");
    memory.last_word = Some(if ok { Ok(()) } else { Err(failure(text(event, "/error/type"), message)) });
    vec![Step::Usage(usage), Step::Result { ok, text: shorten(message) }]
}

fn failure(kind: &str, message: &str) -> Failure {
    match kind {
        "FatalTurnLimitedError" => Failure::new(AgentOutcome::LimitReached, message),
        "FatalAuthenticationError" => Failure::new(AgentOutcome::Authentication, message),
        _ => Failure::worded(message),
    }
}
