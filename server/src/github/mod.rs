//! GitHub as it is, without anything of Millrace's: what it sends, what it can be asked, and who may ask.

mod client;
pub mod event;
pub mod mention;
mod repository;
pub mod signature;

pub use client::{Annotation, Client, GitHub, GitHubError, HookDelivery, PullState, RateLimit, Said};
pub use repository::RepositoryName;
