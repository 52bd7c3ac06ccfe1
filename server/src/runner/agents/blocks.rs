//! Messages made of content blocks, as the Anthropic API has them: Claude Code and Qwen Code print them.

use app::model::Step;
use serde_json::Value;

use super::{
    dialect::{short_json, short_text, some_text, text},
    shorten::shorten,
};

/// What the blocks of an event's message mean.
pub(super) fn steps(event: &Value) -> Vec<Step> {
    match event.pointer("/message/content") {
        Some(Value::Array(blocks)) => blocks.iter().filter_map(step).collect(),
        _ => Vec::new(),
    }
}

fn step(block: &Value) -> Option<Step> {
    match text(block, "/type") {
        "text" => Some(Step::Message { text: some_text(block, "/text")?, delta: false }),
        "thinking" => Some(Step::Thought { text: some_text(block, "/thinking")? }),
        "tool_use" => Some(Step::ToolCall {
            call: short_text(block, "/id"),
            tool: short_text(block, "/name"),
            input: short_json(block, "input"),
        }),
        "tool_result" => Some(tool_result(block)),
        _ => None,
    }
}

fn tool_result(block: &Value) -> Step {
    let output = content(&block["content"]);
    let error = block["is_error"].as_bool().unwrap_or(false);
    Step::ToolResult {
        call: short_text(block, "/tool_use_id"),
        exit_code: exit_code(&output).filter(|_| error),
        error,
        output: shorten(&output),
    }
}

/// The text of a result, which is text or blocks of it.
fn content(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts = blocks.iter().map(|block| match text(block, "/type") {
                "text" => short_text(block, "/text"),
                other => format!("[{other}]"),
            });
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

/// A shell command that failed is reported as `Exit code 2` and its output.
fn exit_code(output: &str) -> Option<i32> {
    output.lines().next()?.strip_prefix("Exit code ")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failed_command_has_its_exit_code() {
        let event = json!({"message": {"content": [
            {"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": "Exit code 2\nno such file"},
        ]}});
        let output = "Exit code 2\nno such file".to_owned();
        let expected = Step::ToolResult { call: "t1".to_owned(), exit_code: Some(2), error: true, output };
        assert_eq!(steps(&event), [expected]);
    }

    #[test]
    fn a_result_of_blocks_is_their_text() {
        let blocks =
            json!([{"type": "text", "text": "one"}, {"type": "image"}, {"type": "text", "text": "two"}]);
        assert_eq!(content(&blocks), "one\n[image]\ntwo");
    }

    #[test]
    fn thoughts_are_told_from_messages() {
        let event = json!({"message": {"content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Ah."}]}});
        let expected = [
            Step::Thought { text: "Hm.".to_owned() },
            Step::Message { text: "Ah.".to_owned(), delta: false },
        ];
        assert_eq!(steps(&event), expected);
    }
}
