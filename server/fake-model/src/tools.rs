//! Finds among an agent's tools one that can write the file, and the input that it wants.

use serde_json::{Value, json};

use crate::{CONTENT, FILE};

/// A tool and what to give it.
pub(crate) struct Tool {
    pub name: String,
    pub input: Value,
}

/// The tools that agents have for it, the more direct ones first.
const WRITERS: [&str; 6] = ["Write", "write_file", "write", "exec_command", "shell_command", "shell"];

pub(crate) fn that_writes(tools: &[(&str, &Value)]) -> Option<Tool> {
    WRITERS.iter().find_map(|wanted| {
        let (name, schema) = tools.iter().find(|(name, _)| name == wanted)?;
        Some(Tool { name: (*name).to_owned(), input: input(schema) })
    })
}

/// Fills in the properties that the tool says it has.
fn input(schema: &Value) -> Value {
    let command = format!("printf '%s\\n' '{}' > {FILE}", CONTENT.trim_end());
    let mut input = json!({});
    for (name, about) in schema["properties"].as_object().into_iter().flatten() {
        input[name] = match name.as_str() {
            "file_path" | "filePath" | "path" => json!(FILE),
            "content" => json!(CONTENT),
            "cmd" => json!(command),
            "command" if about["type"] == "array" => json!(["bash", "-c", command]),
            "command" => json!(command),
            _ => continue,
        };
    }
    input
}
