//! Codex: `codex exec --json`, whose failures are told by the text of a message alone.

use app::model::{Step, Timestamp, Usage};
use chrono::{NaiveDateTime, NaiveTime, TimeDelta};
use serde_json::{Value, json};

use super::{
    Agent, Launch, Profile, Reader, Task,
    dialect::{Dialect, Listener, event, number, short_text, some_text, text},
    ending::{Failure, Memory},
    launch::{base_url, hosts, key, model},
    shorten::shorten,
};
use crate::config::AgentConfig;

const CREDENTIALS: &[&str] = &["CODEX_API_KEY", "OPENAI_API_KEY", "CODEX_ACCESS_TOKEN"];

pub(super) struct Codex {
    settings: AgentConfig,
}

impl Codex {
    pub fn new(settings: AgentConfig) -> Self {
        Self { settings }
    }
}

impl Agent for Codex {
    fn profile(&self) -> Profile {
        Profile {
            name: "codex".to_owned(),
            title: "Codex".to_owned(),
            program: "codex".into(),
            install: Some("npm install --global @openai/codex"),
            credentials: CREDENTIALS,
            key: key(&self.settings, Some("https://api.openai.com/v1"), &CREDENTIALS[..2]),
            hosts: hosts(&self.settings, &["api.openai.com", "chatgpt.com", "auth.openai.com"]),
            sessions: &[".codex/sessions"],
        }
    }

    fn prepare(&self, task: &Task<'_>, variable: &dyn Fn(&str) -> Option<String>) -> Launch {
        let mut launch = Launch::new("codex");
        launch.arg("exec");
        if task.resume.is_some() {
            launch.arg("resume");
        }
        // Its own sandbox does not work within another, and the checkout is trusted no more than any.
        launch.args(["--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]);
        if let Some(model) = model(task, &self.settings) {
            launch.args(["--model", model]);
        }
        if let Some(url) = base_url(task, &self.settings) {
            launch.arg("-c").arg(format!("openai_base_url={}", json!(url)));
        }
        launch
            .args(self.settings.arguments.iter().map(String::as_str))
            .args(task.resume)
            .arg("-")
            .pass_on(CREDENTIALS, &self.settings.environment, variable)
            // It names a time in its own zone when the quota is used up.
            .env("TZ", "UTC");
        // It reads this one only.
        if let Some(key) = launch.environment.get("OPENAI_API_KEY").cloned() {
            launch.environment.entry("CODEX_API_KEY".to_owned()).or_insert(key);
        }
        launch.stdin = task.prompt.to_owned();
        launch
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Listener::new(Events::default()))
    }
}

/// How many items may be under way before the oldest is forgotten.
const MOST_OPEN: usize = 64;

#[derive(Default)]
struct Events {
    /// Items that began and have not ended.
    open: Vec<String>,
}

impl Dialect for Events {
    fn understand(&mut self, at: Timestamp, line: &str, memory: &mut Memory) -> Vec<Step> {
        let Some(event) = event(line) else { return Vec::new() };
        match text(&event, "/type") {
            "thread.started" => {
                memory.told.session = some_text(&event, "/thread_id");
                Vec::new()
            }
            "turn.started" => {
                memory.last_word = None;
                Vec::new()
            }
            "item.started" => self.begun(&event["item"]),
            "item.completed" => self.completed(&event["item"], memory),
            // The last one comes again as the failure of the turn.
            "error" if text(&event, "/message").starts_with("Reconnecting") => {
                vec![Step::Retry { text: short_text(&event, "/message"), again_at: None }]
            }
            "turn.completed" => {
                let usage = usage(&event);
                memory.told.usage = Some(usage);
                memory.last_word = Some(Ok(()));
                let text = memory.told.summary.clone().unwrap_or_default();
                vec![Step::Usage(usage), Step::Result { ok: true, text }]
            }
            "turn.failed" => {
                let message = text(&event, "/error/message");
                memory.last_word = Some(Err(Failure::worded(message).again_at(resets_at(at, message))));
                vec![Step::Result { ok: false, text: shorten(message) }]
            }
            _ => Vec::new(),
        }
    }
}

impl Events {
    fn begun(&mut self, item: &Value) -> Vec<Step> {
        let Some(call) = call(item) else { return Vec::new() };
        if self.open.len() == MOST_OPEN {
            self.open.remove(0);
        }
        self.open.push(short_text(item, "/id"));
        vec![call]
    }

