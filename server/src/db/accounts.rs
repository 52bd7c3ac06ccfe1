//! Table `users` as owners manage it: who may come in, as what, and which GitHub account is theirs.

use app::model::{Account, Role, UserId};
use sqlx::{PgConnection, PgExecutor, PgPool, Result};

use super::{timestamp, unreadable};

/// Everybody who may come in, and those who were sent away.
pub async fn list(db: impl PgExecutor<'_>) -> Result<Vec<Account>> {
    let rows = sqlx::query!(
        r#"SELECT id, login, role, github_login, is_admitted, greatest(
               (SELECT max(last_seen_at) FROM sessions WHERE user_id = users.id),
               (SELECT max(last_used_at) FROM api_tokens WHERE user_id = users.id)) AS last_seen_at
           FROM users WHERE is_admitted OR removed_at IS NOT NULL
           ORDER BY is_admitted DESC, role DESC, lower(login), id"#
    )
    .fetch_all(db)
    .await?;
    let accounts = rows.into_iter().map(|row| {
        Ok(Account {
            id: UserId::from_uuid(row.id),
            login: row.login,
            role: row.role.parse().map_err(unreadable)?,
            github_login: row.github_login,
            is_removed: !row.is_admitted,
            last_seen_at: row.last_seen_at.map(timestamp),
        })
    });
    accounts.collect()
}

/// What came of a change that would leave nobody to look after the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    Done,
    Nobody,
    LastOwner,
}

/// Makes somebody an owner, or a member.
pub async fn set_role(db: &PgPool, id: UserId, role: Role) -> Result<Changed> {
    let mut step = db.begin().await?;
    if role != Role::Owner && is_last_owner(&mut step, id).await? {
        return Ok(Changed::LastOwner);
    }
    let done =
        sqlx::query!("UPDATE users SET role = $2 WHERE id = $1 AND is_admitted", id.as_uuid(), role.as_str())
            .execute(&mut *step)
            .await?;
    step.commit().await?;
    Ok(if done.rows_affected() > 0 { Changed::Done } else { Changed::Nobody })
}

/// Sends somebody away, with all that would let them in.
pub async fn remove(db: &PgPool, id: UserId) -> Result<Changed> {
    let mut step = db.begin().await?;
    if is_last_owner(&mut step, id).await? {
        return Ok(Changed::LastOwner);
    }
    let done = sqlx::query!(
        "UPDATE users SET is_admitted = false, removed_at = now(), role = 'member' WHERE id = $1 AND is_admitted",
        id.as_uuid(),
    )
    .execute(&mut *step)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(Changed::Nobody);
    }
    sqlx::query!("DELETE FROM sessions WHERE user_id = $1", id.as_uuid()).execute(&mut *step).await?;
    sqlx::query!("DELETE FROM api_tokens WHERE user_id = $1", id.as_uuid()).execute(&mut *step).await?;
    sqlx::query!("DELETE FROM sign_in_links WHERE user_id = $1", id.as_uuid()).execute(&mut *step).await?;
    step.commit().await?;
    Ok(Changed::Done)
}

/// Lets somebody in again who was sent away. `false`: there is no such person.
pub async fn admit_again(db: impl PgExecutor<'_>, id: UserId) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE users SET is_admitted = true, removed_at = NULL WHERE id = $1 AND removed_at IS NOT NULL",
        id.as_uuid(),
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Locks the owners, so that of two who remove each other one stays.
async fn is_last_owner(step: &mut PgConnection, id: UserId) -> Result<bool> {
    let owners = sqlx::query_scalar!(
        "SELECT id FROM users WHERE role = 'owner' AND is_admitted ORDER BY id FOR UPDATE"
    )
    .fetch_all(step)
    .await?;
    Ok(owners == [*id.as_uuid()])
}

/// Whether the person behind a GitHub account may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Admitted(UserId),
    Removed,
    /// Nobody has decided: the list in the settings does.
    Open,
}

pub async fn standing(db: impl PgExecutor<'_>, github_id: i64) -> Result<Standing> {
    let row = sqlx::query!("SELECT id, is_admitted, removed_at FROM users WHERE github_id = $1", github_id)
        .fetch_optional(db)
        .await?;
    Ok(match row {
        Some(row) if row.is_admitted => Standing::Admitted(UserId::from_uuid(row.id)),
        Some(row) if row.removed_at.is_some() => Standing::Removed,
        _ => Standing::Open,
    })
}

/// Lets somebody in whom a list names. `false`: an owner has sent them away meanwhile.
pub async fn admit(db: impl PgExecutor<'_>, id: UserId) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE users SET is_admitted = true WHERE id = $1 AND removed_at IS NULL",
        id.as_uuid(),
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The number of this person's GitHub account.
pub async fn github_id(db: impl PgExecutor<'_>, id: UserId) -> Result<Option<i64>> {
    sqlx::query_scalar!("SELECT github_id FROM users WHERE id = $1", id.as_uuid())
        .fetch_optional(db)
        .await
        .map(Option::flatten)
}

/// The login of this person's GitHub account, as of when they signed in last.
pub async fn github_login(db: impl PgExecutor<'_>, id: UserId) -> Result<Option<String>> {
    sqlx::query_scalar!("SELECT github_login FROM users WHERE id = $1", id.as_uuid())
        .fetch_optional(db)
        .await
        .map(Option::flatten)
}

/// Makes a GitHub account this person's. What was asked for with it before, without ever signing in, becomes theirs too.
/// `false`: it is another person's, or this person has one.
pub async fn link(db: &PgPool, id: UserId, github_id: i64, github_login: &str) -> Result<bool> {
    let mut step = db.begin().await?;
    let other = sqlx::query!(
        "SELECT id, is_admitted OR removed_at IS NOT NULL AS \"was_here!\" FROM users WHERE github_id = $1 FOR UPDATE",
        github_id,
    )
    .fetch_optional(&mut *step)
    .await?;
    if let Some(other) = other {
        if other.was_here {
            return Ok(other.id == *id.as_uuid());
        }
        sqlx::query!("UPDATE jobs SET created_by = $1 WHERE created_by = $2", id.as_uuid(), other.id)
            .execute(&mut *step)
            .await?;
        sqlx::query!("UPDATE idempotency_keys SET user_id = $1 WHERE user_id = $2", id.as_uuid(), other.id)
            .execute(&mut *step)
            .await?;
        sqlx::query!("DELETE FROM users WHERE id = $1", other.id).execute(&mut *step).await?;
    }
    let linked = sqlx::query!(
        "UPDATE users SET github_id = $2, github_login = $3 WHERE id = $1 AND is_admitted AND github_id IS NULL",
        id.as_uuid(),
        github_id,
        github_login,
    )
    .execute(&mut *step)
    .await?;
    if linked.rows_affected() == 0 {
        return Ok(false);
    }
    step.commit().await?;
    Ok(true)
}
