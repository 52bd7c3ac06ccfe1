//! The jobs that a seed draws.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::Xoshiro256PlusPlus, seq::IndexedRandom as _};

/// One that gives the same numbers for the same seed on every machine and in every version.
pub type Dice = Xoshiro256PlusPlus;

/// Dice for one purpose: what one part of the harness draws does not depend on how fast the others are.
pub fn dice(seed: u64, purpose: u64) -> Dice {
    Dice::seed_from_u64(seed ^ purpose.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// A job to ask for.
#[derive(Clone, Debug)]
pub struct Plan {
    pub name: String,
    pub priority: &'static str,
    pub lines: u64,
    /// How long it works.
    pub work: Duration,
    /// The attempts up to this one fail.
    pub fails: u32,
    /// It is not to run before this time has passed.
    pub delay: Option<Duration>,
    /// It is canceled after this time.
    pub cancel_after: Option<Duration>,
    /// Several requests with this key are to make one job.
    pub key: Option<String>,
    /// How many watch it.
    pub viewers: u32,
}

impl Plan {
    pub fn draw(dice: &mut Dice, number: usize) -> Self {
        let name = format!("{number:06}");
        let (lines, work) = match dice.random_range(0..10) {
            // Thousands of lines, as fast as they go and slowly.
            0 => (dice.random_range(2_000..6_000), 0),
            1 => (dice.random_range(1_000..4_000), dice.random_range(500..3_000)),
            // Longer than a lease.
            2 | 3 => (dice.random_range(50..500), dice.random_range(4_000..8_000)),
            _ => (dice.random_range(0..50), dice.random_range(0..400)),
        };
        Self {
            priority: ["critical", "high", "normal", "normal", "low"]
                .choose(dice)
                .copied()
                .unwrap_or("normal"),
            lines,
            work: Duration::from_millis(work),
            fails: if dice.random_ratio(1, 8) { dice.random_range(1..3) } else { 0 },
            delay: dice.random_ratio(1, 8).then(|| Duration::from_millis(dice.random_range(500..6_000))),
            cancel_after: dice
                .random_ratio(1, 10)
                .then(|| Duration::from_millis(dice.random_range(0..3_000))),
            key: dice.random_ratio(1, 2).then(|| format!("key-{name}")),
            viewers: if dice.random_ratio(1, 3) { 1 } else { 0 },
            name,
        }
    }
}

/// A time between these two.
pub fn between(dice: &mut Dice, least: u64, most: u64) -> Duration {
    Duration::from_millis(dice.random_range(least..most))
}