    fn completed(&mut self, item: &Value, memory: &mut Memory) -> Vec<Step> {
        let text_of = || short_text(item, "/text");
        match text(item, "/type") {
            "agent_message" => {
                memory.told.summary = Some(text_of());
                vec![Step::Message { text: text_of(), delta: false }]
            }
            "reasoning" => vec![Step::Thought { text: text_of() }],
            _ => {
                let Some(call) = call(item) else { return Vec::new() };
                let id = text(item, "/id");
                let open = self.open.iter().position(|open| open == id);
                let begun = open.map(|index| self.open.swap_remove(index)).is_some();
                let call = (!begun).then_some(call);
                call.into_iter().chain([result(item)]).collect()
            }
        }
    }
}

/// The item as the use of a tool, if it is one.
fn call(item: &Value) -> Option<Step> {
    let (tool, input) = match text(item, "/type") {
        "command_execution" => ("shell".to_owned(), json!({"command": item["command"]})),
        "file_change" => ("apply_patch".to_owned(), json!({"changes": item["changes"]})),
        "web_search" => ("web_search".to_owned(), json!({"query": item["query"]})),
        "todo_list" => ("todo_list".to_owned(), json!({"items": item["items"]})),
        "mcp_tool_call" => {
            (format!("{}.{}", text(item, "/server"), text(item, "/tool")), item["arguments"].clone())
        }
        _ => return None,
    };
    Some(Step::ToolCall { call: short_text(item, "/id"), tool, input: shorten(&input.to_string()) })
}

fn result(item: &Value) -> Step {
    let output = some_text(item, "/aggregated_output")
        .or_else(|| some_text(item, "/error/message"))
        .or_else(|| item.get("result").filter(|result| !result.is_null()).map(Value::to_string));
    Step::ToolResult {
        call: short_text(item, "/id"),
        exit_code: item["exit_code"].as_i64().and_then(|code| code.try_into().ok()),
        error: matches!(text(item, "/status"), "failed" | "declined"),
        output: shorten(&output.unwrap_or_default()),
    }
}

fn usage(event: &Value) -> Usage {
    Usage {
        input_tokens: number(event, "/usage/input_tokens"),
        cached_tokens: number(event, "/usage/cached_input_tokens"),
        output_tokens: number(event, "/usage/output_tokens"),
        cost_micros: None,
    }
}

/// When a used-up quota is filled again: "… try again at Jan 1st, 2030 12:00 AM.", or only "… at 3:05 PM.".
fn resets_at(now: Timestamp, message: &str) -> Option<Timestamp> {
    let (_, time) = message.rsplit_once("try again at ")?;
    let time = time.trim().trim_end_matches('.');
    if let Some((date, rest)) = time.split_once(',') {
        let day = date.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let time = NaiveDateTime::parse_from_str(&format!("{day},{rest}"), "%b %d, %Y %I:%M %p").ok()?;
        return Some(Timestamp(time.and_utc().timestamp_millis()));
    }
    let time = NaiveTime::parse_from_str(time, "%I:%M %p").ok()?;
    let now = chrono::DateTime::from_timestamp_millis(now.0)?;
    let mut next = now.date_naive().and_time(time).and_utc();
    if next <= now {
        next = next.checked_add_signed(TimeDelta::days(1))?;
    }
    Some(Timestamp(next.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_millis())
    }

    #[test]
    fn the_reset_time_is_read_with_and_without_a_date() {
        let now = at("2026-11-22T14:00:00Z");
        let reset = |message| resets_at(now, message);
        assert_eq!(reset("… or try again at Jan 1st, 2030 12:00 AM."), Some(at("2030-01-01T00:00:00Z")));
        assert_eq!(reset("… or try again at Aug 22nd, 2027 1:30 PM."), Some(at("2027-08-22T13:30:00Z")));
        assert_eq!(reset("… or try again at 3:05 PM."), Some(at("2026-11-22T15:05:00Z")));
        assert_eq!(reset("… or try again at 9:05 AM."), Some(at("2026-11-23T09:05:00Z")));
        assert_eq!(reset("… or try again later."), None);
    }

    #[test]
    fn an_item_that_only_ends_is_a_call_and_its_result() {
        let line = r#"{"type":"item.completed","item":{"id":"i1","type":"mcp_tool_call","server":"docs",
            "tool":"find","arguments":{"q":"x"},"error":{"message":"down"},"status":"failed"}}"#;
        let steps = Events::default().understand(Timestamp(0), line, &mut Memory::default());
        let call = "i1".to_owned();
        let (tool, input) = ("docs.find".to_owned(), r#"{"q":"x"}"#.to_owned());
        let expected = [
            Step::ToolCall { call: call.clone(), tool, input },
            Step::ToolResult { call, exit_code: None, error: true, output: "down".to_owned() },
        ];
        assert_eq!(steps, expected);
    }
}
