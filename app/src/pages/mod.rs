//! One file a route.

mod board;
mod job;
mod new_job;
mod not_found;
mod sign_in;

pub use board::BoardPage;
pub use job::JobPage;
pub use new_job::NewJobPage;
pub use not_found::NotFoundPage;
pub use sign_in::SignInPage;
