//! Unified diffs as git writes them: read line by line, as files, and with colours.

mod files;
mod highlight;
mod read;

pub use files::{Body, FilePatch, Hunk, Row, files};
pub use highlight::{Colours, Side};
pub use read::{Line, Reader};
