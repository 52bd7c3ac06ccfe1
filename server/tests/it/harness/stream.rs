//! A viewer: reads server-sent events as a browser does.

use std::collections::VecDeque;

use app::model::Line;
use memchr::memmem;
use reqwest::Response;
use serde_json::Value;

use super::wait::LIMIT;

#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub name: String,
    pub id: Option<u64>,
    pub data: Value,
}

impl Event {
    /// The lines that an `output` event carries, alone or in an array; none for others.
    pub fn lines(&self) -> Vec<Line> {
        if self.name != "output" {
            return Vec::new();
        }
        let items = match &self.data {
            Value::Array(items) => items.clone(),
            item => vec![item.clone()],
        };
        items.into_iter().map(|line| serde_json::from_value(line).unwrap()).collect()
    }
}

/// All lines of some events.
pub fn lines_of(events: &[Event]) -> Vec<Line> {
    events.iter().flat_map(Event::lines).collect()
}

/// An open stream.
pub struct EventStream {
    pub response: Response,
    events: VecDeque<Event>,
    /// The beginning of an event whose end has not come yet.
    partial: Vec<u8>,
    /// How many comments came; they keep proxies awake and mean nothing.
    pub comments: usize,
}

impl EventStream {
    pub fn new(response: Response) -> Self {
        Self { response, events: VecDeque::new(), partial: Vec::new(), comments: 0 }
    }

    /// The next event; `None` at the end of the stream, which a server that is killed brings about as well.
    pub async fn next(&mut self) -> Option<Event> {
        while self.events.is_empty() {
            let chunk =
                tokio::time::timeout(LIMIT, self.response.chunk()).await.expect("the stream went silent");
            let Ok(Some(chunk)) = chunk else { return None };
            self.partial.extend_from_slice(&chunk);
            let mut start = 0;
            for end in memmem::find_iter(&self.partial, "\n\n") {
                match parse(std::str::from_utf8(&self.partial[start..end]).unwrap()) {
                    Some(event) => self.events.push_back(event),
                    None => self.comments += 1,
                }
                start = end + 2;
            }
            self.partial.drain(..start);
        }
        self.events.pop_front()
    }

    /// The next event with this name; others are skipped.
    pub async fn next_named(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("the stream ended before `{name}`"));
            if event.name == name {
                return event;
            }
        }
    }

    /// Everything until the stream ends.
    pub async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    /// Lines until there are `count`, or the stream ends.
    pub async fn take_lines(&mut self, count: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        while lines.len() < count {
            let Some(event) = self.next().await else { break };
            lines.extend(event.lines());
        }
        lines
    }
}

/// One block of the stream; `None` for a comment.
fn parse(block: &str) -> Option<Event> {
    let (mut name, mut id, mut data) = (None, None, None);
    for line in block.lines().filter(|line| !line.is_empty() && !line.starts_with(':')) {
        let (field, value) = line.split_once(": ").unwrap_or_else(|| panic!("no field: {line}"));
        match field {
            "event" => name = Some(value.to_owned()),
            "id" => id = Some(value.parse().unwrap()),
            "data" => data = Some(serde_json::from_str(value).unwrap()),
            _ => panic!("an unknown field: {line}"),
        }
    }
    Some(Event { name: name?, id, data: data? })
}
