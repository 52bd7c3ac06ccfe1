//! The words of Millrace as serde types: what goes over the wire to the browser and through the API.

mod account;
mod address;
mod agent_run;
mod agent_status;
mod attempt;
mod changes;
mod delivery;
mod error;
mod github;
mod ids;
mod job;
mod line;
mod operation;
mod queue;
mod runner;
#[cfg(test)]
pub(crate) mod sample;
mod schedule;
mod step;
mod text_enum;
mod time;
mod token;
mod transcript;
mod user;
mod waiting;

pub use account::{Account, Accounts, SignedIn};
pub use address::address;
pub use agent_run::{AgentOutcome, AgentRun, ChangeFigures, Exchange, Protection};
pub use agent_status::AgentStatus;
pub use attempt::{Attempt, AttemptState};
pub use changes::{
    ChangedFile, Changes, Diff, DiffBlock, DiffFile, DiffRow, FileDiff, FileStatus, Span, SpanKind,
};
pub use delivery::{Delivery, DeliveryDetail, DeliveryFilter, DeliveryPage, Verdict};
pub use error::ApiError;
pub use github::{AppForm, GitHubApp, GitHubConnection, Installation, InstalledRepository};
pub use ids::{DeliveryId, JobId, ScheduleId, SessionId, TokenId, UserId};
pub use job::{Job, JobDetail, JobFilter, JobPage, JobState, Kind, NewJob, Priority, Trigger};
pub use line::{Line, OutputMatch, OutputMatches, OutputPage, Stream, Window};
pub use operation::{CleanRequest, Cleaned, FailureGroup, Minute, Operations, PauseRequest};
pub use queue::{Board, Depth, Figures, Lane, LastLine, Pause, UsedUp};
pub use runner::{RunnerInfo, RunnerJob};
pub use schedule::{Missed, NewSchedule, Schedule};
pub use step::{Step, Usage};
pub use text_enum::UnknownWord;
pub use time::Timestamp;
pub use token::{ApiToken, NewToken, TokenRequest};
pub use transcript::TranscriptPage;
pub use user::{Person, Role};
pub use waiting::{WaitReason, Waiting};
