//! Table `github_app`: the GitHub App of this installation, with its secrets encrypted.

use sqlx::{PgExecutor, Result};

/// The App as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppRow {
    /// Where its GitHub is.
    pub url: String,
    pub app_id: i64,
    pub slug: String,
    pub name: String,
    pub html_url: String,
    pub client_id: String,
    pub sealed: Vec<u8>,
}

pub async fn find(db: impl PgExecutor<'_>) -> Result<Option<AppRow>> {
    sqlx::query_as!(AppRow, "SELECT url, app_id, slug, name, html_url, client_id, sealed FROM github_app")
        .fetch_optional(db)
        .await
}

/// Keeps the App unless there is one already: `false`.
pub async fn insert(db: impl PgExecutor<'_>, app: &AppRow) -> Result<bool> {
    let inserted = sqlx::query!(
        "INSERT INTO github_app (url, app_id, slug, name, html_url, client_id, sealed)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (only_one) DO NOTHING",
        app.url,
        app.app_id,
        app.slug,
        app.name,
        app.html_url,
        app.client_id,
        app.sealed,
    )
    .execute(db)
    .await?;
    Ok(inserted.rows_affected() > 0)
}

/// Forgets the App and where it was installed.
pub async fn delete(db: &sqlx::PgPool) -> Result<()> {
    let mut step = db.begin().await?;
    sqlx::query!("DELETE FROM github_app").execute(&mut *step).await?;
    sqlx::query!("DELETE FROM github_installations").execute(&mut *step).await?;
    step.commit().await
}
