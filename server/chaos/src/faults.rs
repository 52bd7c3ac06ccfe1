//! What is broken, and when: drawn from the seed. Each is mended by itself after a while, and several may be broken at
//! once.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use rand::{RngExt as _, seq::IndexedRandom as _};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    installation::{Installation, LEASE},
    plan::{Dice, between, dice},
    stack::Fall,
};

/// How often each fault happened.
pub type Faults = BTreeMap<Fault, u32>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    KillServer,
    KillRunner,
    DrainRunner,
    FreezeServer,
    FreezeRunner,
    EmptyRedis,
    RestartRedis,
    KillRedis,
    RestartPostgres,
    KillPostgres,
    CutRedis,
    CutPostgres,
}

/// All of them, the usual ones more often.
const DRAWN: [Fault; 16] = [
    Fault::KillServer,
    Fault::KillServer,
    Fault::KillRunner,
    Fault::KillRunner,
    Fault::KillRunner,
    Fault::DrainRunner,
    Fault::FreezeServer,
    Fault::FreezeRunner,
    Fault::FreezeRunner,
    Fault::EmptyRedis,
    Fault::RestartRedis,
    Fault::KillRedis,
    Fault::RestartPostgres,
    Fault::KillPostgres,
    Fault::CutRedis,
    Fault::CutPostgres,
];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KillServer => "server killed",
            Self::KillRunner => "runner killed",
            Self::DrainRunner => "runner asked to stop",
            Self::FreezeServer => "server stopped for a while",
            Self::FreezeRunner => "runner stopped for a while",
            Self::EmptyRedis => "Redis emptied",
            Self::RestartRedis => "Redis restarted",
            Self::KillRedis => "Redis killed",
            Self::RestartPostgres => "Postgres restarted",
            Self::KillPostgres => "Postgres killed",
            Self::CutRedis => "connections to Redis cut",
            Self::CutPostgres => "connections to Postgres cut",
        })
    }
}

/// Breaks one thing after the other, and returns when everything is mended.
pub async fn inject_until(
    deadline: Instant,
    seed: u64,
    installation: Arc<Installation>,
) -> anyhow::Result<Faults> {
    let mut dice = dice(seed, 2);
    let mut faults = Faults::new();
    let mut mending = JoinSet::new();
    loop {
        sleep(between(&mut dice, 200, 2_500)).await;
        if Instant::now() >= deadline {
            break;
        }
        let fault = DRAWN.choose(&mut dice).copied().unwrap_or(Fault::KillRunner);
        *faults.entry(fault).or_default() += 1;
        let (target, lasts) = (dice.random_range(0..2), duration(fault, &mut dice));
        installation.note(&format!("{fault} ({target}) for {} ms", lasts.as_millis()));
        mending.spawn(inject(fault, target, lasts, Arc::clone(&installation)));
    }
    while let Some(mended) = mending.join_next().await {
        mended??;
    }
    Ok(faults)
}

/// How long it lasts.
fn duration(fault: Fault, dice: &mut Dice) -> Duration {
    let lease = u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX);
    match fault {
        // Most of them past the lease.
        Fault::FreezeRunner | Fault::FreezeServer => between(dice, lease / 4, 3 * lease),
        // Some past the lease, too.
        Fault::RestartPostgres | Fault::KillPostgres => between(dice, 0, lease * 3 / 2),
        _ => between(dice, 0, 2_000),
    }
}

async fn inject(
    fault: Fault,
    target: usize,
    lasts: Duration,
    installation: Arc<Installation>,
) -> anyhow::Result<()> {
    let Installation { servers, runners, stack, .. } = &*installation;
    match fault {
        Fault::KillServer => servers[target].kill(lasts),
        Fault::KillRunner => runners[target].kill(lasts),
        Fault::DrainRunner => runners[target].terminate(lasts),
        Fault::FreezeServer | Fault::FreezeRunner => {
            let part = if fault == Fault::FreezeServer { &servers[target] } else { &runners[target] };
            if part.freeze() {
                sleep(lasts).await;
                part.thaw();
            }
        }
        Fault::EmptyRedis => stack.empty_redis().await?,
        Fault::CutRedis => stack.cut_redis().await?,
        Fault::RestartRedis => stack.restart_redis(Fall::InOrder, lasts).await?,
        Fault::KillRedis => stack.restart_redis(Fall::Killed, lasts).await?,
        Fault::RestartPostgres => stack.restart_postgres(Fall::InOrder, lasts).await?,
        Fault::KillPostgres => stack.restart_postgres(Fall::Killed, lasts).await?,
        Fault::CutPostgres => stack.cut_postgres().await?,
    }
    Ok(())
}
