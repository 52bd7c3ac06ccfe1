//! Where things are in the source tree and around it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::command;

/// The directory of the workspace's `Cargo.toml`. Cargo says where that is when it runs this; what it said when it compiled
/// this may have been another clone that shares the target directory.
pub(crate) fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let own = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let mut root = PathBuf::from(own);
        root.pop();
        root
    });
    &ROOT
}

/// What the server embeds; always here, wherever Cargo puts its own files.
pub(crate) fn site() -> PathBuf {
    root().join("target/site")
}

/// Where Cargo puts what it builds.
pub(crate) fn target_directory() -> Result<PathBuf> {
    let metadata = command::answer(command::cargo().args(["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let directory =
        metadata["target_directory"].as_str().context("cargo metadata names no target directory")?;
    Ok(directory.into())
}

/// Tools that are made or fetched once for all working copies.
pub(crate) fn cache() -> Result<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| {
        let home = PathBuf::from(env::var_os("HOME")?);
        Some(home.join(".cache"))
    });
    Ok(cache.context("neither XDG_CACHE_HOME nor HOME is set")?.join("millrace"))
}

/// Every file under a directory, sorted; nothing if there is no such directory.
pub(crate) fn files_under(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if !directory.exists() {
        return Ok(files);
    }
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_under(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// What several files hold, and their names, as one number: it changes when any of them does.
pub(crate) fn fingerprint<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Result<String> {
    let mut hasher = Sha256::new();
    for file in files {
        let content = fs::read(file).with_context(|| file.display().to_string())?;
        hasher.update(file.as_os_str().as_encoded_bytes());
        hasher.update((content.len() as u64).to_le_bytes());
        hasher.update(&content);
    }
    Ok(hexadecimal(&hasher.finalize()))
}

pub(crate) fn hash(content: &[u8]) -> String {
    hexadecimal(&Sha256::digest(content))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Remembers in a file what a step was last done for, so that it is not done twice.
pub(crate) struct Stamp {
    path: PathBuf,
    value: String,
}

impl Stamp {
    pub(crate) fn new(path: PathBuf, value: String) -> Self {
        Self { path, value }
    }

    pub(crate) fn is_current(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|last| last == self.value)
    }

    pub(crate) fn save(&self) -> Result<()> {
        if let Some(parent) = self.path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&self.path, &self.value).with_context(|| self.path.display().to_string())
    }
}
