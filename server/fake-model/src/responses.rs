//! OpenAI's responses, which Codex asks for.

use axum::response::Response;
use serde_json::{Value, json};

use crate::{Answer, stream};

pub(crate) fn answer(request: &Value) -> Response {
    let tools: Vec<_> = request["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|tool| Some((tool["name"].as_str()?, &tool["parameters"])))
        .collect();
    let item = match Answer::next(&tools, has_result(request)) {
        Answer::Use(tool) => json!({
            "type": "function_call", "id": "fc_fake", "call_id": "call_fake", "status": "completed",
            "name": tool.name, "arguments": tool.input.to_string(),
        }),
        Answer::Say(text) => json!({
            "type": "message", "id": "msg_fake", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": text, "annotations": []}],
        }),
    };
    let response = |status: &str, output: Value| {
        json!({
            "id": "resp_fake", "object": "response", "status": status, "model": request["model"],
            "output": output,
            "usage": {
                "input_tokens": 1000, "input_tokens_details": {"cached_tokens": 200},
                "output_tokens": 42, "output_tokens_details": {"reasoning_tokens": 7},
                "total_tokens": 1042,
            },
        })
    };
    stream::named(&[
        json!({"type": "response.created", "response": response("in_progress", json!([]))}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        json!({"type": "response.completed", "response": response("completed", json!([item]))}),
    ])
}

/// Whether a tool has answered after the person or the model last spoke.
fn has_result(request: &Value) -> bool {
    let items = request["input"].as_array().into_iter().flatten();
    items.last().is_some_and(|item| item["type"].as_str().is_some_and(|kind| kind.ends_with("_output")))
}
