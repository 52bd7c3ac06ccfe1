//! The pages, one file a route. They are rendered on the server alone; what changes in them is an island from `components`.

mod board;
mod changes;
mod conversation;
mod deliveries;
mod error;
mod field;
mod frame;
mod github_problem;
mod job;
mod lanes;
mod new_job;
mod new_job_form;
mod not_found;
mod refusal;
mod settings;
mod sign_in;
mod waiting;

pub use board::BoardPage;
pub(crate) use changes::more_rows;
pub use deliveries::DeliveriesPage;
pub use frame::Frame;
pub use job::JobPage;
pub use lanes::LanesPage;
pub use new_job::NewJobPage;
#[cfg(test)]
pub(crate) use new_job::draft_from;
pub use not_found::NotFoundPage;
pub use settings::SettingsPage;
pub use sign_in::SignInPage;
pub use waiting::reason_text;
