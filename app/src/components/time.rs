//! Times and durations. The server writes absolute UTC; the relative text comes once the page's clock runs.

use leptos::prelude::*;

use crate::{live::Clock, model::Timestamp};

/// How long ago something was, or how long it still takes; the exact time is its title.
pub fn ago(clock: Clock, at: Timestamp) -> impl IntoView {
    let text = move || match clock.now() {
        Some(now) => relative_text(at, now),
        None => clock_text(at),
    };
    view! { <time datetime=iso_text(at) title=utc_text(at)>{text}</time> }
}

/// When something will be, as in "starts in 3 s"; the exact time is its title.
pub fn upcoming(clock: Clock, at: Timestamp) -> impl IntoView {
    view! { <time datetime=iso_text(at) title=utc_text(at)>{move || when_text(at, clock.now())}</time> }
}

/// The time from `since` to `until`, or a running one while `until` is not known.
pub fn elapsed(clock: Clock, since: Option<Timestamp>, until: Option<Timestamp>) -> impl IntoView {
    move || match (since, until) {
        (Some(since), Some(until)) => duration_text(until.millis_since(since)),
        (Some(since), None) => {
            clock.now().map(|now| seconds_text(now.millis_since(since) / 1000)).unwrap_or_default()
        }
        (None, _) => String::new(),
    }
}

/// A time of two units at most: `340 ms`, `4.2 s`, `1m 05s`, `2h 03m`.
pub fn duration_text(millis: i64) -> String {
    match millis {
        ..1_000 => format!("{millis} ms"),
        1_000..10_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        _ => seconds_text(millis / 1000),
    }
}

pub fn seconds_text(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Where a time lies, seen from `now`: `12 min ago`, `in 3 s`.
pub fn relative_text(at: Timestamp, now: Timestamp) -> String {
    if at > now { when_text(at, Some(now)) } else { ago_text(now.millis_since(at) / 1000) }
}

fn ago_text(seconds: i64) -> String {
    match seconds {
        ..5 => "just now".to_owned(),
        5..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// A time of one unit, for what nobody knows exactly: `7 s`, `20 min`, `3 h`.
pub fn rough_text(millis: i64) -> String {
    // Up, so that nothing starts in no time.
    match (millis + 999) / 1000 {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ 60..5400 => format!("{} min", (seconds + 30) / 60),
        seconds @ 5400..172_800 => format!("{} h", (seconds + 1800) / 3600),
        seconds => format!("{} days", (seconds + 43_200) / 86_400),
    }
}

/// When something will be: `in 3 s` where the clock runs, `at 14:05 UTC` where it does not, `now` once it is due.
pub fn when_text(at: Timestamp, now: Option<Timestamp>) -> String {
    match now {
        Some(now) if at <= now => "now".to_owned(),
        Some(now) => format!("in {}", rough_text(at.millis_since(now))),
        None => format!("at {}", clock_text(at)),
    }
}

/// A point in time as the calendar has it, UTC.
struct Calendar {
    year: i64,
    month: usize,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl From<Timestamp> for Calendar {
    /// Days to a date after Howard Hinnant's `civil_from_days`: years begin in March, so that the leap day is the last.
    fn from(timestamp: Timestamp) -> Self {
        let seconds = timestamp.0.div_euclid(1000);
        let (days, second_of_day) = (seconds.div_euclid(86_400) + 719_468, seconds.rem_euclid(86_400));
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = if march_month < 10 { march_month + 2 } else { march_month - 10 };
        Self {
            year: era * 400 + year_of_era + i64::from(month < 2),
            month: month as usize,
            day: day_of_year - (153 * march_month + 2) / 5 + 1,
            hour: second_of_day / 3600,
            minute: second_of_day / 60 % 60,
            second: second_of_day % 60,
        }
    }
}

/// `31 Jan 2025, 14:05:09 UTC`
pub fn utc_text(at: Timestamp) -> String {
    let Calendar { year, month, day, hour, minute, second } = at.into();
    format!("{day} {} {year}, {hour:02}:{minute:02}:{second:02} UTC", MONTHS[month])
}

/// `14:05 UTC`: as narrow as the relative text that takes its place.
pub fn clock_text(at: Timestamp) -> String {
    let Calendar { hour, minute, .. } = at.into();
    format!("{hour:02}:{minute:02} UTC")
}

/// `2025-01-31T14:05:09Z`
fn iso_text(at: Timestamp) -> String {
    let Calendar { year, month, day, hour, minute, second } = at.into();
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", month + 1)
}

/// A time on a page that the server renders anew whenever something changes, and so by its own clock.
#[cfg(feature = "ssr")]
pub fn moment(at: Timestamp, now: Timestamp) -> impl IntoView {
    view! { <time datetime=iso_text(at) title=utc_text(at)>{relative_text(at, now)}</time> }
}

/// When something will be, on such a page.
#[cfg(feature = "ssr")]
pub fn due(at: Timestamp, now: Timestamp) -> impl IntoView {
    view! { <time datetime=iso_text(at) title=utc_text(at)>{when_text(at, Some(now))}</time> }
}

/// An hour that somebody else named, on such a page.
#[cfg(feature = "ssr")]
pub fn hour(at: Timestamp) -> impl IntoView {
    view! { <time datetime=iso_text(at) title=utc_text(at)>{clock_text(at)}</time> }
}

/// `2025-01-31T14:05`, as a field for a time takes it; UTC.
#[cfg(feature = "ssr")]
pub fn form_time(at: Timestamp) -> String {
    iso_text(at).chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_around_leap_days_and_before_the_epoch() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (951_868_800_000, "2000-03-01T00:00:00Z"),
            (1_738_332_309_000, "2025-01-31T14:05:09Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(iso_text(Timestamp(millis)), text);
        }
        assert_eq!(utc_text(Timestamp(1_738_332_309_000)), "31 Jan 2025, 14:05:09 UTC");
    }

    #[test]
    fn durations_have_two_units_at_most() {
        for (millis, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_050, "1.0 s"),
            (9_990, "9.9 s"),
            (59_999, "59 s"),
            (65_000, "1m 05s"),
            (7_380_000, "2h 03m"),
        ] {
            assert_eq!(duration_text(millis), text);
        }
    }

    #[test]
    fn what_was_a_moment_ago_was_just_now() {
        assert_eq!(ago_text(0), "just now");
        assert_eq!(ago_text(59), "59 s ago");
        assert_eq!(ago_text(60), "1 min ago");
        assert_eq!(ago_text(172_800), "2 d ago");
    }
}
