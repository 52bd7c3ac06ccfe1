//! Gemini's generateContent.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{Answer, stream};

pub(crate) fn answer(call: &str, request: &Value) -> Response {
    let declared = request["tools"].as_array().into_iter().flatten();
    let functions = declared.filter_map(|tool| tool["functionDeclarations"].as_array()).flatten();
    let tools: Vec<_> =
        functions.filter_map(|function| Some((function["name"].as_str()?, schema(function)))).collect();
    let part = match Answer::next(&tools, has_result(request)) {
        Answer::Use(tool) => json!({"functionCall": {"name": tool.name, "args": tool.input}}),
        Answer::Say(text) => json!({"text": text}),
    };
    let answer = json!({
        "candidates": [{"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": 1000, "cachedContentTokenCount": 200,
            "candidatesTokenCount": 42, "totalTokenCount": 1042,
        },
    });
    if call.ends_with(":streamGenerateContent") {
        stream::plain(&[answer], "")
    } else {
        Json(answer).into_response()
    }
}

fn schema(function: &Value) -> &Value {
    function.get("parametersJsonSchema").unwrap_or(&function["parameters"])
}

/// Whether the last content tells what a tool has done.
fn has_result(request: &Value) -> bool {
    let last = request["contents"].as_array().and_then(|contents| contents.last());
    let parts = last.and_then(|content| content["parts"].as_array()).into_iter().flatten();
    parts.into_iter().any(|part| part.get("functionResponse").is_some())
}
