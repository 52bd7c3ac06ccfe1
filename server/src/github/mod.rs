//! GitHub as it is, without anything of Millrace's: what it sends, what it can be asked, and who may ask.

mod app_auth;
mod client;
pub mod manifest;
mod oauth;
mod repository;

pub use app_auth::{AppInstallation, AppKey, InstallationToken, KeyError, Permissions};
pub use client::{
    CheckRun, Client, Comment, Conclusion, GitHub, GitHubError, NewPull, Pull, RateLimit, Reacted,
};
pub use oauth::{ExchangeError, GitHubAccount, OAuthClient};
pub use repository::RepositoryName;
