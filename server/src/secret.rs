//! Random secrets that are shown once and kept as hashes.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::db::people::SecretHash;

/// Every API token begins with it, so that a token in the wrong place is recognised.
pub const API_TOKEN_PREFIX: &str = "mr_";

/// 256 random bits as text, with a prefix that says what it is.
pub fn generate(prefix: &str) -> Result<SecretString, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)).into())
}

/// What the database keeps. The secrets are random, so one round of SHA-256 is enough.
pub fn hash(secret: &SecretString) -> SecretHash {
    Sha256::digest(secret.expose_secret().as_bytes()).into()
}
