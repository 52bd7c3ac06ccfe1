//! What an attempt changed.

use serde::{Deserialize, Serialize};

use super::text_enum::text_enum;

text_enum! {
    /// What became of a file.
    FileStatus {
        Added = "added",
        Modified = "modified",
        Renamed = "renamed",
        Deleted = "deleted",
    }
}

/// The files that an attempt changed, against the commit that it began with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Changes {
    pub files: Vec<ChangedFile>,
    /// There was more than is kept: files are missing from the end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ChangedFile {
    pub path: String,
    /// The name it had before, if that was another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_path: Option<String>,
    pub status: FileStatus,
    pub additions: u32,
    pub deletions: u32,
    /// Not text: nothing of it is shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub binary: bool,
}

/// A diff for the job's page, file by file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    pub files: Vec<DiffFile>,
    pub cut: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffFile {
    pub file: ChangedFile,
    /// How many rows its diff has.
    pub rows: u32,
    /// They are here unless they are only shown to whoever asks for them.
    pub shown: Option<FileDiff>,
}

/// Rows of one file's diff, ready to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileDiff {
    pub blocks: Vec<DiffBlock>,
    /// How many rows there are after these, the first of which has the number `next`.
    pub left: u32,
    pub next: u32,
}

/// Rows that are shown together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiffBlock {
    /// A hunk begins, in what git takes for a function or section of this name.
    Heading(String),
    Context(Vec<DiffRow>),
    /// What was there, and what is there instead.
    Change {
        old: Vec<DiffRow>,
        new: Vec<DiffRow>,
    },
}

/// One line with its number on the sides that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffRow {
    pub old: Option<u32>,
    pub new: Option<u32>,
    pub spans: Vec<Span>,
    /// It is the file's last line and does not end with a line break.
    pub unfinished: bool,
}

/// A part of a line in one colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub kind: SpanKind,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    Plain,
    Comment,
    String,
    Constant,
    Function,
    Type,
    Keyword,
}
