//! Who may come in: what owners see and decide.

use app::model::{Accounts, ApiError, Person, Role, UserId};

use crate::{
    backend::Server,
    db::accounts::{self, Changed},
    lifecycle::away,
    operations::owners_only,
};

impl Server {
    pub async fn accounts(&self, person: &Person) -> Result<Accounts, ApiError> {
        owners_only(person)?;
        let accounts = accounts::list(self.lifecycle.db()).await.map_err(away)?;
        let members = self.config.github.members.iter().map(ToString::to_string).collect();
        Ok(Accounts { accounts, members })
    }

    pub async fn set_role(&self, person: &Person, id: UserId, role: Role) -> Result<(), ApiError> {
        owners_only(person)?;
        let changed = accounts::set_role(self.lifecycle.db(), id, role).await.map_err(away)?;
        self.tokens.forget();
        changed_or(changed)?;
        tracing::info!(user.id = %id, by = %person.id, role = role.as_str(), "a role was given");
        Ok(())
    }

    /// Signs somebody out everywhere, withdraws their tokens, and does not let them in again.
    pub async fn remove_account(&self, person: &Person, id: UserId) -> Result<(), ApiError> {
        owners_only(person)?;
        let changed = accounts::remove(self.lifecycle.db(), id).await.map_err(away)?;
        self.tokens.forget();
        changed_or(changed)?;
        tracing::info!(user.id = %id, by = %person.id, "somebody was sent away");
        Ok(())
    }

    pub async fn admit_again(&self, person: &Person, id: UserId) -> Result<(), ApiError> {
        owners_only(person)?;
        let admitted = accounts::admit_again(self.lifecycle.db(), id).await.map_err(away)?;
        admitted.then_some(()).ok_or_else(nobody)
    }
}

fn changed_or(changed: Changed) -> Result<(), ApiError> {
    match changed {
        Changed::Done => Ok(()),
        Changed::Nobody => Err(nobody()),
        Changed::LastOwner => {
            Err(ApiError::Conflict("This is the last owner. Make somebody else an owner first.".to_owned()))
        }
    }
}

fn nobody() -> ApiError {
    ApiError::NotFound("There is nobody like that any more. Load the page again.".to_owned())
}
