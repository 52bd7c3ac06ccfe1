//! GitHub as it is, without anything of Millrace's: what it sends, what it can be asked, and who may ask.

mod client;
mod repository;

pub use client::{Client, GitHub, GitHubError, RateLimit};
pub use repository::RepositoryName;
