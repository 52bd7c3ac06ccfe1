//! What the browser and the server share: model types, server functions, pages and components.
//!
//! Built twice: with `ssr` into the server, with `hydrate` into the WASM that takes the page over.

// A page is one deeply nested type.
#![recursion_limit = "256"]

pub mod api;
#[cfg(feature = "ssr")]
pub mod backend;
pub mod components;
pub mod live;
pub mod model;
mod page_status;
pub mod pages;
mod routes;
#[cfg(feature = "ssr")]
mod shell;

pub use routes::App;
#[cfg(feature = "ssr")]
pub use shell::{SiteAssets, shell};
