//! Counts tests from what the test programs report.

use anyhow::{Context, Result};

/// How many tests passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Reads a line of `cargo test`, such as
    /// `test result: ok. 15 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s`.
    pub(crate) fn add_line(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        let count = |word: &str| {
            let (before, _) = result.split_once(&format!(" {word};"))?;
            before.rsplit(' ').next()?.parse::<u64>().ok()
        };
        self.passed += count("passed").unwrap_or(0);
        self.failed += count("failed").unwrap_or(0);
    }

    /// Reads the report of Playwright's `json` reporter. A test that passes only when it is repeated failed.
    pub(crate) fn add_playwright(&mut self, report: &str) -> Result<()> {
        let report: serde_json::Value = serde_json::from_str(report)?;
        let count = |name: &str| {
            report["stats"][name].as_u64().with_context(|| format!("Playwright reports no `{name}`"))
        };
        self.passed += count("expected")?;
        self.failed += count("unexpected")? + count("flaky")?;
        Ok(())
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn results_of_several_programs_add_up() {
        let mut tally = Tally::default();
        for line in [
            "running 15 tests",
            "test result: ok. 15 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s",
            "test tests::says_3_passed ... ok",
            "test result: FAILED. 7 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s",
        ] {
            tally.add_line(line);
        }
        assert_eq!(tally, Tally { passed: 22, failed: 2 });
    }

    #[test]
    fn a_journey_that_passes_only_when_repeated_failed() {
        let mut tally = Tally { passed: 1, failed: 0 };
        let report = r#"{"stats": {"expected": 4, "unexpected": 1, "flaky": 1, "skipped": 2}}"#;
        tally.add_playwright(report).unwrap();
        assert_eq!(tally.to_string(), "5 passed, 2 failed");
    }
}
