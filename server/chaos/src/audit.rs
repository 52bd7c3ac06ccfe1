//! Compares what was accepted, what Millrace says became of it, what the jobs wrote down, and what viewers saw.

use std::collections::BTreeMap;

use anyhow::Context as _;
use app::model::{Attempt, AttemptState, Job, JobDetail, JobId, JobState};

use crate::{
    installation::Installation,
    ledger::{Entry, Ledger},
    marks::{self, Event, Mark},
    output::Output,
    report::{Check, Report},
    viewer::Watched,
};

pub async fn audit(
    installation: &Installation,
    ledger: &Ledger,
    watched: &[Watched],
    report: &mut Report,
) -> anyhow::Result<()> {
    let marks = marks::read_all(&installation.marks())?;
    let mut audit = Audit { installation, report, counts: Counts::default() };
    let entries = ledger.all();
    for (id, entry) in &entries {
        let marks = marks.get(&entry.plan.name).map_or(&[][..], Vec::as_slice);
        audit.job(*id, entry, marks, watched).await?;
    }
    // Jobs that were not accepted, as far as anybody knows, but exist: they are not missed, and run once all the same.
    for (name, marks) in &marks {
        if entries.values().all(|entry| entry.plan.name != *name) {
            audit.unanswered(marks).await?;
        }
    }
    audit.slots().await?;
    let Counts { attempts, lost_attempts, given_up, lines, unarchived, overlaps } = audit.counts;
    report.count("jobs accepted", entries.len() as u64);
    report.count("attempts", attempts);
    report.count("attempts lost with their runner", lost_attempts);
    report.count("jobs given up after lost runners", given_up);
    report.count("lines compared", lines);
    report.count("viewers", watched.len() as u64);
    report.count("connections of viewers", watched.iter().map(|watched| watched.connections).sum());
    report.count("lines that only viewers saw", unarchived);
    report.count("processes beside a stopped runner's", overlaps);
    report.count("claims left in lists of runners", installation.stack.left_claims().await?);
    Ok(())
}

#[derive(Default)]
struct Counts {
    attempts: u64,
    lost_attempts: u64,
    given_up: u64,
    lines: u64,
    unarchived: u64,
    overlaps: u64,
}

struct Audit<'a> {
    installation: &'a Installation,
    report: &'a mut Report,
    counts: Counts,
}

