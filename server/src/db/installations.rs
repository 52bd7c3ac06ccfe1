//! Tables `github_installations` and `github_repositories`: where the GitHub App is installed.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool, Result};

use super::timestamp;
use crate::github::RepositoryName;

/// An installation as GitHub tells it.
#[derive(Clone, Debug)]
pub struct InstallationRow {
    pub id: i64,
    pub account: String,
    pub html_url: String,
    pub writes_workflows: bool,
    pub suspended_at: Option<DateTime<Utc>>,
    pub repositories: Vec<RepositoryRow>,
}

#[derive(Clone, Debug)]
pub struct RepositoryRow {
    pub id: i64,
    pub full_name: String,
    pub is_private: bool,
}

/// Puts these in the place of all that were known.
pub async fn replace(db: &PgPool, installations: &[InstallationRow]) -> Result<()> {
    let mut step = db.begin().await?;
    // Of two that look at the same time, one after the other writes.
    sqlx::query!("LOCK TABLE github_installations IN SHARE ROW EXCLUSIVE MODE").execute(&mut *step).await?;
    sqlx::query!("DELETE FROM github_installations").execute(&mut *step).await?;
    for installation in installations {
        sqlx::query!(
            "INSERT INTO github_installations (id, account, html_url, writes_workflows, suspended_at)
             VALUES ($1, $2, $3, $4, $5)",
            installation.id,
            installation.account,
            installation.html_url,
            installation.writes_workflows,
            installation.suspended_at,
        )
        .execute(&mut *step)
        .await?;
        let repositories = &installation.repositories;
        sqlx::query!(
            "INSERT INTO github_repositories (id, installation_id, full_name, is_private)
             SELECT id, $1, full_name, is_private
             FROM unnest($2::bigint[], $3::text[], $4::boolean[]) AS given (id, full_name, is_private)
             ON CONFLICT DO NOTHING",
            installation.id,
            &repositories.iter().map(|repository| repository.id).collect::<Vec<_>>(),
            &repositories.iter().map(|repository| repository.full_name.clone()).collect::<Vec<_>>(),
            &repositories.iter().map(|repository| repository.is_private).collect::<Vec<_>>(),
        )
        .execute(&mut *step)
        .await?;
    }
    step.commit().await
}

/// Which installation a repository belongs to, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstalledIn {
    pub id: i64,
    pub writes_workflows: bool,
}

pub async fn of_repository(
    db: impl PgExecutor<'_>,
    repository: &RepositoryName,
) -> Result<Option<InstalledIn>> {
    sqlx::query_as!(
        InstalledIn,
        "SELECT github_installations.id, writes_workflows
         FROM github_installations JOIN github_repositories ON installation_id = github_installations.id
         WHERE lower(full_name) = lower($1)",
        repository.as_str(),
    )
    .fetch_optional(db)
    .await
}

/// All of them with their repositories, by name.
pub async fn list(db: impl PgExecutor<'_>) -> Result<Vec<app::model::Installation>> {
    let rows = sqlx::query!(
        r#"SELECT account, html_url, suspended_at,
               coalesce(array_agg(full_name ORDER BY lower(full_name)) FILTER (WHERE full_name IS NOT NULL), '{}')
                   AS "names!",
               coalesce(array_agg(is_private ORDER BY lower(full_name)) FILTER (WHERE full_name IS NOT NULL), '{}')
                   AS "private!"
           FROM github_installations LEFT JOIN github_repositories ON installation_id = github_installations.id
           GROUP BY github_installations.id ORDER BY lower(account), github_installations.id"#
    )
    .fetch_all(db)
    .await?;
    let installations = rows.into_iter().map(|row| app::model::Installation {
        account: row.account,
        address: row.html_url,
        suspended_at: row.suspended_at.map(timestamp),
        repositories: std::iter::zip(row.names, row.private)
            .map(|(name, is_private)| app::model::InstalledRepository { name, is_private })
            .collect(),
    });
    Ok(installations.collect())
}
