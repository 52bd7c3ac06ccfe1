//! A job's lines on their way from the child process to everybody who watches: written once, read by one cursor.
//!
//! ```text
//! child → Masker → Splitter → Writer ─┬→ Redis list (the live window) ─┐
//!                                     └→ Postgres chunks (the archive) ┴→ Reader → Hub → viewers
//! ```

mod close;
mod hub;
mod list;
mod mask;
mod page;
mod reader;
mod search;
mod split;
mod spool;
mod writer;

pub use close::{close, keep, notice};
pub use hub::{Encoding, Frame, Hub, Tail, encode};
pub use mask::{Mask, Masker};
pub use page::{Pages, RawPage};
pub use reader::{Block, Reader};
pub use search::{Direction, Needle};
pub use split::{Piece, Splitter};
pub use writer::{PrintedLine, WriteError, Writer, WriterOptions};

/// The archive's compression: level 3 is the knee of the curve for text that is read about as often as it is written.
const ZSTD_LEVEL: i32 = 3;

/// The seq that a stored line begins with. Lines are only ever written as `{"seq":N,…`, so no JSON parser is needed.
fn seq_of(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(b"{\"seq\":")?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}