impl Audit<'_> {
    async fn job(
        &mut self,
        id: JobId,
        entry: &Entry,
        marks: &[Mark],
        watched: &[Watched],
    ) -> anyhow::Result<()> {
        let Some(JobDetail { job, attempts, .. }) = self.installation.client.job(id).await? else {
            self.report.add(Check::Lost, format!("{id} is not known any more"));
            return Ok(());
        };
        if !job.state.is_finished() {
            self.report.add(Check::Stuck, format!("{id} is {}", job.state));
        }
        if marks.iter().any(|mark| mark.job != id) {
            self.report.add(Check::Twice, format!("{id}: another job was made of the same request"));
        }
        self.verdict(&job, &attempts, entry, marks);
        self.times(id, entry, marks);
        self.stale(&job, &attempts, entry);
        self.twice(id, &attempts, marks);
        for attempt in &attempts {
            self.output(id, attempt, entry, watched).await?;
        }
        Ok(())
    }

    async fn unanswered(&mut self, marks: &[Mark]) -> anyhow::Result<()> {
        let Some(first) = marks.first() else { return Ok(()) };
        if marks.iter().any(|mark| mark.job != first.job) {
            self.report.add(Check::Twice, format!("{}: another job was made of the same request", first.job));
        }
        let attempts = self.installation.client.attempts(first.job).await?;
        self.twice(first.job, &attempts, marks);
        Ok(())
    }

    /// What Millrace says of the last attempt is what its process said.
    fn verdict(&mut self, job: &Job, attempts: &[Attempt], entry: &Entry, marks: &[Mark]) {
        let id = job.id;
        let said = marks.iter().find_map(|mark| match mark.event {
            Event::End { code } if mark.attempt == job.attempt => Some(i32::from(code)),
            _ => None,
        });
        let last = attempts.last().map(|attempt| attempt.state);
        match job.state {
            JobState::Succeeded if marks.is_empty() => {
                self.report.add(Check::Lost, format!("{id} is said to have succeeded and never ran"));
            }
            JobState::Succeeded if said != Some(0) => {
                self.report.add(Check::Verdict, format!("{id} is said to have succeeded; it says {said:?}"));
            }
            JobState::Failed if last == Some(AttemptState::Lost) => self.counts.given_up += 1,
            JobState::Failed if said.is_none_or(|code| code == 0 || job.exit_code != Some(code)) => {
                let error = job.error.as_deref().unwrap_or_default();
                self.report
                    .add(Check::Verdict, format!("{id} is said to have failed ({error}); it says {said:?}"));
            }
            JobState::Canceled if entry.plan.cancel_after.is_none() => {
                self.report.add(Check::Verdict, format!("{id} was canceled by nobody"));
            }
            _ => {}
        }
        let is_final =
            |attempt: &&Attempt| matches!(attempt.state, AttemptState::Succeeded | AttemptState::Canceled);
        if let Some(attempt) = attempts.iter().find(is_final).filter(|attempt| attempt.attempt < job.attempt)
        {
            self.report.add(
                Check::Verdict,
                format!("{id} ran again after attempt {} was {}", attempt.attempt, attempt.state),
            );
        }
    }

    /// It neither ran too early nor after it was canceled.
    fn times(&mut self, id: JobId, entry: &Entry, marks: &[Mark]) {
        for mark in marks.iter().filter(|mark| mark.is_start()) {
            if entry.due.is_some_and(|due| mark.at < due) {
                self.report.add(Check::Verdict, format!("{id} ran before its time"));
            }
            if entry.canceled.is_some_and(|canceled| mark.at > canceled) {
                self.report.add(Check::Verdict, format!("{id} ran although it was canceled"));
            }
        }
    }

    /// What has ended stays as it was when it was first seen ended.
    fn stale(&mut self, job: &Job, attempts: &[Attempt], entry: &Entry) {
        let id = job.id;
        if let Some(ended) = entry.ended.filter(|ended| *ended != job.state) {
            self.report.add(Check::Stale, format!("{id} was {ended} and is {}", job.state));
        }
        for attempt in attempts {
            if let Some(ended) = entry.attempts.get(&attempt.attempt).filter(|ended| *ended != attempt) {
                self.report.add(Check::Stale, format!("{id}: an attempt was {ended:?} and is {attempt:?}"));
            }
        }
    }

    /// No two processes of a job ran at once, but for one whose runner was stopped: nothing can reach that one.
    fn twice(&mut self, id: JobId, attempts: &[Attempt], marks: &[Mark]) {
        let mut started = BTreeMap::new();
        for mark in marks {
            let Event::Start { beside } = &mark.event else { continue };
            if started.insert(mark.attempt, mark.at).is_some() {
                self.report.add(Check::Twice, format!("{id}: attempt {} was started twice", mark.attempt));
            }
            for other in beside {
                let runner =
                    attempts.iter().find(|attempt| attempt.attempt == *other).map(|attempt| &attempt.runner);
                let since = started.get(other).copied().unwrap_or(mark.at);
                let frozen = self.installation.runners.iter().any(|part| {
                    runner.is_some_and(|runner| runner.starts_with(&part.name))
                        && part.was_frozen(since, mark.at)
                });
                if frozen && *other != mark.attempt {
                    self.counts.overlaps += 1;
                } else {
                    let what = format!("{id}: attempt {} began while attempt {other} ran", mark.attempt);
                    self.report.add(Check::Twice, what);
                }
            }
        }
    }

    async fn output(
        &mut self,
        id: JobId,
        attempt: &Attempt,
        entry: &Entry,
        watched: &[Watched],
    ) -> anyhow::Result<()> {
        let number = attempt.attempt;
        let kept = self.read(id, number).await?;
        self.counts.attempts += 1;
        self.counts.lines += kept.last;
        let is_lost = attempt.state == AttemptState::Lost;
        self.counts.lost_attempts += u64::from(is_lost);
        let mut wrong = kept.wrong.clone().into_iter().collect::<Vec<_>>();
        if attempt.lines != Some(kept.last) {
            wrong.push(format!(
                "attempt {number} is said to have {:?} lines and has {}",
                attempt.lines, kept.last
            ));
        }
        if attempt.exit_code.is_some() && kept.printed != entry.plan.lines {
            wrong.push(format!(
                "attempt {number} printed {} lines, of which {} are kept",
                entry.plan.lines, kept.printed
            ));
        }
        for seen in
            watched.iter().filter(|watched| watched.job == id).filter_map(|seen| seen.attempts.get(&number))
        {
            wrong.extend(seen.wrong.iter().map(|wrong| format!("a viewer of {wrong}")));
            // Of a lost attempt a viewer may have seen lines that were only in Redis when that was emptied, too.
            if seen.last < kept.last || (seen.last > kept.last && !is_lost) {
                wrong.push(format!("attempt {number}: a viewer saw {} of {} lines", seen.last, kept.last));
            }
            self.counts.unarchived += seen.last.saturating_sub(kept.last);
        }
        for wrong in wrong {
            self.report.add(Check::Output, format!("{id}, {}: {wrong}", attempt.state));
        }
        Ok(())
    }

    async fn read(&self, id: JobId, attempt: u32) -> anyhow::Result<Output> {
        let mut output = Output::of(attempt);
        let mut after = 0;
        loop {
            let page = self.installation.client.output(id, attempt, after).await?;
            for line in &page.lines {
                output.add(line);
            }
            match page.next {
                Some(next) => after = next,
                None => return Ok(output),
            }
        }
    }

    async fn slots(&mut self) -> anyhow::Result<()> {
        for (key, count) in self.installation.stack.held_slots().await.context("Redis does not answer")? {
            self.report.add(Check::Slots, format!("{count} in {key}"));
        }
        for lane in self.installation.client.lanes().await? {
            if lane.running > 0 {
                self.report
                    .add(Check::Slots, format!("{} of the lane {} are said to run", lane.running, lane.kind));
            }
        }
        Ok(())
    }
}
