//! A person's browsers: listed in words, signed out.

use app::model::{ApiError, Person, SessionId, SignedIn};
use sqlx::PgPool;
use tower_sessions::session::Id;

use crate::{db::sessions, lifecycle::away};

pub async fn list(db: &PgPool, person: &Person, this_one: Option<Id>) -> Result<Vec<SignedIn>, ApiError> {
    sessions::of_person(db, person.id, this_one, browser_name).await.map_err(away)
}

pub async fn end(db: &PgPool, person: &Person, id: SessionId) -> Result<(), ApiError> {
    let ended = sessions::end(db, person.id, id).await.map_err(away)?;
    ended.then_some(()).ok_or_else(|| {
        ApiError::NotFound(format!("You have no session {id}. It may have been signed out already."))
    })
}

pub async fn end_all(db: &PgPool, person: &Person) -> Result<(), ApiError> {
    sessions::end_all(db, person.id).await.map_err(away)?;
    tracing::info!(user.id = %person.id, "signed out everywhere");
    Ok(())
}

/// What a browser says of itself, as people call it. Each claims to be those that came before it: the order matters.
fn browser_name(user_agent: Option<&str>) -> String {
    const BROWSERS: [(&str, &str); 7] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 7] = [
        ("iPhone", "an iPhone"),
        ("iPad", "an iPad"),
        ("Android", "Android"),
        ("CrOS", "ChromeOS"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let user_agent = user_agent.unwrap_or_default();
    let known = |names: &[(&str, &'static str)]| {
        names.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    match (known(&BROWSERS), known(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, Some(system)) => format!("A browser on {system}"),
        (None, None) => "A browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_called_what_people_call_them() {
        for (user_agent, name) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 \
                 Safari/537.36 Edg/140.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.0 Mobile/15E148 Safari/604.1",
                "Safari on an iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            ("curl/8.14", "A browser"),
        ] {
            assert_eq!(browser_name(Some(user_agent)), name);
        }
        assert_eq!(browser_name(None), "A browser");
    }
}
