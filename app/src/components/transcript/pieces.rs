//! The pieces of a transcript that are in the document: consecutive ones around the reader, never all. They are elements that
//! the server made; what there is to know of them stands in their attributes.

use leptos::{
    html::{Div, Span},
    prelude::*,
    task::spawn_local,
};
use server_fn::ServerFn;
use wasm_bindgen::JsCast;
use web_sys::Element;

use super::PIECE;
use crate::{
    api::ReadTranscript,
    components::log_view::Log,
    live::ask,
    model::{JobId, TranscriptPage},
};

/// How many pieces are held at most.
const MOST: usize = 8;
/// The next piece is fetched when fewer pixels than this are left beyond an edge of the screen.
const MARGIN: i32 = 1200;

#[derive(Clone, Copy)]
pub struct Pieces {
    id: JobId,
    attempt: u32,
    log: Log,
    pub scroller: NodeRef<Div>,
    pub lists: NodeRef<Div>,
    pub standing: NodeRef<Span>,
    pub following: RwSignal<bool>,
    /// There are steps.
    pub shown: RwSignal<bool>,
    /// Rings whenever steps came or went.
    pub changed: Trigger,
    progress: StoredValue<Progress>,
}

/// What nothing on the page depends on.
#[derive(Clone, Copy, Default)]
struct Progress {
    /// The step that is marked: the one at this line, or before it.
    marked: Option<u64>,
    /// How far it is scrolled, as of the last look.
    top: i32,
    /// Pieces are on their way.
    busy: bool,
    /// Somebody wants newer ones afterwards.
    again: bool,
    /// Other pieces are on their way: where these are scrolled to means nothing.
    jumping: bool,
    /// Counts jumps: what was asked for before one is not wanted after it.
    jumps: u32,
}

/// An edge of the pieces that are held.
#[derive(Clone, Copy)]
enum Edge {
    Start,
    End,
}

impl Pieces {
    pub fn new(log: Log, id: JobId, attempt: u32, standing: NodeRef<Span>) -> Self {
        Self {
            id,
            attempt,
            log,
            scroller: NodeRef::new(),
            lists: NodeRef::new(),
            standing,
            following: RwSignal::new(true),
            shown: RwSignal::new(false),
            changed: Trigger::new(),
            progress: StoredValue::new(Progress::default()),
        }
    }

    /// Where things stand; of a transcript that is gone, as at the beginning.
    fn now(self) -> Progress {
        self.progress.try_get_value().unwrap_or_default()
    }

    /// Whether the page still shows what the last jump led to.
    fn is_after(self, jump: u32) -> bool {
        self.progress.try_get_value().is_some_and(|progress| progress.jumps == jump)
    }

    fn set(self, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.now();
        change(&mut progress);
        self.progress.try_set_value(progress);
    }

    /// Takes the server's pieces over, or asks for the last ones.
    pub fn begin(self) {
        if let Some(scroller) = self.scroller.get_untracked() {
            // Fails for no name that a browser accepts.
            let _ = scroller.remove_attribute("data-start");
        }
        if self.held().is_empty() {
            self.follow();
        } else {
            self.shown.set(true);
            self.to_end();
        }
    }

    /// Goes to the end and stays there.
    pub fn follow(self) {
        self.following.set(true);
        if self.held().last().is_some_and(|list| is(list, "data-last")) {
            self.to_end();
        } else {
            self.jump_to_end();
        }
    }

    /// Shows the step at a line, or the last one before it, and marks it.
    pub fn show_line(self, seq: u64) {
        self.following.set(false);
        let piece = seq.saturating_sub(1) / PIECE * PIECE;
        // A step may have begun in the piece before.
        let held = self.held();
        let has = |after: u64| held.iter().any(|list| after_of(list) == after);
        if has(piece) && has(piece.saturating_sub(PIECE)) {
            return self.mark(seq);
        }
        let mut wanted = vec![piece.saturating_sub(PIECE), piece];
        wanted.extend(Some(piece + PIECE).filter(|after| *after < self.log.total()));
        self.jump(wanted, Some(seq));
    }

    /// Marks a step that is here and brings it to the upper third of the screen.
    pub fn mark(self, seq: u64) {
        self.set(|progress| progress.marked = Some(seq));
        if let (Some(step), Some(scroller)) = (self.show_mark(), self.scroller.get_untracked()) {
            let distance = step.get_bounding_client_rect().top() - scroller.get_bounding_client_rect().top();
            let third = scroller.client_height() / 3;
            self.scroll_to(scroller.scroll_top() + distance as i32 - third);
        }
    }

    /// The line of the first step on the screen.
    pub fn first_seen(self) -> u64 {
        let Some(scroller) = self.scroller.get_untracked() else { return 1 };
        let top = scroller.get_bounding_client_rect().top();
        self.steps().iter().find(|step| step.get_bounding_client_rect().bottom() > top).map_or(1, seq_of)
    }

