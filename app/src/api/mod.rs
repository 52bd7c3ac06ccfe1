//! Server functions, one file a feature. Each authenticates, calls [`Backend`](crate::backend::Backend) and returns its
//! answer: nothing else belongs here, because each of them is a public endpoint.

mod accounts;
mod agents;
mod board;
mod changes;
mod deliveries;
mod github;
mod jobs;
mod operations;
mod output;
mod schedules;
mod session;
mod tokens;

pub use accounts::{
    AdmitAgain, EndSession, EndSessions, RemoveAccount, SetRole, admit_again, end_session, end_sessions,
    remove_account, set_role,
};
#[cfg(feature = "ssr")]
pub use accounts::{accounts, sessions};
pub use agents::{ResumeAgent, agents, resume_agent};
pub use board::{OlderJobs, ReadBoard, board, older_jobs};
#[cfg(feature = "ssr")]
pub(crate) use changes::DiffRows;
pub use deliveries::{ReplayDelivery, deliveries, delivery, replay_delivery};
pub use github::{DisconnectGithub, RefreshGithub, disconnect_github, refresh_github};
#[cfg(feature = "ssr")]
pub use github::{app_form, github};
pub use jobs::{
    CancelJob, CreateJob, DeleteJob, RetryJob, cancel_job, create_job, delete_job, job, repositories,
    retry_job,
};
pub use operations::{
    CleanLane, DrainRunner, PauseLane, ResumeLane, UndrainRunner, clean_lane, drain_runner, operations,
    pause_lane, preview_clean, resume_lane, undrain_runner,
};
#[cfg(feature = "ssr")]
pub use output::first_steps;
pub use output::{ReadTranscript, output, transcript};
pub use schedules::{CreateSchedule, DeleteSchedule, create_schedule, delete_schedule, schedules};
pub use session::{Me, SignOut, me, sign_out};
pub use tokens::{CreateToken, DeleteToken, create_token, delete_token, tokens};
