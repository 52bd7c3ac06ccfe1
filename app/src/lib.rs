//! What the browser and the server share: model types, server functions and components, and the pages that the server
//! renders with them.
//!
//! Built twice. With `ssr` it goes into the server, which renders every page. With `hydrate` it becomes the WASM, which takes
//! over the islands of a page, the parts that change, and knows nothing of the rest.

// A component is one deeply nested type.
#![recursion_limit = "256"]

pub mod api;
#[cfg(feature = "ssr")]
pub mod backend;
pub mod components;
pub mod live;
pub mod model;
#[cfg(feature = "ssr")]
mod pages;
#[cfg(feature = "ssr")]
mod routes;
#[cfg(feature = "ssr")]
mod shell;
#[cfg(feature = "ssr")]
mod transcript;

#[cfg(feature = "ssr")]
pub use pages::reason_text;
#[cfg(feature = "ssr")]
pub use routes::App;
#[cfg(feature = "ssr")]
pub use shell::{Script, SiteAssets, shell};