    /// Lines came: asks again for the pieces that may have changed, and for new ones while the reader is at the end.
    pub fn renew(self) {
        if self.now().busy {
            return self.set(|progress| progress.again = true);
        }
        let held = self.held();
        let behind = held.last().map_or(0, |list| self.log.total().saturating_sub(after_of(list)));
        if held.is_empty() || (self.following.get_untracked() && behind > MOST as u64 / 2 * PIECE) {
            return self.jump_to_end();
        }
        let wanted: Vec<u64> =
            held.iter().filter(|list| is(list, "data-open") || is(list, "data-last")).map(after_of).collect();
        self.load(wanted, Edge::End);
    }

    fn jump_to_end(self) {
        let last = self.log.total().saturating_sub(1) / PIECE * PIECE;
        self.jump(vec![last.saturating_sub(PIECE), last], None);
    }

    /// Somebody scrolled: fetches what comes next, and follows the end only if they are there.
    pub fn scrolled(self) {
        let Some(scroller) = self.scroller.get_untracked() else { return };
        let held = self.held();
        let (Some(first), Some(last), false) = (held.first(), held.last(), self.now().jumping) else {
            return;
        };
        let top = scroller.scroll_top();
        let moved = top - self.now().top;
        self.set(|progress| progress.top = top);
        let below = scroller.scroll_height() - scroller.client_height() - top;
        let at_end = is(last, "data-last") && below < 8;
        if self.following.get_untracked() != at_end && (at_end || moved < 0) {
            self.following.set(at_end);
        }
        if self.now().busy {
            return;
        }
        if top < MARGIN && after_of(first) > 0 {
            self.load(vec![after_of(first) - PIECE], Edge::Start);
        } else if below < MARGIN && !is(last, "data-last") {
            self.load(vec![after_of(last) + PIECE], Edge::End);
        }
    }

    /// Fetches pieces that adjoin those that are here, making room at the other edge.
    fn load(self, wanted: Vec<u64>, edge: Edge) {
        self.set(|progress| (progress.busy, progress.again) = (true, false));
        let jump = self.now().jumps;
        spawn_local(async move {
            let mut wanted = wanted;
            while let Some(after) = wanted.first().copied() {
                wanted.remove(0);
                let page = self.ask(after).await;
                if !self.is_after(jump) {
                    return;
                }
                let Some(page) = page else { break };
                self.put(after, &page);
                self.make_room(edge);
                let last = self.held().last().filter(|list| !is(list, "data-last")).map(after_of);
                if let (true, true, Some(last)) = (self.following.get_untracked(), wanted.is_empty(), last) {
                    wanted.push(last + PIECE);
                }
            }
            self.loaded();
        });
    }

    fn loaded(self) {
        self.set(|progress| (progress.busy, progress.jumping) = (false, false));
        if self.following.get_untracked() {
            self.to_end();
        } else {
            // It may not fill the screen yet.
            self.scrolled();
        }
        if self.now().again && !self.now().busy {
            self.renew();
        }
    }

    /// Shows other pieces than those that are here, and in them the step at a line, or the end.
    fn jump(self, wanted: Vec<u64>, seq: Option<u64>) {
        let jump = self.now().jumps + 1;
        self.set(|progress| {
            (progress.jumps, progress.busy, progress.jumping) = (jump, true, true);
        });
        spawn_local(async move {
            let mut pages: Vec<(u64, TranscriptPage)> = Vec::new();
            for after in wanted {
                if pages.iter().all(|(known, _)| *known != after)
                    && let Some(page) = self.ask(after).await
                {
                    pages.push((after, page));
                }
            }
            if !self.is_after(jump) {
                return;
            }
            if !pages.is_empty() {
                for list in self.held() {
                    list.remove();
                }
            }
            for (after, page) in &pages {
                self.put(*after, page);
            }
            match seq {
                Some(seq) => self.mark(seq),
                None => self.to_end(),
            }
            self.loaded();
        });
    }

    async fn ask(self, after: u64) -> Option<TranscriptPage> {
        let address =
            format!("{}?id={}&attempt={}&after={after}", ReadTranscript::url(), self.id, self.attempt);
        serde_json::from_str(&ask(&address).await.ok()?).ok()
    }

