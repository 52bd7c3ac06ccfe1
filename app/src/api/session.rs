//! Who is signed in.

use leptos::{prelude::*, server};

use crate::model::{ApiError, Person};

/// The person behind this request.
#[server(input = server_fn::codec::GetUrl)]
pub async fn me() -> Result<Person, ApiError> {
    Ok(crate::backend::caller().await?.1)
}

/// Ends this browser's session and goes to the sign-in page.
#[server]
pub async fn sign_out() -> Result<(), ApiError> {
    let (backend, _) = crate::backend::caller().await?;
    backend.sign_out(&crate::backend::request()?).await?;
    crate::backend::redirect("/sign-in");
    Ok(())
}
