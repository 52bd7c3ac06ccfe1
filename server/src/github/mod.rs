//! GitHub as it is, without anything of Millrace's: what it sends, what it can be asked, and who may ask.

mod client;
mod repository;

pub use client::{
    CheckRun, Client, Comment, Conclusion, GitHub, GitHubError, NewPull, Pull, RateLimit, Reacted,
};
pub use repository::RepositoryName;
