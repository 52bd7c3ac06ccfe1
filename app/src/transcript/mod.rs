//! What an agent did, step by step: read out of the log's lines and rendered by the server. The browser shows and renews it
//! piece by piece.

mod items;
pub(crate) mod markdown;
mod page;
mod tool;
mod view;

pub use page::{first, page};
