//! Secrets in the database: encrypted with a key that is not in it.
//!
//! XChaCha20-Poly1305 with a random nonce, which stands in front. What the secret belongs to is bound to it, so that it cannot
//! be moved to another row.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::Context as _;
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use secrecy::{ExposeSecret as _, SecretString, zeroize::Zeroizing};

use crate::config::ServerConfig;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// Encrypts and decrypts with one key.
#[derive(Clone)]
pub struct Seal(XChaCha20Poly1305);

#[derive(Clone, Debug, thiserror::Error)]
pub enum SealError {
    #[error("no randomness is to be had: {0}")]
    Random(#[from] getrandom::Error),
    #[error("it cannot be encrypted")]
    Unfit,
    #[error(
        "it was encrypted with another key. Give the one that was used in `server.secret_key`, or bring secret.key back"
    )]
    OtherKey,
}

impl Seal {
    /// With the key from the settings, or the one in the data directory, which is made when it is not there.
    pub fn open(config: &ServerConfig) -> anyhow::Result<Self> {
        let given = config.secret_key.expose_secret().trim();
        if given.is_empty() {
            return Self::from_file(&config.data_dir.join("secret.key"));
        }
        Self::from_text(given)
            .context("`server.secret_key` must be 32 bytes in hexadecimal. `openssl rand -hex 32` makes one")
    }

    fn from_file(path: &Path) -> anyhow::Result<Self> {
        let unusable = || format!("{} cannot be read or made", path.display());
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).with_context(unusable)?;
        }
        let mut fresh = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut *fresh)?;
        let text = Zeroizing::new(fresh.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        // Under a name of its own first, so that nobody reads half a key, and linked, so that the first one stays.
        let new = path.with_extension(format!("key.{}", std::process::id()));
        let mut options = OpenOptions::new();
        let written = options.write(true).create(true).truncate(true).mode(0o600).open(&new);
        let mut written = written.with_context(unusable)?;
        written.write_all(text.as_bytes()).and_then(|()| written.sync_all()).with_context(unusable)?;
        let linked = std::fs::hard_link(&new, path);
        std::fs::remove_file(&new).with_context(unusable)?;
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(error).with_context(unusable);
            }
            _ => {}
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).with_context(unusable)?);
        Self::from_text(&text).with_context(|| format!("{} does not hold a key", path.display()))
    }

    /// With a key in hexadecimal; `None` where it is none.
    pub fn from_text(text: &str) -> Option<Self> {
        let (mut key, text) = (Zeroizing::new([0; KEY_BYTES]), text.trim());
        if text.len() != 2 * KEY_BYTES || !text.is_ascii() {
            return None;
        }
        for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
        }
        XChaCha20Poly1305::new_from_slice(&*key).ok().map(Self)
    }

    /// `belongs_to` says what it is, e.g. `github_app/12`; it must be the same to read it again.
    pub fn seal(&self, belongs_to: &str, secret: &SecretString) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce)?;
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: belongs_to.as_bytes() };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Unfit)?;
        Ok([&nonce[..], &sealed].concat())
    }

    pub fn read(&self, belongs_to: &str, sealed: &[u8]) -> Result<SecretString, SealError> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::OtherKey)?;
        let payload = Payload { msg: sealed, aad: belongs_to.as_bytes() };
        let secret = self.0.decrypt(&XNonce::from(*nonce), payload).map_err(|_| SealError::OtherKey)?;
        String::from_utf8(secret).map(SecretString::from).map_err(|_| SealError::OtherKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal() -> Seal {
        Seal::from_text(&"0f".repeat(KEY_BYTES)).unwrap()
    }

    #[test]
    fn a_secret_is_read_again_where_it_belongs_and_nowhere_else() {
        let sealed = seal().seal("app/1", &"hush".into()).unwrap();
        assert!(!sealed.windows(4).any(|part| part == b"hush"));
        assert_eq!(seal().read("app/1", &sealed).unwrap().expose_secret(), "hush");
        assert!(matches!(seal().read("app/2", &sealed), Err(SealError::OtherKey)));
        let other = Seal::from_text(&"0e".repeat(KEY_BYTES)).unwrap();
        assert!(matches!(other.read("app/1", &sealed), Err(SealError::OtherKey)));
        for cut in [0, 10, NONCE_BYTES, sealed.len() - 1] {
            assert!(seal().read("app/1", &sealed[..cut]).is_err());
        }
    }

    #[test]
    fn the_key_file_is_made_once_and_is_nobody_elses() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data/secret.key");
        let sealed = Seal::from_file(&path).unwrap().seal("x", &"hush".into()).unwrap();
        assert_eq!(Seal::from_file(&path).unwrap().read("x", &sealed).unwrap().expose_secret(), "hush");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for wrong in ["", "0f", &"0g".repeat(KEY_BYTES), &"é".repeat(KEY_BYTES)] {
            assert!(Seal::from_text(wrong).is_none());
        }
    }
}
