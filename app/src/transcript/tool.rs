//! Tools of agents, as people speak of what they do.

use serde_json::Value;

/// What a tool is for. Agents name theirs differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Shell,
    Read,
    Write,
    Edit,
    Find,
    Fetch,
    Plan,
    Delegate,
    Other,
}

/// What is done with a call: the verb while it runs, the verb afterwards, and on what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub purpose: Purpose,
    pub runs: &'static str,
    pub ran: &'static str,
    pub object: String,
}

/// How much of a command or path a row shows, in characters.
const LONGEST: usize = 160;

impl Purpose {
    pub fn of(tool: &str) -> Self {
        let name: String =
            tool.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        match name.as_str() {
            "bash" | "shell" | "runshellcommand" | "commandexecution" | "exec" | "execcommand"
            | "localshell" | "executecommand" | "terminal" | "sh" => Self::Shell,
            "read" | "readfile" | "readmanyfiles" | "view" | "viewfile" | "notebookread" => Self::Read,
            "write" | "writefile" | "create" | "createfile" => Self::Write,
            "edit" | "multiedit" | "replace" | "editfile" | "strreplace" | "applypatch" | "patch"
            | "filechange" | "notebookedit" => Self::Edit,
            "grep" | "glob" | "search" | "searchfilecontent" | "greps" | "list" | "ls" | "listdirectory"
            | "codebasesearch" => Self::Find,
            "webfetch" | "fetch" | "websearch" | "googlewebsearch" => Self::Fetch,
            "todowrite" | "todoread" | "todolist" | "updateplan" | "taskcreate" | "taskupdate" => Self::Plan,
            "task" | "agent" | "subagent" => Self::Delegate,
            _ => Self::Other,
        }
    }

    /// The verb while it is done, and afterwards.
    const fn verbs(self) -> (&'static str, &'static str) {
        match self {
            Self::Shell => ("Runs", "Ran"),
            Self::Read => ("Reads", "Read"),
            Self::Write => ("Writes", "Wrote"),
            Self::Edit => ("Edits", "Edited"),
            Self::Find => ("Looks for", "Looked for"),
            Self::Fetch => ("Fetches", "Fetched"),
            Self::Plan => ("Plans", "Planned"),
            Self::Delegate => ("Hands over", "Handed over"),
            Self::Other => ("Uses", "Used"),
        }
    }

    /// What several of the same are counted in.
    pub const fn counted(self) -> &'static str {
        match self {
            Self::Read | Self::Write | Self::Edit => "files",
            Self::Find => "patterns",
            Self::Fetch => "pages",
            _ => "times",
        }
    }

    /// The fields of the input that say on what, the most telling first.
    const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Shell => &["command", "cmd", "script"],
            Self::Read | Self::Write | Self::Edit => {
                &["file_path", "filePath", "absolute_path", "path", "notebook_path", "paths", "changes"]
            }
            Self::Find => &["pattern", "query", "path", "dir_path"],
            Self::Fetch => &["url", "query", "prompt"],
            Self::Plan => &["subject", "title"],
            Self::Delegate | Self::Other => {
                &["description", "title", "command", "file_path", "path", "query", "url", "name", "prompt"]
            }
        }
    }
}

/// What a call does. The input may be cut off in the middle.
pub fn action(tool: &str, input: &str) -> Action {
    let purpose = Purpose::of(tool);
    let value = serde_json::from_str::<Value>(input).ok();
    let object = purpose.fields().iter().find_map(|field| match &value {
        Some(value) => value.get(field).and_then(words),
        None => cut_off_field(input, field),
    });
    let object = match (purpose, object) {
        (Purpose::Other, Some(object)) => format!("{tool}: {object}"),
        (_, Some(object)) => object,
        (Purpose::Plan, None) => "the next steps".to_owned(),
        (_, None) => tool.to_owned(),
    };
    let (runs, ran) = purpose.verbs();
    Action { purpose, runs, ran, object: shortened(&object) }
}

/// A value as text: a command may be a list of words, and changes a map from paths.
fn words(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let words: Vec<_> = items
                .iter()
                .filter_map(|item| item.as_str().or_else(|| item.get("path")?.as_str()))
                .collect();
            words.join(" ")
        }
        Value::Object(fields) => fields.keys().map(String::as_str).collect::<Vec<_>>().join(" "),
        _ => return None,
    };
    Some(text).filter(|text| !text.trim().is_empty())
}

/// A text field of JSON that ends too early.
fn cut_off_field(input: &str, field: &str) -> Option<String> {
    let rest = input.split_once(&format!("\"{field}\""))?.1.trim_start().strip_prefix(':')?.trim_start();
    let text = rest.strip_prefix('"')?;
    let mut is_escape = false;
    let end = text.find(|letter| {
        let ends = letter == '"' && !is_escape;
        is_escape = letter == '\\' && !is_escape;
        ends
    });
    match end {
        Some(end) => serde_json::from_str(&rest[..end + 2]).ok(),
        None => Some(text.to_owned()),
    }
}

/// One line of a command or path, without the shell that a program was wrapped in.
fn shortened(text: &str) -> String {
    let text = text.trim();
    let text = ["/bin/bash -lc ", "bash -lc ", "/bin/sh -c ", "sh -c "]
        .iter()
        .find_map(|shell| text.strip_prefix(shell))
        .map_or(text, |command| {
            let quoted = command.strip_prefix(['"', '\'']).and_then(|text| text.strip_suffix(['"', '\'']));
            quoted.unwrap_or(command)
        });
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.next().unwrap_or_default();
    let is_cut = lines.next().is_some() || line.chars().nth(LONGEST).is_some();
    line.chars().take(LONGEST).chain(is_cut.then_some('…')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_each_agent_are_told_alike() {
        for (tool, input, told) in [
            ("Bash", r#"{"command":"cargo test","timeout":1}"#, "Ran cargo test"),
            ("command_execution", r#"{"command":"/bin/bash -lc \"cargo test\""}"#, "Ran cargo test"),
            ("exec_command", r#"{"cmd":["bash","-lc","ls"]}"#, "Ran ls"),
            ("run_shell_command", r#"{"command":"a\nb"}"#, "Ran a…"),
            ("write_file", r#"{"file_path":"/a/b.rs","content":"x"}"#, "Wrote /a/b.rs"),
            ("apply_patch", r#"{"changes":{"a.rs":{},"b.rs":{}}}"#, "Edited a.rs b.rs"),
            ("file_change", r#"{"changes":[{"path":"a.rs"}]}"#, "Edited a.rs"),
            ("Grep", r#"{"pattern":"fn main","path":"."}"#, "Looked for fn main"),
            ("TodoWrite", r#"{"todos":[]}"#, "Planned the next steps"),
            ("mcp__x__y", r#"{"query":"z"}"#, "Used mcp__x__y: z"),
            ("Strange", "no JSON", "Used Strange"),
        ] {
            let action = action(tool, input);
            assert_eq!(format!("{} {}", action.ran, action.object), told);
        }
    }

    #[test]
    fn an_input_that_was_cut_still_tells() {
        assert_eq!(action("Write", r#"{"file_path":"/a \"b\".rs","content":"fn ma"#).object, "/a \"b\".rs");
        assert_eq!(action("Bash", r#"{"command":"echo aaa"#).object, "echo aaa");
        assert_eq!(action("Bash", r#"{"command":"#).object, "Bash");
    }
}
