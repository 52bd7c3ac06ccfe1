//! Lines of output and the ways to ask for them.

use serde::{Deserialize, Serialize};

use super::{Step, Timestamp, text_enum::text_enum};

text_enum! {
    /// Where a line came from.
    Stream {
        Stdout = "stdout",
        Stderr = "stderr",
        /// Millrace itself: stages, exit codes, notices.
        System = "system",
    }
}

/// One line of an attempt's output, without its line break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Line {
    /// Counts from 1 within the attempt, without a gap.
    pub seq: u64,
    pub timestamp: Timestamp,
    pub stream: Stream,
    /// At most 16 KiB before escaping; may hold ANSI sequences.
    pub line: String,
    /// The program's line was longer: the next line of this stream goes on with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continues: bool,
    /// What an agent's line means, where its adapter understood it. A line in pieces has them at its last piece. The browser
    /// leaves them alone: the server renders them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(not(feature = "ssr"), serde(skip_deserializing))]
    pub steps: Vec<Step>,
}

/// A run of consecutive lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct OutputPage {
    pub lines: Vec<Line>,
    /// How many lines the attempt has so far: the last line's seq, on this page or not.
    pub total: u64,
    /// Pass it as `after` to read on; absent at the present end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// The first line that looks like an error, where the page was chosen to show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<u64>,
}

/// A line that holds what was looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct OutputMatch {
    pub seq: u64,
    /// The first match with the text around it.
    pub excerpt: String,
}

/// Lines that match, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct OutputMatches {
    pub matches: Vec<OutputMatch>,
    /// How many matching lines come before the first of these.
    pub first: u64,
    /// How many lines match in all that was searched.
    pub total: u64,
    /// The search was given up after this line, because it took long or found very much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searched_to: Option<u64>,
}

/// Which part of the output to show first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// The last lines: where a job that runs is watched.
    Tail,
    /// From this seq on, exclusive.
    After(u64),
    /// Around the first line that looks like the error of a failed attempt; the tail where none does.
    FirstError,
}
