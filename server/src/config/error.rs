//! A wrong setting, said so that the reader can mend it.

use std::path::PathBuf;

use super::load::Origin;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: the file cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: this is not TOML: {message}", path.display())]
    NotToml { path: PathBuf, message: String },
    #[error("{origin}: there is no setting `{key}`. {expected}")]
    Unknown { origin: Origin, key: String, expected: String },
    #[error("{origin}: `{key}` is wrong: {message}. {expected}")]
    Wrong { origin: Origin, key: String, message: String, expected: String },
}
