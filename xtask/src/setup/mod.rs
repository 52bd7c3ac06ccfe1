//! Installs what is missing, once. With everything in place it only looks, which takes no time.

pub(crate) mod agents;
pub(crate) mod browser;
pub(crate) mod node;
mod packages;
pub(crate) mod wasm;

use anyhow::Result;

/// What the programs are for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Build,
    /// The Rust tests
    Test,
    /// Those and the journeys in a browser
    Journeys,
}

pub(crate) fn run(purpose: Purpose) -> Result<()> {
    packages::install_missing(purpose)?;
    node::install_if_too_old()?;
    wasm::install_if_missing()
}
