//! Asks for jobs in bursts, cancels some, and has some watched.

use std::{sync::Arc, time::Duration};

use app::model::{JobId, JobState, NewJob, Timestamp};
use rand::RngExt as _;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    act,
    client::Submitted,
    installation::Installation,
    ledger::Ledger,
    marks::now,
    plan::{Dice, Plan, between, dice},
    viewer::{Watched, watch},
};

/// With so many jobs that have not ended, no more are asked for.
const MOST_WAITING: usize = 80;
/// Attempts are lost here by the dozen.
const MAX_ATTEMPTS: u32 = 20;
/// How long a viewer may take to see the end of a job that has ended: it may have to find out that its server is gone.
const LAST_VIEWER: Duration = Duration::from_secs(45);

/// What is still under way when the last job was asked for.
pub struct Load {
    viewers: JoinSet<Watched>,
}

impl Load {
    /// What viewers saw who have seen the end of their jobs, and how many still wait for it.
    pub async fn watched(mut self) -> anyhow::Result<(Vec<Watched>, usize)> {
        let mut all = Vec::new();
        while let Ok(Some(watched)) = timeout(LAST_VIEWER, self.viewers.join_next()).await {
            all.push(watched?);
        }
        Ok((all, self.viewers.len()))
    }
}

pub async fn submit_until(
    deadline: Instant,
    seed: u64,
    installation: Arc<Installation>,
    ledger: Arc<Ledger>,
) -> anyhow::Result<Load> {
    let mut dice = dice(seed, 1);
    let mut viewers = JoinSet::new();
    let mut cancels = JoinSet::new();
    let mut number = 0;
    while Instant::now() < deadline {
        for _ in 0..dice.random_range(1..25) {
            number += 1;
            let plan = Plan::draw(&mut dice, number);
            let Some(id) = submit(&plan, deadline, &mut dice, &installation, &ledger).await? else {
                continue;
            };
            let server = dice.random_range(0..2);
            for _ in 0..plan.viewers {
                viewers.spawn(watch(installation.client.clone(), id, server));
            }
            if let Some(after) = plan.cancel_after {
                let (installation, ledger) = (Arc::clone(&installation), Arc::clone(&ledger));
                cancels.spawn(async move {
                    sleep(after).await;
                    let canceled = installation.client.cancel(server, id).await;
                    if canceled.is_some_and(|job| job.state == JobState::Canceled) {
                        ledger.canceled(id, now());
                    }
                });
            }
        }
        sleep(between(&mut dice, 50, 1_000)).await;
        while ledger.unsettled().len() > MOST_WAITING && Instant::now() < deadline {
            sleep(Duration::from_millis(100)).await;
        }
    }
    cancels.join_all().await;
    Ok(Load { viewers })
}

/// Asks for a job. Without a key nobody can ask twice, so what is not answered is given up; with one it is asked for until
/// it is answered.
async fn submit(
    plan: &Plan,
    deadline: Instant,
    dice: &mut Dice,
    installation: &Installation,
    ledger: &Ledger,
) -> anyhow::Result<Option<JobId>> {
    let due = plan
        .delay
        .map(|delay| Timestamp(now().0.saturating_add(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX))));
    let request = NewJob {
        kind: "command".to_owned(),
        repository: installation.repository().display().to_string(),
        script: Some(act::script(plan, &installation.marks())?),
        priority: Some(plan.priority.to_owned()),
        max_attempts: Some(MAX_ATTEMPTS),
        run_at: due.map(|due| due.0),
        idempotency_key: plan.key.clone(),
        ..NewJob::default()
    };
    loop {
        let server = dice.random_range(0..2);
        if let Submitted::Accepted(job) = installation.client.submit(server, &request).await? {
            ledger.accept(job.id, plan.clone(), due);
            return Ok(Some(job.id));
        }
        if plan.key.is_none() || Instant::now() > deadline {
            return Ok(None);
        }
        sleep(Duration::from_millis(100)).await;
    }
}
