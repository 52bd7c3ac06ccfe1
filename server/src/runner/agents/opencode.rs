//! OpenCode: `opencode run --format json`, which has no event for its end.

use app::model::{Step, Timestamp, Usage};
use serde_json::{Value, json};

use super::{
    Agent, Launch, Profile, Reader, Task,
    dialect::{Dialect, Listener, event, micros, number, short_json, short_text, some_text, text},
    ending::{Exit, Failure, LastWord, Memory},
    launch::{base_url, hosts, key, model},
    reason::reason_of_status,
};
use crate::config::AgentConfig;

const CREDENTIALS: &[&str] =
    &["OPENCODE_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY"];

/// What the provider of the settings' base address is called in its configuration.
const PROVIDER: &str = "millrace";

/// For the settings' base address, beside which it reaches no other provider.
const OF_BASE_URL: &[&str] = &["OPENAI_API_KEY"];

pub(super) struct OpenCode {
    settings: AgentConfig,
}

impl OpenCode {
    pub fn new(settings: AgentConfig) -> Self {
        Self { settings }
    }

    fn credentials(&self) -> &'static [&'static str] {
        if self.settings.base_url.is_some() { OF_BASE_URL } else { CREDENTIALS }
    }

    /// Its configuration, and the model by the name that goes with it.
    fn configuration(&self, task: &Task<'_>) -> (Value, Option<String>) {
        let model = model(task, &self.settings);
        let mut configuration = json!({"autoupdate": false, "share": "disabled"});
        let (Some(url), Some(model)) = (base_url(task, &self.settings), model) else {
            return (configuration, model.map(str::to_owned));
        };
        configuration["provider"] = json!({PROVIDER: {
            "npm": "@ai-sdk/openai-compatible",
            "name": "Millrace",
            "options": {"baseURL": url, "apiKey": "{env:OPENAI_API_KEY}"},
            "models": {model: {}},
        }});
        (configuration, Some(format!("{PROVIDER}/{model}")))
    }
}

impl Agent for OpenCode {
    fn profile(&self) -> Profile {
        const HOSTS: &[&str] = &[
            "opencode.ai",
            "api.anthropic.com",
            "api.openai.com",
            "generativelanguage.googleapis.com",
            "openrouter.ai",
        ];
        Profile {
            name: "opencode".to_owned(),
            title: "OpenCode".to_owned(),
            program: "opencode".into(),
            install: Some("npm install --global opencode-ai"),
            credentials: self.credentials(),
            key: key(&self.settings, None, OF_BASE_URL),
            hosts: hosts(&self.settings, HOSTS),
            sessions: &[".local/share/opencode"],
        }
    }

    fn prepare(&self, task: &Task<'_>, variable: &dyn Fn(&str) -> Option<String>) -> Launch {
        let (configuration, model) = self.configuration(task);
        let mut launch = Launch::new("opencode");
        launch.args(["run", "--format", "json", "--auto"]);
        if let Some(model) = model {
            launch.arg("--model").arg(model);
        }
        if let Some(session) = task.resume {
            launch.args(["--session", session]);
        }
        launch
            .args(self.settings.arguments.iter().map(String::as_str))
            .pass_on(self.credentials(), &self.settings.environment, variable)
            .env("OPENCODE_CONFIG_CONTENT", configuration.to_string())
            .env("OPENCODE_DISABLE_AUTOUPDATE", "true")
            .env("OPENCODE_DISABLE_LSP_DOWNLOAD", "true")
            // It has a list of models with it.
            .env("OPENCODE_DISABLE_MODELS_FETCH", "true");
        launch.stdin = task.prompt.to_owned();
        launch
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Listener::new(Events::default()))
    }
}

#[derive(Default)]
struct Events {
    usage: Usage,
}

impl Dialect for Events {
    fn understand(&mut self, _: Timestamp, line: &str, memory: &mut Memory) -> Vec<Step> {
        let Some(event) = event(line) else { return Vec::new() };
        if let Some(session) = some_text(&event, "/sessionID") {
            memory.told.session = Some(session);
        }
        let part = &event["part"];
        match text(&event, "/type") {
            "step_start" => {
                memory.last_word = None;
                Vec::new()
            }
            "text" => {
                let text = short_text(part, "/text");
                memory.told.summary = Some(text.clone());
                vec![Step::Message { text, delta: false }]
            }
            "reasoning" => vec![Step::Thought { text: short_text(part, "/text") }],
            "tool_use" => tool(part).into(),
            "step_finish" => {
                // Any other reason means that it goes on, or was cut off.
                memory.last_word = (text(part, "/reason") == "stop").then_some(Ok(()));
                add(&mut self.usage, part);
                memory.told.usage = Some(self.usage);
                vec![Step::Usage(self.usage)]
            }
            "error" => {
                let failure = failure(&event["error"]);
                let text = failure.message.clone();
                memory.last_word = Some(Err(failure));
                vec![Step::Result { ok: false, text }]
            }
            _ => Vec::new(),
        }
    }

    /// The last step may have been the last one: only the end of the program tells.
    fn last_word(&self, said: Option<LastWord>, exit: &Exit) -> Option<LastWord> {
        said.filter(|said| said.is_err() || *exit == Exit::Code(0))
    }
}

/// A tool is told when it has ended.
fn tool(part: &Value) -> [Step; 2] {
    let call = short_text(part, "/callID");
    let state = &part["state"];
    let output = some_text(state, "/output").or_else(|| some_text(state, "/error"));
    [
        Step::ToolCall {
            call: call.clone(),
            tool: short_text(part, "/tool"),
            input: short_json(state, "input"),
        },
        Step::ToolResult {
            call,
            exit_code: state["metadata"]["exit"].as_i64().and_then(|code| code.try_into().ok()),
            error: text(state, "/status") == "error",
            output: output.unwrap_or_default(),
        },
    ]
}

fn add(usage: &mut Usage, part: &Value) {
    let tokens = |pointer| number(part, pointer);
    let cached = tokens("/tokens/cache/read");
    let read = tokens("/tokens/input").saturating_add(cached).saturating_add(tokens("/tokens/cache/write"));
    let written = tokens("/tokens/output").saturating_add(tokens("/tokens/reasoning"));
    usage.input_tokens = usage.input_tokens.saturating_add(read);
    usage.cached_tokens = usage.cached_tokens.saturating_add(cached);
    usage.output_tokens = usage.output_tokens.saturating_add(written);
    if let Some(cost) = part["cost"].as_f64() {
        usage.cost_micros = Some(usage.cost_micros.unwrap_or_default().saturating_add(micros(cost)));
    }
}

fn failure(error: &Value) -> Failure {
    let message = some_text(error, "/data/message").or_else(|| some_text(error, "/name")).unwrap_or_default();
    match error["data"]["statusCode"].as_u64() {
        Some(status) => Failure::new(reason_of_status(status, &message), message),
        None => Failure::worded(&message),
    }
}
