//! What an attempt changed.

use leptos::{prelude::*, server};

use crate::model::{ApiError, JobId};

/// Rows of the diff's file with this number, from the row `from` on, as HTML to be put into the page: so the browser needs
/// no code for diffs and colours.
#[server(input = server_fn::codec::GetUrl)]
pub async fn diff_rows(id: JobId, attempt: u32, file: u32, from: u32) -> Result<String, ApiError> {
    crate::pages::more_rows(id, attempt, file, from).await
}
