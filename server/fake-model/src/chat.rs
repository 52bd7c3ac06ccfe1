//! OpenAI's chat completions, which most other providers have too.

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
        .filter_map(|tool| Some((tool["function"]["name"].as_str()?, &tool["function"]["parameters"])))
        .collect();
    let last = request["messages"].as_array().and_then(|messages| messages.last());
    let has_result = last.is_some_and(|message| message["role"] == "tool");
    let answer = if wants_listing(request) { Answer::Say(LISTING) } else { Answer::next(&tools, has_result) };
    let (message, reason) = match answer {
        Answer::Use(tool) => {
            let function = json!({"name": tool.name, "arguments": tool.input.to_string()});
            let call = json!({"index": 0, "id": "call_fake", "type": "function", "function": function});
            (json!({"role": "assistant", "content": null, "tool_calls": [call]}), "tool_calls")
        }
        Answer::Say(text) => (json!({"role": "assistant", "content": text}), "stop"),
    };
    let usage = json!({
        "prompt_tokens": 1000, "prompt_tokens_details": {"cached_tokens": 200},
        "completion_tokens": 42, "total_tokens": 1042,
    });
    let part = |kind: &str, choices: Value| json!({"id": "chatcmpl-fake", "object": kind, "created": 0, "model": request["model"], "choices": choices});
    if request["stream"] != true {
        let choice = json!({"index": 0, "message": message, "finish_reason": reason});
        let mut whole = part("chat.completion", json!([choice]));
        whole["usage"] = usage;
        return Json(whole).into_response();
    }
    let chunk = |choices| part("chat.completion.chunk", choices);
    let mut last = chunk(json!([]));
    last["usage"] = usage;
    let events = [
        chunk(json!([{"index": 0, "delta": message, "finish_reason": null}])),
        chunk(json!([{"index": 0, "delta": {}, "finish_reason": reason}])),
        last,
    ];
    stream::plain(&events, "data: [DONE]\n\n")
}

/// A file in the words of Aider, which has no tools: it reads files out of what is said.
const LISTING: &str = "hello.txt\n```\nhello from the fake model\n```\n";

fn wants_listing(request: &Value) -> bool {
    request["messages"].to_string().contains("*file listing*")
}