    /// Puts a piece where it belongs, in place of what is known of it, without moving what is on the screen.
    fn put(self, after: u64, page: &TranscriptPage) {
        if let (Some(html), Some(standing)) = (&page.standing, self.standing.get_untracked())
            && standing.inner_html() != *html
        {
            standing.set_inner_html(html);
        }
        let (Some(lists), Some(scroller)) = (self.lists.get_untracked(), self.scroller.get_untracked())
        else {
            return;
        };
        let Some(fresh) = element(&page.steps) else { return };
        let held = self.held();
        if let Some(known) = held.iter().find(|list| after_of(list) == after) {
            merge(known, &fresh);
        } else {
            let next = held.iter().find(|list| after_of(list) > after);
            let (height, top) = (scroller.scroll_height(), scroller.scroll_top());
            // Fails only where the next one is not a child.
            let _ = lists.insert_before(&fresh, next.map(AsRef::as_ref));
            if next.is_some() {
                self.scroll_to(top + scroller.scroll_height() - height);
            }
        }
        self.shown.set(true);
        self.show_mark();
        self.changed.notify();
    }

    /// Drops pieces far from the edge at which others came.
    fn make_room(self, edge: Edge) {
        let Some(scroller) = self.scroller.get_untracked() else { return };
        let held = self.held();
        // Pieces may hold few steps.
        if held.len() <= MOST || scroller.scroll_height() < 4 * MARGIN + scroller.client_height() {
            return;
        }
        let (height, top) = (scroller.scroll_height(), scroller.scroll_top());
        match edge {
            Edge::End => {
                held[0].remove();
                self.scroll_to(top + scroller.scroll_height() - height);
            }
            Edge::Start => held[held.len() - 1].remove(),
        }
    }

    fn to_end(self) {
        self.scroll_to(i32::MAX);
    }

    fn scroll_to(self, top: i32) {
        if let Some(scroller) = self.scroller.get_untracked() {
            scroller.set_scroll_top(top.max(0));
            self.set(|progress| progress.top = scroller.scroll_top());
        }
    }

    /// Makes the marked step, and no other, look so.
    fn show_mark(self) -> Option<Element> {
        let marked = self.now().marked?;
        let steps = self.steps();
        let step = steps.iter().rev().find(|step| seq_of(step) <= marked).cloned();
        for other in &steps {
            if is(other, "data-mark") {
                // These fail for no name that a browser accepts.
                let _ = other.remove_attribute("data-mark");
            }
        }
        if let Some(step) = &step {
            let _ = step.set_attribute("data-mark", "");
        }
        step
    }

    fn held(self) -> Vec<Element> {
        self.lists.get_untracked().map(|lists| children(&lists)).unwrap_or_default()
    }

    fn steps(self) -> Vec<Element> {
        self.held().iter().flat_map(children).collect()
    }
}

/// Makes a list like a fresh one. Steps that did not change stay, and those that somebody opened stay open.
fn merge(known: &Element, fresh: &Element) {
    for name in ["data-open", "data-last"] {
        // These fail for no name that a browser accepts.
        let _ = if is(fresh, name) { known.set_attribute(name, "") } else { known.remove_attribute(name) };
    }
    let old = children(known);
    let new = children(fresh);
    for step in &old {
        if new.iter().all(|other| other.id() != step.id()) {
            step.remove();
        }
    }
    for step in new {
        match old.iter().find(|other| other.id() == step.id()) {
            Some(same) if revision(same) == revision(&step) => {}
            Some(other) => {
                open_alike(other, &step);
                // These fail only for what is no child.
                let _ = known.replace_child(&step, other);
            }
            None => {
                let _ = known.append_child(&step);
            }
        }
    }
}

/// Opens what is open in the step that this one replaces.
fn open_alike(old: &Element, new: &Element) {
    let all = |step: &Element| step.query_selector_all("details").ok();
    let (Some(old), Some(new)) = (all(old), all(new)) else { return };
    for index in 0..old.length() {
        let open = old
            .item(index)
            .and_then(|details| details.dyn_into::<Element>().ok())
            .filter(|old| is(old, "open"));
        if let (Some(_), Some(new)) =
            (open, new.item(index).and_then(|details| details.dyn_into::<Element>().ok()))
        {
            // Fails for no name that a browser accepts.
            let _ = new.set_attribute("open", "");
        }
    }
}

fn element(html: &str) -> Option<Element> {
    let parent = document().create_element("div").ok()?;
    parent.set_inner_html(html);
    parent.first_element_child()
}

fn children(element: &impl AsRef<Element>) -> Vec<Element> {
    let children = element.as_ref().children();
    (0..children.length()).filter_map(|index| children.item(index)).collect()
}

fn is(element: &Element, name: &str) -> bool {
    element.has_attribute(name)
}

fn after_of(list: &Element) -> u64 {
    list.get_attribute("data-after").and_then(|after| after.parse().ok()).unwrap_or(0)
}

fn seq_of(step: &Element) -> u64 {
    step.id().get(1..).and_then(|seq| seq.parse().ok()).unwrap_or(0)
}

fn revision(step: &Element) -> Option<String> {
    step.get_attribute("data-revision")
}
