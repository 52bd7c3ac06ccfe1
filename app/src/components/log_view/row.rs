//! One line of the log.

use leptos::prelude::*;
use serde::Serialize;

use super::{ansi, lines::Entry};
use crate::model::{Stream, Timestamp};

/// What a row shows. A row never changes: another key makes another row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub seq: u64,
    /// Absent until the line was fetched.
    pub entry: Option<Entry>,
    pub time: Time,
    pub mark: Mark,
}

/// Whether rows show when their line was printed, in the browser's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Time {
    Hidden,
    /// Shown for a zone that is this many minutes behind UTC, as JavaScript counts.
    Shown(i32),
}

/// What is special about a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Mark {
    None,
    /// The address names it.
    Linked,
    /// It is the first that looks like an error.
    Error,
}

impl Row {
    pub fn key(&self) -> (u64, bool, Time, Mark) {
        (self.seq, self.entry.is_some(), self.time, self.mark)
    }
}

pub fn row_view(row: Row) -> impl IntoView {
    let Row { seq, entry, time, mark } = row;
    let line = entry.as_ref().map(|entry| entry.line.clone());
    let stream = line.as_ref().map_or("absent", |line| line.stream.as_str());
    let continues = line.as_ref().is_some_and(|line| line.continues);
    let time = line.and_then(|line| match time {
        Time::Hidden => None,
        Time::Shown(zone) => Some(view! { <span class="line-time">{time_text(line.timestamp, zone)}</span> }),
    });
    view! {
        <li
            class="line"
            data-stream=stream
            data-mark=match mark {
                Mark::None => None,
                Mark::Linked => Some("linked"),
                Mark::Error => Some("error"),
            }
            data-continues=continues.then_some("")
        >
            <a class="line-number" tabindex="-1" href=format!("#L{seq}")>{seq}</a>
            {time}
            <span class="line-text">{entry.map(text)}</span>
        </li>
    }
}

fn text(entry: Entry) -> Vec<impl IntoView> {
    // Millrace's own lines are plain and leave the program's colours alone.
    let start = if entry.line.stream == Stream::System { ansi::Style::default() } else { entry.start };
    ansi::parse(&entry.line.line, start)
        .0
        .into_iter()
        .map(|span| {
            let classes = Some(span.style.classes()).filter(|classes| !classes.is_empty());
            view! { <span class=classes style=span.style.inline()>{span.text}</span> }
        })
        .collect()
}

/// `14:05:09.123`
fn time_text(at: Timestamp, zone: i32) -> String {
    let millis = (at.0 - i64::from(zone) * 60_000).rem_euclid(86_400_000);
    let (seconds, millis) = (millis / 1000, millis % 1000);
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_its_zone() {
        assert_eq!(time_text(Timestamp(1_738_332_309_123), 0), "14:05:09.123");
        assert_eq!(time_text(Timestamp(1_738_332_309_123), -120), "16:05:09.123");
        assert_eq!(time_text(Timestamp(1_738_332_309_123), 900), "23:05:09.123");
    }
}
