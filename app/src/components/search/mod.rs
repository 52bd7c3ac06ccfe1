//! Finding text in the whole output of an attempt. The server looks; the browser goes from match to match.

mod marks;

use std::time::Duration;

use leptos::{
    ev::KeyboardEvent,
    html::{Div, Input},
    leptos_dom::helpers::TimeoutHandle,
    prelude::*,
    task::spawn_local,
};

use super::{Shape, icon, log_view::Log, transcript::Pieces, words::count_text};
use crate::{
    live::ask,
    model::{JobId, OutputMatches},
};

/// The server is asked when nobody has typed for so long.
const DEBOUNCE: Duration = Duration::from_millis(250);
/// How many matches one request brings.
const MATCHES: usize = 200;
/// Beyond every line.
const END: u64 = 1 << 52;

/// A view of an attempt's output.
#[derive(Clone, Copy)]
pub enum Output {
    Lines(Log),
    Steps(Pieces),
}

impl Output {
    /// Whether it stays at the end.
    pub fn following(self) -> RwSignal<bool> {
        match self {
            Self::Lines(log) => log.following,
            Self::Steps(pieces) => pieces.following,
        }
    }

    pub fn follow(self) {
        match self {
            Self::Lines(log) => log.follow(),
            Self::Steps(pieces) => pieces.follow(),
        }
    }

    /// The line at the top of the screen.
    fn first_seen(self) -> u64 {
        match self {
            Self::Lines(log) => log.first_seen(),
            Self::Steps(pieces) => pieces.first_seen(),
        }
    }

    /// Brings a line to the screen and marks it.
    fn show(self, seq: u64) {
        match self {
            Self::Lines(log) => {
                log.linked.set(Some(seq));
                log.go_to_line(seq);
            }
            Self::Steps(pieces) => pieces.show_line(seq),
        }
    }
}

/// What is looked for in an attempt's output, in whichever view.
#[derive(Clone, Copy)]
pub struct Search {
    text: RwSignal<String>,
    found: RwSignal<Option<Found>>,
    input: NodeRef<Input>,
    timer: StoredValue<Option<TimeoutHandle>>,
    /// Counts requests: only the last one's answer is wanted.
    asked: StoredValue<u32>,
}

/// A run of matches, and the one that is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Found {
    seqs: Vec<u64>,
    /// How many come before them.
    first: u64,
    total: u64,
    /// There may be more than the server counted.
    more: bool,
    index: usize,
}

/// Where to go from the match that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Next,
    Previous,
}

/// A step that the known matches allow, or what to ask the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    To(usize),
    After(u64),
    Before(u64),
}

impl Found {
    /// After the last match comes the first.
    fn way(&self, step: Step) -> Way {
        let after_these = self.first + self.seqs.len() as u64;
        match step {
            Step::Next if self.index + 1 < self.seqs.len() => Way::To(self.index + 1),
            Step::Next if after_these < self.total => Way::After(self.seqs.last().copied().unwrap_or(0)),
            Step::Next => Way::After(0),
            Step::Previous if self.index > 0 => Way::To(self.index - 1),
            Step::Previous if self.first > 0 => Way::Before(self.seqs.first().copied().unwrap_or(END)),
            Step::Previous => Way::Before(END),
        }
    }

    fn label(&self) -> String {
        if self.total == 0 {
            return "Nothing found".to_owned();
        }
        let number = count_text(self.first + self.index as u64 + 1);
        format!("{number} of {}{}", count_text(self.total), if self.more { "+" } else { "" })
    }
}

impl Search {
    pub fn new() -> Self {
        Self {
            text: RwSignal::new(String::new()),
            found: RwSignal::new(None),
            input: NodeRef::new(),
            timer: StoredValue::new(None),
            asked: StoredValue::new(0),
        }
    }

    /// Puts the keyboard into the field if the key asks for it.
    pub fn take_key(self, event: &KeyboardEvent) {
        if event.key().eq_ignore_ascii_case("f") && (event.ctrl_key() || event.meta_key()) {
            event.prevent_default();
            self.focus();
        }
    }

    pub fn focus(self) {
        if let Some(input) = self.input.get_untracked() {
            // Fails for no field that is shown.
            let _ = input.focus();
            input.select();
        }
    }

    /// Marks the text in what `rows` shows, whenever either changes.
    pub fn mark(self, rows: NodeRef<Div>, changed: impl Fn() + 'static) {
        Effect::new(move |_| {
            changed();
            let text = self.text.get();
            request_animation_frame(move || {
                if let Some(Some(rows)) = rows.try_get_untracked() {
                    marks::mark(Some(&rows), &text);
                }
            });
        });
        on_cleanup(|| marks::mark(None, ""));
    }
}

