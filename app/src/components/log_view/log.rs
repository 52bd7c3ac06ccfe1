//! The state of a log view: which lines are here, which are rendered, and where they stand.

use std::{ops::RangeInclusive, time::Duration};

use leptos::{
    html::{Div, Ol},
    leptos_dom::helpers::TimeoutHandle,
    prelude::*,
};
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::{
    geometry::{ROW, line_at, rendered, space_height, top_of},
    lines::Lines,
    row::{Mark, Row, Time},
};
use crate::model::{Line, OutputPage};

/// How many rows the server renders: more than a tall screen shows.
const FIRST_ROWS: u64 = 100;
/// Rows are rendered anew when fewer pixels than this are left beyond an edge of the screen.
const MARGIN: f64 = 10.0 * ROW;
/// The scrolled space is put right when nobody has scrolled for so long.
const SETTLE: Duration = Duration::from_millis(120);

/// What a log shows first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The last lines, following new ones.
    End,
    /// The first line of the page that it was given.
    Page,
}

/// The line that stays where it is while rows around it come and go.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    seq: u64,
    /// Pixels from the top of the screen.
    y: f64,
}

/// Where things stand in the scrolled space, in pixels.
#[derive(Clone, Copy, Debug)]
struct Placement {
    anchor: Anchor,
    /// How far the space is scrolled, as of the last look.
    top: f64,
    /// Where the rendered rows begin.
    rows: f64,
}

/// A log as the page and its view share it.
#[derive(Clone, Copy)]
pub struct Log {
    pub start: Start,
    pub following: RwSignal<bool>,
    pub wrapped: RwSignal<bool>,
    pub time: RwSignal<Time>,
    /// The line that the address names.
    pub linked: RwSignal<Option<u64>>,
    /// The first line that looks like an error.
    error: Option<u64>,
    pub(super) lines: RwSignal<Lines>,
    /// The lines that are rendered, from and to.
    pub(super) shown: RwSignal<(u64, u64)>,
    pub(super) scroller: NodeRef<Div>,
    pub(super) space: NodeRef<Div>,
    pub(super) rows: NodeRef<Ol>,
    placement: StoredValue<Placement>,
    settling: StoredValue<Option<TimeoutHandle>>,
}

impl Log {
    pub fn new(page: &OutputPage, start: Start) -> Self {
        let first = page.lines.first().map_or(1, |line| line.seq);
        let last = page.lines.last().map_or(0, |line| line.seq);
        let shown = match start {
            Start::End => (first.max((last + 1).saturating_sub(FIRST_ROWS)), last),
            Start::Page => (first, last.min(first + FIRST_ROWS - 1)),
        };
        Self {
            start,
            following: RwSignal::new(start == Start::End),
            wrapped: RwSignal::new(false),
            time: RwSignal::new(Time::Hidden),
            linked: RwSignal::new(None),
            error: page.error,
            lines: RwSignal::new(Lines::new(page)),
            shown: RwSignal::new(shown),
            scroller: NodeRef::new(),
            space: NodeRef::new(),
            rows: NodeRef::new(),
            placement: StoredValue::new(Placement {
                anchor: Anchor { seq: shown.0, y: 0.0 },
                top: 0.0,
                rows: 0.0,
            }),
            settling: StoredValue::new(None),
        }
    }

    /// The first line on the screen.
    pub fn first_seen(self) -> u64 {
        self.placement.with_value(|placement| placement.anchor.seq)
    }

    /// Whoever calls this hears of new lines.
    pub fn track(self) {
        self.lines.track();
    }

    pub fn total(self) -> u64 {
        self.lines.read().total()
    }

    /// Adds lines that the stream brought.
    pub fn append(self, lines: Vec<Line>) {
        let Some((first, last)) = self.shown.try_get_untracked() else { return };
        self.lines.update(|known| known.append(lines, &(first..=last)));
        if self.following.get_untracked() {
            self.show_end();
        } else if last < first + FIRST_ROWS / 2 {
            // A log that does not fill the screen yet grows without being scrolled.
            self.show_from(first);
        }
    }

    /// Adds lines that were fetched.
    pub(super) fn insert(self, lines: Vec<Line>) {
        let Some((first, last)) = self.shown.try_get_untracked() else { return };
        self.lines.update(|known| known.insert(lines, first.midpoint(last)));
    }

