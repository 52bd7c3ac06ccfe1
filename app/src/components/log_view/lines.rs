//! The lines that the browser holds: a window around what is read, and the newest ones, never all.

use std::{collections::VecDeque, ops::RangeInclusive, sync::Arc};

use super::ansi::{Style, end_style};
use crate::model::{Line, OutputPage};

/// How many lines around the reader are held.
const WINDOW: usize = 1_500;
/// How many of the newest lines are held, so that *Follow* is there at once.
const TAIL: usize = 400;
/// How many lines one request fetches.
pub const FETCH: u64 = 400;

/// A line and the style in which it starts, which earlier lines may have set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub line: Arc<Line>,
    pub start: Style,
}

/// Two runs of consecutive lines out of `total`: where the reader is, and the end.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    total: u64,
    window: VecDeque<Entry>,
    tail: VecDeque<Entry>,
}

impl Lines {
    pub fn new(page: &OutputPage) -> Self {
        let mut lines = Self { total: page.total, ..Self::default() };
        lines.insert(page.lines.clone(), 1);
        if lines.window.back().is_some_and(|last| last.line.seq >= page.total) {
            lines.tail = std::mem::take(&mut lines.window);
            lines.move_out_of_tail(None);
        }
        lines
    }

    /// How many lines the attempt has so far.
    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn get(&self, seq: u64) -> Option<&Entry> {
        [&self.tail, &self.window].into_iter().find_map(|run| {
            let index = seq.checked_sub(run.front()?.line.seq)?;
            run.get(usize::try_from(index).ok()?)
        })
    }

    /// Adds lines that the stream brought, while `reading` is on the screen. Lines that are here already are dropped.
    pub fn append(&mut self, lines: Vec<Line>, reading: &RangeInclusive<u64>) {
        for line in lines {
            if line.seq <= self.total {
                continue;
            }
            if self.tail.back().is_some_and(|last| last.line.seq + 1 != line.seq) {
                self.tail.clear();
            }
            self.total = line.seq;
            push(&mut self.tail, line);
        }
        self.move_out_of_tail(Some(reading));
    }

    /// Adds lines that were fetched, making room far from the line at `reading`.
    pub fn insert(&mut self, mut lines: Vec<Line>, reading: u64) {
        if let Some(tail) = self.tail.front() {
            let start = tail.line.seq;
            lines.retain(|line| line.seq < start);
        }
        let (Some(first), Some(last)) =
            (lines.first().map(|line| line.seq), lines.last().map(|line| line.seq))
        else {
            return;
        };
        self.total = self.total.max(last);
        let known = std::mem::take(&mut self.window);
        let touches = known.front().is_some_and(|front| front.line.seq <= last + 1)
            && known.back().is_some_and(|back| back.line.seq + 1 >= first);
        let (before, after): (Vec<_>, Vec<_>) = if touches {
            known
                .into_iter()
                .filter(|entry| entry.line.seq < first || entry.line.seq > last)
                .partition(|entry| entry.line.seq < first)
        } else {
            (Vec::new(), Vec::new())
        };
        self.window = before.into();
        for line in lines {
            push(&mut self.window, line);
        }
        for entry in after {
            push(&mut self.window, Arc::unwrap_or_clone(entry.line));
        }
        while self.window.len() > WINDOW {
            let middle = self.window[self.window.len() / 2].line.seq;
            if reading < middle {
                self.window.pop_back();
            } else {
                self.window.pop_front();
            }
        }
    }

    /// The seq after which to fetch so that the lines on the screen are here; nothing when they are.
    pub fn missing(&self, shown: &RangeInclusive<u64>) -> Option<u64> {
        let (start, end) = (*shown.start(), (*shown.end()).min(self.total));
        let first = (start..=end).find(|seq| self.get(*seq).is_none())?;
        let last = (first..=end).rev().find(|seq| self.get(*seq).is_none())?;
        Some(if self.get(last + 1).is_some() {
            // Scrolled up: what ends where the known lines begin.
            last.saturating_sub(FETCH)
        } else if self.get(first - 1).is_some() {
            first - 1
        } else {
            first.saturating_sub(FETCH / 4 + 1)
        })
    }

