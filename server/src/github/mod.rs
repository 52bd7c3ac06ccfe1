//! GitHub as it is, without anything of Millrace's: what it sends, what it can be asked, and who may ask.

mod app_auth;
mod branch;
mod client;
pub mod event;
pub mod manifest;
pub mod mention;
mod oauth;
mod repository;
pub mod signature;

pub use app_auth::{AppInstallation, AppKey, InstallationToken, KeyError, Permissions};
pub use branch::{BranchName, is_ref_name, leads_to_pull_requests};
pub use client::{
    Annotation, CheckRun, Client, Comment, Conclusion, GitHub, GitHubError, HookDelivery, NewPull, Pull,
    PullState, RateLimit, Reacted, Refused, Said, WebhookOf, WebhookPlace,
};
pub use oauth::{ExchangeError, GitHubAccount, OAuthClient};
pub use repository::RepositoryName;
