//! The figures as a table, and what is behind those that are not 0.

use std::{collections::BTreeMap, fmt};

use crate::faults::Faults;

/// What must be 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    Lost,
    Twice,
    Output,
    Stale,
    Verdict,
    Slots,
    Stuck,
}

impl Check {
    const ALL: [Self; 7] =
        [Self::Lost, Self::Twice, Self::Output, Self::Stale, Self::Verdict, Self::Slots, Self::Stuck];
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "accepted jobs lost",
            Self::Twice => "run twice at once",
            Self::Output => "outputs with a gap or a repeat",
            Self::Stale => "stale writes",
            Self::Verdict => "verdicts that the job contradicts",
            Self::Slots => "slots leaked",
            Self::Stuck => "jobs stuck",
        })
    }
}

/// How many findings of a check are told in words.
const SHOWN: usize = 10;

pub struct Report {
    seed: u64,
    faults: Faults,
    counts: Vec<(&'static str, u64)>,
    findings: BTreeMap<Check, Vec<String>>,
}

impl Report {
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self { seed, faults, counts: Vec::new(), findings: BTreeMap::new() }
    }

    /// How much of something there was.
    pub fn count(&mut self, what: &'static str, count: u64) {
        self.counts.push((what, count));
    }

    /// Something that must not be.
    pub fn add(&mut self, check: Check, what: String) {
        self.findings.entry(check).or_default().push(what);
    }

    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    pub fn print(&self) {
        println!();
        for (fault, count) in &self.faults {
            row(fault, u64::from(*count));
        }
        println!();
        for (what, count) in &self.counts {
            row(what, *count);
        }
        println!();
        for check in Check::ALL {
            row(&check, self.findings.get(&check).map_or(0, |found| found.len() as u64));
        }
        for (check, found) in &self.findings {
            println!("\n{check}:");
            for what in found.iter().take(SHOWN) {
                println!("  {what}");
            }
            if found.len() > SHOWN {
                println!("  and {} more", found.len() - SHOWN);
            }
        }
        println!("\nseed {}", self.seed);
    }
}

fn row(what: &dyn fmt::Display, count: u64) {
    println!("{:<38} {count:>8}", what.to_string());
}
