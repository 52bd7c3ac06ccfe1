//! Cursors of lists: where a page ended, and of which list under which filter. With another one it would skip or repeat.

use app::model::{ApiError, JobFilter};
use sha2::{Digest, Sha256};

/// The lists that have cursors. They are in different orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    Newest,
    Finished,
}

/// The cursor for what comes after `place`. The browser makes one for another place of the same list by replacing all that is
/// before the last point.
pub fn encode(list: List, filter: &JobFilter, place: &str) -> String {
    format!("{place}.{}", mark(list, filter))
}

/// The place that the filter's cursor names, if it has one.
pub fn decode(list: List, filter: &JobFilter) -> Result<Option<&str>, ApiError> {
    let Some(cursor) = filter.cursor.as_deref().filter(|cursor| !cursor.is_empty()) else { return Ok(None) };
    match cursor.rsplit_once('.') {
        Some((place, marked)) if marked == mark(list, filter) => Ok(Some(place)),
        _ => Err(wrong()),
    }
}

pub fn wrong() -> ApiError {
    ApiError::invalid(
        "cursor",
        "This cursor is from another list or another filter. Begin again without one, and keep the filter from page to page.",
    )
}

/// Says of which list a cursor is. It guards against mistakes, not against people: what a cursor leads to is checked anyway.
fn mark(list: List, filter: &JobFilter) -> String {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let words: Vec<&str> = filter.q.as_deref().unwrap_or_default().split_whitespace().collect();
    let asked =
        format!("{list:?} {:?} {:?} {:?} {words:?}", filter.state, filter.kind, given(&filter.repository));
    Sha256::digest(asked)[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use app::model::{JobState, Kind};

    use super::*;

    fn filter(words: &str) -> JobFilter {
        JobFilter { q: Some(words.to_owned()), ..JobFilter::default() }
    }

    fn with(filter: &JobFilter, cursor: &str) -> JobFilter {
        JobFilter { cursor: Some(cursor.to_owned()), ..filter.clone() }
    }

    #[test]
    fn a_cursor_leads_on_in_its_own_list() {
        let cursor = encode(List::Finished, &filter("a b"), "17.x");
        assert_eq!(decode(List::Finished, &with(&filter(" a  b "), &cursor)).unwrap(), Some("17.x"));
        let none = encode(List::Newest, &JobFilter::default(), "x");
        let empty =
            JobFilter { q: Some(String::new()), repository: Some(String::new()), ..JobFilter::default() };
        assert_eq!(decode(List::Newest, &with(&empty, &none)).unwrap(), Some("x"));
        assert_eq!(decode(List::Newest, &empty).unwrap(), None);
    }

    #[test]
    fn a_cursor_of_another_list_or_filter_is_refused() {
        let cursor = encode(List::Newest, &filter("a"), "x");
        let others = [
            filter("b"),
            JobFilter { state: Some(JobState::Failed), ..filter("a") },
            JobFilter { kind: Some(Kind::Command), ..filter("a") },
            JobFilter { repository: Some("r".to_owned()), ..filter("a") },
        ];
        for other in others {
            assert!(decode(List::Newest, &with(&other, &cursor)).is_err(), "{other:?}");
        }
        assert!(decode(List::Finished, &with(&filter("a"), &cursor)).is_err());
        for nonsense in ["x", ".", "x.00000000"] {
            assert!(decode(List::Newest, &with(&filter("a"), nonsense)).is_err());
        }
    }
}
