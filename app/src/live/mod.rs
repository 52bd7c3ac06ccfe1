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
mod stream;

pub use ask::ask;
pub use board::{Group, follow_board};
pub use clock::Clock;
pub use connection::{Connection, LiveState};
pub use form::post_form;
pub use frame::FrameQueue;
pub use history::replace_address;
pub use job::{JobEvent, follow_job};
pub use stream::{StreamEvent, Subscription, subscribe};
