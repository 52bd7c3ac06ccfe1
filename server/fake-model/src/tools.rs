//! Finds among an agent's tools one that can write the file, and the input that it wants.

use serde_json::{Value, json};

use crate::{CONTENT, FILE};

/// A tool and what to give it.
pub(crate) struct Tool {
    pub name: String,
    pub input: Value,
}

/// The tools that agents have for it, the more direct ones first.
const WRITERS: [&str; 7] =
    ["Write", "write_file", "write", "exec_command", "shell_command", "shell", "run_shell_command"];

pub(crate) fn that_writes(tools: &[(&str, &Value)]) -> Option<Tool> {
    let found: Vec<_> =
        WRITERS.iter().filter_map(|wanted| tools.iter().find(|(name, _)| name == wanted)).collect();
    // Where the agent works is not known here, and some insist on whole paths.
    let (name, schema) = found.iter().find(|(_, schema)| !wants_whole_path(schema)).or(found.first())?;
    Some(Tool { name: (*name).to_owned(), input: input(schema) })
}

fn wants_whole_path(schema: &Value) -> bool {
    let about = &schema["properties"]["file_path"]["description"];
    about.as_str().is_some_and(|text| text.to_lowercase().contains("absolute"))
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
