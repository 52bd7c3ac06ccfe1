//! Anthropic's messages.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{Answer, stream};

pub(crate) fn answer(request: &Value) -> Response {
    let tools: Vec<_> = request["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|tool| Some((tool["name"].as_str()?, &tool["input_schema"])))
        .collect();
    // Of two messages or calls with one name in a conversation the client keeps one only.
    let turn = request["messages"].as_array().map_or(0, Vec::len);
    let call = format!("toolu_fake{turn}");
    let (block, stop_reason) = match Answer::next(&tools, has_result(request)) {
        Answer::Use(tool) => {
            (json!({"type": "tool_use", "id": call, "name": tool.name, "input": tool.input}), "tool_use")
        }
        Answer::Say(text) => (json!({"type": "text", "text": text}), "end_turn"),
    };
    let message = |content: Value, stop_reason: Value, written: u32| {
        json!({
            "id": format!("msg_fake{turn}"), "type": "message", "role": "assistant", "model": request["model"],
            "content": content, "stop_reason": stop_reason, "stop_sequence": null,
            "usage": {"input_tokens": 1000, "cache_read_input_tokens": 200, "output_tokens": written},
        })
    };
    if request["stream"] != true {
        return Json(message(json!([block]), json!(stop_reason), 42)).into_response();
    }
    let (start, delta) = in_pieces(&block);
    stream::named(&[
        json!({"type": "message_start", "message": message(json!([]), Value::Null, 1)}),
        json!({"type": "content_block_start", "index": 0, "content_block": start}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({
            "type": "message_delta",
            "delta": {"stop_reason": stop_reason, "stop_sequence": null},
            "usage": {"output_tokens": 42},
        }),
        json!({"type": "message_stop"}),
    ])
}

/// Whether a tool has answered since the model last spoke. Claude Code adds reminders of its own after that.
fn has_result(request: &Value) -> bool {
    let messages = request["messages"].as_array().into_iter().flatten().rev();
    let newest = messages.take_while(|message| message["role"] != "assistant");
    let mut blocks = newest.filter_map(|message| message["content"].as_array()).flatten();
    blocks.any(|block| block["type"] == "tool_result")
}

/// The block as it begins, and the rest of it.
fn in_pieces(block: &Value) -> (Value, Value) {
    let mut start = block.clone();
    if block["type"] == "text" {
        start["text"] = json!("");
        (start, json!({"type": "text_delta", "text": block["text"]}))
    } else {
        start["input"] = json!({});
        (start, json!({"type": "input_json_delta", "partial_json": block["input"].to_string()}))
    }
}
