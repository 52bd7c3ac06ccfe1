//! Live updates: server-sent events and the clock as signals. Everything in here does its work in effects, so that the
//! server, which compiles it too, never runs it.

mod ask;
mod board;
mod clock;
mod connection;
mod form;
mod frame;
mod history;
mod job;
mod load;
mod notice;
mod parts;
mod stream;

pub use ask::ask;
pub use board::{Group, follow_board};
pub use clock::Clock;
pub use connection::{Connection, LiveState};
pub use form::{POSTED, take_over_forms};
pub use frame::FrameQueue;
pub use history::{replace_address, replace_hash};
pub use job::{JobEvent, follow_job};
pub use load::load;
pub use notice::{NOTICE, NOTICE_LINK, NOTICE_TEXT, hide_notice, show_message, show_problem};
pub use parts::{follow_parts, renew_after_forms, renew_parts};
pub use stream::{StreamEvent, Subscription, subscribe};
