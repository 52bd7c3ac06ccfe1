//! What a browser loads for the first page, fonts apart.

use std::{fs, path::Path};

use anyhow::Context as _;

use crate::report::{Report, Target};

pub fn measure(report: &mut Report) -> anyhow::Result<()> {
    let site = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/site");
    let manifest = fs::read(site.join("manifest.json")).context("run `cargo xtask site` first")?;
    let manifest: serde_json::Value = serde_json::from_slice(&manifest)?;
    let mut total = 0.0;
    for part in ["/board/wasm", "/board/js", "/css"] {
        let address = manifest.pointer(part).and_then(|address| address.as_str());
        let address = address.with_context(|| format!("the site's manifest names no {part}"))?;
        let packed = site.join(format!("{}.br", address.trim_start_matches('/')));
        total += fs::metadata(&packed).with_context(|| packed.display().to_string())?.len() as f64;
    }
    report.add("page", "WASM, script and style, Brotli", total / 1000.0, "kB", Target::Below(250.0));
    Ok(())
}
