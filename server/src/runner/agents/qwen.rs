//! Qwen Code: a relative of Gemini CLI that prints events in the manner of Claude Code.

use app::model::{AgentOutcome, Step, Timestamp, Usage};
use serde_json::Value;

use super::{
    Agent, Launch, Profile, Reader, Task, blocks,
    dialect::{Dialect, Listener, event, number, short_text, some_text, text},
    ending::{Failure, Memory},
    launch::{base_url, hosts, key, model},
};
use crate::config::AgentConfig;

const CREDENTIALS: &[&str] = &["OPENAI_API_KEY"];

pub(super) struct Qwen {
    settings: AgentConfig,
}

impl Qwen {
    pub fn new(settings: AgentConfig) -> Self {
        Self { settings }
    }
}

impl Agent for Qwen {
    fn profile(&self) -> Profile {
        Profile {
            name: "qwen".to_owned(),
            title: "Qwen Code".to_owned(),
            program: "qwen".into(),
            install: Some("npm install --global @qwen-code/qwen-code"),
            credentials: CREDENTIALS,
            key: key(&self.settings, None, CREDENTIALS),
            hosts: hosts(&self.settings, &["dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com"]),
            sessions: &[".qwen/projects"],
        }
    }

    fn prepare(&self, task: &Task<'_>, variable: &dyn Fn(&str) -> Option<String>) -> Launch {
        let mut launch = Launch::new("qwen");
        launch.args(["--auth-type", "openai", "-o", "stream-json", "--yolo"]);
        if let Some(model) = model(task, &self.settings) {
            launch.args(["--model", model]);
        }
        if let Some(turns) = self.settings.max_turns {
            launch.arg("--max-session-turns").arg(turns.to_string());
        }
        if let Some(session) = task.resume {
            launch.args(["--resume", session]);
        }
        launch.args(self.settings.arguments.iter().map(String::as_str)).pass_on(
            CREDENTIALS,
            &self.settings.environment,
            variable,
        );
        if let Some(url) = base_url(task, &self.settings) {
            launch.env("OPENAI_BASE_URL", url);
        }
        launch.stdin = task.prompt.to_owned();
        launch
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Listener::new(Events))
    }
}

struct Events;

impl Dialect for Events {
    fn understand(&mut self, _: Timestamp, line: &str, memory: &mut Memory) -> Vec<Step> {
        let Some(event) = event(line) else { return Vec::new() };
        match (text(&event, "/type"), text(&event, "/subtype")) {
            ("system", "init") => {
                memory.told.session = some_text(&event, "/session_id");
                memory.told.model = some_text(&event, "/model");
                memory.told.version = some_text(&event, "/qwen_code_version");
                Vec::new()
            }
            ("assistant" | "user", _) => {
                memory.last_word = None;
                blocks::steps(&event)
            }
            ("result", subtype) => result(&event, subtype, memory),
            _ => Vec::new(),
        }
    }
}

fn result(event: &Value, subtype: &str, memory: &mut Memory) -> Vec<Step> {
    let usage = Usage {
        input_tokens: number(event, "/usage/input_tokens"),
        cached_tokens: number(event, "/usage/cache_read_input_tokens"),
        output_tokens: number(event, "/usage/output_tokens"),
        cost_micros: None,
    };
    memory.told.usage = Some(usage);
    let ok = subtype == "success" && event["is_error"] == false;
    let said = short_text(event, if ok { "/result" } else { "/error/message" });
    memory.last_word = Some(if ok {
        memory.told.summary = Some(said.clone());
        Ok(())
    } else if subtype.starts_with("error_max") {
        Err(Failure::new(AgentOutcome::LimitReached, &said))
    } else {
        Err(Failure::worded(&said))
    });
    vec![Step::Usage(usage), Step::Result { ok, text: said }]
}
