//! What pages are made of. The islands among them, marked `#[island]`, are taken over by the browser.

mod board;
mod copy;
mod icon;
pub mod job;
mod log_view;
mod mark;
mod new_job_form;
mod notice;
mod overlays;
mod palette;
mod state;
mod time;
mod words;

pub use board::BoardView;
pub use copy::Snippet;
pub use icon::{Icon, Shape};
pub use mark::Mark;
pub use new_job_form::NewJobForm;
pub use notice::{Notice, Tone};
pub use overlays::Overlays;
