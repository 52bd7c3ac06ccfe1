//! The fonts, which the server gives out itself so that a page asks nobody else.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// The name that the style sheet uses, and the npm package's file.
const FONTS: &[(&str, &str)] = &[
    ("inter", "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2"),
    ("jetbrains-mono", "@fontsource-variable/jetbrains-mono/files/jetbrains-mono-latin-wght-normal.woff2"),
];

pub(super) fn load(style_directory: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let packages = style_directory.join("node_modules");
    FONTS
        .iter()
        .map(|(name, file)| {
            let content = fs::read(packages.join(file)).with_context(|| (*file).to_owned())?;
            Ok(((*name).to_owned(), content))
        })
        .collect()
}

/// Replaces `/fonts/inter.woff2` by the address with the hash.
pub(super) fn use_addresses(style: &str, addresses: &BTreeMap<String, String>) -> Result<String> {
    let mut style = style.to_owned();
    for (name, address) in addresses {
        let plain = format!("/fonts/{name}.woff2");
        ensure!(style.contains(&plain), "style/main.css has no @font-face with {plain}");
        style = style.replace(&plain, address);
    }
    Ok(style)
}
