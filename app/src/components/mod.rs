//! What pages are made of. The islands among them, marked `#[island]`, are taken over by the browser.

mod board;
mod copy;
mod given;
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
pub use given::Given;
pub use icon::{Shape, icon};
pub use mark::Mark;
pub use new_job_form::{NewJobForm, NewJobGiven};
pub use notice::{Tone, notice};
pub use overlays::Overlays;
