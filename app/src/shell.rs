//! The HTML document around every page.

use std::collections::BTreeMap;

use leptos::{nonce::use_nonce, prelude::*};
use leptos_meta::MetaTags;
use serde::Deserialize;

use crate::App;

/// Addresses of the site's files; their names carry a hash of the content. Read from the site's `manifest.json`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct SiteAssets {
    /// For every page but a job's.
    pub board: Script,
    /// For the page of a job.
    pub job: Script,
    pub css: String,
    /// Address of each font by its plain name, e.g. `inter`.
    pub fonts: BTreeMap<String, String>,
}

/// A module of the frontend and what loads it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Script {
    pub js: String,
    pub wasm: String,
}

/// The document: style first, then the page, with the WASM loading beside it. `theme` is `light`, `dark` or empty for what
/// the system prefers; it is rendered here so that a page never flashes in the other colours. `path` decides which of the frontend's modules
/// is loaded.
pub fn shell(assets: SiteAssets, path: &str, theme: &'static str) -> impl IntoView + use<> {
    // Only islands are taken over; nothing outside of them writes for the browser.
    if let Some(context) = Owner::current_shared_context() {
        context.set_is_hydrating(false);
    }
    let script = if path.starts_with("/jobs/") { assets.job } else { assets.board };
    // Leptos has a component for this, but it looks for files beside the executable; ours are inside it.
    let start = format!(
        "import * as site from '{}';\n\
         await site.default({{ module_or_path: '{}' }});\n\
         site.hydrate();\n\
         for (const island of document.querySelectorAll('leptos-island')) site[island.dataset.component](island);",
        script.js, script.wasm
    );
    let fonts = assets
        .fonts
        .into_values()
        .map(|font| view! { <link rel="preload" href=font r#as="font" type="font/woff2" crossorigin="" /> })
        .collect_view();

    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover" />
                <meta name="color-scheme" content="light dark" />
                <link rel="stylesheet" href=assets.css />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link rel="modulepreload" href=script.js nonce=use_nonce() />
                <link rel="preload" href=script.wasm r#as="fetch" type="application/wasm" crossorigin="" />
                {fonts}
                <script type="module" nonce=use_nonce()>
                    {start}
                </script>
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}