/// The field with its count and buttons.
pub fn search_field(search: Search, id: JobId, attempt: u32, output: Output) -> impl IntoView {
    let request = move |way: Way| {
        let number = search.asked.get_value() + 1;
        search.asked.set_value(number);
        let text = search.text.get_untracked();
        if text.is_empty() {
            return search.found.set(None);
        }
        spawn_local(async move {
            let mut found = ask_for(id, attempt, &text, way).await;
            // None from here on: from the start.
            if let (Some(none), Way::After(1..)) = (&found, way)
                && none.seqs.is_empty()
                && none.total > 0
            {
                found = ask_for(id, attempt, &text, Way::After(0)).await;
            }
            if search.asked.try_get_value() != Some(number) {
                return;
            }
            if let Some(seq) = found.as_ref().and_then(|found| found.seqs.get(found.index)) {
                output.show(*seq);
            }
            search.found.set(found);
        });
    };
    let step = move |step: Step| match search
        .found
        .with_untracked(|found| found.as_ref().map(|found| found.way(step)))
    {
        Some(Way::To(index)) => {
            let seq = search.found.try_update(|found| {
                let found = found.as_mut()?;
                found.index = index;
                found.seqs.get(index).copied()
            });
            if let Some(seq) = seq.flatten() {
                output.show(seq);
            }
        }
        Some(way) => request(way),
        None => request(Way::After(output.first_seen().saturating_sub(1))),
    };
    let stop_timer = move || {
        if let Some(Some(timer)) = search.timer.try_get_value() {
            timer.clear();
        }
    };
    let typed = move |event| {
        search.text.set(event_target_value(&event));
        stop_timer();
        let ask = move || request(Way::After(output.first_seen().saturating_sub(1)));
        search.timer.set_value(set_timeout_with_handle(ask, DEBOUNCE).ok());
    };
    let key = move |event: KeyboardEvent| match event.key().as_str() {
        "Enter" => {
            event.prevent_default();
            step(if event.shift_key() { Step::Previous } else { Step::Next });
        }
        "Escape" => {
            search.text.set(String::new());
            search.found.set(None);
            if let Some(input) = search.input.get_untracked() {
                // Fails for no field that is shown.
                let _ = input.blur();
            }
        }
        _ => {}
    };
    on_cleanup(stop_timer);

    view! {
        <div class="log-search" role="search">
            {icon(Shape::Search)}
            <input
                type="search"
                aria-label="Find in the output"
                placeholder="Find"
                title="Find in the whole output (/)"
                autocomplete="off"
                spellcheck="false"
                node_ref=search.input
                prop:value=move || search.text.get()
                on:input=typed
                on:keydown=key
            />
            <span class="log-found" role="status">
                {move || search.found.with(|found| found.as_ref().map(Found::label).unwrap_or_default())}
            </span>
            {[(Shape::Up, "Previous match (Shift Enter)", Step::Previous), (Shape::Down, "Next match (Enter)", Step::Next)]
                .map(|(shape, label, which)| view! {
                    <button
                        class="log-tool"
                        type="button"
                        title=label
                        hidden=move || search.found.with(|found| found.as_ref().is_none_or(|found| found.total == 0))
                        on:click=move |_| step(which)
                    >
                        {icon(shape)}
                        <span class="sr-only">{label}</span>
                    </button>
                })
                .into_iter()
                .collect_view()}
        </div>
    }
}

/// Nothing when the server cannot be asked.
async fn ask_for(id: JobId, attempt: u32, text: &str, way: Way) -> Option<Found> {
    let place = match way {
        Way::Before(seq) => format!("before={seq}"),
        Way::After(seq) => format!("after={seq}"),
        Way::To(_) => return None,
    };
    let text = String::from(js_sys::encode_uri_component(text));
    let address = format!("/api/jobs/{id}/output/search?attempt={attempt}&{place}&limit={MATCHES}&q={text}");
    let answer = ask(&address).await.ok()?;
    let OutputMatches { matches, first, total, searched_to } = serde_json::from_str(&answer).ok()?;
    let seqs: Vec<u64> = matches.into_iter().map(|one| one.seq).collect();
    let index = if matches!(way, Way::Before(_)) { seqs.len().saturating_sub(1) } else { 0 };
    Some(Found { seqs, first, total, more: searched_to.is_some(), index })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_round() {
        let mut found = Found { seqs: vec![10, 20], first: 3, total: 7, more: false, index: 0 };
        assert_eq!(found.way(Step::Next), Way::To(1));
        assert_eq!(found.way(Step::Previous), Way::Before(10));
        found.index = 1;
        assert_eq!(found.way(Step::Next), Way::After(20));
        assert_eq!(found.way(Step::Previous), Way::To(0));
        let all = Found { seqs: vec![10], first: 0, total: 1, more: false, index: 0 };
        assert_eq!(all.way(Step::Next), Way::After(0));
        assert_eq!(all.way(Step::Previous), Way::Before(END));
    }

    #[test]
    fn the_label_counts_from_one() {
        let found = Found { seqs: vec![10, 20], first: 1_000, total: 10_000, more: true, index: 1 };
        assert_eq!(found.label(), "1,002 of 10,000+");
        assert_eq!(Found::default().label(), "Nothing found");
    }
}
