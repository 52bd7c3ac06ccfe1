//! The way in that `millrace up` leaves for commands on the same machine, as long as it runs.

use std::path::Path;

use secrecy::SecretString;
use sqlx::PgPool;

use super::token;
use crate::{client::LocalAccess, db::people, secret};

/// What the token is called where tokens are listed.
const NAME: &str = "commands on the machine of `millrace up`";

/// A token of the owner's in a file of the data directory, until it is taken back.
pub(super) struct Granted {
    file: LocalAccess,
    token: SecretString,
}

impl Granted {
    /// What an earlier start left, because it was killed, is taken back first.
    pub(super) async fn grant(db: &PgPool, data_dir: &Path, server: String) -> anyhow::Result<Self> {
        let file = LocalAccess::in_directory(data_dir);
        if let Ok(Some(left)) = file.read() {
            people::remove_token_by_hash(db, &secret::hash(&left.token)).await?;
        }
        let token = secret::generate(secret::API_TOKEN_PREFIX)?;
        people::add_token(db, token::owner(db).await?.id, NAME, &secret::hash(&token)).await?;
        file.write(server, &token)?;
        Ok(Self { file, token })
    }

    pub(super) async fn take_back(self, db: &PgPool) -> anyhow::Result<()> {
        self.file.remove()?;
        people::remove_token_by_hash(db, &secret::hash(&self.token)).await?;
        Ok(())
    }
}
