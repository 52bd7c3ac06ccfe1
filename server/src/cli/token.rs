//! Secrets for people and scripts: API tokens and sign-in links.

use std::{process::ExitCode, time::Duration};

use app::model::{Person, Role};
use chrono::Utc;
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;

use super::connect;
use crate::{
    config::Config,
    db::{self, people},
    secret,
};

/// The login of the person whom links from the command line sign in.
const OWNER: &str = "owner";
/// How long a sign-in link is good for, if nobody uses it.
const LINK_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Prints a new token, and nothing else, on standard output.
pub(super) async fn create(config: Config, name: String) -> anyhow::Result<ExitCode> {
    let db = connect::pool(&config).await?;
    db::migrate(&db).await?;
    let token = secret::generate(secret::API_TOKEN_PREFIX)?;
    people::add_token(&db, owner(&db).await?.id, &name, &secret::hash(&token)).await?;
    println!("{}", token.expose_secret());
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn print_sign_in_link(config: Config) -> anyhow::Result<ExitCode> {
    let db = connect::pool(&config).await?;
    println!("{}", sign_in_link(&db, &config).await?.expose_secret());
    Ok(ExitCode::SUCCESS)
}

/// A link that signs the owner in once.
pub(super) async fn sign_in_link(db: &PgPool, config: &Config) -> anyhow::Result<SecretString> {
    let token = secret::generate("")?;
    let expires_at = Utc::now() + LINK_LIFE;
    people::add_sign_in_link(db, owner(db).await?.id, &secret::hash(&token), expires_at).await?;
    Ok(format!("{}/sign-in?token={}", config.server.public_address(), token.expose_secret()).into())
}

pub(super) async fn owner(db: &PgPool) -> sqlx::Result<Person> {
    people::find_or_create(db, OWNER, Role::Owner).await
}
