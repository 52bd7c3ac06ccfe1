//! What pages are made of. The islands among them, marked `#[island]`, are taken over by the browser.

#[cfg(feature = "board")]
mod board;
pub mod copy;
mod given;
mod icon;
#[cfg(feature = "job")]
pub mod job;
pub mod lane;
mod live_parts;
#[cfg(feature = "job")]
mod log_view;
mod mark;
mod notice;
mod overlays;
mod palette;
#[cfg(feature = "job")]
mod search;
pub mod state;
pub mod time;
#[cfg(feature = "job")]
pub mod transcript;
pub mod words;

#[cfg(feature = "board")]
pub use board::BoardView;
pub use given::Given;
pub use icon::{Shape, icon};
pub use live_parts::LiveParts;
#[cfg(feature = "ssr")]
pub use log_view::plain_text;
pub use mark::Mark;
pub use notice::{Tone, notice};
pub use overlays::Overlays;
