//! The words of Millrace as serde types: what goes over the wire to the browser and through the API.

mod address;
mod attempt;
mod error;
mod ids;
mod job;
mod line;
mod queue;
#[cfg(test)]
pub(crate) mod sample;
mod text_enum;
mod time;
mod user;

pub use attempt::{Attempt, AttemptState};
pub use error::ApiError;
pub use ids::{JobId, TokenId, UserId};
pub use job::{Job, JobDetail, JobFilter, JobPage, JobState, Kind, NewJob, Priority, Trigger};
pub use line::{Line, OutputPage, Stream, Window};
pub use queue::{Board, Figures, Lane, LastLine, Pause};
pub use text_enum::UnknownWord;
pub use time::Timestamp;
pub use user::{Person, Role};
