//! Widgets that pages share.

mod copy;
mod drop;
mod figures;
mod filters;
mod frame;
mod icon;
mod job_row;
pub mod log_view;
mod mark;
mod notice;
mod palette;
mod person_menu;
mod shortcuts;
mod state;
mod time;
mod words;

pub use copy::Snippet;
pub use figures::{FiguresSentence, Lanes};
pub use filters::{BoardFilters, filter_address, filter_from};
pub use frame::Frame;
pub use icon::{Icon, Shape};
pub use job_row::JobRow;
pub use mark::Mark;
pub use notice::{ErrorNotice, ErrorPage, Notice, Tone};
pub use state::{StateIcon, attempt_shape, state_name, state_shape};
pub use time::{Ago, Clocked, Elapsed, clock_text, duration_text, utc_text};
pub use words::{outlook, repository_name, stage_name, trigger_name};
