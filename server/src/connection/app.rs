//! The GitHub App as it is kept in memory. Another server may have made or forgotten it, so the row is read again after a
//! moment; what it says is decrypted only when it has changed.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{Connection, ConnectionError, tokens::Tokens};
use crate::{
    db::github_app::{self, AppRow},
    github::AppKey,
    seal::{Seal, SealError},
};

/// An App that was made or forgotten on another server is noticed after so long at most.
const GOOD_FOR: Duration = Duration::from_secs(2);

pub(super) struct App {
    pub id: i64,
    pub slug: String,
    pub name: String,
    pub html_url: String,
    pub client_id: String,
    pub secrets: Secrets,
    pub key: AppKey,
    /// Of its installations; another App begins without any.
    pub tokens: Tokens,
}

/// What the database has encrypted.
#[derive(Deserialize)]
pub(super) struct Secrets {
    pub private_key: SecretString,
    pub webhook_secret: SecretString,
    pub client_secret: SecretString,
}

impl Secrets {
    pub fn seal(&self, seal: &Seal, app_id: i64) -> Result<Vec<u8>, SealError> {
        let secrets = serde_json::json!({
            "private_key": self.private_key.expose_secret(),
            "webhook_secret": self.webhook_secret.expose_secret(),
            "client_secret": self.client_secret.expose_secret(),
        });
        seal.seal(&belongs_to(app_id), &secrets.to_string().into())
    }

    fn read(seal: &Seal, row: &AppRow) -> Result<Self, SealError> {
        let secrets = seal.read(&belongs_to(row.app_id), &row.sealed)?;
        serde_json::from_str(secrets.expose_secret()).map_err(|_| SealError::OtherKey)
    }
}

fn belongs_to(app_id: i64) -> String {
    format!("github_app/{app_id}")
}

pub(super) struct KeptApp {
    /// As it was encrypted, which differs each time.
    sealed: Vec<u8>,
    app: Option<Arc<App>>,
    read_at: Instant,
}

impl Connection {
    /// None where no App was made, or only one of another GitHub.
    pub(super) async fn app(&self) -> Result<Option<Arc<App>>, ConnectionError> {
        let kept = self.with_kept(|kept| {
            kept.as_ref().map(|kept| (kept.sealed.clone(), kept.app.clone(), kept.read_at))
        });
        if let Some((_, app, read_at)) = &kept
            && read_at.elapsed() < GOOD_FOR
        {
            return Ok(app.clone());
        }
        let read_at = Instant::now();
        let row = github_app::find(&self.0.db).await?.filter(|row| row.url == self.web_address());
        let sealed = row.as_ref().map(|row| row.sealed.clone()).unwrap_or_default();
        let app = match (row, kept) {
            (_, Some((before, app, _))) if before == sealed => app,
            (Some(row), _) => Some(Arc::new(self.open(row)?)),
            (None, _) => None,
        };
        self.with_kept(|kept| *kept = Some(KeptApp { sealed, app: app.clone(), read_at }));
        Ok(app)
    }

    /// So that the next one who asks reads it again.
    pub(super) fn forget_kept_app(&self) {
        self.with_kept(|kept| *kept = None);
    }

    /// By which an App is known to be one of this GitHub.
    pub(super) fn web_address(&self) -> &str {
        self.0.github.web().as_str().trim_end_matches('/')
    }

    fn open(&self, row: AppRow) -> Result<App, ConnectionError> {
        let secrets = Secrets::read(&self.0.seal, &row)?;
        let key = AppKey::from_pem(row.app_id, &secrets.private_key)?;
        Ok(App {
            id: row.app_id,
            slug: row.slug,
            name: row.name,
            html_url: row.html_url,
            client_id: row.client_id,
            secrets,
            key,
            tokens: Tokens::default(),
        })
    }

    fn with_kept<T>(&self, look: impl FnOnce(&mut Option<KeptApp>) -> T) -> T {
        look(&mut self.0.app.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