    /// Lines that no longer fit into the tail stay in the window where it reaches up to them, or where somebody reads them.
    fn move_out_of_tail(&mut self, reading: Option<&RangeInclusive<u64>>) {
        while self.tail.len() > TAIL
            && let Some(entry) = self.tail.pop_front()
        {
            let seq = entry.line.seq;
            let adjoins = self.window.back().is_some_and(|last| last.line.seq + 1 == seq);
            let read = reading.is_some_and(|reading| reading.contains(&seq));
            let room = self.window.len() < WINDOW;
            if adjoins && !room && reading.is_some_and(|reading| seq > *reading.end() + TAIL as u64) {
                continue;
            }
            if !adjoins {
                if !read && !self.window.is_empty() {
                    continue;
                }
                self.window.clear();
            } else if !room {
                self.window.pop_front();
            }
            self.window.push_back(entry);
        }
    }
}

fn push(run: &mut VecDeque<Entry>, line: Line) {
    let start = run.back().map(|last| end_style(&last.line.line, last.start)).unwrap_or_default();
    run.push_back(Entry { line: Arc::new(line), start });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Stream, Timestamp};

    fn lines(range: RangeInclusive<u64>) -> Vec<Line> {
        range
            .map(|seq| Line {
                seq,
                timestamp: Timestamp(0),
                stream: Stream::Stdout,
                line: format!("line {seq}"),
                continues: false,
                steps: Vec::new(),
            })
            .collect()
    }

    fn page(range: RangeInclusive<u64>, total: u64) -> OutputPage {
        OutputPage { lines: lines(range), total, next: None, error: None }
    }

    fn held(lines: &Lines) -> usize {
        lines.window.len() + lines.tail.len()
    }

    #[test]
    fn following_holds_the_newest_lines_and_a_bounded_number() {
        let mut log = Lines::new(&page(1..=100, 100));
        for start in (101..50_000).step_by(100) {
            log.append(lines(start..=start + 99), &(start.saturating_sub(50)..=start));
        }
        assert_eq!(log.total(), 50_000);
        assert!(held(&log) <= WINDOW + TAIL);
        assert!((48_200..=50_000).all(|seq| log.get(seq).is_some_and(|entry| entry.line.seq == seq)));
    }

    #[test]
    fn a_line_that_is_here_already_is_dropped() {
        let mut log = Lines::new(&page(1..=10, 10));
        log.append(lines(5..=12), &(1..=10));
        assert_eq!(log.total(), 12);
        assert_eq!(held(&log), 12);
    }

    #[test]
    fn what_somebody_reads_stays_while_new_lines_come() {
        let mut log = Lines::new(&page(1..=200, 200));
        for start in (201..5_000).step_by(200) {
            log.append(lines(start..=start + 199), &(120..=180));
        }
        assert!((120..=180).all(|seq| log.get(seq).is_some()));
        assert!(log.get(log.total()).is_some());
        assert!(held(&log) <= WINDOW + TAIL);
    }

    #[test]
    fn a_jump_replaces_the_window_and_scrolling_extends_it() {
        let mut log = Lines::new(&page(1..=200, 1_000_000));
        log.insert(lines(500_000..=500_399), 500_100);
        assert!(log.get(1).is_none());
        log.insert(lines(499_600..=499_999), 499_900);
        log.insert(lines(500_350..=500_749), 500_300);
        assert!((499_600..=500_749).all(|seq| log.get(seq).is_some_and(|entry| entry.line.seq == seq)));
    }

    #[test]
    fn a_full_window_makes_room_far_from_the_reader() {
        let mut log = Lines::new(&page(1..=1_500, 10_000));
        log.insert(lines(1_501..=1_900), 1_600);
        assert!(log.get(1).is_none() && log.get(1_900).is_some());
        log.insert(lines(100..=400), 300);
        assert!(log.get(100).is_some() && log.get(1_900).is_none());
    }

    #[test]
    fn missing_lines_are_fetched_up_to_the_known_ones() {
        let log = Lines::new(&page(1_000..=1_399, 10_000));
        assert_eq!(log.missing(&(1_100..=1_200)), None);
        assert_eq!(log.missing(&(950..=1_050)), Some(999 - FETCH));
        assert_eq!(log.missing(&(1_350..=1_450)), Some(1_399));
        assert_eq!(log.missing(&(5_000..=5_050)), Some(4_999 - FETCH / 4));
        assert_eq!(log.missing(&(9_990..=10_050)), Some(9_989 - FETCH / 4));
        assert_eq!(Lines::default().missing(&(1..=50)), None);
    }

    #[test]
    fn colours_go_on_over_lines_that_follow_each_other() {
        let mut red = lines(1..=2);
        red[0].line = "\x1b[31mred".to_owned();
        let log = Lines::new(&OutputPage { lines: red, total: 2, next: None, error: None });
        assert_ne!(log.get(2).unwrap().start, Style::default());
    }
}