    /// What is rendered now.
    pub(super) fn rendered_rows(self) -> Vec<Row> {
        let (first, last) = self.shown.get();
        let (time, linked) = (self.time.get(), self.linked.get());
        self.lines.with(|lines| {
            (first..=last)
                .map(|seq| Row {
                    seq,
                    entry: lines.get(seq).cloned(),
                    time,
                    mark: match seq {
                        _ if linked == Some(seq) => Mark::Linked,
                        _ if self.error == Some(seq) => Mark::Error,
                        _ => Mark::None,
                    },
                })
                .collect()
        })
    }

    /// Goes to the end and stays there.
    pub fn follow(self) {
        self.following.set(true);
        self.show_end();
    }

    pub fn go_to_start(self) {
        self.go_to(1, 0.0);
    }

    /// Brings a line to the upper third of the screen.
    pub fn go_to_line(self, seq: u64) {
        let third = self.viewport() / 3.0;
        self.go_to(seq.clamp(1, self.lines.read_untracked().total().max(1)), (third / ROW).floor() * ROW);
    }

    /// Brings a line to `y` pixels below the top of the screen, or as near as the first line allows.
    fn go_to(self, seq: u64, y: f64) {
        self.following.set(false);
        let y = y.min(seq.saturating_sub(1) as f64 * ROW);
        self.placement.update_value(|placement| placement.anchor = Anchor { seq, y });
        self.show_from(seq.saturating_sub((y / ROW) as u64).max(1));
        self.settle_soon();
    }

    fn show_from(self, seq: u64) {
        let total = self.lines.read_untracked().total();
        self.show(rendered(seq, self.viewport(), total));
    }

    fn show_end(self) {
        self.show_from(self.lines.read_untracked().total());
    }

    fn show(self, range: RangeInclusive<u64>) {
        let range = range.into_inner();
        if self.shown.get_untracked() != range {
            self.shown.set(range);
        }
    }

    /// The height of the screen's part that shows lines, in pixels.
    fn viewport(self) -> f64 {
        self.scroller.get_untracked().map_or(0.0, |scroller| f64::from(scroller.client_height()))
    }

    /// Puts the rendered rows where they belong: the end at the end, or the anchor where it was.
    pub(super) fn place(self) {
        let (Some(scroller), Some(rows)) = (self.scroller.get_untracked(), self.rows.get_untracked()) else {
            return;
        };
        let height = f64::from(rows.offset_height());
        let total = self.lines.read_untracked().total();
        if self.following.get_untracked() {
            self.put_rows((space_height(total) - height).max(0.0));
            scroller.set_scroll_top(i32::MAX);
            let top = f64::from(scroller.scroll_top());
            self.placement.update_value(|placement| placement.top = top);
            self.look();
            return;
        }
        let Placement { anchor, .. } = self.placement.get_value();
        let Some(offset) = self.offset_of(anchor.seq) else { return };
        let top = f64::from(scroller.scroll_top());
        self.put_rows(top + anchor.y - offset);
        self.settle_if_outside();
    }

    /// After a jump the rows may stand outside of the space: that is put right at once.
    fn settle_if_outside(self) {
        let (first, _) = self.shown.get_untracked();
        let Placement { rows, .. } = self.placement.get_value();
        if rows < 0.0 || (first == 1 && rows > 0.0) {
            self.settle();
        }
    }

    /// Moves the rows, and makes the space end with the last line.
    fn put_rows(self, top: f64) {
        let (Some(space), Some(rows)) = (self.space.get_untracked(), self.rows.get_untracked()) else {
            return;
        };
        let bottom = top + f64::from(rows.offset_height());
        let total = self.lines.read_untracked().total();
        let height =
            if self.shown.get_untracked().1 >= total { bottom } else { bottom.max(space_height(total)) };
        // These fail only for a property that does not exist.
        let _ = HtmlElement::style(&rows).set_property("top", &pixels(top));
        let _ = HtmlElement::style(&space).set_property("height", &pixels(height));
        self.placement.update_value(|placement| placement.rows = top);
    }

