//! Percentiles of durations, with bounded memory.

use std::time::Duration;

/// Counts durations in steps of ten microseconds; what is longer than the last step counts as the last.
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

const STEP: Duration = Duration::from_micros(10);
const STEPS: usize = 1_000_000;

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; STEPS], total: 0 }
    }
}

impl Histogram {
    pub fn add(&mut self, duration: Duration) {
        let step = usize::try_from(duration.as_micros() / STEP.as_micros()).unwrap_or(usize::MAX);
        self.counts[step.min(STEPS - 1)] += 1;
        self.total += 1;
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    /// In milliseconds; 0 when nothing was counted.
    pub fn percentile(&self, percent: u64) -> f64 {
        let wanted = (self.total * percent).div_ceil(100);
        let mut seen = 0;
        for (step, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return (step as f64 + 0.5) * STEP.as_secs_f64() * 1000.0;
            }
        }
        0.0
    }
}
