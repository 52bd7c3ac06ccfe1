//! Which server is asked, and with what token.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

/// The file in the data directory in which `millrace up` leaves the way in for commands on the same machine.
const FILE: &str = "client.json";

/// A server's address and a token for it.
pub struct Place {
    server: Url,
    pub token: SecretString,
}

impl Place {
    pub fn new(server: &str, token: SecretString) -> anyhow::Result<Self> {
        // `localhost:7100` would be read as an address with the scheme `localhost`.
        let with_scheme = if server.contains("://") { server.to_owned() } else { format!("http://{server}") };
        let server = Url::parse(&with_scheme).with_context(|| {
            format!("`{server}` is no address of a server. Write e.g. https://millrace.example.com")
        })?;
        if !matches!(server.scheme(), "http" | "https") {
            bail!("The address of a server begins with https:// or http://, not with {}://", server.scheme());
        }
        Ok(Self { server, token })
    }

    pub fn address(&self, path: &str) -> String {
        format!("{}{path}", self.server.as_str().trim_end_matches('/'))
    }
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Content {
    server: String,
    token: String,
}

/// The way in that a running `millrace up` leaves for commands on the same machine: a file that only its owner reads.
pub struct LocalAccess {
    path: PathBuf,
}

impl LocalAccess {
    pub fn in_directory(data_dir: &Path) -> Self {
        Self { path: data_dir.join(FILE) }
    }

    pub fn write(&self, server: String, token: &SecretString) -> anyhow::Result<()> {
        let content = Content { server, token: token.expose_secret().to_owned() };
        self.remove()?;
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&self.path)?;
        file.write_all(&serde_json::to_vec(&content)?)?;
        Ok(())
    }

    /// What is there, if anything is.
    pub fn read(&self) -> anyhow::Result<Option<Place>> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", self.path.display()));
            }
        };
        let content: Content = serde_json::from_slice(&text)
            .with_context(|| format!("{} is broken. Start `millrace up` again", self.path.display()))?;
        Place::new(&content.server, content.token.into()).map(Some)
    }

    pub fn remove(&self) -> anyhow::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{} cannot be removed", self.path.display()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_leave_out_http_and_may_have_a_path() {
        let address = |server: &str| Place::new(server, "".into()).map(|place| place.address("/api/jobs"));
        assert_eq!(address("localhost:7100").unwrap(), "http://localhost:7100/api/jobs");
        assert_eq!(address("https://host/millrace/").unwrap(), "https://host/millrace/api/jobs");
        assert!(address("ftp://host").is_err());
        assert!(address("").is_err());
    }
}
