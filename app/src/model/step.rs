//! What an agent did, as its adapter understood a line of its output.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// One thing that an agent did or said. A line that was understood carries its steps beside its text, so the raw output
/// and the transcript are one log with one cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Step {
    /// The agent says something, in Markdown. Consecutive ones with `delta` are pieces of one message.
    Message {
        text: String,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        delta: bool,
    },
    /// What the agent shows of its reasoning.
    Thought { text: String },
    /// A tool is used. `call` is the agent's own id for it, which the result names again.
    ToolCall {
        call: String,
        /// The agent's own name for the tool: `Bash`, `write_file`, …
        tool: String,
        /// What the tool was given, as JSON text; shortened when it is long.
        input: String,
    },
    /// A tool has ended.
    ToolResult {
        call: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_code: Option<i32>,
        /// The agent calls it a failure.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        error: bool,
        /// What came out, shortened when it is long; the raw line holds all of it.
        output: String,
    },
    /// What the attempt has used up so far.
    Usage(Usage),
    /// The agent waits and asks its provider again.
    Retry {
        text: String,
        /// When the provider says that it is worth trying.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again_at: Option<Timestamp>,
    },
    /// The agent's own last word.
    Result {
        /// What it says of itself; whether it is true is found out in the working tree.
        ok: bool,
        /// Its summary in Markdown, or its error.
        text: String,
    },
}

/// Tokens and money, added up over an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Usage {
    /// All tokens read, those from the provider's cache among them.
    pub input_tokens: u64,
    #[serde(default)]
    pub cached_tokens: u64,
    pub output_tokens: u64,
    /// Millionths of a US dollar, where the agent tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
}
