//! The browser for the journeys.

use std::env;
use std::path::PathBuf;

use millrace_stack::programs;

/// `CHROMIUM` if it is set, or what is installed.
pub(crate) fn find() -> Option<PathBuf> {
    if let Some(path) = env::var_os("CHROMIUM") {
        return Some(path.into());
    }
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
        .iter()
        .find_map(programs::on_path)
        .or_else(|| {
            let on_macos = PathBuf::from("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome");
            on_macos.exists().then_some(on_macos)
        })
}
