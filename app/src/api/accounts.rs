//! Who may come in, and the browsers in which one is signed in.

use leptos::server;

#[cfg(feature = "ssr")]
use crate::model::{Accounts, SignedIn};
use crate::model::{ApiError, Role, SessionId, UserId};

/// For the page that lists them.
#[cfg(feature = "ssr")]
pub async fn accounts() -> Result<Accounts, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend.accounts(&person).await
}

#[server]
pub async fn set_role(id: UserId, role: Role) -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let done = backend.set_role(&person, id, role).await;
    crate::backend::answer_form::<SetRole, _>(&done, crate::backend::SETTINGS);
    done
}

/// Signs somebody out everywhere and does not let them in again.
#[server]
pub async fn remove_account(id: UserId) -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let done = backend.remove_account(&person, id).await;
    crate::backend::answer_form::<RemoveAccount, _>(&done, crate::backend::SETTINGS);
    done
}

#[server]
pub async fn admit_again(id: UserId) -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let done = backend.admit_again(&person, id).await;
    crate::backend::answer_form::<AdmitAgain, _>(&done, crate::backend::SETTINGS);
    done
}

/// For the page that lists them.
#[cfg(feature = "ssr")]
pub async fn sessions() -> Result<Vec<SignedIn>, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend.sessions(&person, &crate::backend::request()?).await
}

#[server]
pub async fn end_session(id: SessionId) -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let done = backend.end_session(&person, id).await;
    crate::backend::answer_form::<EndSession, _>(&done, crate::backend::SETTINGS);
    done
}

/// Signs out everywhere, here too.
#[server]
pub async fn end_sessions() -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let done = backend.end_sessions(&person).await;
    match &done {
        Ok(()) => crate::backend::redirect("/sign-in"),
        Err(error) => crate::backend::refuse::<EndSessions>(error, crate::backend::SETTINGS),
    }
    done
}