    /// How far below the first rendered row a line stands, in pixels.
    fn offset_of(self, seq: u64) -> Option<f64> {
        let (first, _) = self.shown.get_untracked();
        let row = self.row(u32::try_from(seq.checked_sub(first)?).ok()?)?;
        Some(f64::from(row.offset_top()))
    }

    fn row(self, index: u32) -> Option<HtmlElement> {
        self.rows.get_untracked()?.children().item(index)?.dyn_into().ok()
    }

    /// Remembers which line is at the top of the screen.
    fn look(self) {
        let (first, last) = self.shown.get_untracked();
        let Placement { top, rows, .. } = self.placement.get_value();
        for index in 0..=last.saturating_sub(first) {
            let Some(row) = self.row(u32::try_from(index).unwrap_or(u32::MAX)) else { return };
            let y = rows + f64::from(row.offset_top()) - top;
            if y + f64::from(row.offset_height()) > 0.0 || first + index == last {
                self.placement.update_value(|placement| placement.anchor = Anchor { seq: first + index, y });
                return;
            }
        }
    }

    /// Somebody scrolled: renders what they see now, and follows the end only if they are there.
    pub(super) fn scrolled(self) {
        let Some(scroller) = self.scroller.get_untracked() else { return };
        let (top, viewport) = (f64::from(scroller.scroll_top()), self.viewport());
        let total = self.lines.read_untracked().total();
        let moved = top - self.placement.with_value(|placement| placement.top);
        if moved == 0.0 {
            return;
        }
        self.placement.update_value(|placement| placement.top = top);
        let (first, last) = self.shown.get_untracked();
        let at_end = last >= total && top + viewport >= f64::from(scroller.scroll_height()) - 4.0;
        if self.following.get_untracked() != at_end && (at_end || moved < 0.0) {
            self.following.set(at_end);
        }
        if at_end {
            return;
        }

        self.look();
        let Placement { anchor, rows, .. } = self.placement.get_value();
        let bottom = rows + self.rows.get_untracked().map_or(0.0, |rows| f64::from(rows.offset_height()));
        if rows > top + viewport || bottom < top {
            let (seq, y) = line_at(top, viewport, total);
            self.placement.update_value(|placement| placement.anchor = Anchor { seq, y });
            self.show_from(seq);
        } else if (top - rows < MARGIN && first > 1) || (bottom - top - viewport < MARGIN && last < total) {
            self.show_from(anchor.seq);
        }
        self.settle_soon();
    }

    pub(super) fn resized(self) {
        if self.following.get_untracked() {
            self.show_end();
            self.place();
        } else {
            self.look();
            self.show_from(self.placement.with_value(|placement| placement.anchor.seq));
        }
    }

    fn settle_soon(self) {
        self.stop_settling();
        let handle = set_timeout_with_handle(
            move || {
                if self.shown.try_get_untracked().is_some() {
                    self.settle();
                }
            },
            SETTLE,
        );
        self.settling.set_value(handle.ok());
    }

    pub(super) fn stop_settling(self) {
        if let Some(Some(handle)) = self.settling.try_get_value() {
            handle.clear();
        }
    }

    /// Makes the scrolled position agree with the line that is shown, without moving what is on the screen. They part where
    /// the space is smaller than its lines, and where wrapped lines are higher than they are counted.
    fn settle(self) {
        let Some(scroller) = self.scroller.get_untracked() else { return };
        if self.following.get_untracked() {
            return;
        }
        let Placement { anchor, rows, .. } = self.placement.get_value();
        let (first, _) = self.shown.get_untracked();
        let total = self.lines.read_untracked().total();
        let top = f64::from(scroller.scroll_top());
        let right =
            if first == 1 { top - rows } else { top_of(anchor.seq, anchor.y, self.viewport(), total) };
        if (right - top).abs() < 1.0 {
            return;
        }
        self.put_rows(rows + right.round() - top);
        scroller.set_scroll_top(right.round() as i32);
        let settled = f64::from(scroller.scroll_top());
        self.put_rows(rows + settled - top);
        self.placement.update_value(|placement| placement.top = settled);
    }
}

/// A length for a style. Whole pixels keep the code that writes fractions out of the WASM.
fn pixels(length: f64) -> String {
    format!("{}px", length.round() as i64)
}
