//! The transcript in pieces of so many lines, each rendered from its lines alone, so that no state of the server and no more
//! than a few pieces in the browser are needed, wherever somebody reads.

use std::ops::Range;

use super::{
    items::read,
    view::{Place, piece, standing},
};
use crate::{
    backend::Backend,
    components::job::FirstSteps,
    model::{ApiError, Attempt, AttemptState, JobId, Line, OutputPage, Person, Step, TranscriptPage, Window},
};

/// How many lines a piece has; the browser counts with it too.
pub use crate::components::transcript::PIECE;

/// How many further reads look for the results of a piece's calls.
const FAR: usize = 10;

/// The piece that holds the line after `after`.
pub async fn page(
    backend: &dyn Backend,
    person: &Person,
    id: JobId,
    attempt: u32,
    after: u64,
) -> Result<TranscriptPage, ApiError> {
    let after = after / PIECE * PIECE;
    let OutputPage { mut lines, total, mut next, .. } =
        backend.output(person, id, attempt, Window::After(after)).await?;
    let own = own_lines(&lines, after);
    // While fewer lines follow than may belong to it, the piece may grow.
    let may_grow = next.is_none();
    let mut told = read(&lines, own.clone());
    for _ in 0..FAR {
        let Some(from) = next.filter(|_| told.running().is_some()) else { break };
        let more = backend.output(person, id, attempt, Window::After(from)).await?;
        lines.extend(more.lines);
        next = more.next;
        told = read(&lines, own.clone());
    }
    let is_open = may_grow || (next.is_none() && told.running().is_some());
    let is_last = total <= after + PIECE;
    let attempts = if is_open { backend.job(person, id).await?.attempts } else { Vec::new() };
    let of_attempt = attempts.iter().find(|other| other.attempt == attempt);
    let is_live = of_attempt.is_some_and(|attempt| attempt.state == AttemptState::Running);
    if told.usage.is_none() {
        told.usage = of_attempt.and_then(|attempt| attempt.agent.as_ref()?.usage);
    }
    let place = Place { job: id, attempt, after, is_open: is_open && is_live, is_last };
    Ok(TranscriptPage {
        steps: piece(&told, &place),
        standing: is_last.then(|| standing(&told, of_attempt.filter(|_| is_live).map(since))),
    })
}

/// What the page shows before the browser asks: the end.
pub async fn first(
    backend: &dyn Backend,
    person: &Person,
    id: JobId,
    attempt: u32,
    total: u64,
) -> Result<FirstSteps, ApiError> {
    let last = total.saturating_sub(1) / PIECE * PIECE;
    let mut first = FirstSteps::default();
    for after in last.checked_sub(PIECE).into_iter().chain([last]) {
        let TranscriptPage { steps, standing } = page(backend, person, id, attempt, after).await?;
        first.steps.push_str(&steps);
        first.standing = standing.unwrap_or_default();
    }
    Ok(first)
}

fn since(attempt: &Attempt) -> crate::model::Timestamp {
    attempt.started_at
}

/// Which of the lines after `after` are the piece's own.
fn own_lines(lines: &[Line], after: u64) -> Range<usize> {
    let start = if after == 0 { 0 } else { cut_at(lines, 0) };
    start..cut_at(lines, usize::try_from(PIECE).unwrap_or(usize::MAX)).max(start)
}

/// Where pieces part, at `index` or somewhat later: not within a message that comes in pieces itself, unless it is very long.
fn cut_at(lines: &[Line], index: usize) -> usize {
    let piece = usize::try_from(PIECE).unwrap_or(usize::MAX);
    let Some(rest) = lines.get(index..) else { return lines.len() };
    let goes_on = |line: &Line| matches!(line.steps.first(), Some(Step::Message { delta: true, .. }));
    match rest.iter().take(piece).position(|line| !goes_on(line)) {
        Some(more) => index + more,
        None if rest.len() < piece => lines.len(),
        None => index,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Stream, Timestamp};

    /// Lines, those of `deltas` with a piece of a message.
    fn lines(count: usize, deltas: Range<usize>) -> Vec<Line> {
        let steps = |index| {
            let delta = Step::Message { text: "x".to_owned(), delta: true };
            if deltas.contains(&index) { vec![delta] } else { Vec::new() }
        };
        (0..count)
            .map(|index| Line {
                seq: index as u64 + 1,
                timestamp: Timestamp(0),
                stream: Stream::Stdout,
                line: String::new(),
                continues: false,
                steps: steps(index),
            })
            .collect()
    }

    #[test]
    fn every_line_is_in_one_piece() {
        for deltas in [0..0, 190..230, 150..390, 0..600, 190..600, 599..600] {
            let lines = lines(600, deltas.clone());
            let mut next = 0;
            for start in [0, 200, 400] {
                let known = &lines[start..(start + 400).min(600)];
                let own = own_lines(known, start as u64);
                assert_eq!(start + own.start, next, "{deltas:?}");
                next = start + own.end;
            }
            assert_eq!(next, 600, "{deltas:?}");
        }
    }

    #[test]
    fn a_message_is_not_cut_where_it_ends_soon() {
        assert_eq!(own_lines(&lines(400, 190..230), 0), 0..230);
        assert_eq!(own_lines(&lines(400, 0..30), 200), 30..200);
        // It still comes.
        assert_eq!(own_lines(&lines(250, 190..250), 0), 0..250);
        assert_eq!(own_lines(&lines(50, 0..50), 200), 50..50);
    }
}
