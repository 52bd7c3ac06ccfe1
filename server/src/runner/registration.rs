//! Tells people what this runner has: which agents are installed on its machine.

use std::{sync::Arc, time::Duration};

use app::model::Kind;

use super::{Runner, agents};
use crate::db;

/// Agents are installed and renewed while a runner runs.
const LOOK_EVERY: Duration = Duration::from_secs(600);

/// Looks, forever.
pub(super) async fn keep(runner: Arc<Runner>) {
    if !runner.config.runner.lanes.contains(&Kind::Agent) {
        return;
    }
    loop {
        let found = agents::survey(&runner.config.agents).await;
        runner.agents.send_replace(found.clone());
        if let Err(error) = db::runners::set_agents(runner.lifecycle.db(), &runner.name, &found).await {
            tracing::debug!(%error, "which agents are there is told later");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
