//! A part of a transcript on its way to the browser.

use serde::{Deserialize, Serialize};

/// The steps of a run of lines as the server renders them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptPage {
    /// An `<ol>`, which says where it stands: `data-after` is the line before its first one, `data-open` says that it may still
    /// change, `data-last` that no steps come after it yet.
    pub steps: String,
    /// What the agent is doing and what it has used up, as HTML; only with the last steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<String>,
}
